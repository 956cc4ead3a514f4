import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { differences } from "../../engine/why.ts"
import { planOf, whyOf } from "../opened.ts"
import { type Folder, removeFolders, study } from "../pipeline.ts"

const base = study()
const margin = (folder: Folder) => folder.edit("pipeline.yaml", "rate: $rate }", "rate: $rate, margin: 0.5 }")
/** With a margin, run. */
let changed: Folder
beforeAll(async () => {
  await base.ran("pipeline.yaml")
  changed = base.copy()
  margin(changed)
  await changed.ran("pipeline.yaml")
})
afterAll(removeFolders)

/** Of one node. */
const why = async (folder: Folder, words: ReadonlyArray<string>, force?: ReadonlyArray<string>) => {
  const answers = await whyOf(folder, words, force)
  expect(answers).toHaveLength(1)
  return answers[0]!
}
const one = ["train", "rate=1", "fold=0"]

describe("why names the cause", () => {
  it("never ran", async () => {
    expect(await why(study(), ["samples"])).toMatchObject({ node: "samples", previous: null, causes: [{ kind: "never ran" }] })
  })

  it("a parameter, with its value before and after; below it what will run upstream", async () => {
    const folder = base.copy()
    margin(folder)
    const { causes, key, node, previous } = await why(folder, one)
    expect(node).toBe("train rate=1 fold=0")
    expect(causes).toEqual([{ kind: "parameter", part: "margin", before: 0, after: 0.5 }])
    expect(key).toMatch(/^[0-9a-f]{64}$/)
    expect(previous).toMatch(/^[0-9a-f]{64}$/)
    expect((await folder.outcrop("why", ...one)).out).toMatch(/train rate=1 fold=0 .*will run\n {2}parameter margin: 0 -> 0\.5\n/)
    expect((await why(folder, ["probe", "rate=1", "fold=0"])).causes).toEqual([{ kind: "upstream", part: "embeddings <- train rate=1 fold=0", before: null, after: "run" }])
    expect(await why(changed, one), "afterwards it tells why it last ran").toMatchObject({ state: "cached", key, previous, causes })
  })

  it("a value of an axis that is new: against the nearest that ran", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [7]")
    const { causes } = await why(folder, ["train", "fold=1"])
    expect(causes).toEqual([{ kind: "parameter", part: "rate", before: expect.any(Number) as number, after: 7 }])
  })

  it("code", async () => {
    const folder = base.copy()
    folder.edit("arithmetic.ts", "let total = 0\n", "let total = 0.5\n")
    const { causes } = await why(folder, ["probe", "rate=1", "fold=0"])
    expect(causes).toHaveLength(1)
    expect(causes[0]).toMatchObject({ kind: "code" })
    expect(causes[0]!.before).not.toBe(causes[0]!.after)
  })

  it("a file, by its path", async () => {
    const folder = base.copy()
    folder.edit("data/samples.csv", "s3,boar", "s3,lynx")
    expect((await why(folder, ["samples"])).causes).toEqual([{ kind: "file", part: "samples.csv", before: expect.stringMatching(/^[0-9a-f]{64}$/) as string, after: expect.stringMatching(/^[0-9a-f]{64}$/) as string }])
    expect((await why(folder, ["classes"])).causes).toMatchObject([{ kind: "upstream", part: "samples <- samples" }])
  })

  it("no file that was not there, whether or not it was looked for", () => {
    const trace = { "a.tif": "absent", "b.tif": "absent", "c.tif": "1".repeat(64) }
    expect(differences({ files: trace }, { files: { "b.tif": "absent" } })).toEqual([{ kind: "file", part: "c.tif", before: "1".repeat(64), after: null }])
    expect(differences({ files: {} }, { files: trace })).toEqual([{ kind: "file", part: "c.tif", before: null, after: "1".repeat(64) }])
  })

  it("a column of an input, by port and name", async () => {
    const folder = base.copy()
    folder.edit("data/samples.csv", "s3,boar", "s3,lynx")
    await folder.ran("rate=2", "fold=1")
    expect((await why(folder, ["classes"])).causes).toMatchObject([{ kind: "input", part: "samples.label" }])
    expect((await why(folder, ["probe", "rate=2", "fold=1"])).causes).toMatchObject([{ kind: "input", part: "annotations.class" }])
    expect((await why(folder, ["train", "rate=2", "fold=1"])).causes, "a training that does not read labels did not run again").toMatchObject([{ kind: "never ran" }])
  })

  it("rows of an input", async () => {
    const folder = base.copy()
    fs.appendFileSync(folder.at("data/samples.csv"), "s9,deer,10\n")
    await folder.ran("split", "fold=0")
    const parts = (await why(folder, ["split", "fold=0"])).causes.map(({ kind, part }) => `${kind} ${part}`)
    expect(parts.toSorted()).toEqual(["input samples.rows", "input samples.sample_id"])
  })

  it("forced", async () => {
    expect((await why(base, one, ["train"])).causes).toEqual([{ kind: "forced", part: "train", before: null, after: null }])
  })

  it("an output that is lost, where something needs it", async () => {
    const folder = base.copy()
    fs.rmSync(folder.at(".outcrop/blobs"), { recursive: true })
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 4]")
    expect((await why(folder, ["embed"])).causes).toMatchObject([{ kind: "output lost" }])
  })

  it("nothing, where all is up to date", async () => {
    expect((await base.outcrop("why")).out).toContain("everything is up to date")
    expect((await base.outcrop("why", ...one)).out).toMatch(/up to date since its first run\n$/)
  })
})

