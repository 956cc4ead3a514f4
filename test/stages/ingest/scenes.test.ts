import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import scenes from "../../../stages/ingest/scenes.ts"
import { ingest as ingestReal } from "../../engine/data-files.ts"
import { bigTiff } from "../../imagery/bigtiff-fixture.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { folderOf, ingest } from "./services.ts"

/** Zone 33 N, where easting 500 km is 15 degrees east. */
const utm = { epsg: 32633, origin: [500_000, 5_000_000], pixel: [10, 10] } as const
const flat = { bands: 1, value: () => 7 } as const
const scene = (width: number, height: number, more = {}) => bigTiff({ ...flat, ...utm, width, height, tile: 16, ...more })

describe("ingest/scenes", () => {
  it("cuts a scene into windows that lie inside it, with the degrees of their centres, its date and itself as location", async () => {
    const { notices, table } = await ingest(scenes, folderOf({ "S2_20200613T101031.tif": scene(50, 40) }), { size: 20 })
    expect(table.sample_id).toEqual(["00000-00000", "00000-00020", "00020-00000", "00020-00020"].map((at) => `S2_20200613T101031/${at}`))
    expect([...table.window.values].slice(4, 8)).toEqual([20, 0, 20, 20])
    expect(new Set(table.location)).toEqual(new Set(["S2_20200613T101031"]))
    expect(table.time[0]).toBe(Date.UTC(2020, 5, 13, 10, 10, 31))
    // the second window's centre: 300 m east, 100 m south of the corner; 45.15 N is 5000 km from the equator along the meridian (0.9996)
    expect(table.lon[1]).toBeCloseTo(15 + 300 / (111_320 * Math.cos(45.15 * Math.PI / 180)), 5)
    expect(table.lat[1]).toBeCloseTo(45.1524, 3)
    expect(table.lat[0]! - table.lat[2]!).toBeCloseTo(200 / 111_140, 5)
    expect(table.assets[0]).toMatchObject([{ band: "image", path: "S2_20200613T101031.tif", index: -1, gsd: 10 }])
    expect(notices).toEqual([])
  })

  it("takes windows at a stride, names for bands, lists of files, and a pattern for the date", async () => {
    const root = folderOf({ "a/13.06.2020.tif": scene(40, 20, { bands: 2 }), "b/x.tif": scene(40, 20) })
    const { table } = await ingest(scenes, root, { images: ["a/13.06.2020.tif"], size: 20, stride: 10, bands: ["VV", "VH"], date: "%d.%m.%Y" })
    expect(table.sample_id).toEqual(["00000-00000", "00000-00010", "00000-00020"].map((at) => `a/13.06.2020/${at}`))
    expect(table.assets[0]!.map(({ band, index }) => [band, index])).toEqual([["VV", 0], ["VH", 1]])
    expect(table.time[0]).toBe(Date.UTC(2020, 5, 13))
    await expect(ingest(scenes, root, { size: 20, bands: ["VV", "VH"] })).rejects.toThrow("b/x.tif has 1 bands, but 2 names are given: VV, VH")
  })

  it("brings files of one band each to a scene, bands of 60 m too; windows count px of the first", async () => {
    const root = folderOf({ "T1_B04_10m.tif": scene(60, 60), "T1_B01_10m.tif": scene(10, 10, { pixel: [60, 60] }), "T2_B04_10m.tif": scene(60, 60), "T2_B01_10m.tif": scene(10, 10, { pixel: [60, 60] }) })
    const { table } = await ingest(scenes, root, { size: 30, bands: ["B04", "B01"] })
    expect([...new Set(table.location)]).toEqual(["T1_10m", "T2_10m"])
    expect(table.sample_id).toHaveLength(8)
    expect(table.assets[4]!.map(({ band, gsd, path }) => [band, gsd, path])).toEqual([["B04", 10, "T2_B04_10m.tif"], ["B01", 60, "T2_B01_10m.tif"]])
    await expect(ingest(scenes, root, { size: 30, bands: ["B04", "B01", "B08"] })).rejects.toThrow(/the scene of T1_B0\d_10m\.tif has no file for B08; there are B0/)
    await expect(ingest(scenes, folderOf({ "T1_B04.tif": scene(60, 60), "T1_B04_.tif": scene(60, 60) }), { size: 30, bands: ["B04"] })).rejects.toThrow("would both be band B04 of one scene")
  })

  it("leaves out windows with more nodata than allowed, in any band, with a count", async () => {
    // a hole of 10 x 10 px in the first window of the second file
    const root = folderOf({
      "S_B1.tif": scene(40, 20, { nodata: "0" }),
      "S_B2.tif": scene(40, 20, { nodata: "0", value: (_: number, x: number, y: number) => x < 10 && y < 10 ? 0 : 5 })
    })
    const at = async (nodata?: number) => ingest(scenes, root, { size: 20, bands: ["B1", "B2"], ...(nodata === undefined ? {} : { nodata }) })
    const { notices, table } = await at()
    expect(table.sample_id).toEqual(["S/00000-00020"])
    expect(notices).toEqual(["windows left out because more than 0 of them is nodata: 1 of 2"])
    expect((await at(0.25)).table.sample_id).toHaveLength(2)
    expect((await at(0.24)).table.sample_id).toHaveLength(1)
    await expect(ingest(scenes, folderOf({ "a.tif": scene(40, 20, { nodata: "7" }) }), { size: 20 })).rejects.toThrow(/no sample is left/)
  })

  it("says which scenes are too small or lie nowhere", async () => {
    const { notices, table } = await ingest(scenes, folderOf({ "a.tif": tiff({ width: 20, height: 20, bands: 1, values: Array.from({ length: 400 }, () => 1) }), "b.tif": scene(10, 30) }), { size: 20 })
    expect(table.sample_id).toEqual(["a/00000-00000"])
    expect(table.lat[0]).toBeNaN()
    expect(notices).toEqual(["scenes smaller than a window of 20 px, which give none: 1 of 2 (b)", "scenes of which the place on the earth is not known: 1 of 2 (a)"])
  })

  it.each<[string, Readonly<Record<string, Uint8Array | string>>, unknown, RegExp]>([
    ["a folder without scenes", { "a.png": "x" }, {}, /there are no TIFFs in \./],
    ["a file that was cut off", { "a.tif": scene(40, 40, { nodata: "3" }).subarray(0, 1500) }, {}, /a\.tif does not decode: .*cut off, or is damaged/],
    ["a header that was cut off", { "a.tif": scene(40, 40).subarray(0, 60) }, {}, /a\.tif is not an image that can be read/],
    ["what is no TIFF", { "a.tif": "II*" }, {}, /a\.tif is not an image that can be read/],
    ["coordinates that are out of range", { "a.tif": scene(40, 40, { epsg: 4326, origin: [0, 120], pixel: [0.1, 0.1] }) }, {}, /the centre of a\.tif lies at latitude 118/],
    ["bands of different places", { "a_B1.tif": scene(40, 40), "a_B2.tif": scene(40, 40, { origin: [600_000, 5_000_000] }) }, { bands: ["B1", "B2"] }, /a_B1\.tif and a_B2\.tif are no bands of one image/]
  ])("refuses %s", async (_, files, parameters, message) => {
    await expect(ingest(scenes, folderOf(files), { size: 20, ...parameters as object })).rejects.toThrow(message)
  })

  it("refuses paths that leave the data root", async () => {
    await expect(ingestReal(scenes, folderOf({}), { size: 20, images: ["../a.tif"] })).rejects.toThrow(/\.\.\/a\.tif lies outside of the data root/)
  })
})

const shared = fileURLToPath(new URL("../../../../shared/data", import.meta.url))
describe.skipIf(!existsSync(`${shared}/sen2ships`))("ingest/scenes on sen2ships (skipped where shared/data is absent)", () => {
  it("reads eight ports of one file a band, at their places", async () => {
    const { table } = await ingestReal(scenes, shared, { images: "sen2ships", bands: ["B04", "B03", "B02"], size: 256 })
    const ports = [...new Set(table.location)]
    expect(ports).toHaveLength(8)
    const honolulu = table.location.findIndex((name) => name?.startsWith("sen2ships/honolulu"))
    expect(table.lat[honolulu]).toBeCloseTo(21.3, 0)
    expect(table.lon[honolulu]).toBeCloseTo(-157.9, 0)
    expect(table.assets.every((assets) => assets.map(({ band }) => band).join() === "B04,B03,B02")).toBe(true)
    expect(table.time[honolulu]).toBe(Date.UTC(2023, 0, 8))
  })
})
