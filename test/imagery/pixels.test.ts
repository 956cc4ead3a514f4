import { existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { type Asset, Samples, type Vectors } from "outcrop"
import { beforeAll, describe, expect, it } from "vitest"
import { type Located, type Pixels, pixelsOf, type Request, rowsByFile } from "../../imagery/pixels.ts"
import * as Tables from "../../schemas/table.ts"
import { band, picture, type SampleRow, samplesOf, services } from "../stages/embed/services.ts"
import { tiff } from "./tiff-fixture.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-pixels-"))

const located = (rows: ReadonlyArray<SampleRow>): Located => {
  const { assets, rows: count, sample_id, window } = Tables.view(samplesOf(rows), Object.keys(Samples.columns)) as unknown as {
    rows: number
    sample_id: ReadonlyArray<string>
    assets: ReadonlyArray<ReadonlyArray<Asset>>
    window: Vectors
  }
  return { assets, rows: count, sample_id, window }
}

/** Pixels of each row; rejects with the message of the error. */
const read = async (rows: ReadonlyArray<SampleRow>, request: Partial<Request>, reads = { count: 0 }): Promise<ReadonlyArray<Pixels>> => {
  const all = Stream.runCollect(pixelsOf(located(rows), { bands: ["R", "G", "B"], stretch: "none", ...request }))
  const result = await Effect.runPromise(Effect.result(Effect.provide(all, services(root, [], reads))))
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  return result.success.toSorted((a, b) => a.row - b.row).map(({ pixels }) => pixels)
}
const one = async (assets: ReadonlyArray<Asset>, request: Partial<Request>, window?: SampleRow["window"]) =>
  (await read([{ id: "s", assets, ...(window === undefined ? {} : { window }) }], request))[0]!

beforeAll(() => {
  const write = (name: string, bytes: Uint8Array) => writeFileSync(join(root, name), bytes)
  const ramp = (length: number, start: number) => Array.from({ length }, (_, i) => start + i)
  write("fine.tif", tiff({ width: 4, height: 4, bands: 1, values: ramp(16, 1000) }))
  write("other.tif", tiff({ width: 4, height: 4, bands: 1, values: ramp(16, 2000) }))
  write("coarse.tif", tiff({ width: 2, height: 2, bands: 1, values: [10, 20, 30, 40] }))
  write("stack.tif", tiff({ width: 2, height: 1, bands: 3, values: [1, 2, 3, 4, 5, 6] }))
  write("short.tif", tiff({ width: 2, height: 400, bands: 1, values: ramp(800, 0) }).subarray(0, 600))
  write("colour.tif", tiff({ width: 2, height: 1, bands: 3, values: [1, 2, 3, 4, 5, 6], photometric: 2 }))
})

