import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type Asset, Weights } from "outcrop"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import statistics from "../../../stages/ingest/band-statistics.ts"
import { decode } from "../../../imagery/raster.ts"
import { make } from "../../../schemas/table.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { Folder, removeFolders } from "../../pipeline.ts"
import { band, fit, picture, type SampleRow } from "../embed/services.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-band-statistics-"))

/** The layers of the table by name, one value a band, and the names of the bands. */
const read = async (rows: ReadonlyArray<SampleRow>, bands: ReadonlyArray<unknown>, notices: Array<string> = [], of = root) => {
  const table = make(Weights, (await fit(statistics, { root: of, rows, with: { bands } }, notices))["statistics"] as never)
  const { layer, values } = Object.fromEntries([...table.columns].map(([name, { column }]) => [name, column])) as unknown as { layer: ReadonlyArray<string>; values: ReadonlyArray<Float64Array> }
  return { names: JSON.parse(table.metadata["bands"]!) as ReadonlyArray<string>, ...Object.fromEntries(layer.map((name, i) => [name, Array.from(values[i]!)])) } as Readonly<Record<string, ReadonlyArray<number>>> & { readonly names: ReadonlyArray<string> }
}

describe("ingest/band-statistics", () => {
  const write = (name: string, values: ReadonlyArray<number>, more: object = {}) => writeFileSync(join(root, name), tiff({ width: 2, height: 2, bands: 1, values, ...more }))
  beforeAll(() => {
    write("a1.tif", [1, 2, 3, 4])
    write("a2.tif", [10, 10, 30, 30])
    write("b1.tif", [5, 6, 7, 50_000], { nodata: "50000" })
    write("b2.tif", [0, 0, 10, 5], { nodata: "50000" })
    write("empty.tif", [9, 9, 9, 9], { nodata: "9" })
    writeFileSync(join(root, "stack.tif"), tiff({ width: 2, height: 1, bands: 4, values: [1, 2, 3, 4, 5, 6, 7, 8] }))
  })
  const one = () => [{ id: "one", assets: [band(root, "a1.tif", "VV"), band(root, "a2.tif", "VH")] }]
  const two = () => [...one(), { id: "two", assets: [band(root, "b1.tif", "VV"), band(root, "b2.tif", "VH")] }]

  it("takes mean, deviation, range and count of each band over all samples, without what is no data", async () => {
    const notices: Array<string> = []
    const found = await read(two(), ["VH", "VV"], notices)
    const vh = [10, 10, 30, 30, 0, 0, 10, 5], vv = [1, 2, 3, 4, 5, 6, 7]
    const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b) / values.length
    const sd = (values: ReadonlyArray<number>) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)))
    expect(found.names).toEqual(["VH", "VV"])
    for (const [b, values] of [vh, vv].entries()) {
      expect(found["mean"]![b]).toBeCloseTo(mean(values), 12)
      expect(found["sd"]![b]).toBeCloseTo(sd(values), 12)
    }
    expect([found["min"], found["max"], found["n"], found["nodata"]]).toEqual([[0, 1], [30, 7], [8, 7], [0, 1 / 8]])
    expect(notices).toEqual(["VH: mean 11.875, sd 11.163, min 0, max 30, nodata 0%, n 8", "VV: mean 4, sd 2, min 1, max 7, nodata 12.5%, n 7"])
  })

  it("looks at the windows only", async () => {
    const found = await read([{ ...one()[0]!, window: [0, 1, 2, 1] }], ["VV"])
    expect([found["mean"], found["sd"], found["n"]]).toEqual([[3.5], [0.5], [2]])
  })

  it("leaves out what a derived band has no value for", async () => {
    const found = await read(two(), [{ ratio: ["VV", "VH"] }, { difference: ["VV", "VH"] }])
    expect(found.names).toEqual(["VV / VH", "VV - VH"])
    // of b: 5/0 and 6/0 have no value, nor has what is no data
    expect([found["n"], found["nodata"]]).toEqual([[5, 7], [3 / 8, 1 / 8]])
    expect([found["min"]![1], found["max"]![1]]).toEqual([-27, 6])
  })

  it("says where a band has no value at all", async () => {
    const notices: Array<string> = []
    const found = await read([{ id: "s", assets: [band(root, "empty.tif", "VV")] }], ["VV"], notices)
    expect([found["mean"], found["sd"], found["min"], found["max"], found["nodata"], found["n"]]).toEqual([[Number.NaN], [Number.NaN], [Number.NaN], [Number.NaN], [1], [0]])
    expect(notices).toEqual(["VV: no value in 4 pixels"])
  })

  it("counts the bands of a picture, and wants names where they stand beside others", async () => {
    const stack = picture(root, "stack.tif")
    expect((await read([{ id: "s", assets: [stack] }], ["image"])).names).toEqual(["image[0]", "image[1]", "image[2]", "image[3]"])
    await expect(read([{ id: "s", assets: [stack, band(root, "a1.tif", "VV")] }], ["image", "VV"])).rejects.toThrow(/2 entries of "bands" are 5 bands; name the bands of a picture one by one/)
    await expect(read([], ["VV"])).rejects.toThrow(/there are no samples/)
    await expect(read(one(), ["HH"])).rejects.toThrow(/sample one: there is no band "HH"; the sample has VV, VH/)
  })

  it("keeps its precision where the mean is far from 0 and samples are many", async () => {
    write("far.tif", [60_000, 60_001, 60_002, 60_003])
    const rows = Array.from({ length: 500 }, (_, i) => ({ id: `s${i}`, assets: [band(root, "far.tif", "B")], window: [i % 2, Math.floor(i / 2) % 2, 1, 1] as const }))
    const found = await read(rows, ["B"])
    expect(found["mean"]![0]).toBeCloseTo(60_001.5, 9)
    expect(found["sd"]![0]).toBeCloseTo(Math.sqrt(1.25), 9)
  })
})

