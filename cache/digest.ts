/**
 * The digest of a column is over its logical content, so how Arrow lays it out (chunks, slices, dictionaries, padding, null bitmaps)
 * does not show. Its kind and length are in it, -0 counts as 0 and every NaN as one NaN. File paths of assets are left out: moving a
 * collection changes no key.
 */
import { createHash, hash, type Hash } from "node:crypto"
import { type Asset, type Column, type ColumnKind, type ColumnTypes, isVectors } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"

/** Hashing takes at most 2 GiB at a time, and strings hold at most 512 Mi characters: large columns go in pieces, which do not show. */
const pieceBytes = 1 << 26, pieceRows = 1 << 14

/** Adds bytes of any length to a hash. */
export const updateBytes = (hash: Hash, { buffer, byteLength, byteOffset }: ArrayBufferView): Hash => {
  for (let at = 0; at < byteLength; at += pieceBytes) hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(pieceBytes, byteLength - at)))
  return hash
}

/** The same values with one zero and one NaN; the array itself where it has only those already. */
const settled = <A extends Float32Array | Float64Array>(values: A): A => {
  let unsettled = false
  for (let i = 0; i < values.length && !unsettled; i++) {
    const value = values[i]!
    unsettled = value !== value || Object.is(value, -0)
  }
  if (!unsettled) return values
  const copy = values.slice() as A
  for (let i = 0; i < copy.length; i++) {
    const value = copy[i]!
    copy[i] = value !== value ? Number.NaN : value + 0
  }
  return copy
}

const numeric = (kind: ColumnKind, width: number, values: Float32Array | Float64Array | Int32Array): string => {
  const sum = createHash("sha256").update(`outcrop column 1\n${kind} ${width} ${values.length}\n`)
  if (values instanceof Int32Array) return updateBytes(sum, values).digest("hex")
  const piece = pieceBytes / values.BYTES_PER_ELEMENT
  for (let from = 0; from < values.length; from += piece) updateBytes(sum, settled(values.subarray(from, from + piece)))
  return sum.digest("hex")
}

/** The digest of rows of numbers: how many each has, then all of them. */
const lists = (kind: ColumnKind, rows: ReadonlyArray<Float32Array | Float64Array>): string => {
  const sum = createHash("sha256").update(`outcrop column 2\n${kind} ${rows.length}\n`)
  updateBytes(sum, Int32Array.from(rows, ({ length }) => length))
  for (let from = 0; from < rows.length; from += pieceRows) {
    const part = rows.slice(from, from + pieceRows)
    const length = part.reduce((total, row) => total + row.length, 0), values = kind === "floats" ? new Float32Array(length) : new Float64Array(length)
    let at = 0
    for (const row of part) {
      values.set(row, at)
      at += row.length
    }
    updateBytes(sum, settled(values))
  }
  return sum.digest("hex")
}

/** The digest of rows as JSON has them. */
const textual = (kind: ColumnKind, rows: ReadonlyArray<unknown>, of: (row: never) => unknown = (row) => row): string => {
  const sum = createHash("sha256").update(`outcrop column 1\n${kind}\n[`)
  for (let from = 0; from < rows.length; from += pieceRows) {
    const text = JSON.stringify((rows as ReadonlyArray<never>).slice(from, from + pieceRows).map(of))
    sum.update(`${from === 0 ? "" : ","}${text.slice(1, -1)}`)
  }
  return sum.update("]").digest("hex")
}

/** JSON knows no NaN. */
const number = (value: number) => Number.isFinite(value) ? value + 0 : String(value)
const numbersOf = (row: ArrayLike<number>) => Array.from(row, number)
const assetsOf = (row: ReadonlyArray<Asset>) => row.map((asset) => [asset.band, asset.digest, asset.index, number(asset.gsd)])

/** SHA-256, hex, of a column's content. */
export const columnDigest = (kind: ColumnKind, column: Column): string => {
  const as = <K extends ColumnKind>(_: K) => column as ColumnTypes[K]
  switch (kind) {
    case "text":
    case "optionalText":
    case "texts":
      return textual(kind, as(kind))
    case "assets":
      return textual(kind, as("assets"), assetsOf)
    case "floats":
    case "numbers":
      return lists(kind, as(kind))
    case "number":
    case "time":
    case "integer":
    case "float":
      return numeric(kind, 1, as("number"))
    case "vectors":
      return numeric(kind, as("vectors").width, as("vectors").values)
  }
}

/** A digest for each row of the given columns together, for caches that keep row by row. */
export const rowDigests = (table: Table, names: ReadonlyArray<string>): Array<string> => {
  const columns = names.map((name) => table.columns.get(name)!)
  return Array.from({ length: table.rows }, (_, row) => {
    const cells = columns.map(({ kind, column }) => {
      if (isVectors(column)) return numbersOf(column.values.subarray(row * column.width, (row + 1) * column.width))
      if (kind === "assets") return assetsOf((column as ColumnTypes["assets"])[row]!)
      const value: unknown = (column as ArrayLike<unknown>)[row]
      return typeof value === "number" ? number(value) : ArrayBuffer.isView(value) ? numbersOf(value as Float64Array) : value
    })
    return hash("sha256", `outcrop column 1\ntexts\n${JSON.stringify(cells)}`, "hex")
  })
}
