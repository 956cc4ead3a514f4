/** Files reach a stage only in ways that its key covers. */
import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Folder, ranOf, removeFolders, type Summary } from "../pipeline.ts"
import { read, reads } from "../reading.ts"

afterAll(removeFolders)

const ingest = (body: string) => `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
export default Stage.make({
  name: "ingest/own", version: 1, summary: "", with: Schema.Struct({}), needs: {}, gives: { samples: Samples },
  run: Effect.fn(function*() {
    const files = yield* Stage.Files
    const names: Array<string> = []
    ${body}
    return { samples: { sample_id: names, assets: names.map(() => []) } }
  })
})
`
const embed = `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage } from "outcrop"
export default Stage.make({
  name: "embed/own", version: 1, summary: "", with: Schema.Struct({ model: Stage.FileParameter }), gives: { embeddings: Embeddings }, needs: { samples: Stage.needs(Samples, "assets") },
  embed: Effect.fn(function*(_, { samples }, { model }) {
    const files = yield* Stage.Files
    const size = (yield* files.read(model)).length
    const values = new Float32Array(samples.rows).fill(size)
    for (let row = 0; row < samples.rows; row++) for (const { digest, path } of samples.assets[row]!) values[row]! += (yield* files.read(path, digest)).length
    return { width: 1, values }
  })
})
`
const readsAll = "for (const name of yield* files.list(\"images\")) names.push(`${name} ${new TextDecoder().decode(yield* files.read(`images/${name}`))}`)\n    if (yield* files.exists(\"extra.txt\")) names.push(\"extra\")"
const pipeline = "name: p\ndata: { root: data }\nstages:\n  it: { uses: ./own.ts }\n"
const planned = async (folder: Folder) => ranOf(await read<Summary>(folder, "plan"))
const collection = (body: string) => new Folder({ "own.ts": ingest(body), "pipeline.yaml": pipeline, "data/images/a.txt": "1", "data/images/b.txt": "2", "outside.txt": "secret" })

describe("an ingest stage runs again when", () => {
  it("a file it read changes, one appears in a folder it listed, one that was absent appears; not for other files", async () => {
    const folder = collection(readsAll)
    expect(await folder.ran()).toEqual({ it: 1 })
    folder.write("data/unrelated.txt", "x")
    expect(await planned(folder), "a file it did not meet").toEqual({})
    folder.write("data/images/a.txt", "9")
    expect(await folder.ran(), "changed, of the same length").toEqual({ it: 1 })
    folder.write("data/images/c.txt", "3")
    expect(await folder.ran(), "added").toEqual({ it: 1 })
    folder.write("data/extra.txt", "")
    expect(await folder.ran(), "no longer absent").toEqual({ it: 1 })
    fs.rmSync(folder.at("data/images/b.txt"))
    expect(await folder.ran(), "removed").toEqual({ it: 1 })
    expect((await reads(folder, "get", "it")).out).toMatch(/^a\.txt 9,.*\n/m)
    folder.write("data/images/b.txt", "2")
    expect(await planned(folder), "back: as it was once").toEqual({})
  })
})

describe("an ingest stage may not", () => {
  const forbidden: ReadonlyArray<readonly [what: string, body: string, message: RegExp]> = [
    ["read above the data root", "yield* files.read(\"../outside.txt\")", /\.\.\/outside\.txt lies outside of the data root/],
    ["find its way there by a detour", "yield* files.read(\"images/../../outside.txt\")", /lies outside of the data root/],
    ["read an absolute path", "yield* files.read(\"/etc/hostname\")", /\/etc\/hostname lies outside of the data root .*give paths below it, or another --data/],
    ["list or look outside", "yield* files.list(\"..\")", /lies outside of the data root/],
    ["read what is not there", "yield* files.read(\"images/z.txt\")", /there is no file images\/z\.txt below the data root .*data/]
  ]
  let code: number | null, told: ReadonlyArray<string>
  beforeAll(async () => {
    const folder = collection(readsAll)
    forbidden.forEach(([, body], i) => folder.write(`own${i}.ts`, ingest(body)))
    folder.write("pipeline.yaml", `name: p\ndata: { root: data }\nstages:\n${forbidden.map((_, i) => `  it${i}: { uses: ./own${i}.ts }\n`).join("")}`)
    const said = await folder.outcrop("run", "--jobs", "1")
    code = said.code
    told = said.err.split(/^failed /m)
  })

  it.each(forbidden.map(([what, , message], i) => [what, i, message] as const))("%s", (_, i, message) => {
    expect(code).toBe(1)
    expect(told.find((each) => each.startsWith(`it${i}\n`))).toMatch(message)
  })
})

