import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type Asset, Samples, type Vectors } from "outcrop"
import { beforeAll, describe, expect, it } from "vitest"
import { type Band, bandReader, Bands, bandsOf, nameOf, planeNames, type Request } from "../../imagery/bands.ts"
import { count, tally } from "../../imagery/band-statistics.ts"
import { type Located, type Pixels } from "../../imagery/pixels.ts"
import { decode } from "../../imagery/raster.ts"
import * as Tables from "../../schemas/table.ts"
import { band, picture, type SampleRow, samplesOf, services } from "../stages/embed/services.ts"
import { tiff } from "./tiff-fixture.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-bands-"))

const located = (rows: ReadonlyArray<SampleRow>): Located => {
  const { assets, rows: count, sample_id, window } = Tables.view(samplesOf(rows), Object.keys(Samples.columns)) as unknown as {
    rows: number
    sample_id: ReadonlyArray<string>
    assets: ReadonlyArray<ReadonlyArray<Asset>>
    window: Vectors
  }
  return { assets, rows: count, sample_id, window }
}

/** The bands of one sample, by both ways to read them; rejects with the message of the error. */
const one = async (assets: ReadonlyArray<Asset>, bands: ReadonlyArray<Band>, { of = root, stretch = "none", window }: { of?: string; stretch?: Request["stretch"]; window?: SampleRow["window"] } = {}): Promise<Pixels> => {
  const samples = located([{ id: "s", assets, ...(window === undefined ? {} : { window }) }])
  const both = Effect.all([
    Effect.flatMap(bandReader({ bands, stretch }), (read) => read(samples, 0)),
    Effect.map(Stream.runCollect(bandsOf(samples, { bands, stretch })), ([only]) => only!.pixels)
  ])
  const result = await Effect.runPromise(Effect.result(Effect.provide(both, services(of))))
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  expect(result.success[0]).toEqual(result.success[1])
  return result.success[0]
}
const planes = ({ bands, values }: Pick<Pixels, "bands" | "values">) => Array.from({ length: bands }, (_, b) => Array.from(values.subarray(b * values.length / bands, (b + 1) * values.length / bands)))

