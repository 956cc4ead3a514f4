/**
 * The `Files` service that a stage gets in a worker. An ingest stage may read what lies below the data root; whatever it reads, lists or
 * finds absent is recorded. Other stages get the files that their parameters name, and files of samples, each checked against its digest.
 */
import { hash } from "node:crypto"
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { digestOfFile, digestRange, Fingerprints, now, type Print, printOf, samePrint } from "../cache/fingerprint.ts"
import type { Trace } from "../cache/action.ts"
import type { Index } from "../cache/index.ts"
import { isDigest } from "../cache/soundness.ts"
import { digestBytes, type Store } from "../cache/store.ts"
import { FileError, type Files } from "../stages/stage.ts"
import { archiveAt } from "./archive.ts"
import { type Place, Root } from "./root.ts"

const folderMark = (names: ReadonlyArray<string>) => `folder ${hash("sha256", names.join("\n"), "hex")}`
const absent = "absent"
/** From so many files on, fingerprints are read together. */
const many = 64

/** What traces say of paths now: a file's digest, a folder's mark, or "absent". */
export const observer = (index: Index, dataRoot: string, rehash: boolean) => {
  const root = new Root(dataRoot), prints = new Fingerprints(index, rehash)
  const observed = new Map<string, string>()
  const observe = (path: string): string => {
    try {
      if (path.endsWith("/")) {
        const names = root.list(path)
        return names === undefined ? absent : folderMark(names)
      }
      const { file } = root.place(path), stat = root.stat(path, file)
      return stat?.isFile() === true ? digestOfFile(prints, file, stat) : absent
    } catch {
      // what may not or cannot be read: the stage, run again, will say why
      return absent
    }
  }
  return {
    /** Looks at the files of a trace together: what is unchanged is then known. */
    prepare: (trace: Trace): void => {
      let first: string | undefined, last = "", count = 0
      for (const path in trace) {
        if (path.endsWith("/") || observed.has(path)) continue
        count++
        if (first === undefined || path < first) first = path
        if (path > last) last = path
      }
      if (first === undefined || count < many) return
      try {
        const below = root.place(".").file.length + 1
        const print = (file: string) => {
          const path = file.slice(below)
          if (!Object.hasOwn(trace, path) || root.place(path).file !== file) return undefined
          const stat = root.stat(path, file)
          return stat?.isFile() === true ? printOf(stat) : undefined
        }
        for (const [file, digest] of prints.digests(root.place(first).file, root.place(last).file, print)) observed.set(file.slice(below), digest)
      } catch {
        // what could not be looked at is looked at by itself, below
      }
    },
    look: (path: string): string => {
      let seen = observed.get(path)
      if (seen === undefined) {
        seen = observe(path)
        observed.set(path, seen)
      }
      return seen
    },
    /** Keeps the digests of what had to be read. */
    flush: () => prints.flush()
  }
}

/** The bytes of a file, or of a member of an archive, as they were when they were found. */
interface Content extends Place {
  readonly print: Print
  readonly offset: number
  readonly size: number
  /** Name of the fingerprint. */
  readonly name: string
}

/** One call to the system moves less than 2 GiB. */
const mostBytes = 1 << 30

