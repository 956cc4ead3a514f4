import { existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import sharp from "sharp"
import { beforeAll, describe, expect, it } from "vitest"
import statistics from "../../../stages/embed/statistics.ts"
import { band, embed, picture } from "./services.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-statistics-"))

describe("embed/statistics", () => {
  beforeAll(async () => {
    const checkered = Buffer.from(Array.from({ length: 4 * 4 }, (_, i) => (i + Math.floor(i / 4)) % 2 === 0 ? [10, 0, 200] : [30, 0, 100]).flat())
    writeFileSync(join(root, "a.png"), await sharp(checkered, { raw: { width: 4, height: 4, channels: 3 } }).png().toBuffer())
    writeFileSync(join(root, "grey.png"), await sharp(Buffer.from([0, 50, 100, 150]), { raw: { width: 2, height: 2, channels: 1 } }).toColourspace("b-w").png().toBuffer())
  })

  it("gives the means of the bands, then their deviations", async () => {
    const { values, width } = await embed(statistics, { root, rows: [{ id: "a", assets: [picture(root, "a.png")] }] })
    expect(width).toBe(6)
    expect(Array.from(values)).toEqual([20, 0, 150, 10, 0, 50])
  })

  it("takes bands by name, in the order asked for", async () => {
    const { values } = await embed(statistics, { root, rows: [{ id: "a", assets: [picture(root, "a.png")] }], with: { bands: ["B", "R"] } })
    expect(Array.from(values)).toEqual([150, 20, 50, 10])
  })

  it("looks at the window only", async () => {
    const { values } = await embed(statistics, { root, rows: [{ id: "a", assets: [picture(root, "a.png")], window: [1, 0, 1, 1] }] })
    expect(Array.from(values)).toEqual([30, 0, 100, 0, 0, 0])
  })

  it("takes a grey picture as red, green and blue, beside coloured ones", async () => {
    const rows = [{ id: "a", assets: [picture(root, "a.png")] }, { id: "g", assets: [picture(root, "grey.png")] }]
    const { values } = await embed(statistics, { root, rows })
    const deviation = Math.fround(Math.sqrt(3125))
    expect(Array.from(values.subarray(6))).toEqual([75, 75, 75, deviation, deviation, deviation])
  })

  it("names the sample whose number of bands differs", async () => {
    const rows = [{ id: "a", assets: [picture(root, "a.png")] }, { id: "g", assets: [picture(root, "grey.png")] }]
    await expect(embed(statistics, { root, rows, with: { bands: ["image"] } })).rejects.toThrow(/sample g has 1 bands where others have 3/)
  })
})

const radar = new URL("../../../../shared/data/bigearthnet-tiny/s1-tiny/", import.meta.url).pathname
describe.skipIf(!existsSync(radar))("embed/statistics on a Sentinel-1 patch (needs shared/data)", () => {
  it("takes the ratio of the polarisations beside them", async () => {
    const name = "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_4_55"
    const rows = [{ id: "patch", assets: ["VV", "VH"].map((id) => band(radar, `${name}/${name}_${id}.tif`, id)) }]
    const { values } = await embed(statistics, { root: radar, rows, with: { bands: ["VV", "VH", { difference: ["VV", "VH"] }] } })
    expect(values[2]).toBeCloseTo(values[0]! - values[1]!, 4)
    expect(values[0]).toBeLessThan(0)
  })
})

const bigearthnet = new URL("../../../../shared/data/bigearthnet-tiny/s2-tiny/", import.meta.url).pathname
describe.skipIf(!existsSync(bigearthnet))("embed/statistics on a BigEarthNet patch (needs shared/data)", () => {
  it("does not mind that bands are of 10, 20 and 60 m", async () => {
    const name = "S2A_MSIL2A_20170617T113321_4_55"
    const file = (id: string) => band(bigearthnet, `${name}/${name}_${id}.tif`, id)
    const rows = [{ id: "patch", assets: ["B02", "B11", "B01"].map(file) }]
    const together = await embed(statistics, { root: bigearthnet, rows, with: { bands: ["B02", "B11", "B01"] } })
    for (const [i, id] of ["B02", "B11", "B01"].entries()) {
      const alone = await embed(statistics, { root: bigearthnet, rows, with: { bands: [id] } })
      // interpolation keeps the mean but for the edges, and smooths the deviation
      expect(together.values[i]! / alone.values[0]!).toBeCloseTo(1, 2)
      expect(together.values[3 + i]! / alone.values[1]!).toBeGreaterThan(0.8)
      expect(together.values[3 + i]! / alone.values[1]!).toBeLessThanOrEqual(1.001)
    }
  })
})
