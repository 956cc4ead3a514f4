/** Small caches for tests: results with tables, embedded rows, pixels and code, as a run leaves them, without a run. */
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Action, Output } from "../../cache/action.ts"
import { type Cache, openCache } from "../../cache/cache.ts"
import { digestOf } from "../../cache/canonical.ts"
import { gather, keepSegment, Places, rowKey } from "../../cache/segments.ts"
import { columnDigest } from "../../cache/digest.ts"
import { digestBytes } from "../../cache/store.ts"
import { verify, type Verified } from "../../cache/verify.ts"
import { encode } from "../../schemas/arrow.ts"
import { Samples } from "../../schemas/samples.ts"
import { Split } from "../../schemas/split.ts"
import { make, type Table } from "../../schemas/table.ts"

const home = fs.mkdtempSync(join(tmpdir(), "outcrop-contents-"))
export const removeAll = () => fs.rmSync(home, { recursive: true, force: true })
let folders = 0
export const folder = () => join(home, String(folders++))
export const fresh = (): Cache => openCache(folder())

/** Closes a cache and opens a copy of its folder. */
export const copied = ({ store }: Pick<Cache, "store">): Cache => {
  const root = folder()
  fs.cpSync(store.root, root, { recursive: true, preserveTimestamps: true })
  return openCache(root)
}

/** Writes a result down: its outputs' bytes in the document, or as blobs. Gives its key. */
export const keep = ({ index, store }: Cache, name: string, outputs: Readonly<Record<string, Output>>, inline: Readonly<Record<string, Uint8Array>> = {}): string => {
  const code = new TextEncoder().encode(`code of ${name.split(" ")[0]}`), closure = store.putBlob(code)
  const preimage = { stage: name.split(" ")[0]!, code: { closure }, with: { name } }
  const action: Action = {
    version: 1,
    key: digestOf("key", preimage),
    identity: name,
    uses: name.split(" ")[0]!,
    preimage,
    outputs,
    inline: Object.fromEntries(Object.entries(inline).map(([blob, bytes]) => [blob, Buffer.from(bytes).toString("base64")])),
    notices: [],
    started: "2026-01-02T03:04:05.000Z",
    seconds: 1,
    host: "here",
    node: "v22"
  }
  store.putDocument("actions", action.key, JSON.stringify(action))
  index.batch(() => index.record(action))
  return action.key
}

const outputOf = (table: Table, blob: string, kept: Output["kept"], kinds = table.columns): Output =>
  ({ table: table.schema.name, rows: table.rows, columns: Object.fromEntries(Array.from(kinds, ([name, { column, kind }]) => [name, { kind, digest: columnDigest(kind, column) }])), metadata: {}, blob, bytes: 1, kept })

/** A table with a text in it. */
const textTable = (text: string) => make(Split, { sample_id: [text], split: ["train"] })

/** A result whose table stands in its document. */
export const keepSmall = (cache: Cache, name: string, text = name): string => {
  const table = textTable(text), bytes = encode(table), blob = digestBytes(bytes)
  return keep(cache, name, { split: outputOf(table, blob, "inline") }, { [blob]: bytes })
}

/** A result whose table is a blob. */
export const keepLarge = (cache: Cache, name: string, text = name): string => {
  const table = textTable(`a table: ${text}`)
  return keep(cache, name, { split: outputOf(table, cache.store.putBlob(encode(table)), "blob") })
}

/** A collection whose pictures ingest itself made. */
export const keepSamples = (cache: Cache, name: string, pictures: ReadonlyArray<string>): string => {
  const assets = pictures.map((text) => {
    const digest = cache.store.putBlob(new TextEncoder().encode(text))
    return [{ band: "image", path: `cache:${digest}`, digest, index: -1, gsd: Number.NaN }]
  })
  const table = make(Samples, { sample_id: pictures, assets }), bytes = encode(table), blob = digestBytes(bytes)
  return keep(cache, name, { samples: outputOf(table, blob, "inline") }, { [blob]: bytes })
}

const keysOf = (rows: ReadonlyArray<string>) => rows.map((row) => rowKey("embedder", row))

/** One segment with a row of two numbers each. */
export const embed = ({ index, store }: Cache, ...rows: ReadonlyArray<string>): void =>
  keepSegment(store, index, keysOf(rows), { width: 2, values: Float32Array.from(rows.flatMap((row) => [row.length, row.charCodeAt(0)])) })

/** A result that is a list of rows embedded before. */
export const keepEmbedding = (cache: Cache, name: string, ...rows: ReadonlyArray<string>): string => {
  const places = keysOf(rows).map((key) => cache.index.row(key)!)
  const table = make(Places, { sample_id: rows, view: rows.map(() => "full"), segment: places.map(({ segment }) => segment), position: Int32Array.from(places, ({ position }) => position) })
  const vectors = gather(cache.store, cache.index, places)!
  const columns: Table["columns"] = new Map([["sample_id", table.columns.get("sample_id")!], ["view", table.columns.get("view")!], ["embedding", { kind: "vectors", column: vectors }]])
  return keep(cache, name, { embeddings: { ...outputOf(table, cache.store.putBlob(encode(table)), "rows", columns), table: "embeddings" } })
}

/** Where a row of an embedding lies. */
export const placeOf = ({ index }: Cache, row: string) => index.row(keysOf([row])[0]!)

/** Takes all steps of some work, or the first ones. */
export const all = <A>(steps: Generator<unknown, A>): A => {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
export const first = (steps: Generator<unknown, unknown>, count: number): boolean => {
  for (let i = 0; i < count; i++) if (steps.next().done === true) return true
  return false
}

export const verified = (cache: Cache, repair = false): Verified => all(verify(cache, {}, repair))
export const problems = (cache: Cache): ReadonlyArray<string> => verified(cache).findings.map(({ path, problem }) => `${path.slice(cache.store.root.length + 1).split("/")[0]}: ${problem.replaceAll(/[0-9a-f]{64}/g, "#")}`)

/** Flips a bit in the middle of a file. */
export const flip = (path: string): void => {
  const content = fs.readFileSync(path)
  content[Math.floor(content.length / 2)]! ^= 1
  fs.writeFileSync(path, content)
}
export const documentPath = ({ store }: Pick<Cache, "store">, folder: string, name: string): string => join(store.root, folder, name.slice(0, 2), `${name}.json`)
