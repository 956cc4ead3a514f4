import { copyFileSync, existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { vectorAt, Weights } from "outcrop"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { make, view } from "../../schemas/table.ts"
import onnx from "../../stages/embed/onnx.ts"
import statistics from "../../stages/ingest/band-statistics.ts"
import { Graph } from "../../tensor/onnx.ts"
import { Folder, removeFolders } from "../pipeline.ts"
import { band, embed, fit, picture, type SampleRow } from "../stages/embed/services.ts"
import { tiff } from "./tiff-fixture.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-encoder-"))

/** A 3 x 3 convolution of images of 4 x 4 to two maps, with weights [2, bands, 3, 3], padding and a bias. */
const conv = (bands: number, weights: Float32Array): Uint8Array => {
  const graph = new Graph()
  const image = graph.input({ name: "image", type: "float32", shape: [1, bands, 4, 4] })
  const answer = graph.node("Conv", [image, graph.constant(weights, [2, bands, 3, 3]), graph.constant(Float32Array.of(0.5, -1), [2])], { pads: [1, 1, 1, 1] })
  graph.output({ name: "result", type: "float32", shape: [1, 32] }, graph.node("Reshape", [answer, graph.int64([1, 32])]))
  return graph.model().bytes
}
/** Gives back its input of 4 x 4 px. */
const identity = (bands: number): Uint8Array => {
  const graph = new Graph()
  const image = graph.input({ name: "image", type: "float32", shape: [1, bands, 4, 4] })
  graph.output({ name: "result", type: "float32", shape: [1, bands * 16] }, graph.node("Reshape", [image, graph.int64([1, bands * 16])]))
  return graph.model().bytes
}
const weights = Float32Array.from({ length: 2 * 3 * 9 }, (_, i) => ((i * 37) % 23 - 11) / 8)
/** The weights of `conv` for five bands: those of channel c mod 3, or the mean of all three, times 3 / 5. */
const adapted = (how: "repeat" | "average") =>
  Float32Array.from({ length: 2 * 5 * 9 }, (_, i) => {
    const tap = i % 9, c = Math.floor(i / 9) % 5, of = (o: number) => weights[(Math.floor(i / 45) * 3 + o) * 9 + tap]!
    return (how === "repeat" ? of(c % 3) : (of(0) + of(1) + of(2)) / 3) * 3 / 5
  })

const names = ["B1", "B2", "B3", "B4", "B5"] as const
const rowOf = (id: string): SampleRow => ({ id, assets: names.map((name, i) => band(root, `${id}.tif`, name, i)) })

beforeAll(() => {
  const write = (name: string, bytes: Uint8Array) => writeFileSync(join(root, name), bytes)
  for (const [k, id] of ["a", "b", "c"].entries()) {
    // bands of unlike levels; the last is the same everywhere
    write(`${id}.tif`, tiff({ width: 4, height: 4, bands: 5, values: Array.from({ length: 80 }, (_, i) => i % 5 === 4 ? 7 : 100 * (i % 5) + ((i * 31 + k * 17) % 40)) }))
  }
  write("three.onnx", conv(3, weights))
  write("repeat.onnx", conv(5, adapted("repeat")))
  write("average.onnx", conv(5, adapted("average")))
  write("five.onnx", identity(5))
  write("two.onnx", identity(2))
})

