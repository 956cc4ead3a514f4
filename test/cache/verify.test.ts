import * as fs from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, describe, expect, it } from "vitest"
import { type Cache, openCache } from "../../cache/cache.ts"
import { evictions, putEviction } from "../../cache/evictions.ts"
import { putTag } from "../../cache/tags.ts"
import { verify } from "../../cache/verify.ts"
import { all, copied, documentPath, embed, flip, fresh, keepEmbedding, keepLarge, keepSamples, keepSmall, placeOf, problems, removeAll, verified } from "./contents.ts"

afterAll(removeAll)

const base = fresh()
embed(base, "oak", "elm")
embed(base, "fir")
const keys = {
  samples: keepSamples(base, "ingest/x", ["red", "green"]),
  embedding: keepEmbedding(base, "embed/x", "oak", "fir"),
  large: keepLarge(base, "probe/x"),
  small: keepSmall(base, "probe/y")
}
putTag(base.store, { name: "paper", made: "2026-01-02T03:04:05.000Z", asked: ["tag", "paper"], graph: "", keys: [keys.large] })
putEviction(base.store, { by: "gc", why: "test", removed: [""] })
base.index.close()
const path = ({ store }: Cache, which: keyof typeof keys) => documentPath({ store }, "actions", keys[which])
const blobOf = (cache: Cache, which: keyof typeof keys) => cache.store.blobPath(Object.values(cache.index.entry(keys[which])!.outputs)[0]!.blob)
/** Changes the text of a document, with a last line that fits it. */
const rewrite = ({ store }: Cache, folder: string, name: string, edit: (text: string) => string) => store.putDocument(folder, name, edit(store.document(folder, name)!))
const sql = ({ store }: Cache, text: string) => {
  const db = new DatabaseSync(join(store.root, "index.sqlite"))
  db.exec(text)
  db.close()
}

describe("a whole cache", () => {
  it("has no findings; everything in it is counted and read", () => {
    const cache = copied(base), { counts, findings } = verified(cache)
    expect(findings).toEqual([])
    expect(counts).toMatchObject({ results: 4, segments: 2, rows: 3, tags: 1, blobs: 10 })
    const bytes = ["blobs", "actions", "segments", "tags", "evictions"].flatMap((folder) => Array.from(cache.store.files(folder), ({ bytes }) => bytes))
    expect(counts.bytes).toBe(bytes.reduce((a, b) => a + b, 0))
    cache.close()
  })

  it("tells how far it is, a piece of a large file at a time", () => {
    const cache = copied(base)
    cache.store.putBlob(new Uint8Array(5 << 20))
    const steps = [...verify(cache, {}, false)], { done, total } = steps.at(-1)!
    expect(done).toBe(total)
    expect(Math.max(...steps.map((step, i) => step.done - (steps[i - 1]?.done ?? 0)))).toBeLessThanOrEqual(1 << 20)
    expect(steps.every((step, i) => i === 0 || step.done >= steps[i - 1]!.done)).toBe(true)
    cache.close()
  })

  it("that a kill left before the index knew of a result, or with a blob of none, is whole", () => {
    const cache = copied(base)
    sql(cache, `delete from actions where key = '${keys.small}'`)
    cache.store.putBlob(new TextEncoder().encode("left over"))
    expect(problems(cache)).toEqual([])
    cache.close()
  })
})

