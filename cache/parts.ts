/**
 * What a result consists of beside its document: the tables of its outputs, the segments that hold its embedded rows, the pixels that its
 * samples name, the text of its code.
 */
import { decode } from "../schemas/arrow.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import { tableSchemas } from "../schemas/tables.ts"
import type { Action, Output } from "./action.ts"
import { Corrupt } from "./error.ts"
import { Places } from "./segments.ts"
import type { Store } from "./store.ts"

export interface Parts {
  /** Blobs of tables, with the output that each is of. */
  readonly tables: ReadonlyMap<string, string>
  /** The rows of each segment that are used: the highest position. */
  readonly segments: ReadonlyMap<string, number>
  readonly pixels: ReadonlySet<string>
  /** Of a program and of results of early versions there is none. */
  readonly closure: string | undefined
  /** A table that names segments or pixels is lost or damaged: there may be more of them. */
  readonly unread: boolean
}

const closureOf = ({ preimage }: Action): string | undefined => {
  const code = (preimage as { readonly code?: { readonly closure?: unknown } | null }).code
  return typeof code?.closure === "string" ? code.closure : undefined
}

/** A whole blob; `undefined` where it is lost or damaged. */
const intact = (store: Store, digest: string): Uint8Array | undefined => {
  try {
    return store.blob(digest)
  } catch (cause) {
    if (cause instanceof Corrupt) return undefined
    throw cause
  }
}

/** What a table names; `undefined` where it is lost, damaged, or no such table. */
const attempt = <A>(bytes: Uint8Array | undefined, read: (bytes: Uint8Array) => A): A | undefined => {
  try {
    return bytes === undefined ? undefined : read(bytes)
  } catch {
    return undefined
  }
}

/** Reads what results consist of; tables that several share are read once. */
export const partReader = (store: Store): (action: Action) => Parts => {
  const places = new Map<string, ReadonlyMap<string, number> | undefined>(), pixels = new Map<string, ReadonlyArray<string> | undefined>()
  const bytesOf = (action: Action, { blob, kept }: Output) => kept === "inline" ? Buffer.from(action.inline[blob] ?? "", "base64") : intact(store, blob)
  const readPlaces = (bytes: Uint8Array) => {
    const { columns } = decode(Places, bytes, true), found = new Map<string, number>()
    const positions = columns.get("position")!.column as ColumnTypes["integer"]
    for (const [row, segment] of (columns.get("segment")!.column as ColumnTypes["text"]).entries()) found.set(segment, Math.max(found.get(segment) ?? 0, positions[row]!))
    return found
  }
  const readPixels = ({ table }: Output, column: string) => (bytes: Uint8Array) => {
    const rows = decode(tableSchemas[table]!, bytes, true).columns.get(column)!.column as ColumnTypes["assets"]
    return rows.flat().flatMap(({ path }) => path.startsWith("cache:") ? [path.slice(6)] : [])
  }
  const once = <A>(known: Map<string, A | undefined>, action: Action, output: Output, read: (bytes: Uint8Array) => A): A | undefined => {
    if (!known.has(output.blob)) known.set(output.blob, attempt(bytesOf(action, output), read))
    return known.get(output.blob)
  }
  return (action) => {
    const tables = new Map<string, string>(), segments = new Map<string, number>(), own = new Set<string>()
    let unread = false
    for (const [name, output] of Object.entries(action.outputs)) {
      if (output.kept !== "inline") tables.set(output.blob, name)
      if (output.kept === "rows") {
        const rows = once(places, action, output, readPlaces)
        unread ||= rows === undefined
        for (const [segment, position] of rows ?? []) segments.set(segment, Math.max(segments.get(segment) ?? 0, position))
        continue
      }
      for (const [column, { kind }] of Object.entries(output.columns)) {
        if (kind !== "assets") continue
        const digests = once(pixels, action, output, readPixels(output, column))
        unread ||= digests === undefined
        for (const digest of digests ?? []) own.add(digest)
      }
    }
    return { tables, segments, pixels: own, closure: closureOf(action), unread }
  }
}