describe("ingest/band-statistics in a run", () => {
  afterAll(removeFolders)
  it("is of the training samples, and is not taken again where they are as they were", async () => {
    const folder = new Folder()
    for (let i = 0; i < 8; i++) {
      folder.write(`data/all/p${i}.tif`, "")
      writeFileSync(folder.at(`data/all/p${i}.tif`), tiff({ width: 2, height: 1, bands: 1, values: [10 * i, 10 * i + 2] }))
    }
    folder.write("pipeline.yaml", `name: statistics
data: { root: data }
stages:
  samples: { uses: ingest/folder, with: { bands: [B] } }
  split: { uses: ingest/split, needs: samples, with: { test: 0.5 } }
  statistics: { uses: ingest/band-statistics, needs: { samples, split }, with: { bands: [B] } }
  embed: { uses: embed/statistics, needs: samples, with: { bands: [B] } }
`)
    expect(await folder.outcrop("run")).toMatchObject({ code: 0 })
    const said = /B: mean (\S+), sd \S+, min (\d+), max \d+, nodata 0%, n (\d+)/.exec((await folder.outcrop("logs", "statistics")).out)
    const split = (await folder.outcrop("get", "split")).out.trim().split("\n").map((line) => line.split(","))
    const training = split.filter(([, role]) => role === "train").map(([id]) => 10 * Number(/\d/.exec(id!)![0]) + 1)
    expect(training).toHaveLength(4)
    expect(Number(said?.[1])).toBe(training.reduce((sum, mean) => sum + mean) / 4)
    expect(said?.[3]).toBe("8")
    const plan = await folder.json("run")
    expect(plan.nodes).toMatchObject({ cached: 4 })
  })
})

const bigearthnet = new URL("../../../../shared/data/bigearthnet-tiny/", import.meta.url).pathname
describe.skipIf(!existsSync(bigearthnet))("ingest/band-statistics on BigEarthNet patches (needs shared/data)", () => {
  const assetsOf = (s2: string, s1: string): readonly [Asset, ...ReadonlyArray<Asset>] => [
    band(bigearthnet, `s2-tiny/${s2}/${s2}_B02.tif`, "B02"),
    ...["B11", "B01"].map((name) => band(bigearthnet, `s2-tiny/${s2}/${s2}_${name}.tif`, name)),
    ...["VV", "VH"].map((name) => band(bigearthnet, `s1-tiny/${s1}/${s1}_${name}.tif`, name))
  ]
  it("finds the ratio of the polarisations between them, and the files' own range at 10 m", async () => {
    const rows = [
      { id: "36_85", assets: assetsOf("S2A_MSIL2A_20170617T113321_36_85", "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_36_85") },
      { id: "4_55", assets: assetsOf("S2A_MSIL2A_20170617T113321_4_55", "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_4_55") }
    ]
    const found = await read(rows, ["B02", "B11", "B01", "VV", "VH", { difference: ["VV", "VH"] }], [], bigearthnet)
    expect(found["n"]).toEqual(Array.from({ length: 6 }, () => 2 * 120 * 120))
    expect([found["min"]![0], found["max"]![0]]).toEqual([129, 2939])
    const pixels = (await Promise.all(rows.map(async ({ assets: [{ path }] }) => {
      const { values } = await Effect.runPromise(decode(new Uint8Array(readFileSync(join(bigearthnet, path))), path))
      return Array.from(values)
    }))).flat()
    const mean = pixels.reduce((sum, value) => sum + value) / pixels.length
    expect(found["mean"]![0]).toBeCloseTo(mean, 9)
    expect(found["sd"]![0]).toBeCloseTo(Math.sqrt(pixels.reduce((sum, value) => sum + (value - mean) ** 2, 0) / pixels.length), 9)
    expect([found["min"]![3], found["max"]![3]]).toEqual([-26.521211624145508, 4.397610187530518])
    expect(found["mean"]![5]).toBeCloseTo(found["mean"]![3]! - found["mean"]![4]!, 5)
    // interpolation stays within the values of the 20 and 60 m pixels
    expect(found["min"]![1]).toBeGreaterThanOrEqual(975)
    expect(found["max"]![2]).toBeLessThanOrEqual(1529)
  })
})
