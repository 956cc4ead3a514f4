import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { locator } from "../../../imagery/georeference.ts"
import points from "../../../stages/ingest/points.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { folderOf, ingest, png } from "./services.ts"

/** 100 x 80 px of 10 m. */
const scene = (epsg: number, origin: readonly [number, number], pixel: readonly [number, number] = [10, 10]) =>
  tiff({ width: 100, height: 80, bands: 1, values: Array.from({ length: 8000 }, () => 3), epsg, origin, pixel })
const florida = { epsg: 32617, origin: [404000, 3285000], resolution: [10, -10] } as const
/** Degrees at a pixel position of the scene in Florida. */
const at = await locator(florida)
const line = (x: number, y: number, more = "") => `${at(x, y).lat},${at(x, y).lon}${more}\n`
const folder = (text: string, name = "points.csv", more: Record<string, string | Uint8Array> = {}) =>
  folderOf({ [name]: text, "scenes/2020-05-06_florida.tif": scene(32617, [404000, 3285000]), "scenes/readme.txt": "", ...more })
const parameters = { points: "points.csv", scenes: "scenes", size: 20 }
const feature = (coordinates: unknown, properties: unknown = { label: "oak" }, type = "Point") => ({ type: "Feature", geometry: { type, coordinates }, properties })
const geojson = (features: ReadonlyArray<unknown>, more = {}) => JSON.stringify({ type: "FeatureCollection", features, ...more })

