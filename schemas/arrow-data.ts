/** Each kind of column as Arrow data. */
import {
  type Data as ArrowData,
  type DataType,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  List,
  makeData,
  Struct,
  TimestampMillisecond,
  Utf8
} from "apache-arrow"
import type { Column, ColumnKind, ColumnTypes } from "./column.ts"

const utf8 = new Utf8(), float64 = new Float64(), float32 = new Float32(), int32 = new Int32()
const assetType = new Struct([
  new Field("band", utf8),
  new Field("path", utf8),
  new Field("digest", utf8),
  new Field("index", int32),
  new Field("gsd", float64)
])
const listOf = <T extends DataType>(type: T) => new List(new Field("item", type))

const encoder = new TextEncoder()
/** Rows whose texts are joined to one string at a time: all of a large table would be longer than strings can be. */
export const textRows = 1 << 16
/** Offsets of texts are int32. */
const mostTextBytes = 2 ** 31 - 1

/** Bytes that come in several parts, in one piece. */
export const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
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

/** A column as Arrow holds it; numbers without a copy. */
export const columnData = (kind: ColumnKind, column: Column): ArrowData => {
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
