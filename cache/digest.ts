/**
 * The digest of a column is over its logical content, so how Arrow lays it out (chunks, slices, dictionaries, padding, null bitmaps)
 * does not show. Its kind and length are in it, -0 counts as 0 and every NaN as one NaN. File paths of assets are left out: moving a
 * collection changes no key.
 */
import { createHash, hash } from "node:crypto"
import { type Column, type ColumnKind, type ColumnTypes, isVectors } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

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

const numeric = (kind: ColumnKind, width: number, values: Float32Array | Float64Array | Int32Array): string =>
  createHash("sha256")
    .update(`outcrop column 1\n${kind} ${width} ${values.length}\n`)
    .update(bytesOf(values instanceof Int32Array ? values : settled(values)))
    .digest("hex")

const textual = (kind: ColumnKind, rows: unknown): string => hash("sha256", `outcrop column 1\n${kind}\n${JSON.stringify(rows)}`, "hex")

/** JSON knows no NaN. */
const number = (value: number) => Number.isFinite(value) ? value + 0 : String(value)

/** SHA-256, hex, of a column's content. */
export const columnDigest = (kind: ColumnKind, column: Column): string => {
  const as = <K extends ColumnKind>(_: K) => column as ColumnTypes[K]
  switch (kind) {
    case "text":
    case "optionalText":
    case "texts":
      return textual(kind, column)
    case "assets":
      return textual(kind, as("assets").map((row) => row.map((asset) => [asset.band, asset.digest, asset.index, number(asset.gsd)])))
    case "floats":
    case "numbers":
      return textual(kind, Array.from(as("numbers"), (row) => Array.from(row, number)))
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
  return Array.from({ length: table.rows }, (_, row) =>
    textual("texts", columns.map(({ kind, column }) => {
      if (isVectors(column)) return Array.from(column.values.subarray(row * column.width, (row + 1) * column.width), number)
      if (kind === "assets") return (column as ColumnTypes["assets"])[row]!.map((asset) => [asset.band, asset.digest, asset.index, number(asset.gsd)])
      const value: unknown = (column as ArrayLike<unknown>)[row]
      return typeof value === "number" ? number(value) : ArrayBuffer.isView(value) ? Array.from(value as Float64Array, number) : value
    })))
}