describe("ingest/points", () => {
  it("cuts a window around each point in the scene that contains it, and counts what it leaves out", async () => {
    const text = "lat,lon,label\n" + line(30.5, 40.5, ",oak") + line(60, 60, ",ash") + ",,oak\n" + line(5, 40, ",oak") + line(30, 400, ",oak") + line(10, 10, ",oak") + line(90, 70, ",oak")
    const { notices, table } = await ingest(points, folder(text), parameters)
    expect(table.sample_id).toEqual(["scenes/2020-05-06_florida/000001", "scenes/2020-05-06_florida/000002", "scenes/2020-05-06_florida/000006", "scenes/2020-05-06_florida/000007"])
    expect(table.label).toEqual(["oak", "ash", "oak", "oak"])
    expect([...table.window.values.subarray(0, 4)]).toEqual([20, 30, 20, 20])
    // rounding of the projection may put a point on a pixel's edge into either pixel
    for (const [row, x, y] of [[1, 50, 50], [2, 0, 0], [3, 80, 60]] as const) {
      const [left, upper, width, height] = table.window.values.subarray(row * 4)
      expect([Math.abs(left! - x) <= 1, Math.abs(upper! - y) <= 1, width, height]).toEqual([true, true, 20, 20])
    }
    expect(table.lat[0]).toBe(at(30.5, 40.5).lat)
    expect(table.location[0]).toBe(`${at(30.5, 40.5).lat.toFixed(5)},${at(30.5, 40.5).lon.toFixed(5)}`)
    expect(table.time[0]).toBe(Date.UTC(2020, 4, 6))
    expect(notices).toEqual(["points without coordinates, left out: 1 of 7", "points that lie in no scene, left out: 1 of 6", "windows that cross the edge of their scene, left out: 1 of 5"])
  })

  it("gives a point in several scenes a sample in each, of one location; sizes may be metres", async () => {
    const mercator = [(at(0, 0).lon * Math.PI / 180) * 6378137 - 500, 6378137 * Math.log(Math.tan(Math.PI / 4 + at(0, 0).lat * Math.PI / 360)) + 500] as const
    const root = folder("lat,lon\n" + line(50.5, 40.5), "points.csv", { "scenes/2021-01-01_mercator.tif": scene(3857, mercator, [20, 20]), "scenes/photo.png": await png(9, 9) })
    const { notices, table } = await ingest(points, root, { ...parameters, size: { metres: 300 } })
    expect(table.sample_id).toEqual(["scenes/2020-05-06_florida/000001", "scenes/2021-01-01_mercator/000001"])
    expect(new Set(table.location).size).toBe(1)
    // 20 m of Mercator are 17.4 m on the ground at 29.7 degrees north
    expect([...table.window.values].filter((_, i) => i % 4 >= 2)).toEqual([30, 30, 17, 17])
    expect(notices).toEqual(["images without georeference, or in a reference system that is not known, left out: 1 of 3"])
  })

  it("reads GeoJSON: longitude first, points only, ids of a property", async () => {
    const { lat, lon } = at(40.5, 40.5)
    const root = folder(geojson([feature([lon, lat], { species: "Quercus", key: 77 }), feature([[lon, lat]], null, "LineString"), feature([lon, lat, 12], { key: "b" })]), "points.geojson")
    const { notices, table } = await ingest(points, root, { ...parameters, points: "points.geojson", id: "key" })
    expect(table.sample_id).toEqual(["scenes/2020-05-06_florida/77", "scenes/2020-05-06_florida/b"])
    expect(table.label).toEqual(["Quercus", null])
    expect([...table.window.values.subarray(0, 4)]).toEqual([30, 30, 20, 20])
    expect(notices).toEqual(["features that are no points, left out: 1 of 3"])
  })

  it("takes the class from one property of all features, the first that any has, as text or number; crs may be null", async () => {
    const { lat, lon } = at(40.5, 40.5)
    const root = folder(geojson([feature([lon, lat], { label: "tree" }), feature([lon, lat], { species: 7, label: "tree" })], { crs: null }), "points.json")
    expect((await ingest(points, root, { ...parameters, points: "points.json" })).table.label).toEqual([null, "7"])
    expect((await ingest(points, root, { ...parameters, points: "points.json", label: "label" })).table.label).toEqual(["tree", "tree"])
  })

  it("finds points on both sides of the date line in a scene that crosses it", async () => {
    const root = folderOf({ "points.csv": "lat,lon\n9.6,179.6\n9.6,-179.6\n9.6,0\n", "line.tif": scene(4326, [179.5, 10], [0.01, 0.01]) })
    const { table } = await ingest(points, root, { points: "points.csv", scenes: ["line.tif"], size: 2 })
    expect([...table.window.values].filter((_, i) => i % 4 === 0).map((x) => Math.abs(x - 9) <= 1 || Math.abs(x - 89) <= 1)).toEqual([true, true])
    expect([...table.lon]).toEqual([179.6, -179.6])
  })

  it.each([
    ["x,y\n1,2\n", {}, "points.csv has none of the columns decimalLatitude, latitude, Latitude, lat; name it by `lat`: there are x, y"],
    ["latitude,lon\n1,2\n", { lat: "latitud" }, 'points.csv has no column "latitud" (did you mean "latitude"?); it has latitude, lon'],
    ["lat,y\n1,2\n", { lon: "x" }, 'points.csv has no column "x"; it has lat, y'],
    ["lat,lon\n1,2\n3", {}, "points.csv is not a readable CSV: Invalid Record Length: expect 2, got 1 on line 3"],
    ["lat,lon\n", {}, "points.csv has no rows"],
    ["lat,lon\n,\n", {}, "points.csv has no points with coordinates"],
    ["lat,lon\nnorth,2\n", {}, 'points.csv, line 2: "north" in columns lat and lon is no number of degrees'],
    ["lat,lon\n29.7,-82\n120,30\n", {}, "points.csv, line 3: latitude 120 and longitude 30: latitudes lie within -90 and 90; are the two swapped?"],
    ["lat,lon\n404000,3285000\n", {}, "points.csv, line 2: latitude 404000 and longitude 3285000: degrees of WGS84 lie within -90 and 90, -180 and 180; are these metres of a map?"],
    [`lat,lon\n${at(50, 50).lon},${at(50, 50).lat}\n`, {}, "none of the 1 points of points.csv lies in one of the 1 scenes; with latitude and longitude swapped 1 would: are the two columns swapped?"],
    ["lat,lon\n50,10\n", {}, "none of the 1 points of points.csv lies in one of the 1 scenes; the first is at latitude 50 and longitude 10"],
    ["lat,lon\n" + line(50, 50), { bands: ["R", "G"] }, "scenes/2020-05-06_florida.tif has 1 bands, but 2 names are given"],
    ["lat,lon\n" + line(50, 50), { size: 90 }, "no sample is left"],
    ["lat,lon\n" + line(50, 50), { scenes: ["lost.tif"] }, "lost.tif is not there"]
  ])("refuses %j with %j", async (text, more, message) => {
    await expect(ingest(points, folder(text), { ...parameters, ...more })).rejects.toThrow(message)
  })

  it.each([
    [geojson([feature([-82, 29.7])]).slice(0, -9), "points.json is not JSON: "],
    ['{"type": "Feature"}', "points.json is no GeoJSON FeatureCollection: "],
    [geojson([feature([-82, 29.7], { label: { en: "oak" } })]), 'points.json, feature 1: its property "label" is {"en":"oak"}, where a text or a number is expected'],
    [geojson([feature(["west", 3])]), "points.json, feature 1: its coordinates are no [longitude, latitude]"],
    [geojson([feature([29.7, -182])]), "points.json, feature 1: latitude -182 and longitude 29.7: degrees of WGS84"],
    [geojson([feature([404000, 3285000])], { crs: { type: "name", properties: { name: "urn:ogc:def:crs:EPSG::32617" } } }), "points.json is in urn:ogc:def:crs:EPSG::32617; GeoJSON's coordinates are degrees of WGS84: reproject it"]
  ])("refuses %.120s", async (text, message) => {
    await expect(ingest(points, folder(text, "points.json"), { ...parameters, points: "points.json" })).rejects.toThrow(message)
  })

  it("names the property that is near where no feature has the one of the class, or of the id", async () => {
    const root = folder(geojson([feature([-82, 29.7], { label: "oak", gbifID: 1 })]), "points.json")
    await expect(ingest(points, root, { ...parameters, points: "points.json", label: "lable" })).rejects.toThrow('no feature of points.json has a property "lable" (did you mean "label"?); there are label, gbifID')
    await expect(ingest(points, root, { ...parameters, points: "points.json", id: "gbifId2" })).rejects.toThrow('points.json, feature 1: it has no property "gbifId2" (did you mean "gbifID"?); it has label, gbifID')
  })

  it("stops at a truncated scene, or goes on without it; says so where none is georeferenced", async () => {
    const root = folder("lat,lon\n" + line(50, 50), "points.csv", { "scenes/short.tif": scene(32617, [0, 0]).subarray(0, 100) })
    await expect(ingest(points, root, parameters)).rejects.toThrow(/^scenes\/short.tif is not an image that can be read/)
    expect((await ingest(points, root, { ...parameters, onError: "skip" })).table.rows).toBe(1)
    await expect(ingest(points, folderOf({ "points.csv": "lat,lon\n1,2\n", "scenes/a.png": await png(9, 9) }), parameters)).rejects.toThrow("there are no georeferenced images in scenes")
  })
})

