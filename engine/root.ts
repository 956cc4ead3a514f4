/**
 * Where paths of the data lie on disk. Nothing outside of the data root is reached: not by "..", not by an absolute path, and not by a link
 * that leads out of it. The root itself may be a link. Each folder is looked at once, so that a path costs no more than its own `lstat`.
 */
import * as fs from "node:fs"
import { posix } from "node:path"
import { FileError } from "../stages/stage.ts"

/** A file on disk, or a member of a tar archive on disk. */
export interface Place {
  readonly file: string
  /** Path of the archive below the root, and the member's name in it. */
  readonly member: { readonly archive: string; readonly name: string } | undefined
}

const lstat = (full: string) => fs.lstatSync(full, { bigint: true, throwIfNoEntry: false })

const leadsToFolder = (link: string): boolean => {
  try {
    return fs.statSync(link).isDirectory()
  } catch {
    return false
  }
}

export class Root {
  readonly path: string
  /** Folders below the root (and files that a path took for folders), with the links on the way resolved. */
  readonly #folders = new Map<string, string>()

  constructor(path: string) {
    this.path = path
    let real = path
    try {
      real = fs.realpathSync(path)
    } catch {
      // no such folder: nothing will be found in it
    }
    this.#folders.set(".", real)
  }

  /** Where a path lies. Throws `FileError` where that is outside of the root. */
  place(path: string): Place {
    const clean = posix.normalize(path)
    if (clean === ".." || clean.startsWith("../") || clean.startsWith("/")) {
      throw new FileError({ path, message: `${path} lies outside of the data root ${this.path}: give paths below it, or another --data` })
    }
    for (let at = clean.indexOf(".tar/"); at >= 0; at = clean.indexOf(".tar/", at + 1)) {
      const archive = clean.slice(0, at + 4), file = this.#folder(archive)
      if (lstat(file)?.isFile() === true) return { file, member: { archive, name: clean.slice(at + 5) } }
    }
    return { file: this.#within(clean.endsWith("/") ? clean.slice(0, -1) : clean), member: undefined }
  }

  /** What is at a path on disk, links followed; `undefined` where there is nothing. Throws `FileError` where a link leads out of the root. */
  stat(path: string, file: string): fs.BigIntStats | undefined {
    const stat = lstat(file)
    return stat?.isSymbolicLink() === true ? fs.statSync(this.#target(file, path), { bigint: true, throwIfNoEntry: false }) : stat
  }

  /** Names in a folder, folders with "/" at the end; `undefined` where there is no such folder. */
  list(folder: string): Array<string> | undefined {
    const full = this.#folder(posix.normalize(`${folder}/.`))
    try {
      return fs.readdirSync(full, { withFileTypes: true })
        .map((entry) => entry.isDirectory() || (entry.isSymbolicLink() && leadsToFolder(`${full}/${entry.name}`)) ? `${entry.name}/` : entry.name).toSorted()
    } catch {
      return undefined
    }
  }

  #within(clean: string): string {
    const cut = clean.lastIndexOf("/")
    return clean === "." ? this.#folder(".") : `${this.#folder(cut < 0 ? "." : clean.slice(0, cut))}/${clean.slice(cut + 1)}`
  }

  #folder(folder: string): string {
    const known = this.#folders.get(folder)
    if (known !== undefined) return known
    const full = this.#within(folder)
    const target = lstat(full)?.isSymbolicLink() === true ? this.#target(full, folder) : full
    // a link to a folder that it lies in would be walked into for ever
    for (let parent = folder; target !== full && parent !== ".";) {
      parent = posix.dirname(parent)
      if (this.#folder(parent) === target) throw new FileError({ path: folder, message: `${folder} is a link to the folder ${target} that it lies in itself: remove it` })
    }
    this.#folders.set(folder, target)
    return target
  }

  /** Where a link leads. */
  #target(full: string, path: string): string {
    const root = this.#folders.get(".")!
    let target: string
    try {
      target = fs.realpathSync(full)
    } catch {
      // it leads nowhere: there is nothing at this path
      return full
    }
    if (target === root || target.startsWith(root.endsWith("/") ? root : `${root}/`)) return target
    throw new FileError({ path, message: `${path} is a link that leads out of the data root ${this.path}, to ${target}: put the files themselves there, or give a --data that holds both` })
  }
}
