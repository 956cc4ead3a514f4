import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import series from "../../../stages/ingest/time-series.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { folderOf, ingest } from "./services.ts"

const band = (bands = 1, origin: readonly [number, number] = [-91.85, 18.59]) =>
  tiff({ width: 6, height: 6, bands, values: Array.from({ length: 36 * bands }, (_, i) => i), epsg: 4326, pixel: [0.0001, 0.0001], origin })
const date = (place: string, name: string, bands: ReadonlyArray<string> = ["B2", "B8A"]) => Object.fromEntries(bands.map((b) => [`${place}/${name}/${b}.tif`, band()]))
const spring = "20200323T162931_20200323T163750_T15QXA", summer = "20200621T162901_20200621T164746_T15QXA"
const two = { ...date("s2/0000002", summer), ...date("s2/0000002", spring) }

describe("ingest/time-series", () => {
  it("makes a sample of each date of a place, with its bands under one name, and its position", async () => {
    const { notices, table } = await ingest(series, folderOf({ ...two, "s2/0000002/preview.tif": band(), "s2/readme.txt": "" }), { images: "./s2/" })
    expect(table.sample_id).toEqual([`0000002/${spring}`, `0000002/${summer}`])
    expect(table.location).toEqual(["0000002", "0000002"])
    expect([...table.time]).toEqual([Date.UTC(2020, 2, 23, 16, 29, 31), Date.UTC(2020, 5, 21, 16, 29, 1)])
    expect(table.assets[0]!.map(({ band, path }) => [band, path])).toEqual([["B02", `s2/0000002/${spring}/B2.tif`], ["B8A", `s2/0000002/${spring}/B8A.tif`]])
    expect(table.lat[0]).toBeCloseTo(18.5897, 9)
    expect(table.lon[0]).toBeCloseTo(-91.8497, 9)
    expect(table.labels).toEqual([[], []])
    expect(notices).toEqual(["files in ./s2/ beside the folders of dates, left out: 2"])
  })

  it("takes the bands asked for, however they are written, and dates as a pattern has them", async () => {
    const root = folderOf(date("a", "13.06.2017"))
    const { table } = await ingest(series, root, { bands: ["b8a", "B02"], date: "%d.%m.%Y" })
    expect(table.assets[0]!.map(({ band }) => band)).toEqual(["B8A", "B02"])
    expect(table.time[0]).toBe(Date.UTC(2017, 5, 13))
    await expect(ingest(series, root)).rejects.toThrow("there is no date in the name of a/13.06.2017; `date` says how it stands there, as \"%d.%m.%Y\"")
    await expect(ingest(series, root, { date: "%Y%m%d" })).rejects.toThrow("there is no date in the name of a/13.06.2017 as \"%Y%m%d\" has it")
    await expect(ingest(series, root, { date: "%d.%m.%Y", bands: ["B04"] })).rejects.toThrow("no date has a band B04; there are B02, B8A")
    await expect(ingest(series, root, { date: "dd.MM.yyyy" })).rejects.toThrow("the date pattern \"dd.MM.yyyy\" has no year")
  })

  it("gives each date the Sentinel-1 image of its place that is nearest in time", async () => {
    const radar = ["S1A_IW_GRDH_1SDV_20200329T001515", "S1A_IW_GRDH_1SDV_20201230T001523", "S1B_IW_GRDH_1SDV_20200627T001449"]
    const root = folderOf({ ...two, ...Object.assign({}, ...radar.map((name) => date("s1/0000002", name, ["VV", "VH"]))), ...date("s2/0000003", spring) })
    await expect(ingest(series, root, { images: "s2", s1: "s1" })).rejects.toThrow(`dates of places without a Sentinel-1 image: 1 of 3 (s2/0000003/${spring}); \`missing: skip\``)
    const { notices, table } = await ingest(series, root, { images: "s2", s1: "s1", missing: "skip", bands: ["VV", "B2"] })
    expect(table.assets.map((assets) => assets.map(({ path }) => path))).toEqual([
      [`s1/0000002/${radar[0]}/VV.tif`, `s2/0000002/${spring}/B2.tif`],
      [`s1/0000002/${radar[2]}/VV.tif`, `s2/0000002/${summer}/B2.tif`]
    ])
    expect(notices).toEqual([`dates of places without a Sentinel-1 image: 1 of 3 (s2/0000003/${spring})`, "days between an image and its Sentinel-1 image: median 5.3, most 5.3"])
    await expect(ingest(series, root, { images: "s2", s1: "s2" })).rejects.toThrow("both have a band B02; `s1` is for bands that the images lack")
  })

  it("reads classes by number; an empty list means unlabelled", async () => {
    const files = { ...two, ...date("s2/0000003", spring) }
    const root = folderOf({ ...files, "labels.json": JSON.stringify({ "0000002": { [spring]: ["0", "5"], [summer]: [] }, "9999999": { x: ["1"] } }) })
    const { notices, table } = await ingest(series, root, { images: "s2", labels: "labels.json" })
    expect(table.labels).toEqual([["water", "shrub & scrub"], [], []])
    expect(notices).toEqual([
      "dates whose list of classes in labels.json is empty, thus without labels: 1 of 3",
      "dates that labels.json does not list, thus without labels: 1 of 3"
    ])
    const own = await ingest(series, folderOf({ ...two, "labels.json": JSON.stringify({ "0000002": { [spring]: ["b"], [summer]: ["1", "0"] } }) }), { images: "s2", labels: "labels.json", classes: ["a", "b"] })
    expect(own.table.labels).toEqual([["b"], ["b", "a"]])
  })

  it.each([
    ["a class beyond the last", JSON.stringify({ "0000002": { [spring]: ["0", "9"] } }), `labels.json: "9" of 0000002, ${spring} is no class; they are numbered from 0 (water) to 8 (snow & ice)`],
    ["a class by a wrong name", JSON.stringify({ "0000002": { [spring]: ["tree"] } }), "is no class (did you mean \"trees\"?)"],
    ["broken JSON", "{", "labels.json is not JSON"],
    ["JSON of another shape", "[1]", "labels.json is not { place: { date's folder: [class numbers] } }"],
    ["labels of other dates", JSON.stringify({ "0000002": { "0": ["1"] }, constructor: { name: [] } }), `labels.json lists none of the 2 dates: it has 0000002/0, constructor/name, and here is 0000002/${spring}`]
  ])("refuses %s", async (_, labels, message) => {
    await expect(ingest(series, folderOf({ ...two, "labels.json": labels }), { images: "s2", labels: "labels.json" })).rejects.toThrow(message)
  })

  it.each([
    ["a date that lacks a band", { ...two, ...date("s2/0000003", spring, ["B2"]) }, `s2/0000003/${spring} lacks B8A, which other dates have`],
    ["a band in two files", { ...two, [`s2/0000002/${spring}/B02.tif`]: band() }, "would be the band B02"],
    ["a file of several bands", { ...two, [`s2/0000002/${spring}/B2.tif`]: band(3) }, `s2/0000002/${spring}/B2.tif has 3 bands, but 1 names are given: B02`],
    ["a truncated file", { ...two, [`s2/0000002/${spring}/B2.tif`]: band().subarray(0, 50) }, `s2/0000002/${spring}/B2.tif is not an image that can be read`],
    ["latitude and longitude swapped", { ...two, [`s2/0000002/${spring}/B2.tif`]: band(1, [18.59, -91.85]) }, /the centre of s2.*B2.tif lies at latitude -91.85.*swapped/],
    ["a date without images", { ...two, [`s2/0000002/${summer}x/a.txt`]: "" }, `folders in s2 without images of a date: 1 of 3 (s2/0000002/${summer}x); \`missing: skip\``],
    ["no places", { "s2/a.tif": band() }, "there are no folders in s2; one a place is expected, in it one a date"]
  ])("refuses %s", async (_, files, message) => {
    await expect(ingest(series, folderOf(files), { images: "s2" })).rejects.toThrow(message)
  })

  it("goes on without what is incomplete where asked", async () => {
    const { notices, table } = await ingest(series, folderOf({ ...two, ...date("s2/0000003", spring, ["B2"]), "s2/0000004/notes.txt": "" }), { images: "s2", onError: "skip", missing: "skip" })
    expect(table.sample_id).toHaveLength(2)
    expect(notices).toEqual([
      "files in s2 beside the folders of dates, left out: 1",
      "folders in s2 without images of a date: 1 of 4 (0000004)",
      `images left out because they cannot be read: 1 of 3 (s2/0000003/${spring} lacks B8A, which other dates have)`
    ])
  })
})

