import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { sentinel2 } from "../../../imagery/sentinel.ts"
import bigearthnet from "../../../stages/ingest/bigearthnet-v1.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { folderOf, ingest } from "./services.ts"

const origin = [600_000, 5_800_020] as const
const band = (pixel = 10, at: readonly [number, number] = origin, bands = 1) => {
  const side = 120 / pixel
  return tiff({ width: side, height: side, bands, values: Array.from({ length: side * side * bands }, (_, i) => i % 4000), epsg: 32633, pixel: [pixel, pixel], origin: at })
}
const projection = "PROJCS[\"WGS 84 / UTM zone 33N\",AXIS[\"Northing\",NORTH],AUTHORITY[\"EPSG\",\"32633\"]]"
const metadata = (more: object = {}) => ({ labels: ["Pastures", "Airports"], coordinates: { ulx: 600_000, uly: 5_800_020, lrx: 600_120, lry: 5_799_900 }, projection, acquisition_date: "2017-06-17 11:33:21", ...more })

const s2 = "S2A_MSIL2A_20170617T113321_4_55", s1 = "S1A_IW_GRDH_1SDV_20170617T064724_33UUP_4_55"
const patch2 = (more: object = {}, name = s2): Record<string, string | Uint8Array> => ({
  ...Object.fromEntries(sentinel2.map((b) => [`s2/${name}/${name}_${b}.tif`, band(["B01", "B09"].includes(b) ? 60 : 10)])),
  [`s2/${name}/${name}_labels_metadata.json`]: JSON.stringify(metadata(more))
})
const patch1 = (more: object = {}, name = s1): Record<string, string | Uint8Array> => ({
  [`s1/${name}/${name}_VV.tif`]: band(),
  [`s1/${name}/${name}_VH.tif`]: band(),
  [`s1/${name}/${name}_labels_metadata.json`]: JSON.stringify(metadata({ acquisition_date: undefined, coordinates: { ulx: 600_000, uly: 5_800_020, lrx: 600_120, lly: 5_799_900 }, acquisition_time: "2017-06-17T06:47:24", corresponding_s2_patch: s2, ...more }))
})

