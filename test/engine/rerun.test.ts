/** What runs again after an edit: exactly what depends on it. */
import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ranOf, removeFolders, study, type Summary } from "../pipeline.ts"
import { read, reads } from "../reading.ts"

const base = study()
beforeAll(async () => void await base.ran("pipeline.yaml"))
afterAll(removeFolders)

describe("nothing runs again after", () => {
  it("comments, formatting, an unused helper, in stages and in the YAML; renamed stages; reordered keys; a parameter written at its default", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "const mean = new Float64Array", "// the mean\n\n    const   mean = new Float64Array")
    folder.edit("arithmetic.ts", "total *= value", "total = total * value + 0")
    folder.edit("arithmetic.ts", "export const sum", "/** Adds up. */\nexport const sum")
    expect((await read<Summary>(folder, "plan", "pipeline.yaml")).nodes).toMatchObject({ total: 17, cached: 17 })
    folder.write("pipeline.yaml", `
# the same study, written differently
replicates: { seed: [0, 1] }
axes: { speed: [1.0, 2, 3] }
data:
  root: ./data/
name: study
stages:
  collection: { uses: ./list.ts, with: { file: samples.csv } }
  parts: { with: { fold: $seed }, needs: collection, uses: ./split.ts }
  labels: { uses: ./classes.ts, needs: collection }
  vectors: { uses: ./embed.ts, needs: { samples: collection }, with: { scale: 1 } }
  learn: { uses: ./train.ts, needs: { split: parts, embeddings: vectors }, with: { protocol: clean, margin: 0, rate: $speed } }
  measure: { uses: ./probe.ts, needs: { split: parts, annotations: labels, embeddings: learn.embeddings } }
`)
    expect(await folder.ran("pipeline.yaml")).toEqual({})
  })

  it("an axis is added at its old default, beside which only the new value runs", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 3]\n  margin: [0]")
    folder.edit("pipeline.yaml", "rate: $rate }", "rate: $rate, margin: $margin }")
    expect((await read<Summary>(folder, "plan", "pipeline.yaml")).nodes).toMatchObject({ total: 17, cached: 17 })
    folder.edit("pipeline.yaml", "margin: [0]", "margin: [0, 0.5]")
    expect(ranOf(await read<Summary>(folder, "plan", "pipeline.yaml"))).toEqual({ train: 6, probe: 6 })
  })

  it("the folder, or the data in it, moved elsewhere", async () => {
    const folder = base.copy()
    fs.renameSync(folder.at("data"), folder.at("elsewhere"))
    expect((await read<Summary>(folder, "plan", "pipeline.yaml", "--data", "elsewhere")).nodes).toMatchObject({ total: 17, cached: 17 })
  })

  it("the stages' files are moved", async () => {
    const folder = base.copy()
    for (const name of ["train.ts", "probe.ts", "arithmetic.ts"]) {
      fs.mkdirSync(folder.at("own/stages"), { recursive: true })
      fs.renameSync(folder.at(name), folder.at(`own/stages/${name}`))
    }
    folder.edit("pipeline.yaml", "./train.ts", "./own/stages/train.ts")
    folder.edit("pipeline.yaml", "./probe.ts", "./own/stages/probe.ts")
    expect((await read<Summary>(folder, "plan", "pipeline.yaml")).nodes).toMatchObject({ total: 17, cached: 17 })
  })
})