describe("channels of an encoder", () => {
  const scaled = { bands: names, mean: [100, 150, 200, 300, 7], std: [10, 20, 30, 40, 50] }
  it("are given to other bands by a mixture of planes, as if the first layer's weights had been adapted in the model", async () => {
    for (const channels of ["repeat", "average"] as const) {
      const notices: Array<string> = []
      const given = await embed(onnx, { root, rows: [rowOf("a")], with: { ...scaled, model: "three.onnx", channels } })
      await fit(onnx, { root, rows: [rowOf("a")], with: { ...scaled, model: "three.onnx", channels } }, notices)
      const edited = await embed(onnx, { root, rows: [rowOf("a")], with: { ...scaled, model: `${channels}.onnx` } })
      expect(given.width).toBe(32)
      for (const [i, value] of edited.values.entries()) expect(given.values[i]!).toBeCloseTo(value, 4)
      expect(notices).toEqual([expect.stringMatching(`^channels: ${channels}: 5 bands for the model's 3 channels: .*, times 3 / 5$`)])
    }
    const [repeat, average] = await Promise.all(["repeat", "average"].map((channels) => embed(onnx, { root, rows: [rowOf("a")], with: { ...scaled, model: "three.onnx", channels } })))
    expect(repeat).not.toEqual(average)
  })

  it("stay as they are unasked: the error states both shapes and the parameter", async () => {
    await expect(embed(onnx, { root, rows: [rowOf("a")], with: { bands: names, model: "three.onnx" } })).rejects
      .toThrow(/takes \[1, 3, 4, 4\] .* and \[1, 5, 4, 4\] was to be given: bands B1, B2, B3, B4, B5; "channels: repeat" or "channels: average" brings 5 bands to 3 channels/)
    await expect(embed(onnx, { root, rows: [rowOf("a")], with: { bands: names, model: "three.onnx", channels: "repeat", size: 5 } })).rejects.toThrow(/takes \[1, 3, 4, 4\] .* and \[1, 5, 5, 5\] was to be given: bands B1, B2, B3, B4, B5$/)
  })

  it("change nothing where bands are as many, and say so", async () => {
    const parameters = { bands: names.slice(0, 3), model: "three.onnx" }, notices: Array<string> = []
    expect(await embed(onnx, { root, rows: [rowOf("a")], with: { ...parameters, channels: "repeat" } })).toEqual(await embed(onnx, { root, rows: [rowOf("a")], with: parameters }))
    await fit(onnx, { root, rows: [rowOf("a")], with: { ...parameters, channels: "repeat" } }, notices)
    await fit(onnx, { root, rows: [rowOf("a")], with: parameters }, notices)
    expect(notices).toEqual(["channels: repeat changes nothing: the model takes 3 channels, and 3 bands are given"])
  })

  it("are given to all bands of a picture, however many", async () => {
    const row = { id: "a", assets: [picture(root, "a.tif")] }, notices: Array<string> = []
    const all = await embed(onnx, { root, rows: [row], with: { ...scaled, bands: ["image"], model: "three.onnx", channels: "repeat" } })
    expect(all).toEqual(await embed(onnx, { root, rows: [rowOf("a")], with: { ...scaled, model: "three.onnx", channels: "repeat" } }))
    await fit(onnx, { root, rows: [row], with: { bands: ["image"], model: "three.onnx", channels: "average" } }, notices)
    expect(notices).toEqual(["channels: average: all bands of a picture for the model's 3 channels: each takes the mean of their weights, times 3 / their number"])
  })
})