describe("a hostile list", () => {
  const hostile = (line: string) => new Folder({
    "pipeline.yaml": "name: p\ndata: { root: data }\nstages:\n  it: { uses: ingest/csv, with: { file: list.csv } }\n",
    "data/list.csv": `path\n${line}\n`,
    "data/thesis.png": "a decoy",
    "thesis.png": "years of work"
  })

  it("destroys no file outside, whatever its line", async () => {
    const lines = ["cache:../../thesis.png", "cache:/thesis.png", "./cache:/../../thesis.png"], folder = hostile("")
    lines.forEach((line, i) => folder.write(`data/list${i}.csv`, `path\n${line}\n`))
    folder.edit("pipeline.yaml", "stages:\n  it: { uses: ingest/csv, with: { file: list.csv } }", "axes: { list: [list0.csv, list1.csv, list2.csv] }\nstages:\n  it: { uses: ingest/csv, with: { file: $list } }")
    const { code, err } = await folder.outcrop("run", "--cache", "inner/cache", "--jobs", "1")
    expect(fs.readFileSync(folder.at("thesis.png"), "utf8")).toBe("years of work")
    expect(code).toBe(1)
    const told = err.split(/^failed /m).slice(1)
    for (const i of lines.keys()) expect(told.find((each) => each.startsWith(`it list=list${i}.csv\n`)), lines[i]!).toMatch(/is no file of the data: paths that begin with "cache:" are those of pixels|lies outside of the data root|that have no file/)
    expect(err).not.toMatch(/TypeError|undefined/)
  })

  it("with a folder called cache: is told to rename it", async () => {
    const folder = hostile("cache:/thesis.png")
    folder.write("data/cache:/thesis.png", "a picture")
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(1)
    expect(err).toMatch(/cache:\/thesis\.png is no file of the data: .*where a folder has that name, rename it/)
  })
})

describe("a file with a name of JavaScript's own", () => {
  it("is a file: read, recorded, and seen to change", async () => {
    const folder = collection("for (const name of [\"__proto__\", \"constructor\"]) names.push(`${name} ${new TextDecoder().decode(yield* files.read(name))}`)")
    for (const name of ["__proto__", "constructor"]) folder.write(`data/${name}`, "1")
    expect(await folder.ran()).toEqual({ it: 1 })
    expect(await planned(folder)).toEqual({})
    for (const name of ["__proto__", "constructor"]) {
      folder.write(`data/${name}`, "2")
      expect(await folder.ran(), name).toEqual({ it: 1 })
    }
  })
})

