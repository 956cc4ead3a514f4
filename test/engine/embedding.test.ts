import * as fs from "node:fs"
import sharp from "sharp"
import { stream } from "outcrop"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Folder, removeFolders, type Summary } from "../pipeline.ts"
import { read, reads } from "../reading.ts"

afterAll(removeFolders)

const side = 24, count = 6
const yaml = (views: string, uses = "embed/statistics") => `name: views
data: { root: data }
stages:
  samples: { uses: ingest/folder }
  embed: { uses: ${uses}, needs: samples${views === "" ? "" : `, with: { views: [${views}] }`} }
`
const full = "{ name: full }", masked = "{ name: masked, mask: { ratio: 0.6, patch: 8 } }"
const augmented = "{ name: augmented, crop: [0.5, 1], flip: true, jitter: 0.2 }"

const addPicture = async (folder: Folder, name: string, pixels = name) => {
  const { integer } = stream(5, pixels)
  folder.write(name, "")
  fs.writeFileSync(folder.at(name), await sharp(Uint8Array.from({ length: side * side * 3 }, () => integer(256)), { raw: { width: side, height: side, channels: 3 } }).png().toBuffer())
}
/** Six pictures of two classes. */
const pictures = async (text: string): Promise<Folder> => {
  const folder = new Folder({ "pipeline.yaml": text })
  for (let i = 0; i < count; i++) await addPicture(folder, `data/${i % 2 === 0 ? "deer" : "boar"}/p${i}.png`)
  return folder
}
interface Row {
  readonly sample_id: string
  readonly view: string
  readonly embedding: ReadonlyArray<number>
}
const vectorsOf = async (folder: Folder, ...words: ReadonlyArray<string>) => JSON.parse((await reads(folder, "get", "embed.embeddings", "--json", ...words)).out) as ReadonlyArray<Row>
const rowsOf = async (folder: Folder, command: "run" | "plan" = "run") => (command === "plan" ? await read<Summary>(folder, "plan") : await folder.json("run")).rows