describe("just what depends on it runs again after", () => {
  it("a helper in another file is edited: the one stage that uses it", async () => {
    const folder = base.copy()
    folder.edit("arithmetic.ts", "let total = 0\n", "let total = 0.5\n")
    expect(ranOf(await read<Summary>(folder, "plan", "pipeline.yaml"))).toEqual({ probe: 6 })
  })

  it("a label in the data is changed: what reads labels; no embedding, no training", async () => {
    const folder = base.copy()
    folder.edit("data/samples.csv", "s3,boar", "s3,lynx")
    const { code, out } = await folder.outcrop("run", "pipeline.yaml", "--json", "--jobs", "1")
    expect(code).toBe(0)
    const { rows, stages } = JSON.parse(out) as Summary
    expect(stages.filter(({ run }) => run > 0).map(({ stage }) => stage)).toEqual(["samples", "classes", "probe"])
    expect(rows).toEqual({ embedded: 0, cached: 9 })
  })

  it("samples are added: as many rows are embedded, by another pipeline none again", async () => {
    const folder = base.copy()
    fs.appendFileSync(folder.at("data/samples.csv"), Array.from({ length: 10 }, (_, i) => `t${i},deer,${i + 100}\n`).join(""))
    const { rows } = await folder.json("run", "pipeline.yaml")
    expect(rows).toEqual({ embedded: 10, cached: 9 })
    folder.write("data/some.csv", "z,deer,1\ny,boar,104\nx,boar,999\n")
    folder.write("other.yaml", "name: other\ndata: { root: data }\nstages:\n  images: { uses: ./list.ts, with: { file: some.csv } }\n  vectors: { uses: ./embed.ts, needs: images }\n")
    expect((await read<Summary>(folder, "plan", "other.yaml")).nodes).toMatchObject({ total: 2, run: 2 })
    expect((await folder.json("run", "other.yaml")).rows).toEqual({ embedded: 1, cached: 2 })
    expect((await reads(folder, "get", "other.yaml", "vectors", "--json")).out).toBe(`${JSON.stringify([
      { sample_id: "x", view: "full", embedding: [999, 998001] },
      { sample_id: "y", view: "full", embedding: [104, 10816] },
      { sample_id: "z", view: "full", embedding: [1, 1] }
    ])}\n`)
  })

  it("code is edited without a change of its length, and its time is set back", async () => {
    const folder = study()
    const long = new Date(Date.now() - 3_600_000)
    for (const file of folder.files().filter((file) => file.endsWith(".ts"))) fs.utimesSync(file, long, long)
    await folder.ran()
    folder.edit("arithmetic.ts", "total += value", "total -= value")
    fs.utimesSync(folder.at("arithmetic.ts"), long, long)
    expect(ranOf(await read<Summary>(folder, "plan"))).toEqual({ probe: 6 })
  })

  it("a stage's version is raised", async () => {
    const folder = base.copy()
    folder.edit("classes.ts", "version: 1", "version: 2")
    expect(await folder.ran("pipeline.yaml")).toEqual({ classes: 1 })
  })
})

describe("which rows a stage fits on", () => {
  const seen = async (folder: typeof base) => {
    const rows = JSON.parse((await reads(folder, "get", "train.weights", "rate=1", "fold=0", "--json")).out) as ReadonlyArray<{ readonly layer: string; readonly values: ReadonlyArray<number> }>
    return rows.find(({ layer }) => layer === "seen")!.values
  }

  it("training rows only, whatever the stage asks for", async () => {
    expect(await seen(base)).toEqual([2, 5, 8])
  })

  it("and the validation rows where the stage says that it selects on them", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "learns: { weights: Weights },", "learns: { weights: Weights },\n  validates: true,")
    await folder.ran("train", "rate=1", "fold=0")
    expect(await seen(folder)).toEqual([1, 2, 4, 5, 7, 8])
  })

  it("all rows with protocol: released, as the authors' code", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "with: { rate: $rate }", "with: { rate: $rate, protocol: released }")
    await folder.ran("train", "rate=1", "fold=0")
    expect(await seen(folder)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })

  it("all rows where no split is bound, and the run says so", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "{ embeddings: embed, split }", "{ embeddings: embed }")
    expect((await folder.outcrop("run", "train", "rate=1")).err).toContain("train rate=1: no split is bound to it: it is fitted on all 9 samples, test samples included\n")
    const rows = JSON.parse((await reads(folder, "get", "train.weights", "rate=1", "--json")).out) as ReadonlyArray<{ readonly values: ReadonlyArray<number> }>
    expect(rows[1]!.values).toHaveLength(9)
  })

  it("an empty training set is an error, never a fit on nothing", async () => {
    const folder = base.copy()
    folder.edit("split.ts", ": \"train\")", ": \"unused\")")
    const { code, err } = await folder.outcrop("run", "pipeline.yaml", "--jobs", "1")
    expect(code).toBe(1)
    expect(err).toMatch(/failed train rate=\d fold=\d and 5 more\n {2}no row is left to fit on: the split gives no sample of "embeddings" to training/)
  })
})
