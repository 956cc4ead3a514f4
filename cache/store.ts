/**
 * The store: blobs addressed by the SHA-256 of their bytes, and documents (actions, segments' lists) addressed by name. A file is written
 * under a temporary name and then renamed, so a kill at any instruction leaves the whole file or none; what a power cut damages is
 * noticed when it is read, because every read is checked against the digest.
 *
 *     format                 version of this layout
 *     blobs/ab/ab12...       tables (Arrow IPC files) and pixels that ingest made
 *     actions/ab/ab12....json   one document a result: its key with the pre-image, its outputs' digests, when, where, how long
 *     segments/ runs/ graphs/ tags/ evictions/    more documents: row segments, the history, its graphs, names of results, what was removed
 *     index.sqlite           look-up tables, rebuilt from the above when lost
 *     lock.sqlite            empty: through it the system knows who uses the cache
 */
import { createHash, hash, randomUUID } from "node:crypto"
import * as fs from "node:fs"
import { dirname, join } from "node:path"
import { updateBytes } from "./digest.ts"
import { CacheError, Corrupt, guarded } from "./error.ts"
import { isDigest } from "./soundness.ts"

/** The version of the layout. */
export const format = "1"

/** A blob or a document on disk. */
export interface StoredFile {
  readonly name: string
  readonly path: string
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly modified: number
}

/** SHA-256, hex, of bytes that may come in several parts, of any size. */
export const digestBytes = (...parts: ReadonlyArray<Uint8Array>): string => parts.reduce(updateBytes, createHash("sha256")).digest("hex")

/** The text of a document's file, whose last line is the SHA-256 of what precedes it; `undefined` where it is damaged. */
export const documentText = (content: string): string | undefined => {
  const end = content.lastIndexOf("\n", content.length - 2), text = content.slice(0, end)
  return hash("sha256", text, "hex") === content.slice(end + 1, -1) ? text : undefined
}

export class Store {
  readonly root: string

  private constructor(root: string) {
    this.root = root
  }

  /** Opens a store, making it where there is none. */
  static open(root: string): Store {
    guarded(root, () => {
      const file = join(root, "format")
      const found = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : ""
      if (found !== "" && found !== format) {
        throw new CacheError({ path: root, message: `the cache at ${root} has format ${found}, this outcrop reads format ${format}: use another --cache, or delete that folder to start afresh` })
      }
      for (const folder of ["blobs", "actions", "tmp"]) fs.mkdirSync(join(root, folder), { recursive: true })
      if (found === "") {
        const temporary = join(root, "tmp", `${process.pid}-${randomUUID()}`)
        fs.writeFileSync(temporary, `${format}\n`)
        fs.renameSync(temporary, file)
        fs.writeFileSync(join(root, ".gitignore"), "*\n")
      }
    })
    return new Store(root)
  }

  /** A store that is only read, of whose format the caller has made sure. */
  static reading(root: string): Store {
    return new Store(root)
  }

  /** Where a blob lies. Throws where that is no digest: a name that came from outside might lead out of the store. */
  blobPath(digest: string): string {
    if (!isDigest(digest)) throw new CacheError({ path: this.root, message: `"${digest}" is no SHA-256: there are no such bytes in the cache` })
    return join(this.root, "blobs", digest.slice(0, 2), digest)
  }

  hasBlob(digest: string): boolean {
    return isDigest(digest) && fs.existsSync(this.blobPath(digest))
  }

  /** Keeps bytes, which may come in several parts; the same bytes are kept once. Returns their SHA-256. */
  putBlob(...parts: ReadonlyArray<Uint8Array>): string {
    const digest = digestBytes(...parts)
    const path = this.blobPath(digest)
    if (!fs.existsSync(path)) this.#write(path, parts)
    return digest
  }

  /** The bytes of a blob; `undefined` where there is none. Throws `Corrupt`, after putting the bad file aside, where they are not what they were. */
  blob(digest: string): Uint8Array | undefined {
    if (!isDigest(digest)) return undefined
    const path = this.blobPath(digest)
    const bytes = readShared(path)
    if (bytes === undefined) return undefined
    if (digestBytes(bytes) !== digest) {
      this.#discard(path)
      throw new Corrupt({ path, digest, message: `the cached bytes ${path} are damaged (their digest no longer matches); they were removed and will be made again` })
    }
    return bytes
  }

  /** Keeps a document under a name made of hex digits; an existing one is replaced. The last line is the SHA-256 of what precedes it. */
  putDocument(folder: string, name: string, text: string): void {
    this.#write(this.#documentPath(folder, name), [Buffer.from(`${text}\n${hash("sha256", text, "hex")}\n`)])
  }

