/** What lies outside of the data root is out of reach: by name, by link, by archive. Files are read in parts, and members of archives in place. */
import { hash } from "node:crypto"
import * as fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openCache } from "../../cache/cache.ts"
import { observer } from "../../engine/files.ts"
import { filesOf, outcome, removeFolders, temporary } from "./data-files.ts"
import { tar } from "./tar-fixture.ts"

afterAll(removeFolders)
const sha = (text: string) => hash("sha256", text, "hex")
const textOf = async (effect: Effect.Effect<Uint8Array, never>) => Buffer.from(await Effect.runPromise(effect)).toString()

describe("links below the data root", () => {
  let home: string
  beforeAll(() => {
    home = temporary()
    for (const folder of ["data/a/deep", "outside"]) fs.mkdirSync(join(home, folder), { recursive: true })
    fs.writeFileSync(join(home, "data/a/file.txt"), "inside")
    fs.writeFileSync(join(home, "outside/secret.txt"), "secret")
    const links = { "data/away.txt": "../outside/secret.txt", "data/away": "../outside", "data/b": "a", "data/b.txt": "a/file.txt", "data/nowhere": "no", "data/a/deep/loop": "../..", "data/a/up": "..", "data/round": "round", root: "data" }
    for (const [link, target] of Object.entries(links)) fs.symlinkSync(target, join(home, link))
    fs.writeFileSync(join(home, "outside/s.tar"), tar({ name: "x", content: "y" }))
    fs.symlinkSync("../outside/s.tar", join(home, "data/away.tar"))
  })

  it("are followed where they stay below it, also where the root itself is a link", async () => {
    for (const root of ["data", "root"]) {
      const { files } = filesOf(join(home, root))
      expect(Buffer.from(await outcome(files.read("b.txt"))).toString()).toBe("inside")
      expect(Buffer.from(await outcome(files.read("b/file.txt"))).toString()).toBe("inside")
      expect(await outcome(files.list("b"))).toEqual(["deep/", "file.txt", "up/"])
      expect(await outcome(files.list("."))).toContain("b/")
      expect(await outcome(files.exists("nowhere"))).toBe(false)
    }
  })

  it.each(["away.txt", "away/secret.txt", "b/../away/secret.txt", "away.tar/x"])("that lead out of it are refused: %s", async (path) => {
    const { files, trace } = filesOf(join(home, "data")), refused = /is a link that leads out of the data root .*, to .*outside.*: put the files themselves there, or give a --data that holds both/
    await expect(outcome(files.read(path))).rejects.toThrow(refused)
    await expect(outcome(files.open(path))).rejects.toThrow(refused)
    await expect(outcome(files.digest(path))).rejects.toThrow(refused)
    await expect(outcome(files.exists(path))).rejects.toThrow(refused)
    expect(trace).toEqual({})
    await expect(outcome(filesOf(join(home, "data"), false).files.read(path, sha("secret")))).rejects.toThrow(refused)
  })

  it("to folders outside are told where they are listed, not passed over", async () => {
    const { files } = filesOf(join(home, "data"))
    expect(await outcome(files.list("."))).toContain("away/")
    await expect(outcome(files.list("away"))).rejects.toThrow(/away is a link that leads out of the data root/)
  })

  it("to a folder that they lie in are refused: walked into, they have no end", async () => {
    const { files } = filesOf(join(home, "data"))
    await expect(outcome(files.list("a/deep/loop"))).rejects.toThrow(/a\/deep\/loop is a link to the folder .*data that it lies in itself: remove it/)
    await expect(outcome(files.read("a/up/a/up/a/file.txt"))).rejects.toThrow(/a\/up is a link to the folder/)
    await expect(outcome(files.read("round"))).rejects.toThrow(/round/)
  })

  it("that lead out later count as absent in a look-up", () => {
    const { cache } = filesOf(join(home, "data"))
    const { look } = observer(cache.index, join(home, "data"), false)
    expect([look("away.txt"), look("away/"), look("b.txt"), look("nowhere")]).toEqual(["absent", "absent", sha("inside"), "absent"])
  })
})

