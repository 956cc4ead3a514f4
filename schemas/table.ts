/**
 * What a table is: named columns of known kinds, a key that makes its rows unique, and a validator that names the column, row and value
 * of a violation. Tables cross every boundary between stages; `sample_id` is the join key everywhere.
 */
import * as Data from "effect/Data"
import { type Column, type ColumnKind, type ColumnTypes, isVectors, lengthOf, type OpenColumn, openKinds, takeColumn } from "./column.ts"
import { suggest } from "./spelling.ts"

/** How one column is declared. */
export interface ColumnSpec<K extends ColumnKind = ColumnKind> {
  readonly kind: K
  readonly description: string
  /** Values must be finite (vectors: every entry). */
  readonly finite: boolean
  /** The column may be left out by who makes the table; it is then filled with "absent" (null, NaN, empty). */
  readonly optional: boolean
  /** Vectors only: the one width allowed. */
  readonly width?: number
  /** Text only: the values allowed. */
  readonly oneOf?: ReadonlyArray<string>
}
export type Columns = Readonly<Record<string, ColumnSpec>>

export interface TableSchema<C extends Columns = Columns> {
  readonly name: string
  readonly description: string
  readonly columns: C
  /** Columns that together are unique; rows are sorted by them (as UTF-8 bytes) before they are kept. Empty: order is content. */
  readonly key: ReadonlyArray<string>
  /** May hold further columns under names of the user's choice (annotations). */
  readonly open: boolean
}

type OptionalNames<C extends Columns> = { [K in keyof C]: C[K] extends { readonly optional: true } ? K : never }[keyof C]
/** A table as a stage reads it: every declared column is there. */
export type TableOf<C extends Columns, K extends keyof C = keyof C> =
  & { readonly [P in K]: ColumnTypes[C[P]["kind"]] }
  & { readonly rows: number; readonly open: Readonly<Record<string, OpenColumn>>; readonly metadata: Readonly<Record<string, string>> }
/** A table as a stage gives it: optional columns, open columns and metadata may be left out. */
export type TableInput<C extends Columns> =
  & { readonly [P in Exclude<keyof C, OptionalNames<C>>]: ColumnTypes[C[P]["kind"]] }
  & { readonly [P in OptionalNames<C>]?: ColumnTypes[C[P]["kind"]] }
  & { readonly open?: Readonly<Record<string, OpenColumn>>; readonly metadata?: Readonly<Record<string, string>> }

/** A table whose columns are known only at run time: what engine, cache and reports handle. */
export interface Table {
  readonly schema: TableSchema
  readonly rows: number
  /** Declared columns in declared order, then open ones in name order. */
  readonly columns: ReadonlyMap<string, { readonly kind: ColumnKind; readonly column: Column }>
  readonly metadata: Readonly<Record<string, string>>
}

/** A table that breaks its schema: which column, which row, which value. */
export class InvalidTable extends Data.TaggedError("InvalidTable")<{
  readonly table: string
  readonly column: string
  readonly row: number
  readonly message: string
}> {}

/** What is wrong with a table, and where. */
export const wordsOf = ({ column, message, row }: InvalidTable): string => `${column === "" ? "" : `column ${column}${row >= 0 ? `, row ${row}` : ""}: `}${message}`

type Options = Partial<Pick<ColumnSpec, "finite" | "optional" | "width" | "oneOf">>
type Declared<K extends ColumnKind, Optional extends boolean> = Omit<ColumnSpec<K>, "optional"> & { readonly optional: Optional }
/** Declares a column. */
export function column<K extends ColumnKind>(kind: K, description: string, options: Options & { readonly optional: true }): Declared<K, true>
export function column<K extends ColumnKind>(kind: K, description: string, options?: Omit<Options, "optional">): Declared<K, false>
export function column(kind: ColumnKind, description: string, options?: Options): ColumnSpec {
  return { kind, description, finite: false, optional: false, ...options }
}

/** Declares a table. */
export const table = <const C extends Columns>(spec: {
  readonly name: string
  readonly description: string
  readonly columns: C
  readonly key: ReadonlyArray<string & keyof C>
  readonly open?: boolean
}): TableSchema<C> => ({ open: false, ...spec })

const absent = (kind: ColumnKind, rows: number, width: number): Column => {
  switch (kind) {
    case "number":
    case "time":
      return new Float64Array(rows).fill(Number.NaN)
    case "float":
      return new Float32Array(rows).fill(Number.NaN)
    case "integer":
      return new Int32Array(rows).fill(-1)
    case "vectors":
      return { width, values: new Float32Array(rows * width).fill(Number.NaN) }
    case "text":
      return Array.from({ length: rows }, () => "")
    case "optionalText":
      return Array.from({ length: rows }, () => null)
    case "texts":
    case "floats":
    case "numbers":
    case "assets":
      return Array.from({ length: rows }, () => [])
  }
}

