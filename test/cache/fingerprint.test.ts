import { hash } from "node:crypto"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { openCache } from "../../cache/cache.ts"
import { fileDigest } from "../../cache/fingerprint.ts"

const home = fs.mkdtempSync(join(tmpdir(), "outcrop-files-"))
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))
const { index } = openCache(join(home, "cache"))
let files = 0
const fileOf = (content: string): string => {
  const path = join(home, `${files++}.bin`)
  fs.writeFileSync(path, content)
  return path
}
/** Pretends that the file was read at a time, and what its digest was then. */
const remember = (path: string, seconds: number, digest: string) => {
  const { ctimeNs, ino, mtimeNs, size } = fs.statSync(path, { bigint: true })
  index.putFile(path, { size, mtime: mtimeNs, ctime: ctimeNs, inode: ino, seen: ctimeNs + BigInt(seconds * 1e9) }, digest)
}

describe("digests of files", () => {
  it("are SHA-256 of the content, of large files too", () => {
    const content = "x".repeat(2_500_000)
    expect(fileDigest(index, fileOf(content), false)).toBe(hash("sha256", content, "hex"))
  })

  it("of what is no file are absent", () => {
    expect(fileDigest(index, join(home, "nowhere"), false)).toBeUndefined()
    expect(fileDigest(index, home, false)).toBeUndefined()
  })

  it("a file that is as when it was read long after its last change is not read again", () => {
    const path = fileOf("content")
    remember(path, 10, "as remembered")
    expect(fileDigest(index, path, false)).toBe("as remembered")
  })

  it("unless --rehash asks for it", () => {
    const path = fileOf("content")
    remember(path, 10, "as remembered")
    expect(fileDigest(index, path, true)).toBe(hash("sha256", "content", "hex"))
  })

  it("the racy rule: a file read within two seconds of its last change is read again, a second change would not show", () => {
    const path = fileOf("content")
    for (const seconds of [0, 1, 1.9]) {
      remember(path, seconds, "before the second change")
      expect(fileDigest(index, path, false), `read after ${seconds} s`).toBe(hash("sha256", "content", "hex"))
    }
  })

  it("a change of the same length whose mtime was set back shows", () => {
    const path = fileOf("before")
    const { atime, mtime } = fs.statSync(path)
    remember(path, 10, hash("sha256", "before", "hex"))
    fs.writeFileSync(path, "after!")
    fs.utimesSync(path, atime, mtime)
    expect(fileDigest(index, path, false)).toBe(hash("sha256", "after!", "hex"))
  })

  it("a file put in the place of another shows", () => {
    const path = fileOf("before"), other = fileOf("after!")
    const { atime, mtime } = fs.statSync(path)
    remember(path, 10, hash("sha256", "before", "hex"))
    fs.utimesSync(other, atime, mtime)
    fs.renameSync(other, path)
    expect(fileDigest(index, path, false)).toBe(hash("sha256", "after!", "hex"))
  })
})
