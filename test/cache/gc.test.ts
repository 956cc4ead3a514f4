import * as fs from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { afterAll, describe, expect, it } from "vitest"
import { type Cache, openCache } from "../../cache/cache.ts"
import { evictions } from "../../cache/evictions.ts"
import { collect, garbageOf, type Kept } from "../../cache/gc.ts"
import { claim } from "../../cache/lock.ts"
import { gather } from "../../cache/segments.ts"
import { all, copied, documentPath, embed, first, flip, folder, fresh, keepEmbedding, keepLarge, keepSamples, keepSmall, placeOf, problems, removeAll } from "./contents.ts"

afterAll(removeAll)

const keeping = (names: ReadonlyArray<string>, rest: Partial<Kept> = {}): Kept => ({ names: new Set(names), since: Infinity, embeddings: false, ...rest })
const gc = (cache: Cache, kept: Kept) => {
  const garbage = all(garbageOf(cache, kept))
  all(collect(cache, garbage, "nobody asks for it"))
  return garbage
}
const filesBelow = ({ store }: Cache, name: string) => Array.from(store.files(name), ({ name }) => name).toSorted()

describe("what stays", () => {
  it("is what is named; the rest goes with what only it had, and what both had stays", () => {
    const cache = fresh(), { index, store } = cache
    const [a, b] = [keepLarge(cache, "probe/one a", "shared"), keepLarge(cache, "probe/one b", "shared")]
    const [c, d, e] = [keepLarge(cache, "probe/two c"), keepSmall(cache, "probe/one d", "small"), keepSmall(cache, "probe/one e", "small")]
    const garbage = gc(cache, keeping([a, d]))
    expect(garbage.actions.toSorted()).toEqual([b, c, e].toSorted())
    expect(filesBelow(cache, "actions")).toEqual([a, d].toSorted())
    for (const key of [b, c, e]) expect(index.entry(key)).toBeUndefined()
    const [shared] = Object.values(index.entry(a)!.outputs)
    expect(Buffer.from(store.blob(shared!.blob)!).toString()).toContain("a table: shared")
    expect(Buffer.from(index.inline(Object.values(index.entry(d)!.outputs)[0]!.blob)!).toString()).toContain("small")
    expect(filesBelow(cache, "blobs"), "the table of a and b, and the code of probe/one").toHaveLength(2)
    expect(problems(cache)).toEqual([])
    cache.close()
  })

  it("a segment stays while a row of it is needed; --keep-embeddings keeps all", () => {
    const cache = fresh()
    embed(cache, "oak", "elm")
    embed(cache, "fir")
    const some = keepEmbedding(cache, "embed/x some", "oak"), other = keepEmbedding(cache, "embed/x other", "elm", "fir")
    const kept = copied(cache)
    gc(cache, keeping([some]))
    expect([placeOf(cache, "oak"), placeOf(cache, "elm"), placeOf(cache, "fir")].map((place) => place !== undefined)).toEqual([true, true, false])
    expect(gather(cache.store, cache.index, [placeOf(cache, "elm")!])!.values).toEqual(Float32Array.of(3, 101))
    expect(filesBelow(cache, "segments")).toHaveLength(1)
    gc(kept, keeping([], { embeddings: true }))
    expect(filesBelow(kept, "segments")).toHaveLength(2)
    expect(gather(kept.store, kept.index, [placeOf(kept, "fir")!])!.values).toEqual(Float32Array.of(3, 102))
    expect(kept.index.entry(other)).toBeUndefined()
    expect([problems(cache), problems(kept)]).toEqual([[], []])
    cache.close()
    kept.close()
  })

  it("embedded rows of a result whose list of rows is lost stay: it may need any of them", () => {
    const cache = fresh()
    embed(cache, "oak")
    const key = keepEmbedding(cache, "embed/x lost", "oak")
    fs.rmSync(cache.store.blobPath(cache.index.entry(key)!.outputs["embeddings"]!.blob))
    gc(cache, keeping([key]))
    expect(placeOf(cache, "oak")).toBeDefined()
    cache.close()
  })

  it("pictures stay with their collection, the text of code with a result that it gave", () => {
    const cache = fresh(), { store } = cache
    const stays = keepSamples(cache, "ingest/x stays", ["red", "green"])
    keepSamples(cache, "ingest/y goes", ["green", "blue"])
    gc(cache, keeping([stays]))
    const texts = filesBelow(cache, "blobs").map((blob) => Buffer.from(store.blob(blob)!).toString()).toSorted()
    expect(texts).toEqual(["code of ingest/x", "green", "red"])
    cache.close()
  })

  it("what was written since a time stays, results and embedded rows", () => {
    const cache = fresh(), old = new Date(Date.now() - 1e8)
    embed(cache, "oak")
    embed(cache, "fir")
    const [before, after] = [keepSmall(cache, "probe/x before"), keepSmall(cache, "probe/x after")]
    fs.utimesSync(documentPath(cache, "actions", before), old, old)
    fs.utimesSync(documentPath(cache, "segments", placeOf(cache, "oak")!.segment), old, old)
    expect(gc(cache, keeping([], { since: Date.now() - 1e6 })).actions).toEqual([before])
    expect(cache.index.entry(after)).toBeDefined()
    expect([placeOf(cache, "oak"), placeOf(cache, "fir")].map((place) => place !== undefined)).toEqual([false, true])
    cache.close()
  })
})