/** What stands beside the columns of a table as a stage has it. */
const besideColumns = ["rows", "open", "metadata"]

/** What to say of columns that a table does not have. */
export const unknownColumns = ({ columns, name, open }: TableSchema, unknown: ReadonlyArray<string>): string => {
  const own = Object.keys(columns)
  return `${name} has no column ${unknown.map((each) => `"${each}"${suggest(each, own)}`).join(", ")}; ${open ? `columns of your own go into open: { ${unknown.join(", ")} }` : `it has ${own.join(", ")}`}`
}

/** Checks what a stage gave against the schema and orders its rows by the key. Throws `InvalidTable`. */
export const make = <C extends Columns>(schema: TableSchema<C>, given: TableInput<C>): Table => {
  const fail = (column: string, row: number, message: string): never => {
    throw new InvalidTable({ table: schema.name, column, row, message })
  }
  const values: Readonly<Record<string, unknown>> = given
  const open = Object.entries<unknown>(given.open ?? {}).toSorted(([a], [b]) => a < b ? -1 : 1)
  const strange = Object.keys(given).filter((name) => values[name] !== undefined && !(name in schema.columns) && !besideColumns.includes(name))
  if (!schema.open) strange.push(...open.map(([name]) => name))
  if (strange.length > 0) fail(strange[0]!, -1, unknownColumns(schema, strange))
  const filled = new Map<string, { readonly kind: ColumnKind; readonly column: Column }>()
  const fill = (name: string, value: unknown, kinds: ReadonlyArray<ColumnKind>) => {
    const kind = kinds.find((kind) => isOfKind(kind, value))
    if (kind !== undefined) return void filled.set(name, { kind, column: value as Column })
    const got = value === null ? "null" : Object.getPrototypeOf(value)?.constructor?.name ?? typeof value
    fail(name, -1, `${kinds.length > 1 ? "an open" : `a ${kinds[0]}`} column is ${kinds.map((kind) => inMemory[kind]).join(" or ")}, got ${got}`)
  }
  for (const [name, { kind, optional }] of Object.entries(schema.columns)) {
    if (values[name] !== undefined) fill(name, values[name], [kind])
    else if (!optional) fail(name, -1, `the column ${name} is missing`)
  }
  for (const [name, value] of open) {
    if (name in schema.columns) fail(name, -1, `the name ${name} belongs to the table`)
    fill(name, value, openKinds)
  }
  const first = filled.values().next().value, rows = first === undefined ? 0 : lengthOf(first.column)
  const declared = Object.entries(schema.columns).map(([name, { kind, width }]) => [name, filled.get(name) ?? { kind, column: absent(kind, rows, width ?? 0) }] as const)
  const columns = new Map([...declared, ...filled])
  const made: Table = { schema, rows, columns, metadata: given.metadata ?? {} }
  validate(made)
  return sortRows(made)
}

/** How a kind of column lies in memory, in words. */
const inMemory: Readonly<Record<ColumnKind, string>> = {
  text: "an array of strings",
  optionalText: "an array of strings and nulls",
  texts: "an array of arrays of strings",
  number: "a Float64Array",
  integer: "an Int32Array",
  float: "a Float32Array",
  vectors: "{ width, values: Float32Array }",
  floats: "an array of Float32Arrays",
  numbers: "an array of Float64Arrays",
  time: "a Float64Array",
  assets: "an array of arrays of assets"
}
const isOfKind = (kind: ColumnKind, column: unknown): boolean => {
  switch (kind) {
    case "number":
    case "time":
      return column instanceof Float64Array
    case "integer":
      return column instanceof Int32Array
    case "float":
      return column instanceof Float32Array
    case "vectors":
      return typeof column === "object" && column !== null && "width" in column && Number.isInteger(column.width) && "values" in column && column.values instanceof Float32Array
    case "floats":
      return Array.isArray(column) && column.every((row) => row instanceof Float32Array)
    case "numbers":
      return Array.isArray(column) && column.every((row) => row instanceof Float64Array)
    default:
      return Array.isArray(column)
  }
}

