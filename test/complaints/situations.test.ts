/** The six situations in which existing tools run too much, too little, or say something else than they do. */
import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Folder, ranOf, removeFolders, study, type Summary } from "../pipeline.ts"
import { read, reads } from "../reading.ts"

const base = study()
beforeAll(async () => void await base.ran("pipeline.yaml"))
afterAll(removeFolders)

const changeRate = (folder: Folder) => folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 4]")
const emptyStore = (folder: Folder) => {
  for (const file of folder.blobs("tables")) fs.rmSync(file)
}

describe("in six situations", () => {
  it("an input touched without change: nothing runs (ninja and redun run everything)", async () => {
    const folder = base.copy()
    const later = new Date(fs.statSync(folder.at("data/samples.csv")).mtimeMs + 60_000)
    fs.utimesSync(folder.at("data/samples.csv"), later, later)
    expect(await folder.ran("pipeline.yaml")).toEqual({})
    expect((await read<Summary>(folder, "plan", "pipeline.yaml", "--rehash")).nodes).toMatchObject({ total: 17, cached: 17 })
  })

  it("a deleted output: remade where it is needed, and all that follows is as it was (Hamilton and Snakemake leave it missing)", async () => {
    const folder = base.copy()
    const before = (await reads(folder, "get", "embed.embeddings")).out
    expect(before).toMatch(/^sample_id,view,embedding\n/)
    emptyStore(folder)
    expect((await reads(folder, "get", "embed.embeddings")).err).toMatch(/lost from the cache: run "outcrop run pipeline\.yaml embed" to make it again/)
    const remade = await folder.json("run", "pipeline.yaml", "embed")
    expect(remade.nodes).toMatchObject({ failed: 0, skipped: 0 })
    expect(remade.nodes.restored).toBeGreaterThan(0)
    expect((await reads(folder, "get", "embed.embeddings")).out).toBe(before)

    const other = base.copy()
    emptyStore(other)
    changeRate(other)
    const { nodes, stages } = await other.json("run", "pipeline.yaml")
    expect(nodes.failed + nodes.skipped).toBe(0)
    expect(ranOf({ stages } as Summary)).toMatchObject({ train: 2, probe: 2 })
    expect((await reads(other, "get", "embed.embeddings")).out).toBe(before)
  })

  it("code edited with the same output: it runs, nothing after it does (ninja, redun, Snakemake and turbo run all that follows)", async () => {
    const folder = base.copy()
    folder.edit("embed.ts", "value * value", "value ** 2")
    expect(await folder.ran("pipeline.yaml")).toEqual({ embed: 1 })
    folder.edit("classes.ts", ".toSorted()", ".toSorted().toReversed()")
    expect(await folder.ran("pipeline.yaml")).toEqual({ classes: 1, probe: 6 })
  })

  it("one parameter changed: the plan names its training and its probe, and exactly these run (DVC and doit name one); changed back: nothing (ninja, redun and Snakemake run both again)", async () => {
    const folder = base.copy()
    changeRate(folder)
    const planned = await folder.json("plan", "pipeline.yaml")
    expect(ranOf(planned)).toEqual({ train: 2, probe: 2 })
    expect(planned.nodes).toEqual({ total: 17, run: 4, cached: 13, restored: 0, maybe: 0, failed: 0, skipped: 0 })
    const made = await folder.json("run", "pipeline.yaml")
    expect(made.nodes).toEqual(planned.nodes)
    expect(ranOf(made)).toEqual({ train: 2, probe: 2 })
    folder.edit("pipeline.yaml", "rate: [1, 2, 4]", "rate: [1, 2, 3]")
    expect(await folder.ran("pipeline.yaml")).toEqual({})
  })

  it("what an edit of code may or may not change, the plan says so", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "value / rows", "value / rows / 1")
    const planned = await read<Summary>(folder, "plan", "pipeline.yaml")
    expect(planned.nodes).toMatchObject({ run: 6, maybe: 6, cached: 5 })
    expect((await folder.json("run", "pipeline.yaml")).nodes).toMatchObject({ run: 6, maybe: 0, cached: 11 })
  })
})