const fixtures = fileURLToPath(new URL("../../../../shared/data/format-fixtures", import.meta.url))

describe.skipIf(!existsSync(fixtures))("ingest/points on exports of GBIF, iNaturalist and EDDMapS (skipped where shared/data/format-fixtures is absent)", () => {
  it.each([
    ["0123456-012345678901234.csv", "GBIF"],
    ["observations-012345.csv", "iNaturalist"],
    ["mappings.csv", "EDDMapS"]
  ])("joins %s (%s) to a scene of Chicago", async (name) => {
    // 1 km around 41.881832 N, 87.623177 W in UTM zone 16, where all of its points lie
    const text = readFileSync(`${fixtures}/${name}`, "utf8")
    const root = folderOf({ "points.csv": text, "chicago.tif": scene(32616, [447800, 4637200]) })
    const { notices, table } = await ingest(points, root, { points: "points.csv", scenes: ["chicago.tif"], size: 8 })
    const rows = text.trim().split(/\r?\n/).length - 1
    expect(new Set(table.label)).toEqual(new Set(["Homo sapiens"]))
    expect(new Set(table.location)).toEqual(new Set(["41.88183,-87.62318"]))
    expect(table.rows).toBe(rows - 1)
    expect(notices).toEqual([`points without coordinates, left out: 1 of ${rows}`])
  })
})
