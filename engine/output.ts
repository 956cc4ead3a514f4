/** Keeps the tables that a stage gave: encoded, digested column by column, in the store or, where small, for the action. */
import type { Output } from "../cache/action.ts"
import { columnDigest } from "../cache/digest.ts"
import { digestBytes, type Store } from "../cache/store.ts"
import { encodeParts } from "../schemas/arrow.ts"
import type { Table } from "../schemas/table.ts"

/** Tables of at most this many bytes stand in the action document. */
const inlineLimit = 16_384

export interface KeptTables {
  readonly outputs: Readonly<Record<string, Output>>
  /** Arrow bytes of the small tables, by blob digest. */
  readonly inline: Readonly<Record<string, Uint8Array>>
}

/** Digests of a table's columns, as an action records them. */
export const columnsOf = ({ columns }: Pick<Table, "columns">): Output["columns"] =>
  Object.fromEntries(Array.from(columns, ([name, { kind, column }]) => [name, { kind, digest: columnDigest(kind, column) }]))

export const keepTables = (store: Store, tables: Readonly<Record<string, Table>>): KeptTables => {
  const outputs: Record<string, Output> = {}, inline: Record<string, Uint8Array> = {}
  for (const [port, table] of Object.entries(tables)) {
    const parts = encodeParts(table)
    const bytes = parts.reduce((sum, { length }) => sum + length, 0)
    const small = bytes <= inlineLimit
    const blob = small ? digestBytes(...parts) : store.putBlob(...parts)
    if (small) inline[blob] = new Uint8Array(Buffer.concat(parts))
    outputs[port] = { table: table.schema.name, rows: table.rows, columns: columnsOf(table), metadata: table.metadata, blob, bytes, kept: small ? "inline" : "blob" }
  }
  return { outputs, inline }
}