describe("other stages", () => {
  const withModel = () => {
    const folder = collection("for (const name of [\"a\", \"b\"]) names.push(name)\n    const digests = yield* Effect.forEach(names, (name) => files.digest(`images/${name}.txt`))\n    return { samples: { sample_id: names, assets: names.map((name, i) => [{ band: \"image\", path: `images/${name}.txt`, digest: digests[i]!, index: -1, gsd: Number.NaN }]) } }")
    folder.write("embed.ts", embed)
    folder.write("data/model.bin", "weights")
    folder.write("pipeline.yaml", `${pipeline}  embed: { uses: ./embed.ts, needs: { samples: it }, with: { model: model.bin } }\n`)
    return folder
  }

  it("read the files of samples and those their parameters name; a model is keyed by its content, not its path", async () => {
    const folder = withModel()
    expect(await folder.ran()).toEqual({ it: 1, embed: 1 })
    expect((await reads(folder, "get", "embed", "--json")).out).toContain("\"embedding\":[8]")
    fs.renameSync(folder.at("data/model.bin"), folder.at("data/renamed.bin"))
    folder.edit("pipeline.yaml", "model.bin", "renamed.bin")
    expect(await planned(folder), "renamed").toEqual({})
    fs.appendFileSync(folder.at("data/renamed.bin"), "!")
    expect((await read<{ readonly nodes: ReadonlyArray<{ readonly causes: ReadonlyArray<unknown> }> }>(folder, "why", "embed")).nodes.flatMap(({ causes }) => causes)).toMatchObject([{ kind: "parameter", part: "model.file" }])
    expect(await folder.ran(), "changed").toEqual({ embed: 1 })
  })

  it("read no file that they do not declare", async () => {
    const folder = withModel()
    folder.edit("embed.ts", "files.read(model)", "files.read(\"images/a.txt\")")
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(1)
    expect(err).toMatch(/only ingest stages may look for files; images\/a\.txt must come with a sample's asset or a file parameter/)
    folder.edit("embed.ts", "files.read(\"images/a.txt\")", "files.list(\"images\")")
    expect((await folder.outcrop("run", "--jobs", "1")).err).toMatch(/only ingest stages may look for files/)
  })

  it("never get other bytes than those that were ingested", async () => {
    const folder = withModel()
    await folder.ran("it")
    folder.edit("embed.ts", "const size =", "yield* Effect.sleep(\"400 millis\")\n    const size =")
    const { child, said } = folder.start("run", "--events")
    await new Promise<void>((resolve) => child.stdout!.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("\"started\"")) resolve()
    }))
    folder.write("data/images/b.txt", "changed meanwhile")
    const { code, err } = await said
    expect(code).toBe(1)
    expect(err).toMatch(/images\/b\.txt changed while or since it was ingested: run again, and ingest will read it anew/)
    expect(await folder.ran()).toEqual({ it: 1, embed: 1 })
  })

  it("with a file parameter that is not there are told so before they run", async () => {
    const folder = withModel()
    await folder.ran("it")
    fs.rmSync(folder.at("data/model.bin"))
    for (const word of ["plan", "run"]) {
      const { code, err } = await folder.outcrop(word)
      expect(code, word).toBeGreaterThan(0)
      expect(err, word).toMatch(/there is no file model\.bin below the data root .*\(parameter "model"\)/)
    }
    folder.edit("embed.ts", "model: Stage.FileParameter", "model: Stage.FileParameter, seed: Stage.Seed")
    folder.write("more.yaml", `${pipeline.replace("stages:", "replicates: { seed: [0, 1, 2] }\nstages:")}  embed: { uses: ./embed.ts, needs: { samples: it }, with: { model: model.bin, seed: $seed } }\n`)
    const { err, out } = await folder.outcrop("plan", "more.yaml")
    expect(out).toMatch(/4 nodes from 3 cells, 0 will run, 3 cannot run, 1 cached/)
    expect(err).toMatch(/^embed seed=0 and 2 more: there is no file model\.bin/)
  })
})

describe("rows that another port lacks", () => {
  it("are left out of a fit, and every other sample keeps its own vector", async () => {
    const folder = new Folder({
      "own.ts": ingest("for (const name of [\"a\", \"b\", \"c\", \"d\"]) names.push(name)\n    return { samples: { sample_id: names, assets: names.map(() => []), lat: Float64Array.of(1, 2, 3, 4) } }"),
      "split.ts": `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Split, Stage } from "outcrop"
export default Stage.make({
  name: "ingest/some", version: 1, summary: "", with: Schema.Struct({}), needs: { samples: Stage.needs(Samples, "sample_id") }, gives: { split: Split },
  run: () => Effect.succeed({ split: { sample_id: ["b", "c", "d"], split: ["train", "train", "test"] } })
})
`,
      "embed.ts": `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Split, Stage, Weights } from "outcrop"
export default Stage.make({
  name: "embed/shifted", version: 1, summary: "", with: Schema.Struct({}), needs: { samples: Stage.needs(Samples, "lat"), split: Stage.needs(Split) }, gives: { embeddings: Embeddings }, learns: { weights: Weights },
  fit: ({ samples }) => Effect.succeed({ weights: { layer: ["mean"], shape: [Float64Array.of()], values: [Float64Array.of(samples.lat.reduce((a, b) => a + b, 0) / samples.rows)] } }),
  embed: ({ weights }, { samples }) => Effect.succeed({ width: 1, values: Float32Array.from(samples.lat, (lat) => 10 * lat + weights.values[0]![0]!) })
})
`,
      "pipeline.yaml": "name: p\ndata: { root: data }\nstages:\n  it: { uses: ./own.ts }\n  split: { uses: ./split.ts, needs: { samples: it } }\n  embed: { uses: ./embed.ts, needs: { samples: it, split } }\n",
      "data/.keep": ""
    })
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(`${code} ${err}`).toMatch(/^0 /)
    const rows = JSON.parse((await reads(folder, "get", "embed.embeddings", "--json")).out) as ReadonlyArray<{ readonly sample_id: string; readonly embedding: ReadonlyArray<number> }>
    for (const { embedding, sample_id } of rows) expect(embedding, sample_id).toEqual([{ a: 12.5, b: 22.5, c: 32.5, d: 42.5 }[sample_id]])
    expect(rows.map(({ sample_id }) => sample_id)).toEqual(expect.arrayContaining(["b", "c", "d"]))
  })
})
