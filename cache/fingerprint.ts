/**
 * Digests of files on disk without reading each anew: a file whose size, times and inode are as when it was last read is taken as
 * unchanged. The racy-timestamp rule of git: a file that changed within two seconds of being read is read again next time, because
 * a second change in the same tick of the clock would not show.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import type { Index } from "./index.ts"

const racy = 2_000_000_000n

/** What tells a changed file from an unchanged one: bytes, nanoseconds, inode. */
export interface Print {
  readonly size: bigint
  readonly mtime: bigint
  readonly ctime: bigint
  readonly inode: bigint
}
/** A print with the digest that the file had, and when it was read. */
export interface Known extends Print {
  readonly seen: bigint
  readonly digest: string
}

export const printOf = ({ ctimeNs, ino, mtimeNs, size }: fs.BigIntStats): Print => ({ size, mtime: mtimeNs, ctime: ctimeNs, inode: ino })

export const samePrint = (a: Print, b: Print): boolean => a.size === b.size && a.mtime === b.mtime && a.ctime === b.ctime && a.inode === b.inode

/** The clock that prints are seen by, nanoseconds; taken before a file is read. */
export const now = (): bigint => BigInt(Date.now()) * 1_000_000n

/** Whether a file looks as it did when it was read, and was read long enough after its last change. */
const unchanged = (known: Known, print: Print): boolean =>
  samePrint(known, print) && print.ctime + racy < known.seen && print.mtime + racy < known.seen

/** The fingerprints that an index keeps; new ones are written many at once. */
export class Fingerprints {
  readonly #index: Index
  readonly #rehash: boolean
  #fresh = new Map<string, Known>()

  /** `rehash` distrusts what was known before. */
  constructor(index: Index, rehash: boolean) {
    this.#index = index
    this.#rehash = rehash
  }

  /** The digest of a file that is unchanged; `undefined` where it must be read. */
  digest(path: string, print: Print): string | undefined {
    const known = this.#fresh.get(path) ?? (this.#rehash ? undefined : this.#index.file(path))
    return known !== undefined && unchanged(known, print) ? known.digest : undefined
  }

  /**
   * The digests of many files, from path `first` to `last` in byte order, of those that are unchanged; `print` looks at a file. Half the time
   * of asking for each, and of all that is known only one file at a time is in memory.
   */
  *digests(first: string, last: string, print: (path: string) => Print | undefined): Generator<readonly [path: string, digest: string]> {
    if (this.#rehash) return
    for (const [path, known] of this.#index.filesBetween(first, last)) {
      const found = print(path)
      if (found !== undefined && unchanged(known, found)) yield [path, known.digest]
    }
  }

  /** Remembers the digest of a file; `flush` writes it to the index. Gives how many wait for that. */
  put(path: string, known: Known): number {
    return this.#fresh.set(path, known).size
  }

  /** Writes what was remembered, as one transaction. */
  flush(): void {
    const fresh = this.#fresh
    this.#fresh = new Map()
    if (fresh.size > 0) this.#index.batch(() => fresh.forEach((known, path) => this.#index.putFile(path, known, known.digest)))
  }
}

/** SHA-256, hex, of `length` bytes of an open file from `offset`, read in pieces; of fewer where the file ends before. */
export const digestRange = (file: number, offset: number, length: number): string => {
  const hash = createHash("sha256")
  const buffer = Buffer.allocUnsafe(Math.min(1 << 20, Math.max(length, 1)))
  for (let at = 0; at < length;) {
    const got = fs.readSync(file, buffer, 0, Math.min(buffer.length, length - at), offset + at)
    if (got === 0) break
    hash.update(buffer.subarray(0, got))
    at += got
  }
  return hash.digest("hex")
}

/** SHA-256 of a file of which `stat` was taken just now, by its fingerprint where that is known. */
export const digestOfFile = (prints: Fingerprints, path: string, stat: fs.BigIntStats): string => {
  const print = printOf(stat)
  const known = prints.digest(path, print)
  if (known !== undefined) return known
  const seen = now(), file = fs.openSync(path, "r")
  try {
    // to its end, wherever that is by now: the print is that of before
    const digest = digestRange(file, 0, Infinity)
    prints.put(path, { ...print, seen, digest })
    return digest
  } finally {
    fs.closeSync(file)
  }
}

/** SHA-256 of a file; `undefined` where there is none. `rehash` distrusts the fingerprint. */
export const fileDigest = (index: Index, path: string, rehash: boolean): string | undefined => {
  const stat = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined || !stat.isFile()) return undefined
  const prints = new Fingerprints(index, rehash)
  const digest = digestOfFile(prints, path, stat)
  prints.flush()
  return digest
}
