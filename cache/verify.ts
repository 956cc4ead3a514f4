/**
 * Whether everything in a cache is what it claims to be, and everything named is there or was removed on record. With `repair`, what is
 * damaged is taken out and put on record, so that the next run makes it again; what is whole stays. Damage is never served either way: every
 * read is checked. Repairing is for whoever has the cache alone.
 */
import { createHash, hash } from "node:crypto"
import * as fs from "node:fs"
import { join } from "node:path"
import type { Cache } from "./cache.ts"
import { evictions, putEviction } from "./evictions.ts"
import { type Parts, partReader } from "./parts.ts"
import { readSegment } from "./segments.ts"
import { isDigest, readAction } from "./soundness.ts"
import type { StoredFile } from "./store.ts"
import { readTag } from "./tags.ts"

export interface Finding {
  readonly path: string
  readonly problem: string
}

/** What a document of a layer above names; or what is wrong with it. */
export type Naming = { readonly results: ReadonlyArray<string>; readonly graph: string | undefined } | { readonly problem: string }

/** Reads the documents of one folder. */
export type Reader = (name: string, text: string) => Naming

export interface Counts {
  blobs: number
  results: number
  segments: number
  rows: number
  tags: number
  /** Documents of layers above, by folder. */
  readonly others: Record<string, number>
  bytes: number
}

export interface Verified {
  readonly findings: ReadonlyArray<Finding>
  readonly counts: Counts
}

/** Bytes read of all. */
export interface Progress {
  readonly done: number
  readonly total: number
}

const damaged = "it is damaged: its bytes are not those that were written"
const piece = Buffer.allocUnsafe(1 << 20)

/** The SHA-256 of a file, read in pieces; `undefined` where it is gone by now. */
function* digestOfFile(path: string, onBytes: (bytes: number) => Progress): Generator<Progress, string | undefined> {
  let file: number
  try {
    file = fs.openSync(path, "r")
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw cause
  }
  try {
    const sum = createHash("sha256")
    for (let got = fs.readSync(file, piece); got > 0; got = fs.readSync(file, piece)) {
      sum.update(piece.subarray(0, got))
      yield onBytes(got)
    }
    return sum.digest("hex")
  } finally {
    fs.closeSync(file)
  }
}