describe("a pipe", () => {
  it("is no file: reading it would wait for ever", async () => {
    const root = temporary(), { execFileSync } = await import("node:child_process")
    execFileSync("mkfifo", [join(root, "pipe")])
    await expect(outcome(filesOf(root).files.read("pipe"))).rejects.toThrow(/pipe is no file but a device or a pipe/)
  })
})

describe("a file that is opened", () => {
  const setUp = () => {
    const root = temporary(), path = join(root, "f.bin")
    fs.writeFileSync(path, "0123456789")
    return { path, root }
  }

  it("is read in parts, and at ingest recorded by its digest", async () => {
    const { root } = setUp(), { files, trace } = filesOf(root)
    const file = await outcome(files.open("f.bin"))
    expect(file.size).toBe(10)
    expect(await textOf(file.read(3, 4) as Effect.Effect<Uint8Array>)).toBe("3456")
    expect(await textOf(file.read(8, 40) as Effect.Effect<Uint8Array>)).toBe("89")
    expect(await textOf(file.read(12, 4) as Effect.Effect<Uint8Array>)).toBe("")
    expect(trace).toEqual({ "f.bin": sha("0123456789") })
  })

  it("with a digest is that very file", async () => {
    const { root } = setUp(), { files } = filesOf(root, false)
    expect(await textOf((await outcome(files.open("f.bin", sha("0123456789")))).read(0, 2) as Effect.Effect<Uint8Array>)).toBe("01")
    await expect(outcome(Effect.flatMap(files.open("f.bin", sha("other")), (file) => file.read(0, 2)))).rejects.toThrow(/f\.bin changed while or since it was ingested: run again/)
    await expect(outcome(files.open("f.bin"))).rejects.toThrow(/only ingest stages may look for files/)
    await expect(outcome(files.open("no.bin", sha("")))).rejects.toThrow(/there is no file no\.bin below the data root/)
  })

  it("does not change under the reader's hands unnoticed", async () => {
    const { path, root } = setUp(), { files } = filesOf(root)
    const file = await outcome(files.open("f.bin"))
    fs.writeFileSync(path, "9876543210")
    await expect(outcome(file.read(0, 2))).rejects.toThrow(/f\.bin changed while or since/)
    fs.truncateSync(path, 3)
    await expect(outcome(file.read(0, 2))).rejects.toThrow(/f\.bin changed while or since/)
  })

  it("may be pixels that ingest kept", async () => {
    const { files } = filesOf(temporary())
    const { path } = await outcome(files.keep(Buffer.from("pixels")))
    const file = await outcome(files.open(path))
    expect(file.size).toBe(6)
    expect(await textOf(file.read(2, 2) as Effect.Effect<Uint8Array>)).toBe("xe")
    await expect(outcome(filesOf(temporary(), false).files.open(path))).rejects.toThrow(/are gone from the cache/)
  })
})

describe("a path that begins with cache:", () => {
  const setUp = () => {
    const home = temporary(), cache = openCache(join(home, "inner/cache")), root = join(home, "data")
    fs.mkdirSync(root)
    for (const place of ["thesis.png", "data/thesis.png"]) fs.writeFileSync(join(home, place), "years of work")
    return { home, cache, root }
  }

  it.each(["cache:../../thesis.png", "cache:../../../thesis.png", "cache:", "cache:/thesis.png", `cache:${sha("nobody's")}`, `cache:${"A".repeat(64)}`])("reaches nothing but pixels that the stage kept itself, and destroys nothing: %s", async (path) => {
    const { cache, home, root } = setUp(), { files, trace } = filesOf(root, true, cache)
    cache.store.putBlob(Buffer.from("nobody's"))
    for (const effect of [files.read(path), files.open(path), files.exists(path), files.digest(path)]) {
      await expect(outcome<unknown>(effect)).rejects.toThrow(`${path} is no file of the data: paths that begin with "cache:" are those of pixels`)
    }
    expect(trace).toEqual({})
    expect(fs.readFileSync(join(home, "thesis.png"), "utf8")).toBe("years of work")
    if (path.endsWith("thesis.png")) await expect(outcome(filesOf(root, false, cache).files.read(path, sha("years of work")))).rejects.toThrow(/is no file of the data/)
  })

  it("gives kept pixels to later stages, ingest too, by their own digest only", async () => {
    const { cache, root } = setUp(), { digest, path } = await outcome(filesOf(root, true, cache).files.keep(Buffer.from("pixels")))
    for (const ingest of [true, false]) {
      const { files } = filesOf(root, ingest, cache)
      expect(Buffer.from(await outcome(files.read(path, digest))).toString()).toBe("pixels")
      expect((await outcome(files.open(path, digest))).size).toBe(6)
      await expect(outcome(files.read(path, sha("other")))).rejects.toThrow(/was asked for with the digest of other pixels/)
      await expect(outcome(files.open(path, sha("other")))).rejects.toThrow(/was asked for with the digest of other pixels/)
    }
  })
})