describe("before anything goes", () => {
  it("the counts say what stays and what goes, each blob once", () => {
    const cache = fresh()
    const stays = keepLarge(cache, "probe/x stays", "shared")
    keepLarge(cache, "probe/x goes", "shared")
    cache.store.putBlob(new TextEncoder().encode("left over"))
    const before = filesBelow(cache, "blobs"), { blobs, tallies } = all(garbageOf(cache, keeping([stays])))
    const bytes = (folder: string) => Array.from(cache.store.files(folder)).reduce((sum, file) => sum + file.bytes, 0)
    expect(tallies.map(({ goes, stays, what }) => [what, stays.count, goes.count])).toEqual([["probe/x", 1, 1], ["left by unfinished runs", 0, 1]])
    expect(tallies.reduce((sum, { goes, stays }) => sum + goes.bytes + stays.bytes, 0)).toBe(bytes("blobs") + bytes("actions"))
    expect(blobs).toHaveLength(1)
    expect(filesBelow(cache, "blobs")).toEqual(before)
    cache.close()
  })

  it("a damaged record stops it: what that needs cannot be known", () => {
    const cache = fresh(), key = keepSmall(cache, "probe/x")
    flip(documentPath(cache, "actions", key))
    expect(() => all(garbageOf(cache, keeping([])))).toThrow(/is damaged.*outcrop verify --repair/)
    cache.close()
  })

  it("it is on record what goes, when and why", () => {
    const cache = fresh(), key = keepSmall(cache, "probe/x")
    gc(cache, keeping([]))
    expect(evictions(cache.store).get(key)).toMatchObject({ by: "gc", why: "nobody asks for it", at: expect.stringMatching(/^\d{4}-/) })
    cache.close()
  })
})

describe("a kill at any step", () => {
  it("leaves a cache in which all that stays is whole, and the next gc ends as if there had been none", () => {
    const whole = fresh()
    embed(whole, "oak", "elm")
    embed(whole, "fir")
    const stays = [keepSamples(whole, "ingest/x stays", ["red", "green"]), keepEmbedding(whole, "embed/x stays", "oak"), keepLarge(whole, "probe/x stays", "shared"), keepSmall(whole, "probe/y stays")]
    keepSamples(whole, "ingest/x goes", ["green", "blue"])
    keepEmbedding(whole, "embed/x goes", "elm", "fir")
    keepLarge(whole, "probe/x goes", "shared")
    keepSmall(whole, "probe/y goes")
    const kept = keeping(stays), folders = ["blobs", "actions", "segments"]
    const done = copied(whole)
    gc(done, kept)
    const expected = folders.map((name) => filesBelow(done, name))
    let steps = 0
    for (let ended = false; !ended; steps++) {
      const cache = copied(whole), killed = collect(cache, all(garbageOf(cache, kept)), "test")
      ended = first(killed, steps)
      cache.close()
      const again = openCache(cache.store.root)
      expect(problems(again), `killed after ${steps} steps`).toEqual([])
      for (const key of stays) for (const { blob, kept } of Object.values(again.index.entry(key)!.outputs)) expect(kept === "inline" ? again.index.inline(blob) : again.store.blob(blob)).toBeDefined()
      gc(again, kept)
      expect(folders.map((name) => filesBelow(again, name)), `gc again after ${steps} steps`).toEqual(expected)
      again.close()
    }
    expect(steps).toBeGreaterThan(10)
    done.close()
    whole.close()
  })
})

describe("a cache is had alone", () => {
  it("only while nobody else has it open", () => {
    const root = folder(), one = openCache(root), two = openCache(root)
    expect(claim(root)).toBeUndefined()
    one.close()
    expect(claim(root)).toBeUndefined()
    two.close()
    const lock = claim(root)
    expect(lock).toBeDefined()
    expect(claim(root), "nor twice").toBeUndefined()
    openCache(root).close()
    lock!.release()
    openCache(root).close()
  })

  it("and who opens it meanwhile waits until it is free again", async () => {
    const root = folder()
    openCache(root).close()
    const holder = new Worker(new URL("./holder.ts", import.meta.url), { workerData: { root, milliseconds: 400 } })
    await new Promise((resolve) => holder.once("message", resolve))
    const begin = performance.now()
    openCache(root).close()
    expect(performance.now() - begin).toBeGreaterThan(250)
    expect(fs.statSync(join(root, "lock.sqlite")).size, "the lock is the system's, not the file's").toBe(0)
    await holder.terminate()
  })

  it("one that ended without a word leaves no lock behind", async () => {
    const root = folder()
    openCache(root).close()
    const holder = new Worker(new URL("./holder.ts", import.meta.url), { workerData: { root, milliseconds: 600_000 } })
    await new Promise((resolve) => holder.once("message", resolve))
    expect(claim(root)).toBeUndefined()
    await holder.terminate()
    const lock = claim(root)
    expect(lock).toBeDefined()
    lock!.release()
  })
})