describe("why tells of what ran as run decided it", () => {
  it("forced: not the change that an earlier run was for", async () => {
    const folder = changed.copy()
    await folder.ran("pipeline.yaml", "--force", "train")
    const { causes, key, previous } = await why(folder, one)
    expect(causes).toEqual([{ kind: "forced", part: "train", before: null, after: null }])
    expect(previous, "its key is no new one").toBe(key)
    expect((await why(folder, ["probe", "rate=1", "fold=0"])).causes, "what it gave was as before: nothing below ran").toMatchObject([{ kind: "input", part: "embeddings.embedding" }])
  })

  it("lost outputs that were made again", async () => {
    const folder = base.copy()
    for (const file of folder.blobs("tables")) fs.rmSync(file)
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 4]")
    await folder.ran("pipeline.yaml")
    expect((await why(folder, ["embed"])).causes).toEqual([{ kind: "output lost", part: "embed", before: null, after: null }])
    expect((await why(folder, ["samples"])).causes).toMatchObject([{ kind: "never ran" }])
  })

  it("also where the index was lost: the runs on record know what the nodes had before", async () => {
    const folder = changed.copy(), before = await whyOf(folder, ["train"])
    expect(before.map(({ causes }) => causes)).toEqual(before.map(() => [{ kind: "parameter", part: "margin", before: 0, after: 0.5 }]))
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(folder.at(`.outcrop/index.sqlite${suffix}`), { force: true })
    expect(await whyOf(folder, ["train"])).toEqual(before)
  })

  it("after a crash: what was finished by the change it was for, what was not by what is missing", async () => {
    const folder = base.copy()
    margin(folder)
    folder.edit("train.ts", "const mean = new Float64Array", "yield* Effect.sleep(\"100 millis\")\n    const mean = new Float64Array")
    const { child, said } = folder.start("run", "--events", "--jobs", "1")
    await new Promise<void>((resolve) => child.stdout!.on("data", (chunk: Buffer) => {
      if (chunk.includes("\"type\":\"finished\",\"nodes\":[\"train")) resolve()
    }))
    child.kill("SIGKILL")
    await said
    const answers = async () => (await whyOf(folder, ["train"])).map(({ causes, state }) => ({ state, causes: causes.map(({ kind, part }) => `${kind} ${part}`) }))
    const reasons = ["code code.closure", "parameter margin"]
    const before = await answers()
    expect(new Set(before.map(({ state }) => state))).toEqual(new Set(["cached", "run"]))
    for (const { causes } of before) expect(causes).toEqual(reasons)
    await folder.ran("pipeline.yaml")
    expect(await answers()).toEqual(Array.from({ length: 6 }, () => ({ state: "cached", causes: reasons })))
  })

  it("a change that was taken back: nothing ran, an earlier result serves again", async () => {
    const folder = changed.copy()
    folder.edit("pipeline.yaml", ", margin: 0.5", "")
    expect(await planOf(folder)).toEqual({ cached: 17 })
    expect((await folder.outcrop("why", ...one)).out).toMatch(/what it gave before serves again; since the last result this changed\n {2}parameter margin: 0\.5 -> 0\n/)
  })
})
