import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Folder, removeFolders, study } from "../pipeline.ts"

const base = study()
let table = ""
beforeAll(async () => {
  await base.ran()
  table = (await base.outcrop("table")).out
})
afterAll(removeFolders)

const flip = (path: string) => {
  const content = fs.readFileSync(path)
  content[Math.floor(content.length / 2)]! ^= 1
  fs.writeFileSync(path, content)
}
interface Document {
  readonly ok: boolean
  readonly counts: { readonly results: number; readonly others: Readonly<Record<string, number>> }
  readonly findings: ReadonlyArray<{ readonly path: string; readonly problem: string }>
}
const verify = (folder: Folder, ...words: ReadonlyArray<string>) => folder.json<Document>("verify", ...words)
/** The file of a random kind: a table, a result, a graph. */
const one = (folder: Folder, kind: string) => folder.files(`.outcrop/${kind}`).toSorted()[0]!

describe("verify", () => {
  it("of a cache as a run left it says what there is, that all is whole, and ends with 0", async () => {
    const { code, err, out } = await base.outcrop("verify")
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(/^17 results, \d+ blobs, 9 embedded rows in \d+ segments?, 1 run, 1 graph, 0 tags and the index: [\d.]+ kB in .*s\nall whole\n$/)
    expect((await verify(base)).counts).toMatchObject({ results: 17, others: { runs: 1, graphs: 1 } })
  })

  it.each(["blobs", "actions", "segments", "runs", "graphs"])("of damage in %s names the file, ends with 3 and says the way out; repaired, the next run has the same table", async (kind) => {
    const folder = base.copy(), path = one(folder, kind)
    flip(path)
    const { code, err, out } = await folder.outcrop("verify")
    expect(code).toBe(3)
    expect(out).toContain(`${path}\n  it is damaged: its bytes are not those that were written\n`)
    expect(err).toBe("1 thing was wrong. Nothing of it will be served; \"outcrop verify --repair\" removes it, so that the next run makes it again\n")
    const repaired = await folder.outcrop("verify", "--repair")
    expect(repaired.code).toBe(3)
    expect(repaired.err).toContain("What was damaged is removed, and that is on record")
    expect(fs.existsSync(path)).toBe(false)
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] })
    expect((await folder.outcrop("run")).code).toBe(0)
    expect((await folder.outcrop("table")).out).toBe(table)
    expect((await verify(folder)).ok).toBe(true)
  }, 30_000)

  it("of a result that is gone, which a run came to, tells which graph names it", async () => {
    const folder = base.copy(), path = one(folder, "actions")
    fs.rmSync(path)
    const { findings } = await verify(folder)
    expect(findings[0]!.path).toContain("graphs")
    expect(findings[0]!.problem).toMatch(/1 of the results that it names are gone/)
    await folder.outcrop("verify", "--repair")
    expect((await verify(folder)).ok).toBe(true)
  })

  it("what --repair removed, `why` tells", async () => {
    const folder = base.copy(), [path] = folder.files(".outcrop/actions").filter((file) => fs.readFileSync(file, "utf8").includes("\"uses\":\"mine/classes\""))
    flip(path!)
    await folder.outcrop("verify", "--repair")
    expect((await folder.outcrop("status")).out).toMatch(/classes: its result was removed from the cache by verify --repair on/)
  })

  it("waits with --repair until nobody else uses the cache", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [7, 8]")
    folder.edit("train.ts", "const mean = weights", "let spin = 0\n    for (let i = 0; i < 4e8; i++) spin = (spin + i) | 0\n    if (spin === 0.5) return { embeddings: { sample_id, view, embedding } }\n    const mean = weights")
    const { child, said } = folder.start("run", "--events", "--jobs", "1")
    await new Promise((resolve) => child.stdout!.once("data", resolve))
    expect((await verify(folder)).ok, "to look needs no waiting").toBe(true)
    const repair = await folder.outcrop("verify", "--repair")
    expect(repair.err).toContain("verify --repair waits until it has ended")
    expect(repair.code).toBe(0)
    expect((await said).code).toBe(0)
  }, 40_000)

  it("stops at once when it is asked to", async () => {
    const folder = base.copy(), big = folder.at(".outcrop/blobs/00/" + "0".repeat(64))
    folder.write(".outcrop/blobs/00/" + "0".repeat(64), "")
    fs.truncateSync(big, 2 ** 34)
    const begin = performance.now(), { child, said } = folder.start("verify")
    setTimeout(() => child.kill("SIGINT"), 800)
    expect((await said).code).toBe(130)
    expect(performance.now() - begin).toBeLessThan(3000)
  })

  it.each([["a cache that is not there", ["--cache", "nowhere"], /there is no cache at .*nowhere: name it with --cache/], ["cells", ["rate=1"], /verify looks at a whole cache/]] as const)("%s is refused, and nothing is made", async (_, words, message) => {
    const { code, err } = await base.outcrop("verify", ...words)
    expect(code).toBe(2)
    expect(err).toMatch(message)
    expect(fs.existsSync(base.at("nowhere"))).toBe(false)
  })

  it("a cache of another format is refused with the way out", async () => {
    const folder = base.copy()
    folder.write(".outcrop/format", "9\n")
    for (const words of [["verify"], ["gc"], ["tag", "--list"]]) {
      const { code, err } = await folder.outcrop(...words)
      expect([words, code]).toEqual([words, 2])
      expect(err).toMatch(/has format 9, this outcrop reads format 1: use another --cache/)
    }
  })
})
