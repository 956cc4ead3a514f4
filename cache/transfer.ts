/**
 * Takes results over from another cache folder, which nobody vouches for. It is only read, file by file, and only regular files: a link is
 * refused, and so is what is larger than it may be. What comes in is checked as `verify` does it, and written as a run writes it: blobs first,
 * the result last. Its numbers are taken as they are: whether they are true, `replay` tells.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import type { Action } from "./action.ts"
import type { Cache } from "./cache.ts"
import { canonical, type Document } from "./canonical.ts"
import { contentProblem } from "./content.ts"
import { CacheError } from "./error.ts"
import { partReader } from "./parts.ts"
import { readSegment } from "./segments.ts"
import { isDigest, readAction } from "./soundness.ts"
import { documentText, format, type StoredFile, Store } from "./store.ts"
import type { Finding, Reader } from "./verify.ts"

/** Bytes of a document: 100 times those of the largest ones that are usual. */
const mostDocument = 1 << 28

export interface Imported {
  results: number
  /** Results that the cache had. */
  known: number
  /** Results that the cache has, but with other outputs: its own stay. */
  different: number
  blobs: number
  rows: number
  /** Documents of layers above, by folder. */
  readonly others: Record<string, number>
  bytes: number
  /** What was not taken, and why. */
  readonly findings: Array<Finding>
}

const isLink = "is a link: a cache holds files only, this folder was not written by outcrop"

/** Opens a regular file that is no link; throws `CacheError` where it is one, or larger than it may be. `undefined`: there is none. */
const openPlain = (path: string, most: number): { readonly file: number; readonly size: number } | undefined => {
  let file: number
  try {
    file = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT") return undefined
    throw new CacheError({ path, message: code === "ELOOP" ? `${path} ${isLink}` : `${path} cannot be read (${code})` })
  }
  const stat = fs.fstatSync(file)
  if (stat.isFile() && stat.size <= most) return { file, size: stat.size }
  fs.closeSync(file)
  throw new CacheError({ path, message: stat.isFile() ? `${path} has ${stat.size} bytes, over the ${most} that such a file may have` : `${path} is no file: a cache holds files only` })
}

function* piecesOf(file: number): Generator<Uint8Array> {
  const piece = Buffer.allocUnsafe(1 << 20)
  for (let got = fs.readSync(file, piece); got > 0; got = fs.readSync(file, piece)) yield piece.subarray(0, got)
}

/** The text of a document of a foreign store; `undefined` where it is damaged. */
const documentAt = ({ path }: StoredFile): string | undefined => {
  const opened = openPlain(path, mostDocument)
  if (opened === undefined) return undefined
  try {
    return documentText(fs.readFileSync(opened.file, "utf8"))
  } finally {
    fs.closeSync(opened.file)
  }
}

/** Refuses what is no cache of this version, and folders that are links. */
const checkFolder = (root: string, folders: ReadonlyArray<string>): void => {
  const opened = openPlain(join(root, "format"), 16)
  if (opened === undefined) throw new CacheError({ path: root, message: `${root} is no cache: it has no file "format"` })
  const found = fs.readFileSync(opened.file, "utf8").trim()
  fs.closeSync(opened.file)
  if (found !== format) throw new CacheError({ path: root, message: `the cache at ${root} has format ${JSON.stringify(found)}, this outcrop reads format ${format}: import it with the version of outcrop that wrote it, or run its pipeline again here` })
  for (const folder of folders) {
    const path = join(root, folder)
    const parts = fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? fs.readdirSync(path, { withFileTypes: true }).map((entry) => [join(path, entry.name), entry] as const) : []
    for (const [at, entry] of [[path, fs.lstatSync(path, { throwIfNoEntry: false })] as const, ...parts]) {
      if (entry?.isSymbolicLink() === true) throw new CacheError({ path: at, message: `${at} ${isLink}` })
    }
  }
}

/** What came out, however it is stored: rows that were embedded in other pieces are the same rows. */
const gave = ({ outputs }: Action): string =>
  canonical(Object.fromEntries(Object.entries(outputs).map(([name, { columns, metadata, rows, table }]): [string, Document] => [name, { table, rows, metadata, columns: columns as unknown as Document }])))

