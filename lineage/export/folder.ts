/** A folder that is written whole or not at all: under a temporary name beside its place, with size and digest of every file, renamed at the end. */
import { randomUUID } from "node:crypto"
import * as fs from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { digestBytes, writeParts } from "../../cache/store.ts"

export interface FileEntry {
  /** Path in the folder, with "/". */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  readonly mediaType: string
  readonly name: string
  readonly description: string
}

/** The folder cannot be written where it was asked for. */
export class FolderTaken extends Error {}

const mediaTypes: Readonly<Record<string, string>> = {
  parquet: "application/vnd.apache.parquet",
  csv: "text/csv",
  json: "application/json",
  jsonld: "application/ld+json",
  ndjson: "application/x-ndjson",
  yaml: "application/yaml",
  yml: "application/yaml",
  mjs: "text/javascript",
  md: "text/markdown"
}

export class Folder {
  readonly #target: string
  readonly #temporary: string
  readonly files: Array<FileEntry> = []

  /** Throws `FolderTaken` where something is in the way. */
  constructor(target: string) {
    this.#target = resolve(target)
    const stat = fs.statSync(this.#target, { throwIfNoEntry: false })
    if (stat !== undefined && !stat.isDirectory()) throw new FolderTaken(`${target} is a file: name a folder that does not exist yet`)
    if (stat !== undefined && fs.readdirSync(this.#target).length > 0) throw new FolderTaken(`the folder ${target} is not empty: name another, or empty it first`)
    this.#temporary = join(dirname(this.#target), `.${basename(this.#target)}.${randomUUID()}.partial`)
    fs.mkdirSync(this.#temporary, { recursive: true })
  }

  has(path: string): boolean {
    return this.files.some((file) => file.path === path)
  }

  /** Writes a file. */
  add(path: string, content: string | Uint8Array, description: string): string {
    const bytes = typeof content === "string" ? Buffer.from(content) : content
    const file = join(this.#temporary, path)
    fs.mkdirSync(dirname(file), { recursive: true })
    writeParts(file, [bytes])
    this.files.push({ path, bytes: bytes.length, sha256: digestBytes(bytes), mediaType: mediaTypes[path.split(".").at(-1)!] ?? "application/octet-stream", name: basename(path), description })
    return path
  }

  /** Puts the folder in its place. */
  finish(): void {
    fs.renameSync(this.#temporary, this.#target)
  }

  /** Takes away what was written of a folder that will not be finished. */
  discard(): void {
    fs.rmSync(this.#temporary, { recursive: true, force: true })
  }
}
