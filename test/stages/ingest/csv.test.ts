import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { boxPlacement } from "../../../math/box-features.ts"
import csv from "../../../stages/ingest/csv.ts"
import { folderOf, ingest, png } from "./services.ts"

const columns = { file: "set/list.csv", label: "class" }
const folder = async (text: string) => folderOf({ "set/list.csv": text, "set/a.png": await png(40, 30), "set/b.png": await png(40, 30) })

describe("ingest/csv", () => {
  it("reads the columns that are named", async () => {
    const root = await folder("key,path,class,covers,y,x,when,place,ignored\nk1,a.png,fox,water;trees,59.5,-3,2020-01-02T03:04:05Z,north,9\nk2,b.png,,,,,,,9\n")
    const { table } = await ingest(csv, root, { ...columns, id: "key", labels: "covers", lat: "y", lon: "x", time: "when", location: "place" })
    expect(table.sample_id).toEqual(["k1", "k2"])
    expect(table.label).toEqual(["fox", null])
    expect(table.labels).toEqual([["water", "trees"], []])
    expect([...table.lat, ...table.lon]).toEqual([59.5, Number.NaN, -3, Number.NaN])
    expect([...table.time]).toEqual([Date.UTC(2020, 0, 2, 3, 4, 5), Number.NaN])
    expect(table.location).toEqual(["north", null])
    expect(table.assets.map(([asset]) => asset!.path)).toEqual(["set/a.png", "set/b.png"])
  })

  it("reads boxes, several to an image, and another delimiter", async () => {
    const root = await folder("path\tx0\ty0\tx1\ty1\tclass\na.png\t1\t2\t11\t8\tfox\na.png\t20\t2\t30\t9\thare\nb.png\t\t\t\t\t\n")
    const { table } = await ingest(csv, root, { ...columns, delimiter: "\t", box: ["x0", "y0", "x1", "y1"] })
    expect(table.sample_id).toEqual(["a.png/000001", "a.png/000002", "b.png/000003"])
    expect([...table.box.values]).toEqual([1, 2, 11, 8, 20, 2, 30, 9, Number.NaN, Number.NaN, Number.NaN, Number.NaN])
    // a box has its place in a window; where there is none, the window stays unsaid, and with it the keys of embeddings
    expect([...table.window.values]).toEqual([0, 0, 40, 30, 0, 0, 40, 30, Number.NaN, Number.NaN, Number.NaN, Number.NaN])
  })

  it("has boxes that mine/task-guided can score", async () => {
    const root = await folder("path,x0,y0,x1,y1,class\na.png,1,2,11,8,fox\na.png,20,2,30,9,hare\nb.png,0,0,40,30,hare\n")
    const { table } = await ingest(csv, root, { ...columns, box: ["x0", "y0", "x1", "y1"] })
    const scored = boxPlacement(table.box.values, table.window.values)
    expect([...scored.values.subarray(8)]).toEqual([0.5, 0.5, 1, 1])
    expect(scored.values.every(Number.isFinite)).toBe(true)
  })

  it("takes times in other zones", async () => {
    const root = await folder("path,class,when\na.png,fox,2020-06-13 9:05:00\nb.png,fox,2020-06-13 10:00+02\n")
    expect([...(await ingest(csv, root, { ...columns, time: "when" })).table.time]).toEqual([Date.UTC(2020, 5, 13, 9, 5), Date.UTC(2020, 5, 13, 8)])
  })

  it("refuses a list that is not UTF-8, in which B\u00e4r and B\u00f6r would be one class", async () => {
    const root = folderOf({ "set/list.csv": Buffer.from("path,class\na.png,B\u00e4r\nb.png,B\u00f6r\n", "latin1"), "set/a.png": await png(40, 30), "set/b.png": await png(40, 30) })
    await expect(ingest(csv, root, columns)).rejects.toThrow("set/list.csv is not UTF-8; save it as UTF-8")
    expect((await ingest(csv, await folder("path,class\na.png,B\u00e4r\nb.png,B\u00f6r\n"), columns)).table.label).toEqual(["B\u00e4r", "B\u00f6r"])
  })

  it("goes on without images that are not there, as asked", async () => {
    const root = await folder("path,class\na.png,fox\nz.png,fox\n")
    await expect(ingest(csv, root, columns)).rejects.toThrow("images listed in set/list.csv that have no file: 1 of 2 (set/z.png); `missing: skip` goes on without them")
    const { notices, table } = await ingest(csv, root, { ...columns, missing: "skip" })
    expect(table.sample_id).toEqual(["a.png"])
    expect(notices).toEqual(["images listed in set/list.csv that have no file: 1 of 2 (set/z.png)"])
  })

  it.each([
    ["path,klass\na.png,fox\n", {}, 'set/list.csv has no column "class" (did you mean "klass"?); it has path, klass'],
    ["path,class\n", {}, "set/list.csv has no rows"],
    ["path,class\na.png,fox\na.png,hare\n", {}, '"a.png" would be the id of two samples: set/list.csv, row 1, and set/list.csv, row 2'],
    ["path,class,lat,lon\na.png,fox,north,1\n", { lat: "lat", lon: "lon" }, 'set/list.csv, row 1: "north" in column lat is not a number'],
    ["path,class,lat,lon\na.png,fox,541000,4977000\n", { lat: "lat", lon: "lon" }, "set/list.csv, row 1: latitude 541000 and longitude 4977000: degrees of WGS84 lie within"],
    ["path,class,lat,lon\na.png,fox,151.2,-33.9\n", { lat: "lat", lon: "lon" }, "set/list.csv, row 1: latitude 151.2 and longitude -33.9: latitudes lie within -90 and 90; are the two swapped?"],
    ["path,class,a,b,c,d\na.png,fox,9,1,50,4\n", { box: ["a", "b", "c", "d"] }, "set/list.csv, row 1: the box 9, 1, 50, 4 (xmin, ymin, xmax, ymax) does not lie inside the image, which is 40 x 30 px"],
    ["path,class\na.png,fox\nb.pn", {}, "set/list.csv is not a readable CSV: Invalid Record Length: expect 2, got 1 on line 3"],
    ["path,class,when\na.png,fox,yesterday\n", { time: "when" }, 'set/list.csv, row 1: "yesterday" in column when is no date as 2023-04-26'],
    ["path,class,a,b,c,d\na.png,fox,9,1,3,4\n", { box: ["a", "b", "c", "d"] }, "set/list.csv, row 1: the box 9, 1, 3, 4 (xmin, ymin, xmax, ymax) has no area"],
    ["path,class,when\na.png,fox,2020-06-13 10:00:00 PM\n", { time: "when" }, 'set/list.csv, row 1: "2020-06-13 10:00:00 PM" in column when is no date as 2023-04-26'],
    ["path,class,lat,lon\na.png,fox,47.5,\n", { lat: "lat", lon: "lon" }, "set/list.csv, row 1: there is no number in column lon, so its place is half given; fill it in, or empty both"],
    ["path,class,lat\na.png,fox,47.5\n", { lat: "lat" }, "`lat` is half a place: name the columns of both `lat` and `lon`"],
    ["path,class,class\na.png,fox,hare\n", {}, 'set/list.csv has two columns "class"; rename one of them'],
    ["path,class\na.png,\"fox\n", {}, "set/list.csv is not a readable CSV: "]
  ])("refuses %j", async (text, more, message) => {
    await expect(ingest(csv, await folder(text), { ...columns, ...more })).rejects.toThrow(message)
  })
})