/** Takes over what a cache lacks. `readers` know the documents of the layers above, by folder. Yields after each file; what was taken stays. */
export function* importFrom({ index, store }: Cache, root: string, readers: Readonly<Record<string, Reader>>): Generator<void, Imported> {
  checkFolder(root, ["blobs", "actions", "segments", ...Object.keys(readers)])
  const source = Store.reading(root)
  const imported: Imported = { results: 0, known: 0, different: 0, blobs: 0, rows: 0, others: {}, bytes: 0, findings: [] }
  const free = fs.statfsSync(store.root)
  const room = free.bavail * free.bsize
  let needed = 0
  for (const { bytes, name } of source.files("blobs")) if (!store.hasBlob(name)) needed += bytes
  if (needed > room) throw new CacheError({ path: root, message: `${root} has ${needed} bytes that are not here, but the disk of ${store.root} has only ${room} left: free some space, or import into a --cache on another disk` })

  const problem = (path: string, text: string) => void imported.findings.push({ path, problem: text })
  /** Whether a blob is here now; one that is taken over is checked on the way. */
  const take = (digest: string): boolean => {
    if (!isDigest(digest)) return false
    if (store.hasBlob(digest)) return true
    const path = source.blobPath(digest), opened = openPlain(path, room)
    if (opened === undefined) return false
    try {
      if (!store.takeBlob(digest, piecesOf(opened.file))) {
        problem(path, "its bytes are not those of its digest")
        return false
      }
      imported.blobs++
      imported.bytes += opened.size
      return true
    } finally {
      fs.closeSync(opened.file)
    }
  }
  const documents = function*(folder: string, read: (name: string, text: string, path: string) => void): Generator<void> {
    for (const file of source.files(folder)) {
      const text = documentAt(file)
      if (text === undefined) problem(file.path, "it is damaged")
      else read(file.name, text, file.path)
      yield
    }
  }

  yield* documents("segments", (name, text, path) => {
    if (store.document("segments", name) !== undefined && store.hasBlob(name)) return
    if (!take(name)) return problem(path, "its vectors are gone, or damaged")
    const segment = readSegment(store.blobPath(name)), expected = segment === undefined ? undefined : JSON.stringify({ width: segment.width, rows: segment.keys.length })
    if (segment === undefined || text !== expected) return problem(path, "its vectors are not as many as it says")
    store.putDocument("segments", name, text)
    index.addSegment(name, segment.keys)
    imported.rows += segment.keys.length
  })

  const partsOf = partReader(store), waiting: Array<Action> = []
  const enter = () => index.batch(() => {
    for (const action of waiting.splice(0)) index.record(action)
  })
  yield* documents("actions", (key, text, path) => {
    const action = readAction(key, text)
    if ("problem" in action) return problem(path, action.problem)
    const own = index.action(key)
    if (own !== undefined && gave(own) !== gave(action)) return void imported.different++
    for (const { blob, kept } of Object.values(action.outputs)) if (kept !== "inline" && !take(blob)) return problem(path, `a table of its outputs is gone, or damaged (${blob})`)
    const { closure, pixels, segments, unread } = partsOf(action)
    if (unread) return problem(path, "a table of its outputs cannot be read")
    for (const blob of [...segments.keys(), ...pixels]) if (!take(blob)) return problem(path, `rows or pictures of its outputs are gone, or damaged (${blob})`)
    if (closure !== undefined) take(closure)
    if (own !== undefined) return void imported.known++
    const wrong = contentProblem({ index, store }, action)
    if (wrong !== undefined) return problem(path, wrong)
    store.putDocument("actions", key, text)
    imported.results++
    if (waiting.push(action) >= 256) enter()
  })
  enter()

  for (const [folder, read] of Object.entries(readers)) {
    imported.others[folder] = 0
    yield* documents(folder, (name, text, path) => {
      if (store.document(folder, name) !== undefined) return
      const naming = read(name, text)
      if ("problem" in naming) return problem(path, naming.problem)
      store.putDocument(folder, name, text)
      imported.others[folder]!++
    })
  }
  return imported
}