const shared = fileURLToPath(new URL("../../../../shared/data/format-fixtures", import.meta.url))

describe.skipIf(!existsSync(shared))("ingest/time-series on real layouts, pixels of noise (skipped where shared/data is absent)", () => {
  it("reads SeCo: two places on five dates each, 12 bands, whose files do not say where", async () => {
    const { notices, table } = await ingest(series, shared, { images: "seco/seasonal_contrast_100k" })
    expect(table.location).toEqual([...Array.from({ length: 5 }, () => "000000"), ...Array.from({ length: 5 }, () => "000001")])
    expect(table.assets.every((assets) => assets.map(({ band }) => band).join() === "B01,B02,B03,B04,B05,B06,B07,B08,B09,B11,B12,B8A")).toBe(true)
    expect(table.time[0]).toBe(Date.UTC(2019, 7, 3, 15, 45, 59))
    expect(notices).toEqual([
      "files in seco/seasonal_contrast_100k beside the folders of dates, left out: 10",
      "samples without coordinates, because their files have none in a reference system that is known: 10 of 10"
    ])
  })

  it.each([["s1", ["VH", "VV"]], ["s2a", 12], ["s2c", 13]] as const)("reads SSL4EO-S12's %s: four dates of a place", async (folder, bands) => {
    const { notices, table } = await ingest(series, shared, { images: `ssl4eo/s12/${folder}` })
    expect(table.location).toEqual(["0000000", "0000000", "0000000", "0000000"])
    const names = table.assets[0]!.map(({ band }) => band)
    expect(typeof bands === "number" ? names.length : names).toEqual(bands)
    for (const lat of table.lat) expect(lat).toBeCloseTo(18.5865, 3)
    for (const lon of table.lon) expect(lon).toBeCloseTo(-91.844, 3)
    expect(notices).toEqual([])
  })

  it("joins SSL4EO-S12's Sentinel-1 by season, though its folders are not in the order of time", async () => {
    const { notices, table } = await ingest(series, shared, { images: "ssl4eo/s12/s2c", s1: "ssl4eo/s12/s1", bands: ["B4", "VV"] })
    expect(table.assets.map((assets) => assets.map(({ path }) => /2020\d{4}/.exec(path)![0]))).toEqual([["20200323", "20200329"], ["20200621", "20200627"], ["20200924", "20200928"], ["20201228", "20201230"]])
    expect(notices).toEqual(["days between an image and its Sentinel-1 image: median 5.3, most 5.3"])
  })
})