  /** The text of a document; `undefined` where there is none or it is damaged. */
  document(folder: string, name: string): string | undefined {
    try {
      return documentText(fs.readFileSync(this.#documentPath(folder, name), "utf8"))
    } catch {
      return undefined
    }
  }

  /** Names of all documents of a folder. */
  documents(folder: string): Array<string> {
    const root = join(this.root, folder)
    return fs.existsSync(root)
      ? fs.readdirSync(root).flatMap((part) => fs.readdirSync(join(root, part)).flatMap((file) => file.endsWith(".json") ? [file.slice(0, -5)] : []))
      : []
  }

  /** Every regular file of a folder ("blobs", or one of documents), by its place; whatever else lies there is passed over. */
  *files(folder: string): Generator<StoredFile> {
    const root = join(this.root, folder)
    if (!fs.existsSync(root)) return
    for (const part of fs.readdirSync(root, { withFileTypes: true })) {
      if (!part.isDirectory()) continue
      for (const entry of fs.readdirSync(join(root, part.name), { withFileTypes: true })) {
        const name = entry.name.replace(/\.json$/, ""), path = join(root, part.name, entry.name)
        if (!entry.isFile() || part.name !== name.slice(0, 2) || (folder === "blobs") !== (name === entry.name)) continue
        const stat = fs.lstatSync(path, { throwIfNoEntry: false })
        if (stat !== undefined) yield { name, path, bytes: stat.size, modified: stat.mtimeMs }
      }
    }
  }

  /** Takes a blob, or a document of a folder, out of the store. */
  remove(folder: string, name: string): void {
    guarded(this.root, () => {
      try {
        // a stray file among the blobs has whatever name
        fs.unlinkSync(folder === "blobs" ? join(this.root, folder, name.slice(0, 2), name) : this.#documentPath(folder, name))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause
      }
    })
  }

  /** Keeps bytes that come piece by piece, if they are those of the digest. */
  takeBlob(digest: string, pieces: Iterable<Uint8Array>): boolean {
    const temporary = this.#temporary()
    return guarded(this.root, () => {
      try {
        const sum = createHash("sha256"), file = fs.openSync(temporary, "w")
        try {
          for (const piece of pieces) {
            sum.update(piece)
            for (let at = 0; at < piece.length;) at += fs.writeSync(file, piece, at)
          }
        } finally {
          fs.closeSync(file)
        }
        if (sum.digest("hex") !== digest) return false
        moveInto(temporary, this.blobPath(digest))
        return true
      } finally {
        fs.rmSync(temporary, { force: true })
      }
    })
  }

  #temporary(): string {
    return join(this.root, "tmp", `${process.pid}-${randomUUID()}`)
  }

  #documentPath(folder: string, name: string): string {
    return join(this.root, folder, name.slice(0, 2), `${name}.json`)
  }

  #write(path: string, parts: ReadonlyArray<Uint8Array>): void {
    const temporary = this.#temporary()
    guarded(this.root, () => {
      try {
        writeParts(temporary, parts)
        moveInto(temporary, path)
      } catch (cause) {
        fs.rmSync(temporary, { force: true })
        throw cause
      }
    })
  }

  #discard(path: string): void {
    try {
      fs.rmSync(path, { force: true })
    } catch {
      // a read-only cache keeps its damaged file; it is not served either way
    }
  }
}

/** Renames a file to a place whose folder may not be there yet. */
const moveInto = (from: string, to: string): void => {
  try {
    fs.renameSync(from, to)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause
    fs.mkdirSync(dirname(to), { recursive: true })
    fs.renameSync(from, to)
  }
}

/** One call to the system moves less than 2 GiB. */
const mostBytes = 1 << 30

/** Writes a file of any size that comes in parts. */
export const writeParts = (path: string, parts: ReadonlyArray<Uint8Array>): void => {
  const file = fs.openSync(path, "w")
  try {
    for (const part of parts) for (let at = 0; at < part.length;) at += fs.writeSync(file, part, at, Math.min(part.length - at, mostBytes))
  } finally {
    fs.closeSync(file)
  }
}

/** Reads a file of any size into memory that `allocate` gives; `undefined` where there is no such file. */
export const readWhole = (path: string, allocate: (size: number) => Uint8Array): Uint8Array | undefined => {
  let file: number
  try {
    file = fs.openSync(path, "r")
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw cause
  }
  try {
    const { size } = fs.fstatSync(file)
    const bytes = allocate(size)
    for (let at = 0; at < size;) {
      const got = fs.readSync(file, bytes, at, Math.min(size - at, mostBytes), at)
      if (got === 0) break
      at += got
    }
    return bytes
  } finally {
    fs.closeSync(file)
  }
}

/** In memory that threads share without a copy. */
const readShared = (path: string) => readWhole(path, (size) => new Uint8Array(new SharedArrayBuffer(size)))
