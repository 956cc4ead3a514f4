/**
 * Takes out of a cache what nothing asks for any more. First it is found out what goes; then it goes in an order in which a kill at any
 * instruction leaves a consistent cache: what goes is put on record, then the index forgets it, then the documents of results go, and last
 * what only they had. For whoever has the cache alone (`lock.ts`).
 */
import * as fs from "node:fs"
import { join } from "node:path"
import type { Cache } from "./cache.ts"
import { CacheError } from "./error.ts"
import { putEviction } from "./evictions.ts"
import { type Parts, partReader } from "./parts.ts"
import type { StoredFile } from "./store.ts"

/** What stays. */
export interface Kept {
  /** Keys of results, and digests of graphs. */
  readonly names: ReadonlySet<string>
  /** Results and embedded rows that were written since then stay too; milliseconds since 1970. */
  readonly since: number
  /** Whether all embedded rows stay. */
  readonly embeddings: boolean
}

export interface Tally {
  /** The implementation, or what else it is. */
  readonly what: string
  readonly stays: { count: number; bytes: number }
  readonly goes: { count: number; bytes: number }
}

/** What goes, and what it comes to. */
export interface Garbage {
  readonly tallies: ReadonlyArray<Tally>
  readonly actions: ReadonlyArray<string>
  readonly graphs: ReadonlyArray<string>
  readonly audits: ReadonlyArray<string>
  readonly segments: ReadonlyArray<string>
  readonly blobs: ReadonlyArray<string>
  /** Small tables that only results which go have. */
  readonly inline: ReadonlyArray<string>
}

interface Result {
  readonly file: StoredFile
  readonly uses: string
  readonly stays: boolean
  readonly inline: ReadonlyArray<string>
  readonly parts: Parts
}

/** Names of what is not a result. */
const rowsName = "embedded rows", graphsName = "graphs of runs", auditsName = "audits", unfinishedName = "left by unfinished runs"

/** Finds what goes. Yields now and then, so that the caller can be interrupted. */
export function* garbageOf({ index, store }: Pick<Cache, "index" | "store">, kept: Kept): Generator<void, Garbage> {
  const tallies = new Map<string, Tally>()
  const count = (what: string, stays: boolean, count: number, bytes: number) => {
    let tally = tallies.get(what)
    if (tally === undefined) tallies.set(what, tally = { what, stays: { count: 0, bytes: 0 }, goes: { count: 0, bytes: 0 } })
    const side = stays ? tally.stays : tally.goes
    side.count += count
    side.bytes += bytes
  }
  const sizes = new Map(Array.from(store.files("blobs"), ({ bytes, name }) => [name, bytes]))
  const results: Array<Result> = [], partsOf = partReader(store), damaged: Array<string> = []
  for (const file of store.files("actions")) {
    yield
    const action = index.action(file.name)
    if (action === undefined) damaged.push(file.path)
    else results.push({ file, uses: action.uses, stays: kept.names.has(file.name) || file.modified >= kept.since, inline: Object.keys(action.inline), parts: partsOf(action) })
  }
  if (damaged.length > 0) throw new CacheError({ path: damaged[0]!, message: `${damaged[0]}${damaged.length > 1 ? ` and ${damaged.length - 1} more` : ""} is damaged, so it cannot be said what it needs: run "outcrop verify --repair" first` })
  // a table that cannot be read may need any of the embedded rows
  const allRows = kept.embeddings || results.some(({ parts, stays }) => stays && parts.unread)
  // a blob belongs to the first that has it, those that stay before those that go
  const stayingBlobs = new Set<string>(), seen = new Set<string>(), stayingSegments = new Set<string>()
  for (const result of [...results.filter(({ stays }) => stays), ...results.filter(({ stays }) => !stays)]) {
    const { parts: { closure, pixels, segments, tables }, stays, uses } = result
    let bytes = result.file.bytes
    for (const blob of [...tables.keys(), ...pixels, ...(closure === undefined ? [] : [closure])]) {
      if (stays) stayingBlobs.add(blob)
      if (seen.has(blob)) continue
      seen.add(blob)
      bytes += sizes.get(blob) ?? 0
    }
    if (stays) for (const segment of segments.keys()) stayingSegments.add(segment)
    count(uses, stays, 1, bytes)
  }
  const segments: Array<string> = []
  for (const file of store.files("segments")) {
    const stays = allRows || stayingSegments.has(file.name) || file.modified >= kept.since
    const rows = JSON.parse(store.document("segments", file.name) ?? "{}") as { readonly rows?: number }
    if (stays) stayingBlobs.add(file.name)
    else segments.push(file.name)
    seen.add(file.name)
    count(rowsName, stays, rows.rows ?? 0, file.bytes + (sizes.get(file.name) ?? 0))
  }
  const documents = (folder: string, what: string, stays: (file: StoredFile) => boolean): ReadonlyArray<string> =>
    Array.from(store.files(folder)).flatMap((file) => {
      const stay = stays(file)
      count(what, stay, 1, file.bytes)
      return stay ? [] : [file.name]
    })
  const graphs = documents("graphs", graphsName, ({ name }) => kept.names.has(name))
  // made again when they are asked for
  const audits = documents("audits", auditsName, ({ modified }) => modified >= kept.since)
  for (const [blob, bytes] of sizes) if (!seen.has(blob)) count(unfinishedName, false, 1, bytes)
  const stayingInline = new Set(results.flatMap(({ inline, stays }) => stays ? inline : []))
  return {
    tallies: [...tallies.values()].toSorted((a, b) => orderOf(a.what) - orderOf(b.what) || (a.what < b.what ? -1 : 1)),
    actions: results.flatMap(({ file, stays }) => stays ? [] : [file.name]),
    graphs,
    audits,
    segments,
    blobs: [...sizes.keys()].filter((blob) => !stayingBlobs.has(blob)),
    inline: [...new Set(results.flatMap(({ inline, stays }) => stays ? [] : inline))].filter((blob) => !stayingInline.has(blob))
  }
}

const orderOf = (what: string) => ["ingest", "embed", "mine", "train", "probe", rowsName, graphsName, auditsName, unfinishedName].findIndex((name) => what === name || what.startsWith(`${name}/`))

/**
 * Removes what `garbageOf` found; `why` stands on record. Yields after each step: a kill there, or anywhere between, loses nothing that stays.
 * On a full disk the files go first; an index that names what is gone is no harm, for every use looks.
 */
export function* collect({ index, store }: Pick<Cache, "index" | "store">, { actions, audits, blobs, graphs, inline, segments }: Garbage, why: string): Generator<void> {
  // whoever has the cache alone is the only one that writes
  for (const name of fs.readdirSync(join(store.root, "tmp"))) fs.rmSync(join(store.root, "tmp", name), { force: true, recursive: true })
  const record = () => {
    if (actions.length + graphs.length > 0) putEviction(store, { by: "gc", why, removed: [...actions, ...graphs] })
  }
  const forget = () => index.batch(() => {
    index.remove(actions, inline)
    index.dropSegments(segments)
  })
  const postponed: Array<() => void> = []
  for (const step of [record, forget]) {
    try {
      step()
    } catch (cause) {
      if (!(cause instanceof CacheError)) throw cause
      postponed.push(step)
    }
    yield
  }
  for (const [folder, names] of [["actions", actions], ["graphs", graphs], ["audits", audits], ["segments", segments], ["blobs", blobs]] as const) {
    for (const name of names) {
      store.remove(folder, name)
      yield
    }
  }
  for (const step of postponed) step()
  if (actions.length + segments.length > 0) index.shrink()
}
