/**
 * Tables as Apache Arrow IPC files, which pyarrow, DuckDB, polars or R open. Large numeric columns are written and read without a copy.
 * Arrow's own schema metadata holds the table's name under `outcrop.table`, and the table's metadata under its own names.
 */
import { type Data as ArrowData, type DataType, Field, FixedSizeList, Float32, Float64, Int32, List, makeData, RecordBatch, Schema, Struct, tableFromIPC, Utf8, type Vector } from "apache-arrow"
import { columnData, joined, textRows } from "./arrow-data.ts"
import { openKindOf, wanted } from "./arrow-types.ts"
import { partsOf } from "./arrow-writer.ts"
import type { Asset, Column, ColumnKind, ColumnTypes } from "./column.ts"
import { InvalidTable, type Table, type TableSchema, unknownColumns, validate } from "./table.ts"

/**
 * The Arrow IPC file of a table: one record batch, the same bytes for the same table. It comes in parts, of which the large ones are views of
 * the table's own arrays, so that a table of some GB is not held twice while it is written.
 */
export const encodeParts = (table: Table): ReadonlyArray<Uint8Array> => {
  const data = Array.from(table.columns, ([name, { kind, column }]) => [name, columnData(kind, column)] as const)
  const metadata = new Map([["outcrop.table", table.schema.name], ...Object.entries(table.metadata).toSorted(([a], [b]) => a < b ? -1 : 1)])
  const fields = data.map(([name, { type }]) => new Field(name, type, true))
  const schema = new Schema(fields, metadata)
  const children = data.map(([, child]) => child)
  return partsOf(new RecordBatch(schema, makeData({ type: new Struct(fields), length: table.rows, nullCount: 0, children })))
}

/** The Arrow IPC file of a table in one piece. */
export const encode = (table: Table): Uint8Array => joined(encodeParts(table))

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
type AnyVector = Vector<DataType>
const rowsOf = <A>(vector: AnyVector, read: (value: unknown, row: number) => A): Array<A> => {
  const out: Array<A> = []
  for (let i = 0; i < vector.length; i++) out[i] = read(vector.get(i), i)
  return out
}
/** A value that has to be there. */
const present = <A>(value: A | null | undefined, row: number, what: string): A => {
  if (value === null || value === undefined) throw new Error(`${what} is null in row ${row}`)
  return value
}
const numberOf = (value: unknown): number => value === null || value === undefined ? Number.NaN : Number(value)
/** Class ids: null is "none". */
const integerOf = (value: unknown): number => {
  if (value === null || value === undefined) return -1
  const number = Number(value)
  if (number !== (number | 0)) throw new Error(`${String(value)} is not an integer of 32 bits`)
  return number
}
const itemsOf = (value: unknown): Array<unknown> => value === null || value === undefined ? [] : Array.from(value as Iterable<unknown>)

/** Numeric values of a vector; without a copy where it is one chunk of that very type without nulls. */
const flat = <A extends Float32Array | Float64Array | Int32Array>(vector: AnyVector, type: new(n: number) => A): A => {
  const only = vector.data.length === 1 ? vector.data[0]! : undefined
  const plain = vector.type instanceof Int32 || vector.type instanceof Float32 || vector.type instanceof Float64
  if (plain && only !== undefined && only.nullCount === 0 && only.values instanceof type) return only.values.subarray(0, only.length) as A
  const out = new type(vector.length), read = out instanceof Int32Array ? integerOf : numberOf
  for (let i = 0; i < vector.length; i++) out[i] = read(vector.get(i))
  return out
}

const vectorsOf = (vector: AnyVector): ColumnTypes["vectors"] => {
  const width = vector.type instanceof FixedSizeList ? vector.type.listSize : rowsOf(vector, (row) => itemsOf(row).length).find((length) => length > 0) ?? 0
  const only = vector.data.length === 1 ? vector.data[0]! : undefined
  if (only !== undefined && vector.type instanceof FixedSizeList && only.nullCount === 0) {
    const child = only.children[0], values: unknown = child?.values
    if (child?.nullCount === 0 && values instanceof Float32Array) return { width, values: values.subarray(0, only.length * width) }
  }
  const values = new Float32Array(vector.length * width).fill(Number.NaN)
  for (let i = 0; i < vector.length; i++) {
    const row = itemsOf(vector.get(i))
    if (row.length !== 0 && row.length !== width) throw new Error(`row ${i} has ${row.length} values where others have ${width}`)
    values.set(row.map(numberOf), i * width)
  }
  return { width, values }
}

/** A list a row; without an Arrow vector a row where lists and their values have no nulls and are of that very type. */
const listsOf = <A extends Float32Array | Float64Array>(vector: AnyVector, type: { new(n: number): A; from(items: ReadonlyArray<unknown>, read: (value: unknown) => number): A }): Array<A> => {
  const out: Array<A> = []
  for (const { children, length, nullCount, valueOffsets } of vector.data) {
    const child = children[0], values: unknown = child?.values
    if (!(vector.type instanceof List) || nullCount > 0 || child === undefined || child.nullCount > 0 || child.offset > 0 || !(values instanceof type)) {
      return rowsOf(vector, (value) => type.from(itemsOf(value), numberOf))
    }
    for (let i = 0; i < length; i++) out.push(values.slice(valueOffsets[i], valueOffsets[i + 1]) as A)
  }
  return out
}

const textOf = (value: unknown): string | null => value === null || value === undefined ? null : String(value)

