/** Values that scikit-learn and scipy computed, where they are at hand. */
import { existsSync, readFileSync } from "node:fs"

/** The named file of oracles; undefined where it is absent. */
export const oracle = <A>(name: string): A | undefined => {
  const file = new URL(`../../../shared/data/oracles/${name}.json`, import.meta.url)
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined
}

export type Rows = ReadonlyArray<ReadonlyArray<number>>

/** Rows of numbers as a matrix. */
export const matrix = (rows: Rows) => ({ rows: rows.length, columns: rows[0]?.length ?? 0, values: Float64Array.from(rows.flat()) })