describe("ingest/bigearthnet-v1", () => {
  it("reads the bands asked for, in their order, and the classes of either nomenclature", async () => {
    const root = folderOf({ ...patch2(), ...patch1() })
    const { notices, table } = await ingest(bigearthnet, root, { s2: "s2", s1: "./s1/", bands: ["B04", "VH", "B01"] })
    expect(table.assets[0]!.map(({ band, gsd, path }) => [band, path, gsd])).toEqual([["B04", `s2/${s2}/${s2}_B04.tif`, 10], ["VH", `s1/${s1}/${s1}_VH.tif`, 10], ["B01", `s2/${s2}/${s2}_B01.tif`, 60]])
    expect(table.labels).toEqual([["Pastures"]])
    expect(notices).toEqual([])
    expect((await ingest(bigearthnet, root, { s2: "s2", classes: 43 })).table.labels).toEqual([["Pastures", "Airports"]])
  })

  it("keeps a patch that the 19 classes leave without any, and counts it", async () => {
    const { notices, table } = await ingest(bigearthnet, folderOf(patch2({ labels: ["Airports"] })), { s2: "s2" })
    expect(table.labels).toEqual([[]])
    expect(notices).toEqual(["patches without a class among the 19: 1 of 1"])
  })

  it.each([
    ["a label that is no class", patch2({ labels: ["Pasture"] }), {}, `s2/${s2}/${s2}_labels_metadata.json: "Pasture" is none of the 43 classes of BigEarthNet (did you mean "Pastures"?)`],
    ["broken JSON", { ...patch2(), [`s2/${s2}/${s2}_labels_metadata.json`]: "{\"labels\": [" }, {}, `s2/${s2}/${s2}_labels_metadata.json is not JSON`],
    ["JSON without corners", patch2({ coordinates: undefined }), {}, `s2/${s2}/${s2}_labels_metadata.json is no metadata of BigEarthNet`],
    ["a corner that is missing", patch2({ coordinates: { ulx: 0, uly: 9, lrx: 9 } }), {}, "coordinates has neither lry nor lly"],
    ["corners that are swapped", patch2({ coordinates: { ulx: 600_120, uly: 5_800_020, lrx: 600_000, lry: 5_799_900 } }), {}, "enclose nothing; are some of them swapped?"],
    ["easting and northing swapped", patch2({ coordinates: { ulx: 5_800_020, uly: 600_000, lrx: 5_800_140, lry: 599_880 } }), {}, /labels_metadata.json places the patch \d+ m from where/],
    ["a date that is none", patch2({ acquisition_date: "17 June" }), {}, "\"17 June\" is no date as 2017-06-17 11:33:21"],
    ["a truncated TIFF", { ...patch2(), [`s2/${s2}/${s2}_B03.tif`]: band().subarray(0, 99) }, {}, `s2/${s2}/${s2}_B03.tif is not an image that can be read`],
    ["a file of two bands", { ...patch2(), [`s2/${s2}/${s2}_B03.tif`]: band(10, origin, 2) }, {}, `s2/${s2}/${s2}_B03.tif has 2 bands, but 1 names are given: B03`],
    ["no folder named", patch2(), { s2: undefined }, "name the folder of the Sentinel-2 patches in `s2`"],
    ["a band of a satellite that is not read", patch2(), { bands: ["B02", "VV"] }, "the band VV is one of Sentinel-1, whose folder is not named: give `s1`"],
    ["a band twice", patch2(), { bands: ["B02", "B02"] }, "the band B02 is asked for twice"]
  ])("refuses %s", async (_, files, parameters, message) => {
    await expect(ingest(bigearthnet, folderOf(files), JSON.parse(JSON.stringify({ s2: "s2", ...parameters })))).rejects.toThrow(message)
  })

  it("says which patch lacks a band, and goes on without it where asked", async () => {
    const whole = patch2({}, "S2A_MSIL2A_20170617T113321_4_56"), { [`s2/${s2}/${s2}_B05.tif`]: _, ...part } = patch2()
    const root = folderOf({ ...whole, ...part })
    await expect(ingest(bigearthnet, root, { s2: "s2" })).rejects.toThrow(`s2/${s2} lacks the band B05: there is no ${s2}_B05.tif`)
    const { notices, table } = await ingest(bigearthnet, root, { s2: "s2", onError: "skip" })
    expect(table.sample_id).toEqual(["S2A_MSIL2A_20170617T113321_4_56"])
    expect(notices).toEqual([`images left out because they cannot be read: 1 of 2 (s2/${s2} lacks the band B05: there is no ${s2}_B05.tif)`])
    expect((await ingest(bigearthnet, root, { s2: "s2", bands: ["B02"] })).table.sample_id).toHaveLength(2)
  })

  it("counts folders without metadata, and patches of one satellite only", async () => {
    const root = folderOf({ ...patch2(), ...patch1(), "s2/extra/a.tif": band(), ...patch1({ corresponding_s2_patch: "S2A_MSIL2A_20170617T113321_9_9" }, "S1A_IW_GRDH_1SDV_20170617T064724_33UUP_9_9") })
    await expect(ingest(bigearthnet, root, { s2: "s2" })).rejects.toThrow("folders in s2 without their labels_metadata.json: 1 of 2 (extra); `missing: skip` goes on without them")
    const { notices, table } = await ingest(bigearthnet, root, { s2: "s2", s1: "s1", missing: "skip" })
    expect(table.sample_id).toEqual([s2])
    expect(notices).toEqual(["folders in s2 without their labels_metadata.json: 1 of 2 (extra)", "Sentinel-1 patches without their Sentinel-2 patch: 1 of 2 (S1A_IW_GRDH_1SDV_20170617T064724_33UUP_9_9)"])
  })

  it("refuses two Sentinel-1 patches of one Sentinel-2 patch, and one that lies elsewhere", async () => {
    const twice = folderOf({ ...patch2(), ...patch1(), ...patch1({}, `${s1}0`) })
    await expect(ingest(bigearthnet, twice, { s2: "s2", s1: "s1" })).rejects.toThrow(`both ${s1} and ${s1}0 say that they correspond to ${s2}`)
    const away = folderOf({ ...patch2(), ...patch1(), [`s1/${s1}/${s1}_VV.tif`]: band(10, [600_000, 5_900_020]) })
    await expect(ingest(bigearthnet, away, { s2: "s2", s1: "s1" })).rejects.toThrow(/are no bands of one image: their corners lie \d{5,6} m apart/)
  })
})

