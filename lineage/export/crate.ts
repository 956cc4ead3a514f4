/**
 * Opens an export that may come from anyone. Before a byte of it is believed: the folder holds exactly the files that its RO-Crate metadata
 * list, plain files below it, each of the stated size and SHA-256. Links, paths that lead out, unlisted files and other bytes are refused by name.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { digestRange } from "../../cache/fingerprint.ts"
import { digestBytes } from "../../cache/store.ts"
import { isInside } from "./paths.ts"
import { Asked, Lineage, type NodeRecord, Nodes } from "./record.ts"

/** The folder is not an export, or not as it was written. */
export class NotTrusted extends Error {}

const metadata = "ro-crate-metadata.json"
/** A crate lists some thousand files; more than this is no crate of ours. */
const mostMetadata = 1 << 28

const Crate = Schema.Struct({ "@graph": Schema.Array(Schema.Record(Schema.String, Schema.Unknown)) })
const FileEntity = Schema.Struct({ "@id": Schema.String, contentSize: Schema.String, sha256: Schema.String })

/** Whether a folder has the metadata of a crate. */
export const isCrate = (folder: string): boolean => fs.existsSync(join(folder, metadata))

interface Listed {
  readonly bytes: number
  readonly sha256: string
}

/** Opens a plain file, not a link; the caller closes it. */
const openPlain = (folder: string, path: string): { readonly handle: number; readonly bytes: number } => {
  const refuse = (message: string) => new NotTrusted(`${join(folder, path)} ${message}`)
  let handle: number
  try {
    handle = fs.openSync(join(folder, path), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw refuse(code === "ENOENT" ? "is missing: the export is not whole" : code === "ELOOP" ? "is a link: an export holds plain files only" : `cannot be read: ${(cause as Error).message}`)
  }
  const stat = fs.fstatSync(handle)
  if (stat.isFile()) return { handle, bytes: stat.size }
  fs.closeSync(handle)
  throw refuse("is no plain file")
}

/** The bytes of a plain file of at most `most` bytes. */
const readPlain = (folder: string, path: string, most: number): Buffer => {
  const { bytes, handle } = openPlain(folder, path)
  try {
    if (bytes > most) throw new NotTrusted(`${join(folder, path)} has ${bytes} bytes, more than the ${most} that it may have`)
    const content = Buffer.alloc(bytes)
    let at = 0
    while (at < bytes) {
      const got = fs.readSync(handle, content, at, bytes - at, at)
      if (got === 0) break
      at += got
    }
    return content.subarray(0, at)
  } finally {
    fs.closeSync(handle)
  }
}

/** The files that the metadata list. */
const listedIn = (folder: string): Map<string, Listed> => {
  const at = join(folder, metadata)
  const crate = Schema.decodeUnknownOption(Schema.fromJsonString(Crate))(readPlain(folder, metadata, mostMetadata).toString("utf8"))
  if (Option.isNone(crate)) throw new NotTrusted(`${at} is not the metadata of an RO-Crate`)
  const listed = new Map<string, Listed>()
  for (const entity of crate.value["@graph"]) {
    const types = [entity["@type"]].flat()
    if (!types.includes("File")) continue
    const file = Schema.decodeUnknownOption(FileEntity)(entity)
    if (Option.isNone(file)) throw new NotTrusted(`${at} lists ${JSON.stringify(entity["@id"])} without contentSize and sha256: is it an export of outcrop?`)
    const { "@id": id, contentSize, sha256 } = file.value
    let path: string
    try {
      path = decodeURIComponent(id)
    } catch {
      throw new NotTrusted(`${at} lists ${JSON.stringify(id)}, which is no path`)
    }
    if (!isInside(path)) throw new NotTrusted(`${at} lists ${JSON.stringify(path)}, which leads out of the folder`)
    if (listed.has(path)) throw new NotTrusted(`${at} lists ${JSON.stringify(path)} twice`)
    if (!/^\d{1,15}$/.test(contentSize) || !/^[0-9a-f]{64}$/.test(sha256)) throw new NotTrusted(`${at} states no size or no SHA-256 for ${JSON.stringify(path)}`)
    listed.set(path, { bytes: Number(contentSize), sha256 })
  }
  return listed
}

/** Walks the folder; whatever is not listed ends it, so that it takes no longer than the list is long. */
const checkNames = (folder: string, listed: ReadonlyMap<string, Listed>): void => {
  const folders = new Set([...listed.keys()].flatMap((path) => path.split("/").slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join("/"))))
  const walk = (below: string): void => {
    for (const entry of fs.readdirSync(join(folder, below), { withFileTypes: true })) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`
      const refuse = (message: string) => new NotTrusted(`${join(folder, path)} ${message}`)
      if (entry.isSymbolicLink()) throw refuse("is a link: an export holds plain files only")
      if (entry.isDirectory()) {
        if (!folders.has(path)) throw refuse(`is a folder of which ${metadata} lists no file: it is not part of the export`)
        walk(path)
      } else if (path !== metadata && !listed.has(path)) throw refuse(`is not listed in ${metadata}: it is not part of the export`)
    }
  }
  walk("")
}

const checkContent = (folder: string, path: string, { bytes, sha256 }: Listed): void => {
  const found = openPlain(folder, path)
  try {
    if (found.bytes !== bytes) throw new NotTrusted(`${join(folder, path)} has ${found.bytes} bytes, ${metadata} states ${bytes}: it was changed since the export`)
    if (digestRange(found.handle, 0, bytes) !== sha256) throw new NotTrusted(`${join(folder, path)} has another SHA-256 than ${metadata} states: it was changed since the export`)
  } finally {
    fs.closeSync(found.handle)
  }
}

/** An export whose files are what its metadata say. */
export interface Opened {
  readonly folder: string
  readonly asked: Asked
  readonly nodes: ReadonlyArray<NodeRecord>
  readonly lineage: typeof Lineage.Type
  readonly paths: ReadonlyArray<string>
  /** The bytes of a listed file, checked once more as they are read. Throws `NotTrusted`. */
  readonly read: (path: string) => Buffer
}

/** Opens and checks an export; reads nothing outside of it, writes nothing. Throws `NotTrusted`. */
export const openExport = (folder: string): Opened => {
  const listed = listedIn(folder)
  checkNames(folder, listed)
  for (const [path, file] of listed) checkContent(folder, path, file)
  const read = (path: string): Buffer => {
    const file = listed.get(path)
    if (file === undefined) throw new NotTrusted(`${folder} holds no ${JSON.stringify(path)}, to which another file of it refers`)
    const bytes = readPlain(folder, path, file.bytes)
    if (digestBytes(bytes) !== file.sha256) throw new NotTrusted(`${join(folder, path)} was changed while it was read`)
    return bytes
  }
  const document = <A>(path: string, schema: Schema.Codec<A>): A => {
    const decoded = Schema.decodeUnknownResult(Schema.fromJsonString(schema))(read(path).toString("utf8"))
    if (Result.isFailure(decoded)) throw new NotTrusted(`${join(folder, path)} is not as outcrop writes it: ${decoded.failure.message}`)
    return decoded.success
  }
  const asked = document("outcrop.json", Asked), { nodes } = document("nodes.json", Nodes), lineage = document("lineage.json", Lineage)
  if (nodes.length !== lineage.nodes.length) throw new NotTrusted(`${folder}: nodes.json tells of ${nodes.length} nodes, lineage.json of ${lineage.nodes.length}`)
  return { folder, asked, nodes, lineage, paths: [...listed.keys()], read }
}