/** Checks everything. `readers` know the documents of the layers above, by folder. Yields how far it is. */
export function* verify({ index, store }: Cache, readers: Readonly<Record<string, Reader>>, repair: boolean): Generator<Progress, Verified> {
  const findings: Array<Finding> = [], removed = new Set<string>()
  const counts: Counts = { blobs: 0, results: 0, segments: 0, rows: 0, tags: 0, others: {}, bytes: 0 }
  const evicted = evictions(store)
  /** Whether the absence of what was named at a time is on record: what was made again since it was removed has to be there. */
  const excused = (name: string, named: string) => removed.has(name) || (evicted.get(name)?.at ?? "") > named
  const folders = ["blobs", "segments", "actions", "tags", "evictions", ...Object.keys(readers)]
  const files = new Map(folders.map((folder) => [folder, Array.from(store.files(folder))]))
  const total = Array.from(files.values()).flat().reduce((sum, { bytes }) => sum + bytes, 0)
  const onBytes = (bytes: number): Progress => ({ done: counts.bytes += bytes, total })

  /** Damage: the file itself goes. */
  const reject = (folder: string, { name, path }: StoredFile, problem: string) => {
    findings.push({ path, problem })
    removed.add(name)
    if (repair) store.remove(folder, name)
  }
  /** Absence: from now on it is on record. */
  const missing = ({ path }: Pick<StoredFile, "path">, names: ReadonlyArray<string>, what: string) => {
    findings.push({ path, problem: what })
    for (const name of names) removed.add(name)
  }
  /** Every document of a folder that is whole. */
  function* documents(folder: string, read: (file: StoredFile, text: string) => void): Generator<Progress> {
    for (const file of files.get(folder)!) {
      yield onBytes(file.bytes)
      const text = store.document(folder, file.name)
      if (text !== undefined) read(file, text)
      else if (fs.existsSync(file.path)) reject(folder, file, damaged)
    }
  }

  for (const file of files.get("blobs")!) {
    counts.blobs++
    const digest = yield* digestOfFile(file.path, onBytes)
    if (digest !== undefined && digest !== file.name) reject("blobs", file, isDigest(file.name) ? damaged : "its name is no digest")
  }

  const segments = new Map<string, number>()
  yield* documents("segments", (file, text) => {
    counts.segments++
    const said = JSON.parse(text) as { readonly rows: number; readonly width: number }
    // its vectors were found damaged just now
    if (removed.has(file.name)) {
      if (repair) store.remove("segments", file.name)
      return
    }
    const segment = store.hasBlob(file.name) ? readSegment(store.blobPath(file.name)) : undefined
    if (segment === undefined || segment.keys.length !== said.rows || segment.width !== said.width) return reject("segments", file, "its vectors are gone, or not as many as it says")
    segments.set(file.name, said.rows)
    counts.rows += said.rows
  })

  const outputs = new Map<string, string>(), partsOf = partReader(store)
  const checkParts = (file: StoredFile, made: string, { pixels, segments: rows, tables, unread }: Parts) => {
    const lost = (blobs: Iterable<string>) => [...blobs].filter((blob) => !excused(blob, made) && !store.hasBlob(blob))
    for (const blob of lost(tables.keys())) missing(file, [blob], `the table of its output "${tables.get(blob)}" is gone (${blob})`)
    const pictures = lost(pixels)
    if (pictures.length > 0) missing(file, pictures, `${pictures.length} of the ${pixels.size} pictures that its samples name are gone (${pictures[0]}${pictures.length > 1 ? ", ..." : ""})`)
    const gone = [...rows].filter(([segment, position]) => !excused(segment, made) && position >= (segments.get(segment) ?? (store.hasBlob(segment) ? Infinity : 0)))
    if (gone.length > 0) missing(file, gone.map(([segment]) => segment), `${gone.length} of the ${rows.size} segments that hold its embedded rows are gone (${gone[0]![0]}${gone.length > 1 ? ", ..." : ""})`)
    if (unread && [...tables.keys()].every((blob) => !excused(blob, made))) reject("actions", file, "a table of its outputs cannot be read")
  }
  for (const file of files.get("actions")!) {
    yield onBytes(file.bytes)
    counts.results++
    const text = store.document("actions", file.name)
    const action = text === undefined ? { problem: damaged } : readAction(file.name, text)
    if ("problem" in action) {
      if (fs.existsSync(file.path)) reject("actions", file, action.problem)
      continue
    }
    outputs.set(file.name, digestOfText(JSON.stringify(action.outputs)))
    checkParts(file, action.started, partsOf(action))
  }

  const check = (folder: string, file: StoredFile, naming: Naming, named = "") => {
    if ("problem" in naming) return reject(folder, file, naming.problem)
    const gone = [...new Set(naming.results)].filter((result) => !outputs.has(result) && !excused(result, named) && store.document("actions", result) === undefined)
    if (gone.length > 0) missing(file, gone, `${gone.length} of the results that it names are gone (${gone[0]}${gone.length > 1 ? ", ..." : ""})`)
    if (naming.graph !== undefined && !excused(naming.graph, named) && store.document("graphs", naming.graph) === undefined) missing(file, [naming.graph], `its graph is gone (${naming.graph})`)
  }
  yield* documents("evictions", () => {})
  yield* documents("tags", (file, text) => {
    counts.tags++
    const tag = readTag(text)
    check("tags", file, tag === undefined ? { problem: "it is no tag" } : { results: tag.keys, graph: tag.graph }, tag?.made)
  })
  for (const [folder, read] of Object.entries(readers)) {
    counts.others[folder] = files.get(folder)!.length
    yield* documents(folder, (file, text) => check(folder, file, read(file.name, text)))
  }

  const outputsOf = (key: string) => {
    const before = outputs.get(key)
    if (before !== undefined) return before
    const action = index.action(key)
    return action === undefined ? undefined : digestOfText(JSON.stringify(action.outputs))
  }
  const path = join(store.root, "index.sqlite")
  // that of what was found above is told already
  const rowsOf = (blob: string) => store.hasBlob(blob) && store.document("segments", blob) !== undefined ? readSegment(store.blobPath(blob))?.keys : undefined
  for (const problem of index.faults(removed, (key, text) => outputsOf(key) === digestOfText(text), rowsOf)) {
    findings.push({ path, problem })
    yield onBytes(0)
  }
  if (repair && removed.size > 0) {
    putEviction(store, { by: "verify", why: "damaged, or lost", removed: [...removed] })
    index.remove([...removed], [])
    index.dropSegments([...removed])
  }
  return { findings, counts }
}

const digestOfText = (text: string): string => hash("sha256", text, "base64")