describe("of the views of a pipeline", () => {
  let base: Folder
  /** With three views. */
  let three: Folder
  beforeAll(async () => {
    base = await pictures(yaml(""))
    expect(await rowsOf(base)).toEqual({ embedded: count, cached: 0 })
    three = base.copy()
    three.write("pipeline.yaml", yaml(`${masked}, ${full}, ${augmented}`))
    expect(await rowsOf(three)).toEqual({ embedded: 2 * count, cached: count })
  })

  it("the full one is that of a pipeline that asks for none", async () => {
    const folder = base.copy()
    folder.write("pipeline.yaml", yaml(full))
    expect((await read<Summary>(folder, "plan")).nodes).toMatchObject({ total: 2, cached: 2 })
    folder.write("pipeline.yaml", yaml("{ name: plain, seed: 4 }"))
    expect(await rowsOf(folder)).toEqual({ embedded: 0, cached: count })
  })

  it("an added one is embedded alone, and a plan says how many rows that is", async () => {
    const folder = base.copy()
    for (const [views, embedded, cached] of [[`${full}, ${masked}`, 1, 1], [`${full}, ${masked}, ${augmented}`, 1, 2], [`${augmented}, ${full}`, 0, 2], [`${masked}`, 0, 1]] as const) {
      folder.write("pipeline.yaml", yaml(views))
      const rows = { embedded: embedded * count, cached: cached * count }
      expect(await rowsOf(folder, "plan"), views).toEqual(rows)
      expect(await rowsOf(folder), views).toEqual(rows)
    }
  })

  it("a changed one is embedded alone; so is a renamed one that draws, for it draws otherwise", async () => {
    const folder = three.copy(), before = await vectorsOf(folder)
    folder.edit("pipeline.yaml", "jitter: 0.2", "jitter: 0.3")
    expect(await rowsOf(folder)).toEqual({ embedded: count, cached: 2 * count })
    folder.edit("pipeline.yaml", "name: masked", "name: covered")
    expect(await rowsOf(folder)).toEqual({ embedded: count, cached: 2 * count })
    const after = await vectorsOf(folder), of = (rows: ReadonlyArray<Row>, name: string) => rows.filter(({ view }) => view === name).map(({ embedding }) => embedding)
    expect(of(after, "full")).toEqual(of(before, "full"))
    expect(of(after, "augmented")).not.toEqual(of(before, "augmented"))
    expect(of(after, "covered")).not.toEqual(of(before, "masked"))
  })

  it("rows stand by sample, then by the view's name", async () => {
    const rows = await vectorsOf(three), ids = [...new Set(rows.map(({ sample_id }) => sample_id))]
    expect(ids).toHaveLength(count)
    expect(ids).toEqual(ids.toSorted())
    expect(rows.map(({ sample_id, view }) => [sample_id, view])).toEqual(ids.flatMap((id) => ["augmented", "full", "masked"].map((view) => [id, view])))
    expect(rows.filter(({ view }) => view === "full")).toEqual(await vectorsOf(base))
  })

  it("a vector has the same bits whatever its row, its chunk, the other views and the number of workers", async () => {
    const other = await pictures(yaml(`${augmented}, ${masked}`))
    // a picture before all others, and one that stands there twice
    await addPicture(other, "data/boar/a.png")
    await addPicture(other, "data/deer/zz.png", "data/deer/p0.png")
    const { rows } = JSON.parse((await other.outcrop("run", "--jobs", "3", "--json")).out) as { readonly rows: object }
    expect(rows).toEqual({ embedded: 2 * (count + 1), cached: 2 })
    const drawn = (rows: ReadonlyArray<Row>) => new Map(rows.map(({ embedding, sample_id, view }) => [`${sample_id} ${view}`, embedding]))
    const first = drawn(await vectorsOf(three)), second = drawn(await vectorsOf(other))
    let compared = 0
    for (const [row, embedding] of first) {
      if (!second.has(row)) continue
      expect(second.get(row)).toEqual(embedding)
      compared++
    }
    expect(compared).toBe(2 * count)
    expect(second.get("deer/zz.png augmented")).toEqual(second.get("deer/p0.png augmented"))
  })

  it("one that two nodes ask for at the same time is embedded once", async () => {
    const folder = await pictures(`name: views
data: { root: data }
axes:
  second: { mask: ${masked}, change: ${augmented} }
stages:
  samples: { uses: ingest/folder }
  embed: { uses: embed/rcf, needs: samples, with: { features: 8, views: [${full}, $second] } }
`)
    expect(await rowsOf(folder)).toEqual({ embedded: 3 * count, cached: count })
  })

  it("whose vectors are damaged in the cache, those rows alone are embedded again", async () => {
    const folder = base.copy()
    folder.write("pipeline.yaml", yaml(`${full}, ${masked}`))
    const segments = new Set(folder.files(".outcrop/segments"))
    await folder.ran()
    const before = await vectorsOf(folder)
    const [added] = folder.files(".outcrop/segments").filter((file) => !segments.has(file)).map((file) => file.split("/").at(-1)!.replace(/\..*$/, ""))
    const blob = folder.files(".outcrop/blobs").find((file) => file.replaceAll("/", "").includes(added!))!
    fs.chmodSync(blob, 0o644)
    fs.writeFileSync(blob, "damaged")
    folder.write("pipeline.yaml", yaml(`${masked}, ${full}, ${augmented}`))
    const { embedded } = await rowsOf(folder)
    expect(embedded).toBeGreaterThan(count)
    expect(embedded).toBeLessThan(2 * count + 1)
    expect((await vectorsOf(folder)).filter(({ view }) => view !== "augmented")).toEqual(before)
  })

  it("what cannot be is said with its place in the file", async () => {
    const said = async (views: string) => {
      const folder = base.copy()
      folder.write("pipeline.yaml", yaml(views))
      const { code, err } = await reads(folder, "plan")
      expect(code).toBe(2)
      return err
    }
    expect(await said(`${masked}, ${masked}`)).toMatch(/pipeline.yaml:5:\d+ stages.embed.with.views.*two views are called "masked"/)
    expect(await said("{ name: masked, msk: { ratio: 0.6, patch: 8 } }")).toMatch(/stages.embed.with.views\[0\].msk: unknown key "msk" \(did you mean "mask"\?\); known: name, crop, flip, jitter, mask, seed/)
    expect(await said("{ name: cropped, crop: [0.5, 2] }")).toMatch(/views.*crop.*2/)
    expect(await said("full")).toMatch(/views.*"full"/)
    const folder = base.copy()
    folder.write("pipeline.yaml", yaml(`${masked}, ${masked}`))
    expect(await folder.outcrop("run")).toMatchObject({ code: 2, err: expect.stringContaining("two views are called \"masked\"") as string })
  })

  it("a mask too coarse for the pictures fails and names one", async () => {
    const folder = base.copy()
    folder.write("pipeline.yaml", yaml("{ name: masked, mask: { ratio: 0.6, patch: 64 } }"))
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(1)
    expect(err).toMatch(/the view "masked" masks nothing of sample (boar|deer)\/p\d+.png: 0.6 of 1 patch of 64 px \(the input is 24 x 24 px\)/)
  })
})