/** Checks lengths, allowed values, finite values and the uniqueness of the key. Throws `InvalidTable`. */
export const validate = (checked: Table): void => {
  const fail = (column: string, row: number, message: string): never => {
    throw new InvalidTable({ table: checked.schema.name, column, row, message })
  }
  for (const [name, { kind, column }] of checked.columns) {
    const spec = checked.schema.columns[name]
    if (isVectors(column) && column.width > 0 && column.values.length % column.width !== 0) {
      fail(name, -1, `${column.values.length} values do not fill rows of width ${column.width}`)
    }
    const length = isVectors(column) && column.width === 0 ? checked.rows : lengthOf(column)
    if (length !== checked.rows) fail(name, -1, `${length} rows where the table has ${checked.rows}`)
    if (spec === undefined) continue
    if (isVectors(column) && spec.width !== undefined && column.width !== spec.width) fail(name, -1, `width ${column.width} where ${spec.width} is expected`)
    if (spec.finite) {
      const flat = isVectors(column) ? column.values : column
      if (flat instanceof Float32Array || flat instanceof Float64Array) {
        const width = isVectors(column) ? column.width : 1
        for (let i = 0; i < flat.length; i++) if (!Number.isFinite(flat[i])) fail(name, Math.floor(i / width), `${flat[i]} is not finite`)
      }
    }
    if (kind === "optionalText" || kind === "texts") {
      const list = column as ReadonlyArray<unknown>
      for (let i = 0; i < list.length; i++) {
        const value = list[i]
        const fits = kind === "texts" ? Array.isArray(value) && value.every((item) => typeof item === "string") : value === null || typeof value === "string"
        if (!fits) fail(name, i, `${String(value)} is not ${kind === "texts" ? "a list of texts" : "text or null"}`)
      }
    }
    if (kind === "text") {
      const texts = column as ReadonlyArray<string>
      for (let i = 0; i < texts.length; i++) {
        const text: unknown = texts[i]
        if (typeof text !== "string") fail(name, i, `${String(text)} is not text`)
        else if (spec.oneOf !== undefined && !spec.oneOf.includes(text)) fail(name, i, `"${text}" is none of ${spec.oneOf.join(", ")}`)
      }
    }
  }
  if (checked.schema.key.length > 0 && !ascending(checked)) {
    const keys = keysOf(checked)
    const seen = new Set<string>()
    for (let i = 0; i < checked.rows; i++) {
      const key = keys.length === 1 ? keys[0]![i]! : keys.map((column) => column[i]).join("\0")
      if (seen.has(key)) fail(checked.schema.key[0]!, i, `"${key.replaceAll("\0", " / ")}" stands in more than one row`)
      seen.add(key)
    }
  }
}

/** Order of UTF-8 bytes (JavaScript's own order of strings is by UTF-16 units and differs beyond the BMP). */
export const compareText = (a: string, b: string): number => {
  if (a === b) return 0
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i), y = b.charCodeAt(i)
    if (x === y) continue
    const surrogate = (c: number) => c >= 0xd800 && c <= 0xdfff
    if (surrogate(x) !== surrogate(y)) return surrogate(x) ? 1 : -1
    return x - y
  }
  return a.length - b.length
}

const keysOf = ({ columns, schema }: Table) => schema.key.map((name) => columns.get(name)!.column as ReadonlyArray<string>)

/** Compares two rows by the columns of the key. */
const rowOrder = (keys: ReadonlyArray<ReadonlyArray<string>>) => (i: number, j: number): number => {
  for (const column of keys) {
    const c = compareText(column[i]!, column[j]!)
    if (c !== 0) return c
  }
  return 0
}

/** Whether each row's key is above that of the row before: then rows are in order, and no key stands twice. */
const ascending = (table: Table): boolean => {
  const compare = rowOrder(keysOf(table))
  for (let i = 1; i < table.rows; i++) if (compare(i - 1, i) >= 0) return false
  return true
}

const sortRows = (unsorted: Table): Table => {
  if (unsorted.schema.key.length === 0 || ascending(unsorted)) return unsorted
  return take(unsorted, Int32Array.from({ length: unsorted.rows }, (_, i) => i).toSorted(rowOrder(keysOf(unsorted))))
}

/** The given rows of a table, in that order; a copy. */
export const take = (from: Table, rows: ArrayLike<number>): Table => ({
  ...from,
  rows: rows.length,
  columns: new Map(Array.from(from.columns, ([name, { kind, column }]) => [name, { kind, column: takeColumn(column, rows) }] as const))
})

/** A table as a stage reads it, restricted to the named columns (others are not there at all). */
export const view = (from: Table, names: ReadonlyArray<string>): TableOf<Columns> => {
  const open: Record<string, OpenColumn> = {}
  const out: Record<string, unknown> = { rows: from.rows, open, metadata: from.metadata }
  for (const name of names) {
    const found = from.columns.get(name)
    if (found === undefined) throw new InvalidTable({ table: from.schema.name, column: name, row: -1, message: `the column ${name} is missing; there are ${[...from.columns.keys()].join(", ")}` })
    if (name in from.schema.columns) out[name] = found.column
    else open[name] = found.column as OpenColumn
  }
  return out as TableOf<Columns>
}