describe("bands", () => {
  const radar = () => [band(root, "vv.tif", "VV"), band(root, "vh.tif", "VH"), picture(root, "rgb.tif")]
  beforeAll(() => {
    const write = (name: string, values: ReadonlyArray<number>, more: object = {}) => writeFileSync(join(root, name), tiff({ width: 2, height: 2, bands: 1, values, ...more }))
    write("vv.tif", [1000, 100, 10, 0])
    write("vh.tif", [10, 40, 0, 0])
    write("rgb.tif", Array.from({ length: 12 }, (_, i) => i), { bands: 3, photometric: 2 })
    write("holes.tif", [7, 100, 7, 10], { nodata: "7" })
    writeFileSync(join(root, "fine.tif"), tiff({ width: 4, height: 1, bands: 1, values: [100, 100, 100, 100] }))
    writeFileSync(join(root, "half.tif"), tiff({ width: 2, height: 1, bands: 1, values: [9999, 40], nodata: "9999" }))
    writeFileSync(join(root, "coarse.tif"), tiff({ width: 1, height: 1, bands: 1, values: [20] }))
  })

  it("are read as they are, or derived from others, in the order asked for", async () => {
    const { bands, bytes, height, values, width } = await one(radar(), [{ difference: ["VV", "VH"] }, "VH", { ratio: ["VV", "VH"] }, { db: "VV" }, "G"])
    expect({ bands, bytes, height, width }).toEqual({ bands: 5, bytes: false, height: 2, width: 2 })
    expect(planes({ bands, values })).toEqual([[990, 60, 10, 0], [10, 40, 0, 0], [100, 2.5, Number.NaN, Number.NaN], [30, 20, 10, -100], [1, 4, 7, 10]])
  })

  it("without a derived one are just what is read", async () => {
    expect(planes(await one(radar(), ["VH", "R"]))).toEqual([[10, 40, 0, 0], [0, 3, 6, 9]])
    expect((await one(radar(), ["image"])).bands).toBe(3)
    expect((await one(radar(), ["VV"], { stretch: { sigma: 2, over: "band" } })).bytes).toBe(true)
  })

  it("are derived in a window, on the grid of the finest of their sources", async () => {
    expect(planes(await one(radar(), [{ difference: ["VV", "VH"] }], { window: [1, 0, 1, 2] }))).toEqual([[60, 0]])
    expect(planes(await one([...radar(), band(root, "coarse.tif", "C")], [{ difference: ["VV", "C"] }]))).toEqual([[980, 80, -10, -20]])
  })

  it("are stretched after they are derived; a hole becomes 0", async () => {
    const made = await one(radar(), [{ db: "VV" }, { ratio: ["VV", "VH"] }], { stretch: { range: [0, 30] } })
    expect(made.bytes).toBe(true)
    expect(planes(made)).toEqual([[255, 170, 85, 0], [255, 21.25, 0, 0]])
    await expect(one(radar(), ["VH", { difference: ["VV", "VH"] }], { stretch: { sigma: 2, over: "band" } }))
      .rejects.toThrow(/"stretch: \{ sigma \}" takes the deviation of the bands of a file, and VV - VH is derived from them; give its bounds/)
  })

  it("do not take what a file declares as no data for a measurement", async () => {
    const assets = [band(root, "holes.tif", "VV"), band(root, "vh.tif", "VH")]
    const made = await one(assets, [{ difference: ["VV", "VV"] }, { db: "VV" }, "VV"])
    expect(planes(made)).toEqual([[Number.NaN, 0, Number.NaN, 0], [Number.NaN, 20, Number.NaN, 10], [7, 100, 7, 10]])
    expect(made.nodata).toEqual([Number.NaN, Number.NaN, 7])
  })

  it("of a coarse file with holes have no value that is mixed with no data", async () => {
    const assets = [band(root, "fine.tif", "B04"), band(root, "half.tif", "B01")]
    const made = await one(assets, ["B04", "B01", { difference: ["B04", "B01"] }])
    expect(planes(made)).toEqual([[100, 100, 100, 100], [Number.NaN, Number.NaN, Number.NaN, 40], [Number.NaN, Number.NaN, Number.NaN, 60]])
    const sum = tally()
    count(sum, made.values.subarray(4, 8), made.nodata[1]!)
    expect([sum.mean, sum.n, sum.holes]).toEqual([40, 1, 3])
    expect(planes(await one(assets, ["B04", "B01"], { stretch: { range: [0, 100] } }))[1]).toEqual([0, 0, 0, 102])
  })

  it("say what is missing", async () => {
    await expect(one(radar(), [{ difference: ["VV", "HH"] }])).rejects.toThrow(/sample s: there is no band "HH"; the sample has VV, VH, image/)
    await expect(one(radar(), ["image", { db: "VV" }])).rejects.toThrow(/sample s: image, VV are 4 bands, and beside dB\(VV\) each name has to be one/)
  })

  it("have names", () => {
    const all: ReadonlyArray<Band> = ["B04", { db: "VV" }, { difference: ["VV", "VH"] }, { ratio: ["B08", "B04"] }]
    expect(all.map(nameOf)).toEqual(["B04", "dB(VV)", "VV - VH", "B08 / B04"])
    expect(planeNames(all, 4)).toEqual(all.map(nameOf))
    expect(planeNames(["image"], 3)).toEqual(["image[0]", "image[1]", "image[2]"])
    expect(planeNames(["image", "VV"], 4)).toBeUndefined()
  })

  it("are refused where an entry is none", async () => {
    const accepted = async (bands: unknown) => Exit.isSuccess(await Effect.runPromiseExit(Schema.decodeUnknownEffect(Bands, { onExcessProperty: "error" })(bands)))
    for (const bands of [["R"], [{ db: "VV" }, { ratio: ["a", "b"] }]]) expect(await accepted(bands)).toBe(true)
    for (const bands of [[], [""], [{ db: "" }], [{ ratio: ["a"] }], [{ difference: ["a", "b", "c"] }], [{ log: "VV" }], [{ db: "VV", ratio: ["a", "b"] }]]) expect(await accepted(bands)).toBe(false)
  })
})

