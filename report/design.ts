/**
 * What replicates are, read off the splits behind them: which test of a difference is valid depends on the rows that replicates share, not on
 * what their axis is called.
 */
import type { Node } from "../engine/expand.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import { type Finished, tableOf } from "./finished.ts"

export type Design =
  /** One split, or splits that train and test on the same rows: replicates differ in seeds. */
  | { readonly kind: "seeds" }
  /** Splits that share no row, or the same training rows and no test row. */
  | { readonly kind: "apart" }
  /** One test set, training sets that share rows; `shared`: the part of them that two have in common on average. */
  | { readonly kind: "one test"; readonly shared: number; readonly correlation: number }
  /** Training sets that share rows, test sets that are not one; `test` and `train`: their mean sizes. */
  | { readonly kind: "redrawn"; readonly test: number; readonly train: number; readonly correlation: number }
  /** No split to be read. */
  | { readonly kind: "unknown" }

/** The correlation of two replicates for the rows that they share; 0 where they share none that matter. */
export const correlationOf = (design: Design) => "correlation" in design ? design.correlation : 0

/** Rows of all splits are numbered together; of one split, those that train and those tested on. */
interface Division {
  readonly train: Int32Array
  readonly test: Int32Array
}

/** The mean part of two of the sets that they have in common, of some over numbered rows; 1 where all are one. */
const overlap = (sets: ReadonlyArray<Int32Array>): number => {
  const times = new Map<number, number>()
  let size = 0
  for (const set of sets) {
    size += set.length / sets.length
    for (const row of set) times.set(row, (times.get(row) ?? 0) + 1)
  }
  let common = 0
  for (const count of times.values()) common += count * (count - 1) / 2
  return size === 0 ? 0 : common / (sets.length * (sets.length - 1) / 2) / size
}

/** The splits behind the nodes of a grid. */
export class Designs {
  readonly #finished: Finished
  readonly #split: string
  readonly #numbers = new Map<string, number>()
  readonly #divisions = new Map<string, Division | undefined>()
  readonly #ids = new Map<number, string | undefined>()
  readonly #designs = new Map<string, Design>()
  readonly #alike = new Map<string, boolean>()

  /** `split`: the part that is measured on. */
  constructor(finished: Finished, split: string) {
    this.#finished = finished
    this.#split = split
  }

  /** Names the split that a node was measured by, the same for equal ones; undefined where there is none or its table is lost. */
  of(node: number): string | undefined {
    if (!this.#ids.has(node)) this.#ids.set(node, this.#find(node))
    return this.#ids.get(node)
  }

  #find(start: number): string | undefined {
    const { grid, outputs } = this.#finished, seen = new Set([start])
    for (const at of seen) {
      for (const { node, output } of grid.nodes[at]!.bindings) {
        const found = outputs[node]?.outputs[output]
        if (found?.table === "split") {
          const id = `${found.columns["sample_id"]!.digest} ${found.columns["split"]!.digest}`
          if (!this.#divisions.has(id)) this.#divisions.set(id, this.#read(grid.nodes[node]!, output))
          return this.#divisions.get(id) === undefined ? undefined : id
        }
        seen.add(node)
      }
    }
    return undefined
  }

  #read(node: Node, output: string): Division | undefined {
    const table = tableOf(this.#finished, node, output)
    if (table === undefined) return undefined
    const ids = table.columns.get("sample_id")!.column as ColumnTypes["text"], parts = table.columns.get("split")!.column as ColumnTypes["text"]
    const rows = (part: string) => Int32Array.from(parts.flatMap((each, row) => each === part ? [this.#numberOf(ids[row]!)] : []))
    return { train: rows("train"), test: rows(this.#split) }
  }

  #numberOf(id: string): number {
    const number = this.#numbers.get(id) ?? this.#numbers.size
    this.#numbers.set(id, number)
    return number
  }

  /** Whether two splits are measured on the same samples. */
  sameTest(a: string | undefined, b: string | undefined): boolean {
    if (a === b) return true
    const one = a === undefined ? undefined : this.#divisions.get(a), other = b === undefined ? undefined : this.#divisions.get(b)
    if (one === undefined || other === undefined) return false
    const pair = `${a}\n${b}`, known = this.#alike.get(pair) ?? (one.test.length === other.test.length && overlap([one.test, other.test]) === 1)
    this.#alike.set(pair, known)
    return known
  }

  /** What replicates of these splits are to one another. */
  design(splits: ReadonlyArray<string | undefined>): Design {
    const name = splits.join("\n")
    let design = this.#designs.get(name)
    if (design === undefined) {
      design = this.#designOf([...new Set(splits)])
      this.#designs.set(name, design)
    }
    return design
  }

  #designOf(splits: ReadonlyArray<string | undefined>): Design {
    const divisions = splits.flatMap((id) => id === undefined ? [] : this.#divisions.get(id) ?? [])
    if (divisions.length < splits.length) return { kind: "unknown" }
    if (divisions.length === 1) return { kind: "seeds" }
    const shared = overlap(divisions.map(({ train }) => train)), tested = overlap(divisions.map(({ test }) => test))
    const size = (of: (division: Division) => Int32Array) => divisions.reduce((sum, division) => sum + of(division).length, 0) / divisions.length
    if (tested === 0 && (shared === 0 || shared === 1)) return { kind: "apart" }
    if (tested === 1) return shared === 0 ? { kind: "apart" } : shared === 1 ? { kind: "seeds" } : { kind: "one test", shared, correlation: shared }
    const test = size((division) => division.test), train = size((division) => division.train)
    return { kind: "redrawn", test, train, correlation: test / (test + train) }
  }
}