/** Each damage, what exactly is found, and which results are no longer there after the repair. */
const damages: ReadonlyArray<readonly [what: string, damage: (cache: Cache) => void, found: ReadonlyArray<string>, gone?: ReadonlyArray<keyof typeof keys>]> = [
  ["a bit of a table", (cache) => flip(blobOf(cache, "large")), ["blobs: it is damaged: its bytes are not those that were written"]],
  ["a table cut short", (cache) => fs.truncateSync(blobOf(cache, "large"), 3), ["blobs: it is damaged: its bytes are not those that were written"]],
  ["a table that is gone", (cache) => fs.rmSync(blobOf(cache, "large")), ["actions: the table of its output \"split\" is gone (#)"]],
  ["a bit of vectors", (cache) => flip(cache.store.blobPath(placeOf(cache, "fir")!.segment)), ["blobs: it is damaged: its bytes are not those that were written"]],
  ["vectors that are gone", (cache) => fs.rmSync(cache.store.blobPath(placeOf(cache, "fir")!.segment)), ["segments: its vectors are gone, or not as many as it says"]],
  ["a segment that says another number of rows", (cache) => rewrite(cache, "segments", placeOf(cache, "oak")!.segment, (text) => text.replace("\"rows\":2", "\"rows\":3")), ["segments: its vectors are gone, or not as many as it says"]],
  ["a picture that is gone", (cache) => fs.rmSync(cache.store.blobPath(cache.store.putBlob(new TextEncoder().encode("red")))), ["actions: 1 of the 2 pictures that its samples name are gone (#)"]],
  ["a bit of a record", (cache) => flip(path(cache, "small")), ["actions: it is damaged: its bytes are not those that were written"], ["small"]],
  ["a record whose key part was changed", (cache) => rewrite(cache, "actions", keys.small, (text) => text.replace("\"name\":\"probe/y\"", "\"name\":\"probe/z\"")), ["actions: its key is not the digest of its pre-image"], ["small"]],
  ["a record with another table in it", (cache) => rewrite(cache, "actions", keys.small, (text) => text.replace(/("inline":\{"\w+":")..../, "$1AAAA")), ["actions: the table of its output \"split\" is not what it was"], ["small"]],
  ["something else in the place of a record", (cache) => cache.store.putDocument("actions", keys.small, "[1]"), ["actions: it is no record of a result"], ["small"]],
  ["a record that is gone, of a result that a tag names", (cache) => fs.rmSync(path(cache, "large")), ["tags: 1 of the results that it names are gone (#)"], ["large"]],
  ["a bit of a tag", (cache) => flip(documentPath(cache, "tags", "paper")), ["tags: it is damaged: its bytes are not those that were written"]],
  ["other outputs in the index", (cache) => sql(cache, "update outputs set outputs = '{}'"), ["samples", "embedding", "large", "small"].map(() => "index.sqlite: what it says of the result # is not what stands in the store")],
  ["another small table in the index", (cache) => sql(cache, "update inline set bytes = x'00' where length(bytes) = (select min(length(bytes)) from inline)"), ["index.sqlite: the small table # in it is not what it was"]],
  ["rows in the index that lie elsewhere", (cache) => sql(cache, "update rows set position = 1 - position"), ["index.sqlite: 2 embedded rows are not where it says in the segment #", "index.sqlite: 1 embedded rows are not where it says in the segment #"]],
  ["a segment in the index that is not there", (cache) => sql(cache, `insert into segments (blob) values ('${"a".repeat(64)}')`), ["index.sqlite: it names the segment #, which is not there"]]
]

describe("damage", () => {
  for (const [what, damage, found, gone = []] of damages) it(`${what}: exactly that is found; repaired, all is whole and only that is gone`, () => {
    const cache = copied(base)
    damage(cache)
    expect(problems(cache)).toEqual(found)
    expect(problems(cache), "looking changes nothing").toEqual(found)
    expect(verified(cache, true).findings).toHaveLength(found.length)
    cache.close()
    // an index that is itself at fault is rebuilt by whoever repairs
    if (found.some((text) => text.startsWith("index"))) for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(join(cache.store.root, `index.sqlite${suffix}`), { force: true })
    const again = openCache(cache.store.root)
    expect(problems(again)).toEqual([])
    for (const which of Object.keys(keys) as Array<keyof typeof keys>) expect(again.index.entry(keys[which]) !== undefined, which).toBe(!gone.includes(which))
    for (const which of gone) expect(evictions(again.store).get(keys[which])).toMatchObject({ by: "verify", why: "damaged, or lost" })
    again.close()
  })

  it("of several things is found all at once", () => {
    const cache = copied(base)
    flip(blobOf(cache, "large"))
    flip(path(cache, "small"))
    fs.rmSync(documentPath(cache, "actions", keys.samples))
    expect(problems(cache).map((text) => text.split(":")[0])).toEqual(["blobs", "actions", "index.sqlite"])
    cache.close()
  })

  it("of what was removed, made again and lost again is found again", () => {
    const cache = copied(base), { blob } = Object.values(cache.index.entry(keys.large)!.outputs)[0]!
    const text = cache.store.document("actions", keys.large)!, bytes = cache.store.blob(blob)!
    fs.rmSync(cache.store.blobPath(blob))
    verified(cache, true)
    expect(problems(cache), "it is on record").toEqual([])
    cache.store.putBlob(bytes)
    cache.store.putDocument("actions", keys.large, text.replace(/"started":"[^"]*"/, `"started":"${new Date(Date.now() + 1).toISOString()}"`))
    expect(problems(cache)).toEqual([])
    fs.rmSync(cache.store.blobPath(blob))
    expect(problems(cache)).toEqual(["actions: the table of its output \"split\" is gone (#)"])
    cache.close()
  })

  it("of documents of a layer above is told by what that layer says", () => {
    const cache = copied(base)
    cache.store.putDocument("runs", "one", "{}")
    cache.store.putDocument("runs", "two", "{}")
    const { findings } = all(verify(cache, { runs: (name) => name === "one" ? { results: [keys.small, "b".repeat(64)], graph: undefined } : { problem: "it is no record of a run" } }, false))
    expect(findings.map(({ problem }) => problem).toSorted()).toEqual([`1 of the results that it names are gone (${"b".repeat(64)})`, "it is no record of a run"])
    putEviction(cache.store, { by: "gc", why: "test", removed: ["b".repeat(64)] })
    expect(all(verify(cache, { runs: () => ({ results: ["b".repeat(64)], graph: undefined }) }, false)).findings, "what gc removed is no damage").toEqual([])
    cache.close()
  })
})
