/**
 * Digests of files on disk without reading each anew: a file whose size, times and inode are as when it was last read is taken as
 * unchanged. The racy-timestamp rule of git: a file that changed within two seconds of being read is read again next time, because
 * a second change in the same tick of the clock would not show.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import type { Index } from "./index.ts"

const racy = 2_000_000_000n

const readDigest = (path: string): string => {
  const hash = createHash("sha256")
  const file = fs.openSync(path, "r")
  try {
    const buffer = Buffer.allocUnsafe(1 << 20)
    for (let got = fs.readSync(file, buffer); got > 0; got = fs.readSync(file, buffer)) hash.update(buffer.subarray(0, got))
    return hash.digest("hex")
  } finally {
    fs.closeSync(file)
  }
}

/** SHA-256 of a file; `undefined` where there is none. `rehash` distrusts the fingerprint. */
export const fileDigest = (index: Index, path: string, rehash: boolean): string | undefined => {
  const stat = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined || !stat.isFile()) return undefined
  const known = rehash ? undefined : index.file(path)
  const print = { size: stat.size, mtime: stat.mtimeNs, ctime: stat.ctimeNs, inode: stat.ino }
  if (
    known !== undefined && known.size === print.size && known.mtime === print.mtime && known.ctime === print.ctime && known.inode === print.inode &&
    print.ctime + racy < known.seen && print.mtime + racy < known.seen
  ) return known.digest
  const seen = BigInt(Date.now()) * 1_000_000n
  const digest = readDigest(path)
  index.putFile(path, { ...print, seen }, digest)
  return digest
}