describe("pixels", () => {
  const s2 = () => [band(root, "fine.tif", "B02"), band(root, "other.tif", "B03"), band(root, "coarse.tif", "B11")]

  it("takes bands by name, from files of their own, in the order asked for", async () => {
    const { bands, bytes, height, values, width } = await one(s2(), { bands: ["B03", "B02"] }, [1, 2, 2, 1])
    expect({ bands, bytes, height, width }).toEqual({ bands: 2, bytes: false, height: 1, width: 2 })
    expect(Array.from(values)).toEqual([2009, 2010, 1009, 1010])
  })

  it("takes bands of one file by their number", async () => {
    const assets = [band(root, "stack.tif", "B04", 2), band(root, "stack.tif", "B02", 0)]
    expect(Array.from((await one(assets, { bands: ["B02", "B04"] })).values)).toEqual([1, 4, 3, 6])
    await expect(one([band(root, "stack.tif", "B08", 3)], { bands: ["B08"] })).rejects.toThrow(/sample s: band B08 is number 3 \(from 0\) of stack.tif, which has 3/)
  })

  it("says of a file that does not decode how its reader leaves it out", async () => {
    await expect(one([band(root, "short.tif", "B02")], { bands: ["B02"] })).rejects.toThrow(/^short\.tif does not decode: .*; where the ingest stage has `onError`, `onError: skip` leaves such images out$/)
  })

  it("names the band that is meant where it is written another way, and no other", async () => {
    await expect(one(s2(), { bands: ["B2"] })).rejects.toThrow('there is no band "B2" (did you mean "B02"?); the sample has B02')
    await expect(one(s2(), { bands: ["B05"] })).rejects.toThrow('there is no band "B05"; the sample has B02')
  })

  it("takes all bands of a picture as [image], and R, G, B where the file says so", async () => {
    expect(Array.from((await one([picture(root, "stack.tif")], { bands: ["image"] })).values)).toEqual([1, 4, 2, 5, 3, 6])
    expect(Array.from((await one([picture(root, "colour.tif")], { bands: ["B", "R"] })).values)).toEqual([3, 6, 1, 4])
    await expect(one([picture(root, "stack.tif")], {})).rejects.toThrow(
      /^sample s: there is no band "R"; the sample has image, a file of 3 bands without names: name them in `bands` of the ingest stage that reads it, in the order of the file$/
    )
  })

  it("brings bands to the grid of the finest, whichever the window counts in", async () => {
    const all = await one(s2(), { bands: ["B11", "B02"] })
    expect([all.bands, all.height, all.width]).toEqual([2, 4, 4])
    // corners keep their value, the middle is interpolated
    expect([all.values[0], all.values[3], all.values[12], all.values[15]]).toEqual([10, 20, 30, 40])
    expect(all.values[5]).toBe(17.5)
    const fine = await one(s2(), { bands: ["B11", "B02"] }, [2, 0, 2, 2])
    const coarse = await one(s2().toReversed(), { bands: ["B11", "B02"] }, [1, 0, 1, 1])
    expect(coarse).toEqual(fine)
    expect(Array.from(fine.values.subarray(4))).toEqual([1002, 1003, 1006, 1007])
    expect(Array.from((await one(s2(), { bands: ["B11"] }, [2, 0, 2, 2])).values)).toEqual([20])
  })

  it("stretches by the whole scene, not by the window", async () => {
    const window = await one(s2(), { bands: ["B02"], stretch: { sigma: 2, over: "band" } }, [0, 0, 2, 1])
    const whole = await one(s2(), { bands: ["B02"], stretch: { sigma: 2, over: "band" } })
    expect(window.bytes).toBe(true)
    expect(Array.from(window.values)).toEqual(Array.from(whole.values.subarray(0, 2)))
    const together = await one(s2(), { bands: ["B02", "B03"], stretch: { sigma: 2, over: "scene" } })
    // 1000..1015 and 2000..2015 have the mean 1507.5 in common, which becomes 127.5
    expect((together.values[0]! + together.values[31]!) / 2).toBeCloseTo(127.5, 4)
    expect(together.values[0]).toBeLessThan(127.5)
  })

  it("refuses a window beyond the image", async () => {
    for (const window of [[3, 0, 2, 2], [-1, 0, 2, 2], [0, 0, 0, 2]] as const) {
      await expect(one(s2(), { bands: ["B02"] }, window)).rejects.toThrow(/sample s: the window .* does not lie inside fine.tif, which is 4 x 4 px/)
    }
  })

  it("wants exactly the bytes that were ingested", async () => {
    await expect(one([{ ...picture(root, "colour.tif"), digest: "1".repeat(64) }], {})).rejects.toThrow(/colour.tif changed since it was ingested/)
  })

  it("decodes a file once, however its windows are scattered among others", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({ id: `s${String(i).padStart(2, "0")}`, assets: [band(root, ["fine.tif", "other.tif"][i % 2]!, "B02")], window: [i % 3, 0, 1, 1] as const }))
    const reads = { count: 0 }
    const found = await read(rows, { bands: ["B02"] }, reads)
    expect(found.map(({ values }) => values[0])).toEqual(rows.map((_, i) => (i % 2 === 0 ? 1000 : 2000) + i % 3))
    expect(reads.count).toBe(2)
    expect(Array.from(rowsByFile(located(rows)).slice(0, 3))).toEqual([0, 2, 4])
  })
})

const data = new URL("../../../shared/data/", import.meta.url).pathname
describe.skipIf(!existsSync(data))("pixels of an airborne picture (needs shared/data)", () => {
  it("are the same for a window of the PNG and of the TIFF", async () => {
    const of = async (name: string) => {
      const rows: ReadonlyArray<SampleRow> = [{ id: "s", assets: [picture(data, `neon-boxes/${name}`)], window: [203, 67, 41, 52] }]
      return await Effect.runPromise(Effect.provide(Stream.runCollect(pixelsOf(located(rows), { bands: ["R", "G", "B"], stretch: "none" })), services(data)))
    }
    const [tif] = await of("OSBS_029.tif"), [png] = await of("OSBS_029.png")
    expect(tif!.pixels.nodata, "which a PNG cannot declare").toEqual([255, 255, 255])
    expect(tif!.pixels.values).toEqual(png!.pixels.values)
  })
})