describe("vectors of different length", () => {
  it("are not mixed, though each chunk was right by itself", async () => {
    const folder = new Folder({ "pipeline.yaml": yaml("").replace("needs: samples", "needs: samples, with: { bands: [image] }") })
    await addPicture(folder, "data/deer/coloured.png")
    fs.writeFileSync(folder.at("data/deer/grey.png"), await sharp(new Uint8Array(4), { raw: { width: 2, height: 2, channels: 1 } }).toColourspace("b-w").png().toBuffer())
    const { code, err } = await folder.outcrop("run", "--jobs", "2")
    expect(code).toBe(1)
    expect(err).toMatch(/vectors differ in length: sample deer\/coloured.png has 6 values, sample deer\/grey.png has 2 values; do all samples have the same bands/)
  })
})

describe("views of a stage of the user's own", () => {
  it("are told from what makes them, whatever the stage calls it; two of one name are refused", async () => {
    const folder = await pictures(yaml("{ name: twice, times: 2 }, { name: full }", "./times.ts"))
    folder.write("times.ts", `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage } from "outcrop"
export default Stage.make({
  name: "embed/times", version: 1, summary: "a number of the view", needs: { samples: Stage.needs(Samples, "assets") }, gives: { embeddings: Embeddings },
  with: Schema.Struct({ views: Schema.Array(Schema.Struct({ name: Schema.String, times: Schema.optionalKey(Schema.Int) })) }),
  views: ({ views }) => views,
  embed: Effect.fn("times")(function*(_, { samples }, parameters, { times = 1 }) {
    return { width: 2, values: Float32Array.from({ length: 2 * samples.rows }, (_, i) => i % 2 === 0 ? times : Number("views" in parameters)) }
  })
})
`)
    expect(await rowsOf(folder)).toEqual({ embedded: 2 * count, cached: 0 })
    expect((await vectorsOf(folder)).map(({ embedding, view }) => [view, ...embedding]).slice(0, 2)).toEqual([["full", 1, 0], ["twice", 2, 0]])
    folder.edit("pipeline.yaml", "times: 2", "times: 3")
    expect(await rowsOf(folder)).toEqual({ embedded: count, cached: count })
    folder.edit("pipeline.yaml", "name: full", "name: twice")
    expect((await folder.outcrop("run", "--jobs", "1")).err).toMatch(/embed\/times gives two views the name "twice"/)
  })
})

