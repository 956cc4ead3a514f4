import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Annotations, Samples, Split, vectorAt, type Vectors } from "outcrop"
import { make, type Table } from "../../../schemas/table.ts"
import softLabels from "../../../stages/mine/soft-labels.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { band, services } from "../embed/services.ts"
import { folderOf } from "../ingest/services.ts"
import { runStage } from "../probe/run.ts"

interface Row {
  readonly id: string
  readonly labels?: ReadonlyArray<string>
  readonly split?: "train" | "val" | "test" | "unused"
}
const five: ReadonlyArray<Row> = [
  { id: "a", labels: ["water", "trees"] },
  { id: "b", labels: ["trees", "trees"] },
  { id: "c", labels: [] },
  { id: "d", labels: ["bare", "water", "trees"] },
  { id: "e", labels: ["water"], split: "test" }
]
const tables = (rows: ReadonlyArray<Row>): Record<string, Table> => ({
  samples: make(Samples, { sample_id: rows.map(({ id }) => id), assets: rows.map(() => []), labels: rows.map(({ labels }) => labels ?? []) }),
  split: make(Split, { sample_id: rows.map(({ id }) => id), split: rows.map(({ split }) => split ?? "train") })
})
/** What was mined: id, targets and dominant label of each row; statistics by name. */
const mine = async (ports: Readonly<Record<string, Table>>, parameters: object = {}, stage = softLabels) => {
  const run = await runStage(stage, ports, parameters), { metadata, open, ...rest } = run.columns("annotations"), ids = rest as unknown as { sample_id: ReadonlyArray<string> }
  const labels = open["labels"] as Vectors, dominant = open["dominant"] as Int32Array, names = JSON.parse(metadata["labels"]!) as ReadonlyArray<string>
  const { layer, shape, values } = run.columns("statistics") as unknown as { layer: ReadonlyArray<string>; shape: ReadonlyArray<Float64Array>; values: ReadonlyArray<Float64Array> }
  expect(JSON.parse(metadata["dominant"]!)).toEqual(names)
  return {
    names,
    open,
    rows: ids.sample_id.map((id, row) => `${id} ${vectorAt(labels, row).join("")} ${names[dominant[row]!] ?? dominant[row]}`),
    statistics: Object.fromEntries(layer.map((name, i) => [name, [...values[i]!]])),
    shapes: Object.fromEntries(layer.map((name, i) => [name, [...shape[i]!]])),
    notices: run.notices
  }
}