describe("normalize: dataset", () => {
  const rows = () => ["a", "b", "c"].map(rowOf)
  const bandStatistics = async (bands: ReadonlyArray<unknown> = names, of: ReadonlyArray<SampleRow> = rows()) => {
    const table = make(Weights, (await fit(statistics, { root, rows: of, with: { bands } }))["statistics"] as never)
    return { statistics: view(table, ["layer", "shape", "values"]) }
  }
  it("brings each band to mean 0 and deviation 1 over the samples the statistics are of, by name; one that does not vary to 0", async () => {
    const ports = await bandStatistics(names.toReversed())
    const { values } = await embed(onnx, { root, rows: rows(), ports, with: { model: "five.onnx", bands: names, normalize: "dataset" } })
    for (let b = 0; b < 5; b++) {
      const all = [0, 1, 2].flatMap((row) => Array.from(values.subarray(row * 80 + b * 16, row * 80 + (b + 1) * 16)))
      const mean = all.reduce((sum, value) => sum + value) / all.length
      expect(mean).toBeCloseTo(0, 5)
      expect(Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length)).toBeCloseTo(b === 4 ? 0 : 1, 5)
    }
  })

  it("is the same as writing the numbers of the table out, derived bands included", async () => {
    const bands = ["B2", { difference: ["B4", "B1"] }]
    const ports = await bandStatistics(bands)
    const [mean, std] = ["mean", "sd"].map((name) => Array.from((ports.statistics["values"] as unknown as ReadonlyArray<Float64Array>)[(ports.statistics["layer"] as unknown as ReadonlyArray<string>).indexOf(name)]!))
    const by = async (parameters: object) => await embed(onnx, { root, rows: rows(), ports, with: { model: "two.onnx", bands, ...parameters } })
    expect(await by({ normalize: "dataset" })).toEqual(await by({ mean, std }))
  })

  it("names what is missing or said twice", async () => {
    const ports = await bandStatistics(["B1", "B3"])
    const by = (parameters: object, given: Parameters<typeof embed>[1]["ports"] = ports) => embed(onnx, { root, rows: rows(), ...(given === undefined ? {} : { ports: given }), with: { model: "five.onnx", bands: names, normalize: "dataset", ...parameters } })
    await expect(by({})).rejects.toThrow(/the statistics have no band B2, B4, B5; they have B1, B3. Give ingest\/band-statistics the same "bands"/)
    await expect(by({}, {})).rejects.toThrow(/"normalize: dataset" needs the port "statistics": bind a stage that uses ingest\/band-statistics/)
    await expect(by({ stretch: { range: [0, 1] } })).rejects.toThrow(/"stretch" changes them; give one of the two/)
    await expect(by({ divisor: 255 })).rejects.toThrow(/leave out "divisor", "mean" and "std"/)
    await expect(by({ mean: [1] })).rejects.toThrow(/leave out "divisor", "mean" and "std"/)
    const other = view(make(Weights, { layer: ["centres"], shape: [Float64Array.of(1)], values: [Float64Array.of(1)] }), ["layer", "shape", "values"])
    await expect(by({}, { statistics: other })).rejects.toThrow(/the port "statistics" holds no statistics of bands \(its layers are centres\)/)
    writeFileSync(join(root, "void.tif"), tiff({ width: 4, height: 4, bands: 1, values: Array.from({ length: 16 }, () => 3), nodata: "3" }))
    const hollow = await bandStatistics(["V"], [{ id: "v", assets: [band(root, "void.tif", "V")] }])
    await expect(embed(onnx, { root, rows: [{ id: "v", assets: [band(root, "void.tif", "V")] }], ports: hollow, with: { model: "five.onnx", bands: ["V"], channels: "repeat", normalize: "dataset" } }))
      .rejects.toThrow(/no training sample has a value in band V/)
  })
})

describe("normalize: dataset in a run", () => {
  afterAll(removeFolders)
  it("embeds anew what has other statistics, and nothing where they are as they were", async () => {
    const folder = new Folder()
    folder.write("data/all/a.tif", "")
    for (const id of ["a", "b", "c"]) copyFileSync(join(root, `${id}.tif`), folder.at(`data/all/${id}.tif`))
    writeFileSync(folder.at("data/five.onnx"), identity(5))
    folder.write("pipeline.yaml", `name: bands
data: { root: data }
stages:
  samples: { uses: ingest/folder, with: { bands: [B1, B2, B3, B4, B5] } }
  statistics: { uses: ingest/band-statistics, needs: samples, with: { bands: [B1, B2, B3, B4, B5] } }
  embed: { uses: embed/onnx, needs: { samples, statistics }, with: { model: five.onnx, bands: [B1, B2, B3, B4, B5], normalize: dataset } }
`)
    expect((await folder.json("run")).rows).toEqual({ embedded: 3, cached: 0 })
    expect((await folder.outcrop("logs", "statistics")).out).toMatch(/B5: mean 7, sd 0, min 7, max 7, nodata 0%, n 48/)
    // the same numbers in another order of the bands: a table of other content, so its vectors are others
    folder.edit("pipeline.yaml", "statistics: { uses: ingest/band-statistics, needs: samples, with: { bands: [B1, B2,", "statistics: { uses: ingest/band-statistics, needs: samples, with: { bands: [B2, B1,")
    expect((await folder.json("run")).rows).toEqual({ embedded: 3, cached: 0 })
    folder.edit("pipeline.yaml", "with: { bands: [B2, B1,", "with: { bands: [B1, B2,")
    expect((await folder.json("run")).rows).toEqual({ embedded: 0, cached: 3 })
    // one more image changes the statistics, and with them what every vector is
    writeFileSync(folder.at("data/all/d.tif"), tiff({ width: 4, height: 4, bands: 5, values: Array.from({ length: 80 }, (_, i) => i) }))
    expect((await folder.json("run")).rows).toEqual({ embedded: 4, cached: 0 })
    expect((await folder.json("run")).nodes).toMatchObject({ run: 0, cached: 3 })
  })
})

