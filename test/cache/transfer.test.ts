import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { type Cache, openCache } from "../../cache/cache.ts"
import { gather } from "../../cache/segments.ts"
import { importFrom, type Imported } from "../../cache/transfer.ts"
import type { Reader } from "../../cache/verify.ts"
import { all, copied, documentPath, embed, flip, folder, fresh, keepEmbedding, keepLarge, keepSamples, keepSmall, placeOf, problems, removeAll } from "./contents.ts"

afterAll(removeAll)

const base = fresh()
embed(base, "oak", "elm")
const keys = { samples: keepSamples(base, "ingest/x", ["red", "green"]), embedding: keepEmbedding(base, "embed/x", "oak", "elm"), large: keepLarge(base, "probe/x"), small: keepSmall(base, "probe/y") }
base.store.putDocument("runs", "20260102", "a run")
base.index.close()

const runs: Reader = (_, text) => text === "a run" ? { results: [], graph: undefined } : { problem: "it is no record of a run" }
const into = (cache: Cache, root: string): Imported => all(importFrom(cache, root, { runs }))
/** A copy of the base that may be tampered with. */
const source = () => {
  const root = folder()
  fs.cpSync(base.store.root, root, { recursive: true })
  return { root, blob: (digest: string) => join(root, "blobs", digest.slice(0, 2), digest), action: (key: string) => join(root, "actions", key.slice(0, 2), `${key}.json`) }
}
const snapshot = (root: string) => fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => `${join(entry.parentPath, entry.name)} ${fs.statSync(join(entry.parentPath, entry.name)).mtimeMs}`).toSorted()

describe("taking over", () => {
  it("brings results, their tables, rows, pictures and code, and the history; once", () => {
    const cache = fresh()
    expect(into(cache, base.store.root)).toMatchObject({ results: 4, known: 0, different: 0, rows: 2, others: { runs: 1 }, findings: [] })
    expect(problems(cache)).toEqual([])
    for (const key of Object.values(keys)) expect(cache.index.entry(key)).toBeDefined()
    expect(gather(cache.store, cache.index, [placeOf(cache, "elm")!, placeOf(cache, "oak")!])!.values).toEqual(Float32Array.of(3, 101, 3, 111))
    expect(cache.store.document("runs", "20260102")).toBe("a run")
    expect(Array.from(cache.store.files("blobs"), ({ name }) => name).toSorted()).toEqual(Array.from(base.store.files("blobs"), ({ name }) => name).toSorted())
    expect(into(cache, base.store.root)).toMatchObject({ results: 0, known: 4, blobs: 0, rows: 0, bytes: 0, others: { runs: 0 } })
    cache.close()
  })

  it("changes nothing in the folder that it reads", () => {
    const { root } = source(), before = snapshot(root), cache = fresh()
    into(cache, root)
    expect(snapshot(root)).toEqual(before)
    cache.close()
  })

  it("brings back what was lost here", () => {
    const cache = copied(base), blob = cache.store.blobPath(cache.index.entry(keys.large)!.outputs["split"]!.blob)
    fs.rmSync(blob)
    expect(into(cache, base.store.root)).toMatchObject({ results: 0, known: 4, blobs: 1 })
    expect(problems(cache)).toEqual([])
    cache.close()
  })

  it("keeps its own result where the other has different outputs under the same key, and counts it", () => {
    const cache = fresh(), other = fresh()
    const own = keepSmall(cache, "probe/y", "one")
    expect(keepSmall(other, "probe/y", "two")).toBe(own)
    expect(into(cache, other.store.root)).toMatchObject({ results: 0, different: 1 })
    expect(Buffer.from(cache.index.inline(cache.index.entry(own)!.outputs["split"]!.blob)!).toString()).toContain("one")
    cache.close()
    other.close()
  })

  it("its own rows stay where they are, also when the index is made anew; only those that it lacks are taken", () => {
    const cache = fresh(), other = fresh()
    embed(cache, "oak")
    const [oak] = [placeOf(cache, "oak")]
    embed(other, "fir", "oak")
    into(cache, other.store.root)
    expect(placeOf(cache, "oak")).toEqual(oak)
    expect(placeOf(cache, "fir")).toEqual(placeOf(other, "fir"))
    cache.close()
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(join(cache.store.root, `index.sqlite${suffix}`), { force: true })
    fs.utimesSync(documentPath(cache, "segments", oak!.segment), 1, 1)
    const again = openCache(cache.store.root)
    expect(placeOf(again, "oak")).toEqual(oak)
    again.close()
    other.close()
  })

  it("rows that were embedded in other pieces are no other outputs", () => {
    const cache = fresh(), other = fresh()
    embed(cache, "oak", "elm")
    embed(other, "elm")
    embed(other, "oak")
    for (const each of [cache, other]) keepEmbedding(each, "embed/x", "oak", "elm")
    expect(into(cache, other.store.root)).toMatchObject({ known: 1, different: 0, findings: [] })
    cache.close()
    other.close()
  })

  it("stopped anywhere leaves a whole cache, and goes on from there", () => {
    for (let steps = 1; steps < 9; steps += 2) {
      const cache = fresh(), work = importFrom(cache, base.store.root, { runs })
      for (let i = 0; i < steps; i++) work.next()
      cache.close()
      const again = openCache(cache.store.root)
      expect(problems(again)).toEqual([])
      into(again, base.store.root)
      expect(again.index.entry(keys.large)).toBeDefined()
      again.close()
    }
  })
})

