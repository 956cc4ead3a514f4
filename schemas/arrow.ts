/**
 * Tables as Apache Arrow IPC files, which pyarrow, DuckDB, polars or R open. Large numeric columns are written and read without a copy.
 * Arrow's own schema metadata holds the table's name under `outcrop.table`, and the table's metadata under its own names.
 */
import {
  type Data as ArrowData,
  DataType,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  tableFromIPC,
  TimestampMillisecond,
  Utf8,
  type Vector
} from "apache-arrow"
import { partsOf } from "./arrow-writer.ts"
import { openKindOf, wanted } from "./arrow-types.ts"
import type { Asset, Column, ColumnKind, ColumnTypes } from "./column.ts"
import { InvalidTable, type Table, type TableSchema, unknownColumns, validate } from "./table.ts"

const utf8 = new Utf8(), float64 = new Float64(), float32 = new Float32(), int32 = new Int32()
const assetType = new Struct([
  new Field("band", utf8),
  new Field("path", utf8),
  new Field("digest", utf8),
  new Field("index", int32),
  new Field("gsd", float64)
])
const listOf = <T extends DataType>(type: T) => new List(new Field("item", type))

const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { ignoreBOM: true })
/** Rows whose texts are joined to one string at a time: all of a large table would be longer than strings can be. */
const textRows = 1 << 16
/** Offsets of texts are int32. */
const mostTextBytes = 2 ** 31 - 1

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

const textData = (values: ReadonlyArray<string | null>): ArrowData<Utf8> => {
  const offsets = new Int32Array(values.length + 1)
  const valid = new Uint8Array(Math.ceil(values.length / 8))
  const parts: Array<Uint8Array> = []
  let nulls = 0, at = 0
  for (let from = 0; from < values.length; from += textRows) {
    const to = Math.min(values.length, from + textRows)
    let text = ""
    for (let i = from; i < to; i++) {
      const value = values[i]!
      if (value === null) nulls++
      else {
        valid[i >> 3]! |= 1 << (i & 7)
        text += value
      }
    }
    const whole = encoder.encode(text), ascii = whole.length === text.length
    if (ascii) parts.push(whole)
    for (let i = from; i < to; i++) {
      const value = values[i] ?? "", part = ascii ? undefined : encoder.encode(value)
      if (part !== undefined) parts.push(part)
      at += part?.length ?? value.length
      if (at > mostTextBytes) throw new RangeError(`the texts of a column take more than 2 GiB at row ${i} of ${values.length}: shorten them, or split the collection`)
      offsets[i + 1] = at
    }
  }
  return makeData({ type: utf8, length: values.length, nullCount: nulls, ...(nulls > 0 ? { nullBitmap: valid } : {}), valueOffsets: offsets, data: joined(parts) })
}

/** Numbers with NaN as null. */
const nullable = (values: Float64Array) => {
  let nulls = 0
  const valid = new Uint8Array(Math.ceil(values.length / 8))
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) nulls++
    else valid[i >> 3]! |= 1 << (i & 7)
  }
  return nulls === 0 ? { nullCount: 0 } : { nullCount: nulls, nullBitmap: valid }
}

const offsetsOf = (rows: ReadonlyArray<{ readonly length: number }>): Int32Array => {
  const offsets = new Int32Array(rows.length + 1)
  for (let i = 0; i < rows.length; i++) offsets[i + 1] = offsets[i]! + rows[i]!.length
  return offsets
}
const listData = <T extends DataType>(rows: ReadonlyArray<{ readonly length: number }>, child: ArrowData<T>): ArrowData<List<T>> =>
  makeData({ type: listOf(child.type), length: rows.length, nullCount: 0, valueOffsets: offsetsOf(rows), child })

const concatenate = <A extends Float32Array | Float64Array>(rows: ReadonlyArray<A>, out: (n: number) => A): A => {
  const flat = out(rows.reduce((n, row) => n + row.length, 0))
  let at = 0
  for (const row of rows) {
    flat.set(row, at)
    at += row.length
  }
  return flat
}

const columnData = (kind: ColumnKind, column: Column): ArrowData => {
  const as = <K extends ColumnKind>(_: K) => column as ColumnTypes[K]
  switch (kind) {
    case "text":
    case "optionalText":
      return textData(as("optionalText"))
    case "texts":
      return listData(as("texts"), textData(as("texts").flat()))
    case "number": {
      const data = as("number")
      return makeData({ type: float64, length: data.length, data, ...nullable(data) })
    }
    case "time": {
      const times = as("time")
      const data = BigInt64Array.from(times, (time) => Number.isNaN(time) ? 0n : BigInt(Math.round(time)))
      return makeData({ type: new TimestampMillisecond("UTC"), length: times.length, data, ...nullable(times) })
    }
    case "integer":
      return makeData({ type: int32, length: as("integer").length, nullCount: 0, data: as("integer") })
    case "float":
      return makeData({ type: float32, length: as("float").length, nullCount: 0, data: as("float") })
    case "vectors": {
      const { values, width } = as("vectors")
      const child = makeData({ type: float32, length: values.length, nullCount: 0, data: values })
      return makeData({ type: new FixedSizeList(width, new Field("item", float32)), length: width === 0 ? 0 : values.length / width, nullCount: 0, child })
    }
    case "floats": {
      const rows = as("floats")
      const data = concatenate(rows, (n) => new Float32Array(n))
      return listData(rows, makeData({ type: float32, length: data.length, nullCount: 0, data }))
    }
    case "numbers": {
      const rows = as("numbers")
      const data = concatenate(rows, (n) => new Float64Array(n))
      return listData(rows, makeData({ type: float64, length: data.length, nullCount: 0, data }))
    }
    case "assets": {
      const flat = as("assets").flat()
      const gsd = Float64Array.from(flat, (asset) => asset.gsd)
      const children = [
        textData(flat.map((asset) => asset.band)),
        textData(flat.map((asset) => asset.path)),
        textData(flat.map((asset) => asset.digest)),
        makeData({ type: int32, length: flat.length, nullCount: 0, data: Int32Array.from(flat, (asset) => asset.index) }),
        makeData({ type: float64, length: flat.length, data: gsd, ...nullable(gsd) })
      ]
      return listData(as("assets"), makeData({ type: assetType, length: flat.length, nullCount: 0, children }))
    }
  }
}

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
