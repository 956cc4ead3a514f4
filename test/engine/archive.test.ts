/** Members of tar archives are found where they lie; what no honest archive holds is refused, with the member's name. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import { printOf } from "../../cache/fingerprint.ts"
import { archiveAt, membersOf } from "../../engine/archive.ts"
import { type Entry, member, pax, tar } from "./tar-fixture.ts"

const home = fs.mkdtempSync(join(tmpdir(), "outcrop-tar-"))
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

const read = (bytes: Uint8Array) => membersOf("s.tar", bytes.length, (offset, length) => bytes.subarray(offset, offset + length))
const contents = (bytes: Uint8Array) => Object.fromEntries([...read(bytes)].map(([name, { offset, size }]) => [name, Buffer.from(bytes.subarray(offset, offset + size)).toString()]))
const long = `${"deep/".repeat(50)}image.jpg`

describe("members of a tar archive", () => {
  it("are found by name: files only, names cleaned, of any size", () => {
    const entries: ReadonlyArray<Entry> = [{ name: "a/", type: "5" }, { name: "./a/1.jpg", content: "one" }, { name: "2.cls", content: "" }, { name: "3.json", content: "x".repeat(513), type: "\0" }, { name: "end", content: "4" }]
    expect(contents(tar(...entries))).toEqual({ "a/1.jpg": "one", "2.cls": "", "3.json": "x".repeat(513), end: "4" })
    expect(read(tar()).size).toBe(0)
  })

  it("have long names by ustar's prefix, by GNU's long names, by pax; sizes by pax and in base 256", () => {
    const big = Buffer.alloc(12)
    big[0] = 0x80
    big[11] = 3
    expect(contents(tar(
      { name: "image.jpg", prefix: "deep/er", content: "1" },
      { name: "././@LongLink", type: "L", content: `${long}\0` }, { name: long.slice(0, 100), content: "2" },
      pax({ path: `pax/${long}`, mtime: "1.5" }), { name: "short", content: "3" },
      { name: "gnu", magic: "ustar  \0", prefix: "no prefix", content: "4" },
      pax({ size: "2" }), { name: "sized", content: "55", size: "00000000000\0" },
      pax({ comment: "of all" }, "g"), { name: "256", content: "666", size: big }
    ))).toEqual({ "deep/er/image.jpg": "1", [long]: "2", [`pax/${long}`]: "3", gnu: "4", sized: "55", "256": "666" })
  })

  const gnuTar = (() => {
    try {
      return execFileSync("tar", ["--version"], { encoding: "utf8" }).includes("GNU tar")
    } catch {
      return false
    }
  })()
  for (const format of ["ustar", "gnu", "pax"]) {
    it.skipIf(!gnuTar)(`are those that GNU tar packs (${format}; skipped without GNU tar)`, () => {
      const folder = join(home, format), deep = format === "ustar" ? "d/e" : `${"d".repeat(90)}/${"e".repeat(90)}`
      fs.mkdirSync(join(folder, deep), { recursive: true })
      fs.writeFileSync(join(folder, deep, "grün.jpg"), "green")
      fs.writeFileSync(join(folder, "0.cls"), "7\n")
      execFileSync("tar", [`--format=${format}`, "-cf", join(home, `${format}.tar`), "-C", folder, "."])
      expect(contents(fs.readFileSync(join(home, `${format}.tar`)))).toEqual({ [`${deep}/grün.jpg`]: "green", "0.cls": "7\n" })
    })
  }

  it.each<[string, ReadonlyArray<Entry>, RegExp]>([
    ["an absolute name", [{ name: "/etc/passwd" }], /^s\.tar: member "\/etc\/passwd" leads out of the archive/],
    ["a name with ..", [{ name: "a/../../b.jpg" }], /member "a\/\.\.\/\.\.\/b\.jpg" leads out of the archive: names must be relative/],
    ["a long name with ..", [{ name: "L", type: "L", content: "../long" }, { name: "x" }], /member "\.\.\/long" leads out/],
    ["a pax name that is absolute", [pax({ path: "/root/x" }), { name: "x" }], /member "\/root\/x" leads out/],
    ["no name", [{ name: "" }], /member "" leads out/],
    ["a symbolic link", [{ name: "a.jpg", type: "2", link: "/etc/passwd" }], /member "a\.jpg" is a symbolic link: archives may hold files only/],
    ["a hard link", [{ name: "a.jpg", type: "1", link: "b.jpg" }], /member "a\.jpg" is a hard link/],
    ["a device", [{ name: "null", type: "3" }], /member "null" is a device/],
    ["a sparse file", [{ name: "hole", type: "S" }], /member "hole" is a sparse file/],
    ["a sparse file of pax", [pax({ "GNU.sparse.major": "1" }), { name: "hole" }], /member "hole" is a sparse file/],
    ["an unknown type", [{ name: "odd", type: "Q" }], /member "odd" is of the unknown type "Q"/],
    ["the same name twice", [{ name: "a.jpg" }, { name: "./a.jpg" }], /member "\.\/a\.jpg" is there twice/],
    ["a size beyond the file", [{ name: "a.jpg", size: "77777777777\0" }], /member "a\.jpg" is said to have 8589934591 bytes from byte 512 on, but the archive has only 1536/],
    ["a negative size", [{ name: "a.jpg", size: Buffer.alloc(12, 0xff) }], /member "a\.jpg" has a size that is no number of bytes/],
    ["a size beyond all numbers", [{ name: "a.jpg", size: Buffer.concat([Buffer.of(0x80), Buffer.alloc(11, 0xee)]) }], /member "a\.jpg" has a size that is no number/],
    ["a size that is no number", [{ name: "a.jpg", size: "-0000000001\0" }], /has a size that is no number/],
    ["a pax size beyond the file", [pax({ size: "99999999" }), { name: "a.jpg" }], /member "a\.jpg" is said to have 99999999 bytes/],
    ["a pax size that is negative", [pax({ size: "-1" }), { name: "a.jpg" }], /has a size that is no number/],
    ["a damaged pax header", [{ name: "p", type: "x", content: "99999 path=x\n" }], /pax header at byte 0 is damaged/],
    ["one name for all", [pax({ path: "x" }, "g")], /gives all members one name or size/],
    ["names of megabytes", [{ name: "L", type: "L", content: "x".repeat(2 ** 20 + 1) }], /has 1048577 bytes of names/]
  ])("are refused where there is %s", (_, entries, message) => {
    expect(() => read(tar(...entries))).toThrow(message)
  })

  it("of an archive that was cut off, or is none, are refused", () => {
    const whole = tar({ name: "a.jpg", content: "x".repeat(600) }, { name: "b.jpg", content: "y" })
    expect(() => read(whole.subarray(0, 700))).toThrow(/member "a\.jpg" is said to have 600 bytes/)
    expect(() => read(whole.subarray(0, 512 + 1024))).toThrow(/ends at byte 1536 without an end mark; it was cut off after member "a\.jpg"/)
    expect(() => read(new Uint8Array(0))).toThrow(/or is no tar archive/)
    expect(() => read(new Uint8Array(1024).fill(7))).toThrow(/the header at byte 0 is damaged, or this is no tar archive/)
  })

  it("are refused where another archive follows, which would be lost; padding may", () => {
    const first = tar({ name: "a.jpg", content: "1" })
    expect(contents(Buffer.concat([first, Buffer.alloc(3 * 2 ** 20 + 5)]))).toEqual({ "a.jpg": "1" })
    expect(() => read(Buffer.concat([first, tar({ name: "b.jpg", content: "2" })]))).toThrow(/s\.tar: the archive holds more after its end mark at byte 1024 .*: pack it anew/)
    expect(() => read(Buffer.concat([first, Buffer.alloc(2 ** 21), Buffer.of(1)]))).toThrow(/holds more after its end mark/)
  })

  it("of thousands of archives are found in a time that does not grow with their number", () => {
    const shards = Array.from({ length: 3000 }, (_, i) => {
      const path = join(home, `shard-${i}.tar`)
      if (i < 2) fs.writeFileSync(path, tar({ name: `${i}.jpg`, content: "x" }))
      return path
    })
    const print = printOf(fs.statSync(shards[0]!, { bigint: true })), seconds = () => {
      const begin = performance.now()
      for (let i = 0; i < 20_000; i++) archiveAt(shards[0]!, "shard-0.tar", print)
      return performance.now() - begin
    }
    const few = seconds()
    for (const path of shards.slice(1)) {
      if (path !== shards[1]) fs.linkSync(shards[1]!, path)
      archiveAt(path, "shard", printOf(fs.statSync(path, { bigint: true })))
    }
    expect(seconds()).toBeLessThan(20 * few + 50)
  })

  it("of any bytes are an index or an error, never bytes beyond the archive", () => {
    const valid = Buffer.concat([member({ name: "a.jpg", content: "abc" }), member({ ...pax({ path: "b" }) }), member({ name: "b", content: "d".repeat(700) }), Buffer.alloc(1024)])
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
      const bytes = new Uint8Array(valid)
      for (const [at, value] of changes) bytes[at] = value
      try {
        for (const { offset, size } of read(bytes).values()) expect(offset + size).toBeLessThanOrEqual(bytes.length)
      } catch (cause) {
        expect(String(cause)).toMatch(/s\.tar: /)
      }
    }), { numRuns: 300 })
  })
})