describe("what an ingest stage met", () => {
  it("may not change before it is met again: a file, one that was absent, a folder", async () => {
    const root = temporary(), { files, trace } = filesOf(root), at = join(root, "a.tif"), changed = /a\.tif changed while or since it was ingested/
    fs.writeFileSync(at, "old")
    expect([await outcome(files.exists("a.tif")), await outcome(files.exists("b.tif")), await outcome(files.list("."))]).toEqual([true, false, ["a.tif"]])
    fs.writeFileSync(at, "new")
    fs.writeFileSync(join(root, "b.tif"), "there now")
    for (const effect of [files.open("a.tif"), files.read("a.tif"), files.digest("a.tif"), files.exists("a.tif")]) await expect(outcome<unknown>(effect)).rejects.toThrow(changed)
    await expect(outcome(files.read("b.tif"))).rejects.toThrow(/b\.tif changed while/)
    await expect(outcome(files.list("."))).rejects.toThrow(/changed while/)
    expect(trace).toMatchObject({ "a.tif": sha("old"), "b.tif": "absent" })
    fs.writeFileSync(at, "old")
    expect(Buffer.from(await outcome(files.read("a.tif"))).toString(), "touched, but the same").toBe("old")
  })

  it("may not be an archive that is packed anew meanwhile", async () => {
    const root = temporary(), at = join(root, "s.tar"), old = tar({ name: "0.jpg", content: "old" })
    fs.writeFileSync(at, old)
    const { files, trace } = filesOf(root), changed = /s\.tar changed while or since it was ingested/
    expect(await outcome(files.list("s.tar"))).toEqual(["0.jpg"])
    fs.writeFileSync(at, tar({ name: "0.jpg", content: "new" }))
    for (const effect of [files.read("s.tar/0.jpg"), files.open("s.tar/0.jpg"), files.digest("s.tar/0.jpg"), files.exists("s.tar/0.jpg"), files.exists("s.tar/1.jpg"), files.list("s.tar")]) {
      await expect(outcome<unknown>(effect)).rejects.toThrow(changed)
    }
    expect(trace).toEqual({ "s.tar": hash("sha256", old, "hex") })
  })
})