describe("mine/soft-labels of label lists", () => {
  it("gives multi-hot targets in byte order and the label that is rarest in training, and drops the unlabelled", async () => {
    const { names, notices, rows } = await mine(tables(five))
    expect(names).toEqual(["bare", "trees", "water"])
    expect(rows).toEqual(["a 011 water", "b 010 trees", "d 111 bare", "e 001 water"])
    expect(notices).toEqual(["1 of 5 samples have no labels and are left out"])
  })

  it("keeps the unlabelled where asked, with targets of 0", async () => {
    const { notices, rows } = await mine(tables(five), { unlabelled: "keep" })
    expect(rows).toEqual(["a 011 water", "b 010 trees", "c 000 -1", "d 111 bare", "e 001 water"])
    expect(notices).toEqual(["1 of 5 samples have no labels and are kept with targets of 0"])
  })

  it("counts labels of the training rows", async () => {
    const { shapes, statistics } = await mine(tables(five))
    expect(statistics).toEqual({ count: [1, 3, 2], share: [1 / 3, 1, 2 / 3], cooccurrence: [1, 1, 1, 1, 3, 2, 1, 2, 2], labels_per_sample: [1, 1, 1, 1] })
    expect(shapes).toEqual({ count: [3], share: [3], cooccurrence: [3, 3], labels_per_sample: [4] })
    expect((await mine({ samples: tables(five)["samples"]! })).statistics["count"]).toEqual([1, 3, 3])
  })

  it("does not look at labels that the split leaves unused", async () => {
    const ask = (labels: ReadonlyArray<string>, unlabelled: string) => mine(tables([...five, { id: "f", labels, split: "unused" }]), { unlabelled })
    for (const unlabelled of ["drop", "keep"]) expect(await ask(["lava"], unlabelled)).toEqual(await ask([], unlabelled))
    const { notices, rows } = await ask(["lava"], "keep")
    expect(rows.at(-1)).toBe("f 000 -1")
    expect(notices[0]).toBe("1 of 6 samples are unused in the split; their labels are not looked at")
    expect((await ask(["lava"], "drop")).rows.at(-1)).toBe("e 001 water")
  })

  it("leaves out labels that no training row has, unless the classes are given", async () => {
    const rows: ReadonlyArray<Row> = [...five, { id: "f", labels: ["snow", "bare"], split: "val" }]
    const learned = await mine(tables(rows))
    expect(learned.rows.at(-1)).toBe("f 100 bare")
    expect(learned.notices).toContain("labels that no training sample has, left out of the targets: snow (1); give `classes` to keep their places")
    const given = await mine(tables(rows), { classes: ["water", "trees", "snow", "bare"] })
    expect(given.names).toEqual(["water", "trees", "snow", "bare"])
    expect(given.rows.at(-1)).toBe("f 0011 snow")
    expect(given.statistics["count"]).toEqual([2, 3, 0, 1])
  })

  it("hands on the annotations it is given, for the rows that stay", async () => {
    const annotations = (name: string) => ({ ...tables(five), annotations: make(Annotations, { sample_id: five.map(({ id }) => id), open: { [name]: Int32Array.of(5, 6, 7, 8, 9) } }) })
    expect((await mine(annotations("place"))).open["place"]).toEqual(Int32Array.of(5, 6, 8, 9))
    await expect(mine(annotations("dominant"))).rejects.toThrow('have a column "dominant" already')
  })

  it("refuses a label that is not among the classes, also outside the training rows, and data without labels", async () => {
    await expect(mine(tables(five), { classes: ["bare", "tree", "water"] })).rejects.toThrow('sample a has the label "trees", which is not in `classes` (did you mean "tree"?); they are bare, tree, water')
    await expect(mine(tables([...five, { id: "f", labels: ["snow"], split: "test" }]), { classes: ["bare", "trees", "water"] })).rejects.toThrow('sample f has the label "snow"')
    await expect(mine(tables([{ id: "a" }]))).rejects.toThrow("none of the 1 samples to fit on has labels; mine/classes takes one label a sample")
    await expect(mine(tables(five), { classes: ["a", "a"] })).rejects.toThrow()
  })
})

