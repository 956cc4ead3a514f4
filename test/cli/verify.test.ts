import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { gcCommand } from "../../cli/gc.ts"
import { tagCommand } from "../../cli/tag.ts"
import { verifyCommand } from "../../cli/verify.ts"
import { describeCause } from "../../cli/why.ts"
import { verified, whyOf } from "../opened.ts"
import { type Folder, removeFolders, study } from "../pipeline.ts"

const base = study()
/** What runs of it end with. */
let table = ""
beforeAll(async () => {
  await base.ran()
  const { out } = await base.outcrop("table")
  table = out.slice(0, out.indexOf("audit:")).trimEnd()
})
afterAll(removeFolders)

const flip = (path: string) => {
  const content = fs.readFileSync(path)
  content[Math.floor(content.length / 2)]! ^= 1
  fs.writeFileSync(path, content)
}
/** The file of a random kind: a table, a result, a graph. */
const one = (folder: Folder, kind: string) => folder.files(`.outcrop/${kind}`).toSorted()[0]!
const damaged = "it is damaged: its bytes are not those that were written"

describe("verify", () => {
  it("of a cache as a run left it says what there is, that all is whole, and ends with 0", async () => {
    const { code, err, out } = await base.outcrop("verify")
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(/^17 results, \d+ blobs, 9 embedded rows in \d+ segments?, 1 run, 1 graph, 0 tags and the index: [\d.]+ kB in .*s\nall whole\n$/)
    expect(verified(base)).toMatchObject({ findings: [], counts: { results: 17, others: { runs: 1, graphs: 1 } } })
  })

  it("of damage names the file, ends with 3 and says the way out; --repair removes it and says so", async () => {
    const folder = base.copy(), path = one(folder, "blobs")
    flip(path)
    const { code, err, out } = await folder.outcrop("verify")
    expect(code).toBe(3)
    expect(out).toContain(`${path}\n  ${damaged}\n`)
    expect(err).toBe("1 thing was wrong. Nothing of it will be served; \"outcrop verify --repair\" removes it, so that the next run makes it again\n")
    const repaired = await folder.outcrop("verify", "--repair")
    expect(repaired.code).toBe(3)
    expect(repaired.err).toContain("What was damaged is removed, and that is on record")
    expect(fs.existsSync(path)).toBe(false)
    expect(verified(folder).findings).toEqual([])
  })

  it.each(["blobs", "actions", "segments", "runs", "graphs"])("finds damage in %s, and nothing else; repaired, the next run has the same table", async (kind) => {
    const folder = base.copy(), path = one(folder, kind), finding = { path, problem: damaged }
    flip(path)
    expect(verified(folder).findings).toEqual([finding])
    expect(verified(folder, true).findings).toEqual([finding])
    expect(fs.existsSync(path)).toBe(false)
    expect(verified(folder).findings).toEqual([])
    const { code, out } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(0)
    expect(out).toContain(table)
    expect(verified(folder).findings).toEqual([])
  }, 30_000)

  it("of a result that is gone, which a run came to, tells which graph names it", () => {
    const folder = base.copy(), path = one(folder, "actions")
    fs.rmSync(path)
    const { findings } = verified(folder)
    expect(findings[0]!.path).toContain("graphs")
    expect(findings[0]!.problem).toMatch(/1 of the results that it names are gone/)
    verified(folder, true)
    expect(verified(folder).findings).toEqual([])
  })

  it("what --repair removed, `why` tells", async () => {
    const folder = base.copy(), [path] = folder.files(".outcrop/actions").filter((file) => fs.readFileSync(file, "utf8").includes("\"uses\":\"mine/classes\""))
    flip(path!)
    verified(folder, true)
    const [classes] = await whyOf(folder, ["classes"])
    expect(classes!.causes.map(describeCause)).toEqual([expect.stringMatching(/^its result was removed from the cache by verify --repair on \d{4}-\d\d-\d\d$/)])
  })

  it("waits with --repair until nobody else uses the cache", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [7, 8]")
    folder.edit("train.ts", "const mean = weights", "yield* Effect.sleep(\"500 millis\")\n    const mean = weights")
    const { child, said } = folder.start("run", "--events", "--jobs", "1")
    await new Promise((resolve) => child.stdout!.once("data", resolve))
    expect((await folder.outcrop("verify")).out, "to look needs no waiting").toContain("all whole")
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

  const own = { words: [], cache: undefined, data: undefined, json: false }
  const verifying = (flags: Partial<Parameters<typeof verifyCommand>[0]>) => verifyCommand({ ...own, repair: false, ...flags })
  const refusal = <A, E>(command: Effect.Effect<A, E>) => Effect.runPromise(Effect.flip(command))

  it.each([["a cache that is not there", { cache: base.at("nowhere") }, /there is no cache at .*nowhere: name it with --cache/], ["cells", { words: [base.at("pipeline.yaml"), "rate=1"] }, /verify looks at a whole cache/]] as const)("%s is refused, and nothing is made", async (_, flags, message) => {
    expect(await refusal(verifying(flags))).toMatchObject({ code: 2, message: expect.stringMatching(message) as string })
    expect(fs.existsSync(base.at("nowhere"))).toBe(false)
  })

  it("a cache of another format is refused with the way out", async () => {
    const folder = base.copy(), cache = folder.at(".outcrop")
    folder.write(".outcrop/format", "9\n")
    const commands = [
      verifying({ cache }),
      gcCommand({ ...own, cache, dryRun: false, olderThan: "30d", runs: undefined, keepEmbeddings: false }),
      tagCommand({ ...own, cache, set: [], backend: undefined, run: undefined, list: true, delete: undefined })
    ]
    for (const command of commands) expect(await refusal(command)).toMatchObject({ code: 2, message: expect.stringMatching(/has format 9, this outcrop reads format 1: use another --cache/) as string })
  })
})
