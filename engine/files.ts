/**
 * The `Files` service that a stage gets in a worker. An ingest stage may read what lies below the data root; whatever it reads, lists or
 * finds absent is recorded. Other stages get the files that their parameters name, and files of samples, each checked against its digest.
 */
import { hash } from "node:crypto"
import * as fs from "node:fs"
import { join, normalize } from "node:path"
import * as Effect from "effect/Effect"
import { fileDigest } from "../cache/fingerprint.ts"
import type { Index } from "../cache/index.ts"
import { digestBytes, readWhole, type Store } from "../cache/store.ts"
import { FileError, type Files } from "../stages/stage.ts"

const folderMark = (names: ReadonlyArray<string>) => `folder ${hash("sha256", names.join("\n"), "hex")}`

/** The names in a folder as `Files.list` gives them; `undefined` where there is no such folder. */
export const listFolder = (path: string): Array<string> | undefined => {
  try {
    return fs.readdirSync(path, { withFileTypes: true }).map((entry) => entry.isDirectory() ? `${entry.name}/` : entry.name).toSorted()
  } catch {
    return undefined
  }
}

/** What a trace says of a path now: a file's digest, a folder's mark, or "absent". */
export const observe = (index: Index, root: string, path: string, wasFolder: boolean, rehash: boolean): string => {
  const full = join(root, path)
  if (wasFolder) {
    const names = listFolder(full)
    return names === undefined ? "absent" : folderMark(names)
  }
  return fileDigest(index, full, rehash) ?? "absent"
}

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
  const fail = (path: string, message: string) => new FileError({ path, message })
  const locate = (path: string): string => {
    const clean = normalize(path)
    if (clean.startsWith("..") || clean.startsWith("/")) throw fail(path, `${path} lies outside of the data root ${dataRoot}: give paths below it, or another --data`)
    return join(dataRoot, clean)
  }
  const attempt = <A>(path: string, body: () => A) => Effect.try({
    try: body,
    catch: (cause) => cause instanceof FileError ? cause : fail(path, `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  })
  const missing = (path: string) => fail(path, `there is no file ${path} below the data root ${dataRoot}`)
  const readFile = (path: string): Uint8Array => {
    // memory of its own: Node's small buffers share one allocation, and whoever takes `.buffer` would get all of it
    const bytes = readWhole(locate(path), (size) => new Uint8Array(size))
    if (bytes !== undefined) return bytes
    if (ingest) trace[path] = "absent"
    throw missing(path)
  }
  const onlyIngest = (path: string) => {
    if (!ingest) throw fail(path, `only ingest stages may look for files; ${path} must come with a sample's asset or a file parameter`)
  }
  return {
    read: (path, digest) => attempt(path, () => {
      const wanted = digest ?? allowed[path]
      if (path.startsWith("cache:")) {
        const bytes = store.blob(path.slice(6))
        if (bytes === undefined) throw fail(path, `the pixels ${path} are gone from the cache; they will be made again`)
        return bytes
      }
      if (wanted === undefined) onlyIngest(path)
      const bytes = readFile(path)
      const found = digestBytes(bytes)
      if (wanted !== undefined && wanted !== found) throw fail(path, `${path} changed while or since it was ingested: run again, and ingest will read it anew`)
      if (ingest) trace[path] = found
      return bytes
    }),
    digest: (path) => attempt(path, () => {
      const known = allowed[path]
      if (known !== undefined) return known
      onlyIngest(path)
      const digest = fileDigest(index, locate(path), false)
      trace[path] = digest ?? "absent"
      if (digest === undefined) throw missing(path)
      return digest
    }),
    list: (folder) => attempt(folder, () => {
      onlyIngest(folder)
      const names = listFolder(locate(folder))
      trace[`${folder}/`] = names === undefined ? "absent" : folderMark(names)
      if (names === undefined) throw fail(folder, `there is no folder ${folder} below the data root ${dataRoot}`)
      return names
    }),
    exists: (path) => attempt(path, () => {
      onlyIngest(path)
      const full = locate(path)
      const stat = fs.statSync(full, { throwIfNoEntry: false })
      if (stat === undefined) trace[path] = "absent"
      else if (stat.isDirectory()) trace[`${path}/`] = folderMark(listFolder(full) ?? [])
      else trace[path] = fileDigest(index, full, false) ?? "absent"
      return stat !== undefined
    }),
    keep: (bytes) => attempt("cache:", () => {
      onlyIngest("cache:")
      const digest = store.putBlob(bytes)
      return { path: `cache:${digest}`, digest }
    })
  }
}
