/**
 * Whether the tables of a result hold what its record says. The record names each column by the digest of its content, and the keys of what
 * comes after are made of those: a table that is another one would be taken for what it is not.
 */
import { decode } from "../schemas/arrow.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"
import { tableSchemas } from "../schemas/tables.ts"
import type { Action, Output } from "./action.ts"
import type { Cache } from "./cache.ts"
import { columnDigest } from "./digest.ts"
import { gather, Places, readSegment } from "./segments.ts"

/** Whether a table has the content that a record says. */
export const isContent = ({ columns, rows }: Output, table: Table): boolean =>
  table.rows === rows && table.columns.size === Object.keys(columns).length && Object.entries(columns).every(([name, { digest, kind }]) => {
    const found = table.columns.get(name)
    return found !== undefined && found.kind === kind && columnDigest(kind, found.column) === digest
  })

/** The embeddings that a list of places stands for; `undefined` where a segment is lost or has no such row. */
const assembled = ({ index, store }: Pick<Cache, "index" | "store">, bytes: Uint8Array): Table | undefined => {
  const { columns, rows } = decode(Places, bytes)
  const text = (name: string) => columns.get(name)!.column as ColumnTypes["text"]
  const segment = text("segment"), position = columns.get("position")!.column as ColumnTypes["integer"]
  const sizes = new Map(Array.from(new Set(segment), (blob) => [blob, store.hasBlob(blob) ? readSegment(store.blobPath(blob))?.keys.length ?? 0 : 0]))
  if (!segment.every((blob, row) => position[row]! >= 0 && position[row]! < sizes.get(blob)!)) return undefined
  const embedding = gather(store, index, segment.map((segment, row) => ({ segment, position: position[row]! })))
  const found: Table["columns"] = embedding === undefined ? new Map() : new Map([["sample_id", columns.get("sample_id")!], ["view", columns.get("view")!], ["embedding", { kind: "vectors", column: embedding }]])
  return { schema: tableSchemas["embeddings"]!, rows, columns: found, metadata: {} }
}

/** What is wrong with the tables of a result, all parts of which are in the store; `undefined`: nothing. */
export const contentProblem = (cache: Pick<Cache, "index" | "store">, { inline, outputs }: Action): string | undefined => {
  for (const [name, output] of Object.entries(outputs)) {
    const { blob, kept, table } = output
    let whole: boolean
    try {
      const bytes = kept === "inline" ? Buffer.from(inline[blob]!, "base64") : cache.store.blob(blob)
      const schema = Object.hasOwn(tableSchemas, table) ? tableSchemas[table] : undefined
      const found = bytes === undefined || schema === undefined ? undefined : kept === "rows" ? assembled(cache, bytes) : decode(schema, bytes)
      whole = found !== undefined && isContent(output, found)
    } catch {
      // whatever cannot be read is no such table
      whole = false
    }
    if (!whole) return `the table of its output "${name}" does not hold what the record says`
  }
  return undefined
}