const shared = fileURLToPath(new URL("../../../../shared/data", import.meta.url))

describe.skipIf(!existsSync(`${shared}/neon-boxes`))("ingest/csv on NEON trees and EverWatch birds (skipped where shared/data is absent)", () => {
  it("reads 61 trees of OSBS_029, with coordinates from the GeoTIFF", async () => {
    const { table } = await ingest(csv, shared, { file: "neon-boxes/OSBS_029.csv", path: "image_path", label: "label", box: ["xmin", "ymin", "xmax", "ymax"] })
    expect(table.rows).toBe(61)
    expect(new Set(table.label)).toEqual(new Set(["Tree"]))
    expect([...table.box.values.subarray(0, 4)]).toEqual([203, 67, 227, 90])
    expect([table.lat[0], table.lon[0]].map((degrees) => Math.round(degrees! * 10) / 10)).toEqual([29.7, -82])
    expect(table.assets[0]![0]!.gsd).toBeCloseTo(0.1, 2)
  })
  it("reads EverWatch's benchmark", async () => {
    const { table } = await ingest(csv, shared, { file: "format-fixtures/everwatch/everwatch-benchmark/test.csv", path: "image_path", label: "label", box: ["xmin", "ymin", "xmax", "ymax"], missing: "skip" })
    expect(table.label.slice(0, 2)).toEqual(["White Ibis", "Great Blue Heron"])
  })
})