const shared = new URL("../../../shared/data/", import.meta.url).pathname
const there = existsSync(join(shared, "bigearthnet-tiny")) && existsSync(join(shared, "encoders"))
describe.skipIf(!there)("MobileNet on BigEarthNet patches (needs shared/data)", () => {
  const model = "encoders/mobilenet-v1-0.25-128.onnx"
  const pairs = [
    ["S2A_MSIL2A_20170617T113321_36_85", "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_36_85"],
    ["S2A_MSIL2A_20170617T113321_4_55", "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_4_55"],
    ["S2A_MSIL2A_20171221T112501_56_35", "S1A_IW_GRDH_1SDV_20171221T064238_29SND_56_35"]
  ] as const
  const optical = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
  const rows: ReadonlyArray<SampleRow> = pairs.map(([s2, s1]) => ({
    id: s2,
    assets: [
      ...["B02", ...optical.filter((name) => name !== "B02")].map((name) => band(shared, `bigearthnet-tiny/s2-tiny/${s2}/${s2}_${name}.tif`, name)),
      ...["VV", "VH"].map((name) => band(shared, `bigearthnet-tiny/s1-tiny/${s1}/${s1}_${name}.tif`, name))
    ]
  }))
  const given = async (parameters: object, of = rows) => await embed(onnx, { root: shared, rows: of, with: { model, ...parameters } })
  const cosine = (a: Float32Array, b: Float32Array) => {
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
  }

  it("takes 12 bands of three resolutions by repeated or averaged channels, and tells the patches apart", async () => {
    const stretch = { range: [0, 4000] }
    for (const channels of ["repeat", "average"]) {
      const made = await given({ bands: optical, stretch, channels })
      expect([made.width, made.values.length]).toEqual([256, 3 * 256])
      expect(made.values.every(Number.isFinite)).toBe(true)
      for (const [a, b] of [[0, 1], [0, 2], [1, 2]] as const) expect(cosine(vectorAt(made, a), vectorAt(made, b))).toBeLessThan(0.999)
    }
    await expect(given({ bands: optical, stretch })).rejects.toThrow(/takes \[N, 3, 128, 128\].*\[1, 12, 128, 128\] was to be given: bands B01, .*; "channels: repeat"/)
  })

  it("takes VV, VH and their ratio, in dB as the files have them, and VV alone", async () => {
    const sar = await given({ bands: ["VV", "VH", { difference: ["VV", "VH"] }], stretch: { range: [-30, 10] } })
    expect(sar.values.every(Number.isFinite)).toBe(true)
    expect(cosine(vectorAt(sar, 0), vectorAt(sar, 2))).toBeLessThan(0.999)
    // one band in all channels is a grey picture
    const repeated = await given({ bands: ["VV"], channels: "repeat", stretch: { range: [-30, 10] } })
    expect(repeated).toEqual(await given({ bands: ["VV", "VV", "VV"], stretch: { range: [-30, 10] } }))
  })

  it("sees the same ground in both sensors through one window", async () => {
    const window = [0, 60, 60, 60] as const
    const both = await given({ bands: ["B04", "VV", "B01"], stretch: { range: [-30, 4000] } }, rows.map((row) => ({ ...row, window })))
    expect(both.values.every(Number.isFinite)).toBe(true)
    expect(both).not.toEqual(await given({ bands: ["B04", "VV", "B01"], stretch: { range: [-30, 4000] } }))
  })
})