const shared = fileURLToPath(new URL("../../../../shared/data/bigearthnet-tiny", import.meta.url))

describe.skipIf(!existsSync(shared))("ingest/bigearthnet-v1 on real patches (skipped where shared/data is absent)", () => {
  it("reads three Sentinel-2 patches of 12 bands", async () => {
    const { notices, table } = await ingest(bigearthnet, shared, { s2: "s2-tiny" })
    expect(table.sample_id).toEqual(["S2A_MSIL2A_20170617T113321_36_85", "S2A_MSIL2A_20170617T113321_4_55", "S2A_MSIL2A_20171221T112501_56_35"])
    expect(table.labels).toEqual([
      ["Arable land", "Pastures"],
      ["Pastures"],
      ["Complex cultivation patterns", "Land principally occupied by agriculture, with significant areas of natural vegetation", "Broad-leaved forest", "Transitional woodland, shrub"]
    ])
    expect(table.assets.map((assets) => assets.map(({ band }) => band))).toEqual([[...sentinel2], [...sentinel2], [...sentinel2]])
    expect(table.assets[0]!.map(({ gsd }) => gsd)).toEqual([60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 20, 20])
    expect([...table.time]).toEqual([Date.UTC(2017, 5, 17, 11, 33, 21), Date.UTC(2017, 5, 17, 11, 33, 21), Date.UTC(2017, 11, 21, 11, 25, 1)])
    expect(table.location).toEqual(["29UPU_36_85", "29UPU_4_55", "29SND_56_35"])
    // two in Ireland, one in Portugal
    const centres = [[52.318, -6.892], [52.64, -7.442], [39.367, -8.214]] as const
    for (const [i, [lat, lon]] of centres.entries()) {
      expect(Math.abs(table.lat[i]! - lat)).toBeLessThan(0.01)
      expect(Math.abs(table.lon[i]! - lon)).toBeLessThan(0.01)
    }
    expect(notices).toEqual([])
  })

  it("joins both satellites in one sample, on the same ground", async () => {
    const { notices, table } = await ingest(bigearthnet, shared, { s2: "s2-tiny", s1: "s1-tiny", missing: "skip" })
    expect(notices).toEqual(["Sentinel-1 patches without their Sentinel-2 patch: 3 of 6 (S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39, S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_40, S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_41)"])
    expect(table.assets.map((assets) => assets.map(({ band }) => band))).toEqual(Array.from({ length: 3 }, () => [...sentinel2, "VV", "VH"]))
    const alone = await ingest(bigearthnet, shared, { s1: "s1-tiny" })
    expect(alone.table.sample_id).toHaveLength(6)
    expect(alone.table.assets[0]!.map(({ band }) => band)).toEqual(["VV", "VH"])
    expect([...alone.table.time].slice(3, 5)).toEqual([Date.UTC(2017, 5, 17, 6, 47, 24), Date.UTC(2017, 5, 17, 6, 47, 24)])
    for (const [i, place] of table.location.entries()) {
      const j = alone.table.location.indexOf(place)
      expect(alone.table.lat[j]).toBe(table.lat[i])
      expect(alone.table.lon[j]).toBe(table.lon[i])
      expect(alone.table.labels[j]).toEqual(table.labels[i])
    }
    await expect(ingest(bigearthnet, shared, { s2: "s2-tiny", s1: "s1-tiny" })).rejects.toThrow("`missing: skip` goes on without them")
  })

  it("stops at a patch whose TIFF is cut off", async () => {
    const name = "S2A_MSIL2A_20170617T113321_4_55", folder = `${shared}/s2-tiny/${name}`
    const files = Object.fromEntries(readdirSync(folder).map((file) => [`s2/${name}/${file}`, new Uint8Array(readFileSync(`${folder}/${file}`))]))
    const cut = { ...files, [`s2/${name}/${name}_B08.tif`]: files[`s2/${name}/${name}_B08.tif`]!.subarray(0, 3000) }
    // the header is whole, so that only decoding shows it
    const { notices } = await ingest(bigearthnet, folderOf({ ...cut, ...patch2({}, "S2A_MSIL2A_20170617T113321_4_56") }), { s2: "s2", onError: "skip" })
    expect(notices).toEqual([expect.stringMatching(new RegExp(`^images left out because they cannot be read: 1 of 2 \\(s2/${name}/${name}_B08.tif does not decode: `))])
  })
})