describe("mine/soft-labels of a land-cover raster", () => {
  /** A map of 8 x 8 px beside an image of 16 x 16 px: water (1) in the west, trees (2, 3) in the east, one pixel of 77 and a row of nodata (255). */
  const map = Array.from({ length: 64 }, (_, i) => i === 0 ? 77 : i >= 56 ? 255 : i % 8 < 4 ? 1 : i % 8 < 6 ? 2 : 3)
  const root = folderOf({ "map.tif": tiff({ width: 8, height: 8, bands: 1, values: map, nodata: "255" }), "image.tif": tiff({ width: 16, height: 16, bands: 1, values: Array.from({ length: 256 }, () => 7) }) })
  const windows: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
    ["all", [Number.NaN, Number.NaN, Number.NaN, Number.NaN]],
    ["corner", [0, 0, 2, 2]],
    ["edge", [0, 12, 8, 4]],
    ["middle", [5, 4, 6, 4]],
    ["south", [0, 14, 16, 2]]
  ]
  const located = (asset = "map.tif") => ({
    samples: make(Samples, {
      sample_id: windows.map(([id]) => id),
      assets: windows.map(() => [band(root, "image.tif", "B04"), band(root, asset, "cover")]),
      window: { width: 4, values: Float32Array.from(windows.flatMap(([, window]) => window)) }
    })
  })
  const raster = { band: "cover", classes: { 1: "water", 2: "trees", 3: "trees" } }
  const withFiles = (notices: Array<string>): typeof softLabels => ({
    ...softLabels,
    fit: (inputs, parameters) => Effect.provide(softLabels.fit!(inputs, parameters), services(root)),
    apply: (learned, inputs, parameters) => Effect.provide(softLabels.apply!(learned, inputs, parameters), services(root, notices))
  })
  const fromMap = async (more: object = {}, parameters: object = {}, asset?: string) => {
    const notices: Array<string> = []
    return { ...await mine(located(asset), { raster: { ...raster, ...more }, unlabelled: "keep", ...parameters }, withFiles(notices)), notices }
  }

  it("takes classes that cover their share of the pixels with data, the dominant one that of most pixels", async () => {
    const { names, notices, rows, statistics } = await fromMap()
    expect(names).toEqual(["trees", "water"])
    // all: 27 water, 28 trees of 56; corner: one pixel of no class; edge: 4 x 2 px of which the lower row has no data; middle: whole px, 1 x 2 of water beside 2 x 2 of trees
    expect(rows).toEqual(["all 11 trees", "corner 00 -1", "edge 01 water", "middle 11 trees", "south 00 -1"])
    expect(statistics["count"]).toEqual([2, 3])
    // 64 + 1 + 8 + 6 + 8 pixels; without data 8 + 4 + 8 of them, of 77 one in "all" and one in "corner"
    expect(notices).toEqual([
      "pixels of cover without data: 20 of 87",
      "pixels of cover that are of no class in `raster.classes`: 2 of 87 (values 77)",
      "2 of 5 samples have no labels and are kept with targets of 0"
    ])
  })

  it("asks for the share that is given", async () => {
    expect((await fromMap({ threshold: 0.5 })).rows).toEqual(["all 10 trees", "corner 00 -1", "edge 01 water", "middle 10 trees", "south 00 -1"])
    expect((await fromMap({ threshold: 0.5 }, { unlabelled: "drop" })).rows).toEqual(["all 10 trees", "edge 01 water", "middle 10 trees"])
  })

  it("never mixes classes: a mean of water (1) and trees (3) would be trees (2) where there are none", async () => {
    const checks = Array.from({ length: 64 }, (_, i) => (i + (i >> 3)) % 2 === 0 ? 1 : 3)
    writeFileSync(join(root, "checks.tif"), tiff({ width: 8, height: 8, bands: 1, values: checks }))
    const { names, notices, rows } = await fromMap({ classes: { 1: "water", 2: "mixed", 3: "trees" } }, {}, "checks.tif")
    expect(names).toEqual(["mixed", "trees", "water"])
    for (const row of rows) expect(row).toMatch(/^\w+ 0[01]{2} (trees|water)$/)
    expect(notices).toEqual([])
  })

  it("refuses what does not fit", async () => {
    writeFileSync(join(root, "two.tif"), tiff({ width: 8, height: 8, bands: 2, values: [...map, ...map] }))
    const both = make(Samples, { sample_id: ["a"], assets: [[{ ...band(root, "two.tif", "cover"), index: -1 }]] })
    await expect(mine({ samples: both }, { raster }, withFiles([]))).rejects.toThrow('sample a: "cover" has 2 bands, and a land-cover raster has one')
    await expect(fromMap({ band: "covr" })).rejects.toThrow('there is no band "covr"')
    await expect(fromMap({}, { classes: ["water"] })).rejects.toThrow("`classes` and `raster.classes` both say which classes there are")
    await expect(fromMap({ classes: { one: "water" } })).rejects.toThrow()
    await expect(fromMap({ classes: { 5: "lava" } })).rejects.toThrow("none of the 5 samples to fit on has labels from cover")
    const whole = tiff({ width: 8, height: 8, bands: 1, values: map })
    writeFileSync(join(root, "cut.tif"), whole.subarray(0, whole.length / 2))
    await expect(fromMap({}, {}, "cut.tif")).rejects.toThrow("cut.tif")
  })
})