describe("members of archives", () => {
  const setUp = () => {
    const root = temporary(), bytes = tar({ name: "k/0.jpg", content: "image" }, { name: "k/0.cls", content: "3" })
    fs.mkdirSync(join(root, "shards"))
    fs.writeFileSync(join(root, "shards/0.tar"), bytes)
    return { root, at: join(root, "shards/0.tar"), whole: hash("sha256", bytes, "hex") }
  }

  it("are read in place; what is recorded is the archive", async () => {
    const { root, whole } = setUp(), { files, trace } = filesOf(root), before = fs.readdirSync(root, { recursive: true })
    expect(await outcome(files.list("shards/0.tar"))).toEqual(["k/0.cls", "k/0.jpg"])
    expect(Buffer.from(await outcome(files.read("shards/0.tar/k/0.jpg"))).toString()).toBe("image")
    expect(await outcome(files.digest("shards/0.tar/k/0.cls"))).toBe(sha("3"))
    expect(await textOf((await outcome(files.open("shards/0.tar/k/0.jpg"))).read(1, 3) as Effect.Effect<Uint8Array>)).toBe("mag")
    expect(await outcome(files.exists("shards/0.tar/k/1.jpg"))).toBe(false)
    expect(trace).toEqual({ "shards/0.tar": whole })
    expect(fs.readdirSync(root, { recursive: true }), "nothing is unpacked").toEqual(before)
  })

  it("are checked against their own digest, in an archive that changed too", async () => {
    const { at, root } = setUp(), { files } = filesOf(root, false)
    expect(Buffer.from(await outcome(files.read("shards/0.tar/k/0.jpg", sha("image")))).toString()).toBe("image")
    fs.writeFileSync(at, tar({ name: "new", content: "x".repeat(2000) }, { name: "k/0.jpg", content: "image" }))
    expect(Buffer.from(await outcome(files.read("shards/0.tar/k/0.jpg", sha("image")))).toString(), "packed anew").toBe("image")
    fs.writeFileSync(at, tar({ name: "k/0.jpg", content: "other" }))
    await expect(outcome(files.read("shards/0.tar/k/0.jpg", sha("image")))).rejects.toThrow(/shards\/0\.tar\/k\/0\.jpg changed while or since/)
    fs.writeFileSync(at, tar({ name: "k/1.jpg" }))
    await expect(outcome(files.read("shards/0.tar/k/0.jpg", sha("image")))).rejects.toThrow(/there is no file shards\/0\.tar\/k\/0\.jpg/)
  })

  it("of a hostile archive are out of reach, and it is named", async () => {
    const { at, root } = setUp(), { files } = filesOf(root)
    fs.writeFileSync(at, tar({ name: "../../etc/passwd", content: "x" }))
    await expect(outcome(files.list("shards/0.tar"))).rejects.toThrow(/shards\/0\.tar: member "\.\.\/\.\.\/etc\/passwd" leads out of the archive/)
    await expect(outcome(files.read("shards/0.tar/../../../etc/passwd"))).rejects.toThrow(/lies outside of the data root/)
  })

  it("a folder may be named like an archive", async () => {
    const root = temporary()
    fs.mkdirSync(join(root, "x.tar"))
    fs.writeFileSync(join(root, "x.tar/f"), "plain")
    expect(Buffer.from(await outcome(filesOf(root).files.read("x.tar/f"))).toString()).toBe("plain")
    expect(await outcome(filesOf(root).files.list("x.tar"))).toEqual(["f"])
  })
})

describe("a look-up of many files", () => {
  it("tells the same together as one by one: changed, new, removed, racy, linked ones", async () => {
    const root = temporary()
    const paths = Array.from({ length: 200 }, (_, i) => `d${i % 3}/f${String(i).padStart(3, "0")}`)
    for (const folder of ["d0", "d1", "d2"]) fs.mkdirSync(join(root, folder))
    const past = new Date(Date.now() - 60_000)
    for (const path of paths) {
      fs.writeFileSync(join(root, path), path)
      fs.utimesSync(join(root, path), past, past)
    }
    fs.symlinkSync("../d0/f000", join(root, "d1/link"))
    const { cache, files, trace } = filesOf(root)
    for (const path of [...paths, "d1/link"]) await outcome(files.digest(path))
    await new Promise((resolve) => setImmediate(resolve))
    // as if read long after they were written: ctime cannot be set back
    for (const path of paths) {
      const { size, mtimeNs, ctimeNs, ino } = fs.statSync(join(root, path), { bigint: true })
      cache.index.putFile(fs.realpathSync(join(root, path)), { size, mtime: mtimeNs, ctime: ctimeNs, inode: ino, seen: ctimeNs + 10_000_000_000n }, path === "d0/f003" ? "as remembered" : trace[path]!)
    }
    fs.writeFileSync(join(root, "d0/f000"), "changed!")
    fs.rmSync(join(root, "d1/f001"))
    const single = observer(cache.index, root, false), together = observer(cache.index, root, false)
    together.prepare({ ...trace, "d2/never": "absent" })
    for (const path of [...Object.keys(trace), "d2/never"]) expect(together.look(path), path).toBe(single.look(path))
    expect(together.look("d0/f000")).toBe(sha("changed!"))
    expect(together.look("d1/link")).toBe(sha("changed!"))
    expect(together.look("d1/f001")).toBe("absent")
    expect(together.look("d0/f003"), "not read again").toBe("as remembered")
    const anew = observer(cache.index, root, true)
    anew.prepare(trace)
    expect(anew.look("d0/f003"), "--rehash").toBe(sha("d0/f003"))
  })
})