/** Texts of a column. Those without null in plain UTF-8 are decoded some thousand at a time, and equal neighbours share one string. */
const textsOf = (vector: AnyVector): Array<string | null> => {
  if (!(vector.type instanceof Utf8)) return rowsOf(vector, textOf)
  const out: Array<string | null> = []
  for (const { length, nullCount, valueOffsets: offsets, values } of vector.data as ReadonlyArray<ArrowData<Utf8>>) {
    if (nullCount > 0) return rowsOf(vector, textOf)
    let last = ""
    for (let from = 0; from < length; from += textRows) {
      const to = Math.min(length, from + textRows), begin = offsets[from]!
      const text = decoder.decode(values.subarray(begin, offsets[to]!))
      const ascii = text.length === offsets[to]! - begin
      for (let i = from; i < to; i++) {
        const value = ascii ? text.slice(offsets[i]! - begin, offsets[i + 1]! - begin) : decoder.decode(values.subarray(offsets[i]!, offsets[i + 1]!))
        if (value !== last) last = value
        out.push(last)
      }
    }
  }
  return out
}
const assetsOf = (value: unknown, row: number): Array<Asset> => itemsOf(value).map((item) => {
  const { band, path, digest, index, gsd } = present(item, row, "an asset") as Record<keyof Asset, unknown>
  const text = (value: unknown, field: string) => String(present(value, row, `the ${field} of an asset`))
  return { band: text(band, "band"), path: text(path, "path"), digest: text(digest, "digest"), index: integerOf(present(index, row, "the index of an asset")), gsd: numberOf(gsd) }
})

const columnOf = (kind: ColumnKind, vector: AnyVector): Column => {
  switch (kind) {
    case "text":
    case "optionalText":
      return textsOf(vector)
    case "texts":
      return rowsOf(vector, (value, row) => itemsOf(value).map((item) => String(present(item, row, "a text of a list"))))
    case "number":
      return flat(vector, Float64Array)
    case "time":
      return Float64Array.from(rowsOf(vector, numberOf))
    case "integer":
      return flat(vector, Int32Array)
    case "float":
      return flat(vector, Float32Array)
    case "vectors":
      return vectorsOf(vector)
    case "floats":
      return listsOf(vector, Float32Array)
    case "numbers":
      return listsOf(vector, Float64Array)
    case "assets":
      return rowsOf(vector, assetsOf)
  }
}

/** A column that is decoded when it is first read: of a wide table most stages read one or two. */
class Decoded {
  readonly kind: ColumnKind
  readonly #of: () => Column
  #column: Column | undefined

  constructor(kind: ColumnKind, of: () => Column) {
    this.kind = kind
    this.#of = of
  }

  get column(): Column {
    return this.#column ??= this.#of()
  }
}

/**
 * Reads an Arrow IPC file (or stream) as a table of the given schema, also one that another program wrote: any chunking, and the types of
 * `schemas/arrow-types.ts`. Columns the schema does not know are open columns, or an error where the table has none.
 * Throws `InvalidTable`. `trusted` is for bytes that were checked when they were written: it skips the checks, and decodes a column when
 * it is first read.
 */
export const decode = (schema: TableSchema, bytes: Uint8Array, trusted = false): Table => {
  const fail = (column: string, message: string): never => {
    throw new InvalidTable({ table: schema.name, column, row: -1, message })
  }
  let arrow: ReturnType<typeof tableFromIPC>
  try {
    arrow = tableFromIPC(bytes)
  } catch (cause) {
    return fail("", `not readable as an Arrow file: ${cause instanceof Error ? cause.message : String(cause)}: write one without compression, of plain types`)
  }
  const columns = new Map<string, { readonly kind: ColumnKind; readonly column: Column }>()
  const fields = new Map(arrow.schema.fields.map((field) => [field.name, field.type as DataType]))
  const read = (name: string, kind: ColumnKind, type: DataType) => {
    const other = wanted(kind, type)
    if (other !== undefined) fail(name, `it is ${type.toString()}, and has to be ${other}`)
    const of = (): Column => {
      try {
        return columnOf(kind, arrow.getChild(name) as unknown as AnyVector)
      } catch (cause) {
        return fail(name, `not readable as ${kind}: ${cause instanceof Error ? cause.message : String(cause)}`)
      }
    }
    columns.set(name, trusted ? new Decoded(kind, of) : { kind, column: of() })
  }
  for (const [name, spec] of Object.entries(schema.columns)) {
    const type = fields.get(name)
    if (type !== undefined) read(name, spec.kind, type)
    else if (!spec.optional) fail(name, `the column ${name} is missing; there are ${[...fields.keys()].join(", ") || "none"}`)
  }
  for (const [name, type] of [...fields].filter(([name]) => !(name in schema.columns)).toSorted(([a], [b]) => a < b ? -1 : 1)) {
    if (!schema.open) fail(name, unknownColumns(schema, [name]))
    const kind = openKindOf(type)
    if (kind === undefined) fail(name, `${type.toString()} is none of what an annotation can be: class ids (integers), scores (floats), vectors`)
    else read(name, kind, type)
  }
  const metadata = Object.fromEntries([...arrow.schema.metadata].filter(([name]) => !name.startsWith("outcrop.") && name !== "pandas" && !name.startsWith("ARROW:")))
  const table: Table = { schema, rows: arrow.numRows, columns, metadata }
  if (!trusted) validate(table)
  return table
}