describe("what is damaged or not what it claims to be is left out, with the results that need it; the rest comes", () => {
  const predictions = base.store.document("actions", keys.large)!.match(/"blob":"([0-9a-f]{64})"/)![1]!
  const cases: ReadonlyArray<readonly [what: string, tamper: (from: ReturnType<typeof source>) => void, problem: RegExp, missing: keyof typeof keys]> = [
    ["a table with a flipped bit", ({ blob }) => flip(blob(predictions)), /its bytes are not those of its digest/, "large"],
    ["a table that is gone", ({ blob }) => fs.rmSync(blob(predictions)), /a table of its outputs is gone, or damaged/, "large"],
    ["a record with a flipped bit", ({ action }) => flip(action(keys.small)), /it is damaged/, "small"],
    ["a record under another key", ({ action }) => {
      const other = "c".repeat(64)
      fs.mkdirSync(dirname(action(other)), { recursive: true })
      fs.renameSync(action(keys.small), action(other))
    }, /its key is not the digest of its pre-image/, "small"],
    ["a picture that is gone", ({ blob }) => fs.rmSync(blob(base.store.putBlob(new TextEncoder().encode("red")))), /rows or pictures of its outputs are gone, or damaged/, "samples"]
  ]
  it.each(cases)("%s", (_, tamper, problem, missing) => {
    const from = source(), cache = fresh()
    tamper(from)
    const { findings, results } = into(cache, from.root)
    expect(findings.map((finding) => finding.problem).join("\n")).toMatch(problem)
    expect(results).toBe(3)
    expect(cache.index.entry(keys[missing])).toBeUndefined()
    expect(problems(cache)).toEqual([])
    cache.close()
  })

  it.each([
    ["of a kind that there is not", "small", (text: string) => text.replace("\"table\":\"split\"", "\"table\":\"__proto__\"")],
    ["of another kind", "small", (text: string) => text.replace("\"table\":\"split\"", "\"table\":\"metrics\"")],
    ["of more rows", "large", (text: string) => text.replace("\"rows\":1", "\"rows\":2")],
    ["of other content than the digests of its columns say", "large", (text: string) => text.replace(/("digest":")\w{8}/, "$100000000")],
    ["of other vectors", "embedding", (text: string) => text.replace(/("embedding":\{"kind":"vectors","digest":")\w{8}/, "$100000000")]
  ] as const)("a table %s", (_, which, edit) => {
    const cache = fresh(), other = copied(base), text = other.store.document("actions", keys[which])!
    expect(edit(text)).not.toBe(text)
    other.store.putDocument("actions", keys[which], edit(text))
    expect(into(cache, other.store.root)).toMatchObject({ results: 3, findings: [{ problem: expect.stringMatching(/^the table of its output "\w+" does not hold what the record says$/) as string }] })
    expect(cache.index.entry(keys[which])).toBeUndefined()
    other.close()
    cache.close()
  })

  it("a run record that is none", () => {
    const cache = fresh(), other = copied(base)
    other.store.putDocument("runs", "20260103", "something else")
    expect(into(cache, other.store.root)).toMatchObject({ others: { runs: 1 }, findings: [{ problem: "it is no record of a run" }] })
    other.close()
    cache.close()
  })
})

describe("a folder that outcrop did not write is refused", () => {
  const predictions = base.store.document("actions", keys.large)!.match(/"blob":"([0-9a-f]{64})"/)![1]!
  const outside = () => {
    const path = folder()
    fs.writeFileSync(path, "secret")
    return path
  }
  const cases: ReadonlyArray<readonly [what: string, tamper: (from: ReturnType<typeof source>) => void, message: RegExp]> = [
    ["a blob that is a link", ({ blob }) => {
      fs.rmSync(blob(predictions))
      fs.symlinkSync(outside(), blob(predictions))
    }, /is a link: a cache holds files only/],
    ["a folder of blobs that is a link", ({ blob, root }) => {
      fs.renameSync(dirname(blob(predictions)), join(root, "elsewhere"))
      fs.symlinkSync(join(root, "elsewhere"), dirname(blob(predictions)))
    }, /is a link: a cache holds files only/],
    ["a blob that is a pipe", ({ blob }) => {
      fs.rmSync(blob(predictions))
      execFileSync("mkfifo", [blob(predictions)])
    }, /is no file: a cache holds files only/],
    ["a record of 300 MB", ({ action }) => fs.truncateSync(action(keys.small), 3e8), /has 300000000 bytes, over the 268435456 that such a file may have/],
    ["a blob larger than the disk", ({ blob }) => fs.truncateSync(blob(predictions), 2 ** 42), /bytes that are not here, but the disk of .* has only \d+ left: free some space/],
    ["another format", ({ root }) => fs.writeFileSync(join(root, "format"), "7\n"), /has format "7", this outcrop reads format 1: import it with the version of outcrop that wrote it/],
    ["no format", ({ root }) => fs.rmSync(join(root, "format")), /is no cache: it has no file "format"/]
  ]
  it.each(cases)("%s", (_, tamper, message) => {
    const from = source(), cache = fresh()
    tamper(from)
    expect(() => into(cache, from.root)).toThrow(message)
    expect(problems(cache)).toEqual([])
    cache.close()
  })

  it("a record that names a path in the place of a digest reaches nothing outside", () => {
    const cache = fresh(), other = copied(base)
    const text = other.store.document("actions", keys.large)!.replaceAll(predictions, "../../../../../../etc/passwd")
    other.store.putDocument("actions", keys.large, text)
    expect(into(cache, other.store.root).findings).toMatchObject([{ path: documentPath(other, "actions", keys.large), problem: "it is no record of a result" }])
    other.close()
    cache.close()
  })
})