const bigearthnet = new URL("../../../shared/data/bigearthnet-tiny/", import.meta.url).pathname
describe.skipIf(!existsSync(bigearthnet))("bands of BigEarthNet patches (needs shared/data)", () => {
  const s2 = "S2A_MSIL2A_20170617T113321_36_85", s1 = "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_36_85"
  const optical = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"] as const
  const s2Path = (name: string) => `s2-tiny/${s2}/${s2}_${name}.tif`, s1Path = (name: string) => `s1-tiny/${s1}/${s1}_${name}.tif`
  const assets = [...optical.map((name) => band(bigearthnet, s2Path(name), name)), ...["VV", "VH"].map((name) => band(bigearthnet, s1Path(name), name))]
  const raster = (path: string) => Effect.runPromise(decode(new Uint8Array(readFileSync(join(bigearthnet, path))), path))

  it("of 10, 20 and 60 m lie on one grid: the textbook's bilinear interpolation between the centres of pixels", async () => {
    const { bands, height, values, width } = await one(assets, optical, { of: bigearthnet })
    expect([bands, height, width]).toEqual([12, 120, 120])
    const sides = new Map<number, number>()
    for (const [b, name] of optical.entries()) {
      const { values: from, width: side } = await raster(s2Path(name))
      sides.set(side, (sides.get(side) ?? 0) + 1)
      // the centre of pixel i of 120 lies at (i + 1/2) side / 120 - 1/2 between the centres of the coarse ones; beyond the outermost they go on
      const place = (i: number) => Math.min(side - 1, Math.max(0, (i + 0.5) * side / 120 - 0.5))
      let worst = 0
      for (let y = 0; y < 120; y++) {
        const v = place(y), top = Math.floor(v), below = Math.min(side - 1, top + 1), down = v - top
        for (let x = 0; x < 120; x++) {
          const u = place(x), left = Math.floor(u), right = Math.min(side - 1, left + 1), across = u - left
          const upper = from[top * side + left]! * (1 - across) + from[top * side + right]! * across
          const lower = from[below * side + left]! * (1 - across) + from[below * side + right]! * across
          worst = Math.max(worst, Math.abs(values[b * 14_400 + y * 120 + x]! - (upper * (1 - down) + lower * down)))
        }
      }
      expect(worst, name).toBeLessThan(side === 120 ? 1e-9 : 1e-3)
    }
    expect(Object.fromEntries(sides)).toEqual({ 20: 2, 60: 6, 120: 4 })
  })

  it("of Sentinel-1 and 2 show the same ground, to the metre", async () => {
    const geo = async (path: string) => (await raster(path)).geo!
    const corner = ({ epsg, origin }: Awaited<ReturnType<typeof geo>>) => [epsg, ...origin]
    const first = await geo(s2Path("B02"))
    expect(corner(first)).toEqual([32629, 643_200, 5_798_040])
    for (const path of [s2Path("B11"), s2Path("B01"), s1Path("VV"), s1Path("VH")]) {
      const { height, width, ...other } = await raster(path)
      expect(corner(other.geo!)).toEqual(corner(first))
      expect([width * other.geo!.resolution[0], height * other.geo!.resolution[1]]).toEqual([1200, -1200])
    }
    // one window of both, in pixels of the first asset
    const window = [24, 60, 48, 36] as const
    const cut = await one(assets.toSpliced(0, 1).concat(assets[0]!), ["B02", "B01", "VV"], { of: bigearthnet, window })
    const whole = await one(assets, ["B02", "B01", "VV"], { of: bigearthnet })
    const inner = planes(whole).map((plane) => Array.from({ length: 36 * 48 }, (_, i) => plane[(60 + Math.floor(i / 48)) * 120 + 24 + i % 48]!))
    expect(planes(cut)).toEqual(inner)
    // counted in the 60 m pixels of B01, where that is the first asset
    const coarse = await one(assets, ["B02", "B01", "VV"], { of: bigearthnet, window: [4, 10, 8, 6] })
    expect(coarse).toEqual(cut)
  })

  it("of Sentinel-1 are in dB, and the ratio of their powers is a difference", async () => {
    const made = await one(assets, ["VV", "VH", { difference: ["VV", "VH"] }], { of: bigearthnet })
    const [vv, vh, ratio] = planes(made)
    expect([Math.min(...vv!), Math.max(...vv!)]).toEqual([-26.521211624145508, 4.097808837890625])
    for (const i of [0, 77, 7_000, 14_399]) {
      expect(ratio![i]).toBe(Math.fround(vv![i]! - vh![i]!))
      expect(10 ** (ratio![i]! / 10)).toBeCloseTo(10 ** (vv![i]! / 10) / 10 ** (vh![i]! / 10), 3)
    }
    // over land more comes back in the polarisation that was sent
    expect(ratio!.filter((value) => value > 0).length / 14_400).toBeGreaterThan(0.9)
  })
})
