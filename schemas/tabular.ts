/** Tables as files for people and other programs: CSV to look at, Parquet to compute with and to read back to the bit. */
import { type Column, type ColumnKind, type ColumnTypes, isVectors } from "./column.ts"
import type { Table } from "./table.ts"
import { tableSchemas } from "./tables.ts"

/** A number in a list as JSON has it, which knows no infinities. */
const entry = (value: number) => Number.isFinite(value) ? value : Number.isNaN(value) ? null : String(value)

/** A value as files have it: lists for vectors, null for NaN. */
const valueAt = (column: Column, row: number): unknown => {
  if (isVectors(column)) return Array.from(column.values.subarray(row * column.width, (row + 1) * column.width), entry)
  const value: unknown = column[row]
  if (typeof value === "number") return Number.isNaN(value) ? null : value
  return ArrayBuffer.isView(value) ? Array.from(value as Float64Array, entry) : value
}

/** One field of CSV (RFC 4180): quoted where it holds a separator, lists as JSON, null as nothing. */
export const csvField = (value: unknown): string => {
  const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text
}

/** A table as CSV with a header; times as ISO 8601. */
export const csvOf = ({ columns, rows }: Table): string => {
  const lines = [[...columns.keys()].map(csvField).join(",")]
  const shown = (kind: ColumnKind, value: unknown) => kind === "time" && value !== null ? new Date(Number(value)).toISOString() : value
  for (let row = 0; row < rows; row++) lines.push(Array.from(columns.values(), ({ column, kind }) => csvField(shown(kind, valueAt(column, row)))).join(","))
  return `${lines.join("\n")}\n`
}

/** A table as JSON: an object a row. */
export const jsonOf = ({ columns, rows }: Table): string => `${JSON.stringify(Array.from({ length: rows }, (_, row) => Object.fromEntries(Array.from(columns, ([name, { column }]) => [name, valueAt(column, row)]))))}\n`

/** A table as Parquet: numbers as themselves, vectors and lists as JSON; names of classes are in the file's own metadata. */
export const parquetOf = async ({ columns, metadata, rows }: Table): Promise<Uint8Array> => {
  const { parquetWriteBuffer } = await import("hyparquet-writer")
  return new Uint8Array(parquetWriteBuffer({
    kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    columnData: Array.from(columns, ([name, { column, kind }]) => {
      const data = Array.from({ length: rows }, (_, row) => valueAt(column, row))
      switch (kind) {
        case "text":
        case "optionalText":
          return { name, data, type: "STRING" as const, nullable: kind === "optionalText" }
        case "number":
          return { name, data, type: "DOUBLE" as const }
        case "float":
          return { name, data, type: "FLOAT" as const }
        case "integer":
          return { name, data, type: "INT32" as const, nullable: false }
        case "time":
          return { name, data: data.map((value) => value === null ? null : new Date(Number(value))), type: "TIMESTAMP" as const }
        case "assets":
          return { name, data: (column as ColumnTypes["assets"]).map((assets) => assets.map((asset) => ({ ...asset, gsd: entry(asset.gsd) }))), type: "JSON" as const, nullable: false }
        default:
          return { name, data, type: "JSON" as const, nullable: false }
      }
    })
  }))
}

const numberOf = (value: unknown): number => value === null || value === undefined ? Number.NaN : Number(value)
const listOf = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** A column of such values as its kind has it in memory; the inverse of `valueAt`. */
const columnOf = (kind: ColumnKind, values: ReadonlyArray<unknown>): Column => {
  switch (kind) {
    case "text":
      return values.map(String)
    case "optionalText":
      return values.map((value) => value === null || value === undefined ? null : String(value))
    case "texts":
      return values.map((value) => listOf(value).map(String))
    case "number":
    case "time":
      return Float64Array.from(values, numberOf)
    case "float":
      return Float32Array.from(values, numberOf)
    case "integer":
      return Int32Array.from(values, Number)
    case "floats":
      return values.map((value) => Float32Array.from(listOf(value), numberOf))
    case "numbers":
      return values.map((value) => Float64Array.from(listOf(value), numberOf))
    case "vectors": {
      const width = listOf(values[0]).length
      return { width, values: Float32Array.from(values.flatMap(listOf), numberOf) }
    }
    case "assets":
      return values.map((value) => listOf(value).map((asset) => {
        const { band, digest, gsd, index, path } = asset as Readonly<Record<string, unknown>>
        return { band: String(band), path: String(path), digest: String(digest), index: Number(index), gsd: numberOf(gsd) }
      }))
  }
}

/** What has to be known of a table to read it back. */
interface Recorded {
  readonly table: string
  readonly columns: Readonly<Record<string, { readonly kind: string }>>
  readonly metadata: Readonly<Record<string, string>>
}

/** The table that a Parquet file holds; `output` says the kinds of its columns. */
export const tableOfParquet = async (bytes: Uint8Array, output: Recorded): Promise<Table> => {
  const { parquetReadObjects } = await import("hyparquet")
  const rows = await parquetReadObjects({ file: bytes.slice().buffer })
  return {
    schema: tableSchemas[output.table]!,
    rows: rows.length,
    columns: new Map(Object.entries(output.columns).map(([name, { kind }]) => [name, { kind: kind as ColumnKind, column: columnOf(kind as ColumnKind, rows.map((row) => row[name])) }])),
    metadata: output.metadata
  }
}
