/** Tables of finished nodes, brought into memory for workers and reports; large ones once, in memory that threads share. */
import type { Output } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import { Corrupt } from "../cache/error.ts"
import { gather, Places } from "../cache/segments.ts"
import { decode } from "../schemas/arrow.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"
import { tableSchemas } from "../schemas/tables.ts"
import { collectGarbage } from "./garbage.ts"
import type { InputTable } from "./protocol.ts"

/** An output that an action promises is gone or damaged: it has to be made again. */
export class LostOutput extends Error {}

/** Evicted tables of this size are collected at once. */
const garbageBytes = 1 << 27

type Content = Pick<InputTable, "bytes" | "columns">

export class Tables {
  readonly #cache: Cache
  readonly #budget: number
  readonly #held = new Map<string, { readonly content: Content; readonly bytes: number }>()
  #bytes = 0

  /** `budget`: bytes of large tables to hold on to. */
  constructor(cache: Cache, budget: number) {
    this.#cache = cache
    this.#budget = budget
  }

  /** Holds a table that was just made, so that it need not be read back. */
  hold(blob: string, content: Content, bytes: number): void {
    if (this.#held.has(blob)) return
    this.#makeRoom(bytes)
    this.#held.set(blob, { content, bytes })
    this.#bytes += bytes
  }

  /** Lets go of the tables used longest ago, before memory is taken for another. */
  #makeRoom(bytes: number): void {
    let freed = 0
    for (const [oldest, { bytes: own }] of this.#held) {
      if (this.#bytes + bytes <= this.#budget) break
      this.#held.delete(oldest)
      this.#bytes -= own
      freed += own
    }
    if (freed > garbageBytes) collectGarbage()
  }

  /** Whether an output is where its action says, without reading it. */
  there(output: Output): boolean {
    const { store } = this.#cache
    if (output.kept === "inline" || this.#held.has(output.blob)) return true
    if (!store.hasBlob(output.blob)) return false
    if (output.kept === "blob") return true
    try {
      const segments = decode(Places, store.blob(output.blob)!, true).columns.get("segment")!.column as ColumnTypes["text"]
      return [...new Set(segments)].every((segment) => store.hasBlob(segment))
    } catch (cause) {
      if (cause instanceof Corrupt) return false
      throw cause
    }
  }

  #content(key: string, output: Output): Content {
    const held = this.#held.get(output.blob)
    if (held !== undefined) {
      this.#held.delete(output.blob)
      this.#held.set(output.blob, held)
      return held.content
    }
    const { index, store } = this.#cache
    if (output.kept === "inline") {
      const bytes = index.inline(output.blob) ?? fromBase64(index.action(key)?.inline[output.blob])
      if (bytes === undefined) throw new LostOutput(output.blob)
      return { bytes }
    }
    this.#makeRoom(output.bytes)
    let bytes: Uint8Array | undefined
    try {
      bytes = store.blob(output.blob)
    } catch (cause) {
      if (cause instanceof Corrupt) throw new LostOutput(cause.message)
      throw cause
    }
    if (bytes === undefined) throw new LostOutput(`the cached table ${output.blob.slice(0, 12)} is gone from the cache; it will be made again`)
    const content = output.kept === "rows" ? this.#assemble(bytes) : { bytes }
    this.hold(output.blob, content, output.bytes)
    return content
  }

  #assemble(bytes: Uint8Array): Content {
    const { columns } = decode(Places, bytes, true)
    const text = (name: string) => columns.get(name)!.column as ColumnTypes["text"]
    const segment = text("segment"), position = columns.get("position")!.column as Int32Array
    const vectors = gather(this.#cache.store, this.#cache.index, segment.map((blob, row) => ({ segment: blob, position: position[row]! })))
    if (vectors === undefined) throw new LostOutput("some cached embedding rows are gone or damaged; they will be embedded again")
    return { columns: embeddingColumns(text("sample_id"), text("view"), vectors) }
  }

  /** An output as a worker gets it, cut to the columns it reads. Throws `LostOutput`. */
  input(key: string, output: Output, read: ReadonlyArray<string>): InputTable {
    return { ...this.#content(key, output), blob: output.blob, table: output.table, metadata: output.metadata, read }
  }

  /** An output as a table. Throws `LostOutput`. */
  table(key: string, output: Output): Table {
    const { bytes, columns } = this.#content(key, output)
    const schema = tableSchemas[output.table]!
    return columns !== undefined ?
      { schema, rows: output.rows, columns, metadata: output.metadata } :
      decode(schema, bytes!, true)
  }
}

export const embeddingColumns = (ids: ReadonlyArray<string>, views: ReadonlyArray<string>, vectors: ColumnTypes["vectors"]): Table["columns"] =>
  new Map([["sample_id", { kind: "text", column: ids }], ["view", { kind: "text", column: views }], ["embedding", { kind: "vectors", column: vectors }]])

const fromBase64 = (text: string | undefined) => text === undefined ? undefined : new Uint8Array(Buffer.from(text, "base64"))