describe("downstream of several views", () => {
  it("a pass-through keeps them and a probe reads the full one: its figures are those without views", async () => {
    const study = (views: string) => `${yaml(views)}  split: { uses: ingest/split, needs: samples, with: { by: [label], test: 0.5 } }
  train: { uses: train/none, needs: embed }
  probe: { uses: probe/knn, needs: { embeddings: train, samples, split }, with: { k: [3] } }
`
    const folder = await pictures(study(""))
    await folder.ran()
    const metrics = (await reads(folder, "get", "probe.metrics", "--json")).out
    folder.write("pipeline.yaml", study(`${full}, ${masked}`))
    expect(await folder.ran()).toEqual({ embed: 1, train: 1, probe: 1 })
    expect((await reads(folder, "get", "probe.metrics", "--json")).out).toBe(metrics)
    expect((await reads(folder, "get", "train.embeddings", "--json")).out).toBe((await reads(folder, "get", "embed.embeddings", "--json")).out)
    folder.write("pipeline.yaml", study(`${augmented}, ${masked}`))
    expect((await folder.outcrop("run", "--jobs", "1")).err).toMatch(/views augmented, masked and none is "full"/)
  })
})

describe("of what an embed stage learns or reads beside the samples", () => {
  it("views change nothing: filters are cut from the pictures as they are", async () => {
    const folder = await pictures(yaml("", "embed/rcf-patches").replace("needs: samples", "needs: samples, with: { features: 8, size: 16 }"))
    expect(await rowsOf(folder)).toEqual({ embedded: count, cached: 0 })
    folder.edit("pipeline.yaml", "size: 16", `size: 16, views: [${full}, ${augmented}]`)
    expect(await rowsOf(folder, "plan")).toEqual({ embedded: 2 * count, cached: 0 })
    expect(await rowsOf(folder)).toEqual({ embedded: count, cached: count })
  })

  it("a table beside the samples is in the key of each row by what is read of it; a split is for fit alone", async () => {
    const folder = await pictures(`name: scaled
data: { root: data }
stages:
  samples: { uses: ingest/folder }
  split: { uses: ingest/split, needs: samples, with: { by: [label], test: 0.5, seed: 0 } }
  scales: { uses: ./scales.ts }
  embed: { uses: ./scaled.ts, needs: { samples, scales, split } }
`)
    folder.write("scales.ts", `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Stage, Weights } from "outcrop"
export default Stage.make({
  name: "ingest/scales", version: 1, summary: "a number from a file", with: Schema.Struct({}), needs: {}, gives: { scales: Weights },
  run: Effect.fn("scales")(function*() {
    const files = yield* Stage.Files
    const value = Number(new TextDecoder().decode(yield* files.read("scale.txt")))
    return { scales: { layer: ["scale"], shape: [Float64Array.of()], values: [Float64Array.of(value)] } }
  })
})
`)
    folder.write("scaled.ts", `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Split, Stage, Weights } from "outcrop"
export default Stage.make({
  name: "embed/scaled", version: 1, summary: "the scale, and whether there is a split", with: Schema.Struct({}),
  needs: { samples: Stage.needs(Samples, "assets"), scales: Stage.needs(Weights), split: Stage.optional(Stage.needs(Split)) },
  gives: { embeddings: Embeddings },
  embed: Effect.fn("scaled")(function*(_, inputs) {
    const { samples, scales } = inputs
    return { width: 2, values: Float32Array.from({ length: 2 * samples.rows }, (_, i) => i % 2 === 0 ? scales.values[0]![0]! : Number("split" in inputs)) }
  })
})
`)
    folder.write("data/scale.txt", "2")
    expect(await rowsOf(folder, "run")).toEqual({ embedded: count, cached: 0 })
    expect((await vectorsOf(folder)).map(({ embedding }) => embedding)).toEqual(Array.from({ length: count }, () => [2, 0]))
    folder.edit("pipeline.yaml", "seed: 0", "seed: 1")
    expect(await rowsOf(folder, "plan")).toEqual({ embedded: 0, cached: 0 })
    folder.write("data/scale.txt", "2.0\n")
    expect(await rowsOf(folder)).toEqual({ embedded: 0, cached: count })
    folder.write("data/scale.txt", "3")
    expect(await rowsOf(folder)).toEqual({ embedded: count, cached: 0 })
    expect((await vectorsOf(folder)).map(({ embedding }) => embedding[0])).toEqual(Array.from({ length: count }, () => 3))
    folder.write("data/scale.txt", "2")
    expect(await rowsOf(folder)).toEqual({ embedded: 0, cached: count })
  })
})
