import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Folder, removeFolders, study } from "../pipeline.ts"

const base = study()
beforeAll(async () => void await base.ran())
afterAll(removeFolders)

const exported = async (folder: Folder, ...words: ReadonlyArray<string>) => {
  const said = await folder.outcrop("export", ...words)
  if (said.code !== 0) throw new Error(said.err)
  return said
}
const text = (folder: Folder, path: string) => fs.readFileSync(folder.at(path), "utf8")
interface Nodes {
  readonly nodes: ReadonlyArray<{ readonly address: string; readonly state: string; readonly message: string | null; readonly code: string | null; readonly parameters: unknown; readonly outputs: Readonly<Record<string, { readonly parquet: string | null; readonly missing: string | null }>> }>
}
const nodes = (folder: Folder, path: string) => (JSON.parse(text(folder, `${path}/nodes.json`)) as Nodes).nodes

describe("export", () => {
  it("puts the pipeline, parameters, code, tables, lineage, the run and a README in a folder", async () => {
    const folder = base.copy()
    const { err, out } = await exported(folder, "rate=2", "fold=0", "paper")
    expect(err).toBe("")
    expect(out).toMatch(/^paper: 6 nodes of 1 cell, \d+ files, .*B\n[^]*outcrop replay paper\n$/)
    expect(text(folder, "paper/pipeline/pipeline.yaml")).toBe(text(folder, "pipeline.yaml"))
    const all = nodes(folder, "paper")
    expect(all.map(({ address }) => address).toSorted()).toEqual(["classes", "embed", "probe rate=2 fold=0", "samples", "split fold=0", "train rate=2 fold=0"])
    const train = all.find(({ address }) => address.startsWith("train"))!
    expect(train.parameters).toEqual({ rate: 2, margin: 0, protocol: "clean" })
    expect(text(folder, `paper/${train.code}`)).toContain("train/centre.fit")
    expect(text(folder, "paper/tables/probe/rate=2/fold=0/metrics.csv").split("\n")[0]).toBe("task,metric,class,split,value,n,ci_low,ci_high")
    expect(text(folder, "paper/metrics.csv")).toMatch(/^rate,fold,stage,task,metric,class,split,value,n,ci_low,ci_high\n2,0,probe,class,sum,,test,\d+,\d+,,\n/)
    expect(JSON.parse(text(folder, "paper/run.json"))).toMatchObject({ state: "done", asked: ["run", "--jobs", "1", "--json"] })
    expect(text(folder, "paper/run.json"), "no path of this machine goes out").not.toContain(folder.path)
    for (const part of ["# study: rate=2 fold=0", "| class.sum |", "outcrop replay . --data <folder of the data> --with-code", "1 file", "`samples.csv`", "## Licence"]) expect(text(folder, "paper/README.md")).toContain(part)
  })

  it("leaves embeddings and weights out, says so, and puts them in with --with-embeddings", async () => {
    const folder = base.copy()
    await exported(folder, "rate=1", "fold=0", "small")
    expect(nodes(folder, "small").find(({ address }) => address === "embed")!.outputs["embeddings"]).toMatchObject({ parquet: null, missing: expect.stringContaining("--with-embeddings") })
    expect(text(folder, "small/README.md")).toContain("Left out for their size: embeddings and weights")
    await exported(folder, "rate=1", "fold=0", "large", "--with-embeddings")
    const path = nodes(folder, "large").find(({ address }) => address === "embed")!.outputs["embeddings"]!.parquet!
    expect(fs.existsSync(folder.at(`large/${path}`))).toBe(true)
    expect(text(folder, "large/README.md")).not.toContain("Left out")
  })

  it("narrows to a stage, or to what measures a metric", async () => {
    const folder = base.copy()
    await exported(folder, "rate=1", "fold=0", "embed", "a")
    expect(nodes(folder, "a").map(({ address }) => address)).toEqual(["samples", "embed"])
    await exported(folder, "rate=1", "fold=0", "class.sum", "b")
    expect(nodes(folder, "b")).toHaveLength(6)
    expect((await folder.outcrop("export", "clas.sum", "c")).err).toContain("there is no stage and no metric \"clas.sum\" (did you mean \"class.sum\"?)")
  })

  it("exports many cells as one folder", async () => {
    const folder = base.copy()
    expect((await exported(folder, "all")).out).toContain("17 nodes of 6 cells")
    expect(text(folder, "all/metrics.csv").trim().split("\n")).toHaveLength(1 + 12)
    expect(text(folder, "all/README.md")).toMatch(/mean ± sample standard deviation over fold[^]*\| rate \| class\.sum \| value\.sum \| n \|\n.*\n\| 1 \| 1\.5000 ± 0\.7071 \| -1\.5000 ± 6\.3640 \| 2 \|/)
  })

  it("of a run on record needs no pipeline file, and has the pipeline as it was", async () => {
    const folder = base.copy()
    const before = text(folder, "pipeline.yaml")
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 3, 4]")
    await exported(folder, "rate=1", "now", "fold=0", "--run", "last")
    expect(text(folder, "now/pipeline/pipeline.yaml")).toBe(before)
    fs.rmSync(folder.at("pipeline.yaml"))
    expect((await exported(folder, "late", "--run", "last")).out).toContain("17 nodes of 6 cells")
  })

  it("of a run whose results are gone says so of every node", async () => {
    const folder = base.copy()
    fs.rmSync(folder.at(".outcrop/actions"), { recursive: true })
    const { err } = await exported(folder, "rate=1", "fold=0", "paper", "--run", "last")
    expect(err).toMatch(/not in it: train rate=1 fold=0: its record is lost from the cache; "outcrop run --jobs 1 --json" makes it again/)
    expect(nodes(folder, "paper").map(({ state }) => state)).toEqual(["lost", "lost", "lost", "lost", "lost", "lost"])
  })

  it("asks for a run where there are no results, and for a folder where none is named", async () => {
    const folder = study()
    expect(await folder.outcrop("export", "paper")).toMatchObject({ code: 2, err: expect.stringMatching(/17 of 17 nodes have no result yet .*run them first with "outcrop run/) })
    expect(fs.existsSync(folder.at("paper"))).toBe(false)
    expect(await base.outcrop("export", "rate=1")).toMatchObject({ code: 2, err: expect.stringContaining("name the folder to make") })
    expect(await base.outcrop("export", "rate=1", "probe")).toMatchObject({ code: 2, err: expect.stringContaining("\"probe\" is a stage, and the last name is the folder to make") })
  })

  it("refuses a folder that is not empty, and a file; takes an empty one", async () => {
    const folder = base.copy()
    folder.write("full/mine.txt", "x")
    expect(await folder.outcrop("export", "rate=1", "full")).toMatchObject({ code: 2, err: expect.stringContaining("the folder full is not empty") })
    expect(fs.readdirSync(folder.at("full"))).toEqual(["mine.txt"])
    expect(await folder.outcrop("export", "rate=1", "./full/mine.txt")).toMatchObject({ code: 2, err: expect.stringContaining("is a file") })
    fs.mkdirSync(folder.at("empty"))
    await exported(folder, "rate=1", "empty")
    expect(fs.readdirSync(folder.path).filter((name) => name.includes("partial")), "nothing half is left").toEqual([])
  })

  it("says which table is lost, and what brings it back", async () => {
    const folder = base.copy()
    // what is small stands in the action itself; embeddings are in blobs
    for (const blob of folder.blobs("tables")) if (!fs.readFileSync(blob).subarray(0, 300).includes("import")) fs.rmSync(blob)
    const { err } = await exported(folder, "rate=1", "fold=0", "paper", "--with-embeddings")
    expect(err).toMatch(/not in it: the table embed\.embeddings of embed is lost from the cache; "outcrop run pipeline\.yaml embed" brings it back, then export again/)
    expect(text(folder, "paper/README.md")).toContain("## What is not here\n\n- the table embed.embeddings of embed is lost")
    expect(nodes(folder, "paper").find(({ address }) => address === "embed")).toMatchObject({ state: "done", outputs: { embeddings: { parquet: null } } })
  })

  it("exports a failed node as failed, with its message, and what needs it as skipped", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "const mean = weights", "if (rate === 2) return yield* new Stage.StageError({ message: `the rate ${rate} diverges` })\n    const mean = weights")
    expect((await folder.outcrop("run")).code).toBe(1)
    const { err } = await exported(folder, "fold=0", "paper")
    expect(err).toContain("not in it: train rate=2 fold=0 failed: the rate 2 diverges")
    const states = Object.fromEntries(nodes(folder, "paper").map(({ address, state }) => [address, state]))
    expect(states).toMatchObject({ "train rate=1 fold=0": "done", "train rate=2 fold=0": "failed", "probe rate=2 fold=0": "skipped" })
    expect(text(folder, "paper/README.md")).toContain("- train rate=2 fold=0 failed: the rate 2 diverges")
  })

  it("--json prints one document", async () => {
    expect(await base.copy().json("export", "rate=1", "fold=0", "paper")).toMatchObject({ version: 1, nodes: 6, cells: 1, missing: [], digest: expect.stringMatching(/^[0-9a-f]{64}$/) })
  })
})
