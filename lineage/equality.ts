/**
 * Whether a table that was made again is the one on record: by the digests of its columns, which says yes to the bit; and where those differ,
 * by its values, which says where and how far.
 */
import type { Output } from "../cache/action.ts"
import { digestOf, type Document } from "../cache/canonical.ts"
import { type Column, type ColumnKind, isVectors } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"

/** `equal`: to the bit; `close`: numbers within the tolerance; `unknown`: other bits, and nothing is left to measure them against. */
export type Likeness = "equal" | "close" | "differs" | "unknown"

export interface ColumnDifference {
  readonly column: string
  /** Rows in which it differs at all; of `rows`. */
  readonly rows: number
  /** Largest absolute difference of its numbers; null where it is no number that differs, or a number meets none. */
  readonly most: number | null
  readonly within: boolean
}

export interface Equality {
  readonly likeness: Likeness
  readonly rows: number
  readonly columns: ReadonlyArray<ColumnDifference>
  /** What differs besides values: rows, columns, metadata. */
  readonly note: string | undefined
}

type Numbers = { readonly length: number; readonly [at: number]: number | undefined }

/** The numbers of a row; `undefined` for columns that hold none that could be near each other (class ids are names). */
const numbersAt = (kind: ColumnKind, column: Column): ((row: number) => Numbers) | undefined => {
  if (isVectors(column)) return (row) => column.values.subarray(row * column.width, (row + 1) * column.width)
  switch (kind) {
    case "number":
    case "float":
      return (row) => [(column as Float64Array)[row]!]
    case "floats":
    case "numbers":
      return (row) => (column as ReadonlyArray<Float64Array>)[row]!
    default:
      return undefined
  }
}

const sameNumber = (a: number, b: number) => a === b || (Number.isNaN(a) && Number.isNaN(b))

/** How a column differs. A number may be off by `tolerance` times its size, or by `tolerance` where that is below 1. */
const columnDifference = (name: string, kind: ColumnKind, before: Column, after: Column, rows: number, tolerance: number): ColumnDifference => {
  const a = numbersAt(kind, before), b = numbersAt(kind, after)
  let different = 0, most = 0, measured = true, within = true
  for (let row = 0; row < rows; row++) {
    if (a === undefined || b === undefined) {
      if (JSON.stringify((before as ReadonlyArray<unknown>)[row]) === JSON.stringify((after as ReadonlyArray<unknown>)[row])) continue
      different++
      measured = within = false
      continue
    }
    const x = a(row), y = b(row)
    let same = x.length === y.length
    if (!same) measured = within = false
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      if (sameNumber(x[i]!, y[i]!)) continue
      same = false
      const distance = Math.abs(x[i]! - y[i]!)
      if (Number.isFinite(distance)) most = Math.max(most, distance)
      else measured = false
      if (!(distance <= tolerance * Math.max(1, Math.abs(x[i]!)))) within = false
    }
    if (!same) different++
  }
  return { column: name, rows: different, most: measured ? most : null, within }
}

/** What differs in kind, so that rows cannot be laid side by side. */
const shape = (before: Output, after: Output): string | undefined => {
  if (before.rows !== after.rows) return `${before.rows} rows on record, ${after.rows} now`
  const a = Object.entries(before.columns), b = after.columns
  const lost = a.filter(([name, { kind }]) => b[name]?.kind !== kind).map(([name]) => name), added = Object.keys(b).filter((name) => !(name in before.columns))
  return lost.length + added.length === 0 ? undefined : `other columns: ${[...lost.map((name) => `${name} is gone or of another kind`), ...added.map((name) => `${name} is new`)].join(", ")}`
}

const metadataNote = (before: Output, after: Output) => {
  const names = [...new Set([...Object.keys(before.metadata), ...Object.keys(after.metadata)])].filter((name) => before.metadata[name] !== after.metadata[name])
  return names.length === 0 ? undefined : `other metadata: ${names.join(", ")}`
}

/** Compares an output with the one on record. The tables are asked for only where digests differ; `undefined`: it cannot be had. */
export const equality = async (before: Output, after: Output, tables: { readonly before: () => Promise<Table | undefined>; readonly after: () => Promise<Table | undefined> }, tolerance: number): Promise<Equality> => {
  const { rows } = before
  const misshapen = shape(before, after)
  if (misshapen !== undefined) return { likeness: "differs", rows, columns: [], note: misshapen }
  const note = metadataNote(before, after)
  const names = Object.keys(before.columns).filter((name) => before.columns[name]!.digest !== after.columns[name]!.digest)
  if (names.length === 0) return { likeness: note === undefined ? "equal" : "differs", rows, columns: [], note }
  const old = await tables.before(), now = await tables.after()
  if (old === undefined || now === undefined) return { likeness: note === undefined ? "unknown" : "differs", rows, columns: [], note: note ?? `other bits in ${names.join(", ")}; how far is unknown, because the recorded table is not there` }
  const columns = names.map((name) => {
    const { column, kind } = old.columns.get(name)!
    return columnDifference(name, kind, column, now.columns.get(name)!.column, rows, tolerance)
  })
  return { likeness: note === undefined && columns.every(({ within }) => within) ? "close" : "differs", rows, columns, note }
}

/** SHA-256 of what a table holds, however it is stored: its rows, the digests of its columns, its metadata. */
export const contentDigest = ({ columns, metadata, rows, table }: Output): string =>
  digestOf("table", { table, rows, columns: Object.fromEntries(Object.entries(columns).map(([name, { digest, kind }]): [string, Document] => [name, [kind, digest]])), metadata })