export const makeFiles = (options: {
  readonly dataRoot: string
  readonly store: Store
  readonly index: Index
  readonly ingest: boolean
  /** Digests of the files that parameters name, by path. */
  readonly allowed: Readonly<Record<string, string>>
  readonly trace: Record<string, string>
}): Files["Service"] => {
  const { allowed, dataRoot, index, ingest, store, trace } = options
  const root = new Root(dataRoot), prints = new Fingerprints(index, false)
  /** Digests that were taken for this stage, and what the files were then. */
  const taken = new Map<string, { readonly print: Print; readonly digest: string }>()
  /** Pixels that this stage kept. */
  const kept = new Set<string>()
  const fail = (path: string, message: string) => new FileError({ path, message })
  const attempt = <A>(path: string, body: () => A) => Effect.try({
    try: body,
    catch: (cause) => cause instanceof FileError ? cause : fail(path, `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  })
  const missing = (path: string) => fail(path, `there is no file ${path} below the data root ${dataRoot}`)
  const changed = (path: string) => fail(path, `${path} changed while or since it was ingested: run again, and ingest will read it anew`)
  const onlyIngest = (path: string) => {
    if (!ingest) throw fail(path, `only ingest stages may look for files; ${path} must come with a sample's asset or a file parameter`)
  }

  const find = (path: string): Content | undefined => {
    const place = root.place(path), { file, member } = place
    const stat = root.stat(member?.archive ?? path, file)
    if (stat === undefined || stat.isDirectory()) return undefined
    if (!stat.isFile()) throw fail(path, `${path} is no file but a device or a pipe`)
    const print = printOf(stat)
    if (member === undefined) return { ...place, print, offset: 0, size: Number(stat.size), name: file }
    const found = archiveAt(file, member.archive, print).get(member.name)
    return found === undefined ? undefined : { ...place, print, ...found, name: `${file}/${member.name}` }
  }
  /** Opens what was found, and makes sure that it is still that. */
  const within = <A>(path: string, { file, print }: Content, body: (handle: number) => A): A => {
    const handle = fs.openSync(file, "r")
    try {
      if (!samePrint(printOf(fs.fstatSync(handle, { bigint: true })), print)) throw changed(path)
      return body(handle)
    } finally {
      fs.closeSync(handle)
    }
  }
  const bytesOf = (path: string, content: Content, offset: number, length: number): Uint8Array =>
    within(path, content, (handle) => {
      // memory of its own: Node's small buffers share one allocation, and whoever takes `.buffer` would get all of it
      const bytes = new Uint8Array(Math.max(0, Math.min(length, content.size - offset)))
      for (let at = 0; at < bytes.length;) {
        const got = fs.readSync(handle, bytes, at, Math.min(bytes.length - at, mostBytes), content.offset + offset + at)
        if (got === 0) throw changed(path)
        at += got
      }
      return bytes
    })
  const remember = (path: string, { name, print }: Content, seen: bigint, digest: string) => {
    taken.set(path, { print, digest })
    if (prints.put(name, { ...print, seen, digest }) > 1) return
    // all that are read in this turn, as one transaction; where the cache cannot be written, storing the result will say so
    setImmediate(() => {
      try {
        prints.flush()
      } catch {
        // the digests are taken anew next time
      }
    })
  }
  const digestOf = (path: string, content: Content): string => {
    const own = taken.get(path)
    const known = own !== undefined && samePrint(own.print, content.print) ? own.digest : prints.digest(content.name, content.print)
    if (known !== undefined) return known
    const seen = now(), digest = within(path, content, (handle) => digestRange(handle, content.offset, content.size))
    remember(path, content, seen, digest)
    return digest
  }
  /** Notes what an ingest stage met. Who met something else there before has a part of each, which no trace could tell. */
  const note = (path: string, mark: string): void => {
    if (Object.hasOwn(trace, path) && trace[path] !== mark) throw changed(path)
    trace[path] = mark
  }
  /** Records what an ingest stage met at a path: the file, or the archive that it is, or would be, a member of. */
  const record = (path: string, content: Content | undefined): void => {
    if (!ingest) return
    const archive = (content ?? root.place(path)).member?.archive
    if (archive === undefined) note(path, content === undefined ? absent : digestOf(path, content))
    else note(archive, digestOf(archive, content === undefined ? find(archive)! : { ...content, member: undefined, offset: 0, size: Number(content.print.size), name: content.file }))
  }
  const found = (path: string): Content => {
    const content = find(path)
    if (content !== undefined) return content
    record(path, undefined)
    throw missing(path)
  }
  /**
   * The digest of pixels in the cache, where a path names them. A path that a list or a label file brought may not: an ingest stage gets
   * what it kept itself, and what came with its digest.
   */
  const pixelsAt = (path: string, wanted: string | undefined): string | undefined => {
    if (!path.startsWith("cache:")) return undefined
    const digest = path.slice(6)
    if (!isDigest(digest) || (ingest && wanted === undefined && !kept.has(digest))) {
      throw fail(path, `${path} is no file of the data: paths that begin with "cache:" are those of pixels that a stage kept in the cache, read with their digest (read(asset.path, asset.digest)); where a folder has that name, rename it`)
    }
    if (wanted !== undefined && wanted !== digest) throw fail(path, `${path} was asked for with the digest of other pixels, ${wanted}`)
    return digest
  }
  const fromCache = (digest: string): Uint8Array => {
    const path = `cache:${digest}`, bytes = store.blob(digest)
    if (bytes === undefined) throw fail(path, `the pixels ${path} are gone from the cache; they will be made again`)
    return bytes
  }
  const allowedAt = (path: string): string | undefined => Object.hasOwn(allowed, path) ? allowed[path] : undefined

  return {
    read: (path, digest) => attempt(path, () => {
      const pixels = pixelsAt(path, digest)
      if (pixels !== undefined) return fromCache(pixels)
      const wanted = digest ?? allowedAt(path)
      if (wanted === undefined) onlyIngest(path)
      const content = found(path), seen = now()
      const bytes = bytesOf(path, content, 0, content.size)
      const digestNow = digestBytes(bytes)
      if (wanted !== undefined && wanted !== digestNow) throw changed(path)
      if (ingest) {
        remember(path, content, seen, digestNow)
        record(path, content)
      }
      return bytes
    }),
    open: (path, digest) => attempt(path, () => {
      const pixels = pixelsAt(path, digest)
      if (pixels !== undefined) {
        const stat = fs.statSync(store.blobPath(pixels), { throwIfNoEntry: false })
        let bytes = stat === undefined ? fromCache(pixels) : undefined
        return { size: (stat?.size ?? bytes?.length)!, read: (offset, length) => attempt(path, () => (bytes ??= fromCache(pixels)).slice(offset, offset + length)) }
      }
      const wanted = digest ?? allowedAt(path)
      if (wanted === undefined) onlyIngest(path)
      const content = found(path)
      record(path, content)
      let checked = wanted === undefined
      return {
        size: content.size,
        read: (offset, length) => attempt(path, () => {
          if (!checked && digestOf(path, content) !== wanted) throw changed(path)
          checked = true
          return bytesOf(path, content, offset, length)
        })
      }
    }),
    digest: (path) => attempt(path, () => {
      const known = allowedAt(path)
      if (known !== undefined) return known
      onlyIngest(path)
      const pixels = pixelsAt(path, undefined)
      if (pixels !== undefined) return pixels
      const content = found(path), digest = digestOf(path, content)
      record(path, content)
      return digest
    }),
    list: (folder) => attempt(folder, () => {
      onlyIngest(folder)
      const { file } = root.place(folder), stat = root.stat(folder, file)
      if (stat?.isFile() === true && file.endsWith(".tar")) {
        const print = printOf(stat)
        record(folder, { file, member: undefined, print, offset: 0, size: Number(stat.size), name: file })
        return [...archiveAt(file, folder, print).keys()].toSorted()
      }
      const names = root.list(folder)
      note(`${folder}/`, names === undefined ? absent : folderMark(names))
      if (names === undefined) throw fail(folder, `there is no folder ${folder} below the data root ${dataRoot}`)
      return names
    }),
    exists: (path) => attempt(path, () => {
      onlyIngest(path)
      if (pixelsAt(path, undefined) !== undefined) return true
      const { file, member } = root.place(path)
      if (member === undefined && root.stat(path, file)?.isDirectory() === true) {
        note(`${path}/`, folderMark(root.list(path) ?? []))
        return true
      }
      const content = find(path)
      record(path, content)
      return content !== undefined
    }),
    keep: (bytes) => attempt("cache:", () => {
      onlyIngest("cache:")
      const digest = store.putBlob(bytes)
      kept.add(digest)
      return { path: `cache:${digest}`, digest }
    })
  }
}
