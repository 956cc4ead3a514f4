import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { boxPlacement } from "../../../math/box-features.ts"
import boxes from "../../../stages/ingest/boxes.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { folderOf, ingest, png } from "./services.ts"

const header = "image_path,xmin,ymin,xmax,ymax,label\n"
const list = { file: "set/list.csv" }
/** 100 x 80 px of half a metre in UTM zone 17; its upper left corner is at 404000 east, 3285000 north. */
const scene = (more = {}) => tiff({ width: 100, height: 80, bands: 1, values: Array.from({ length: 8000 }, () => 7), epsg: 32617, origin: [404000, 3285000], pixel: [0.5, 0.5], ...more })
const folder = async (text: string, more: Record<string, string | Uint8Array> = {}) =>
  folderOf({ "set/list.csv": text, "set/a.png": await png(100, 80), "set/b.png": await png(100, 80), "set/utm.tif": scene(), ...more })

describe("ingest/boxes", () => {
  it("cuts crops around boxes; ids are the image and the number of the row", async () => {
    const root = await folder(`${header}a.png,10,10,20,30,oak\nb.png,50,40,60,50,ash\na.png,70,60,80,70,ash\n`)
    const { table } = await ingest(boxes, root, { ...list, crop: 40 })
    expect(table.sample_id).toEqual(["a.png/000001", "a.png/000003", "b.png/000002"])
    expect(table.label).toEqual(["oak", "ash", "ash"])
    expect(table.location).toEqual(["a.png", "a.png", "b.png"])
    const placement = boxPlacement(table.box.values, table.window.values)
    expect([...placement.values.subarray(2, 4)]).toEqual([10 / 40, 20 / 40])
  })

  it("takes the columns in any order, and rows of zeros for images without boxes, with a count", async () => {
    const root = await folder("label,xmax,xmin,ymax,ymin,image_path,extra\noak,20,10,30,12,a.png,9\nnone,0,0,0,0,b.png,9\n")
    const { notices, table } = await ingest(boxes, root, list)
    expect(table.sample_id).toEqual(["a.png", "b.png"])
    expect([...table.box.values]).toEqual([10, 12, 20, 30, Number.NaN, Number.NaN, Number.NaN, Number.NaN])
    expect(table.label).toEqual(["oak", null])
    expect(notices).toEqual(["images listed as without boxes: 1 of 2"])
  })

  it("places boxes in map units in the georeferenced image", async () => {
    // 5 to 10 m east of the corner and 10 to 20 m south of it, at half a metre a pixel
    const root = await folder(`${header}utm.tif,404005,3284980,404010,3284990,oak\n`)
    const { table } = await ingest(boxes, root, { ...list, units: "map" })
    expect([...table.box.values]).toEqual([10, 20, 20, 40])
  })

  it.each([
    ["image_path,xmin,ymin,xmax,label\na.png,1,2,3,oak\n", {}, 'set/list.csv has no column "ymax"; it has image_path, xmin, ymin, xmax, label'],
    [header, {}, "set/list.csv has no rows"],
    [`${header}a.png,1,2,3,4,oak\na.png,1,2`, {}, "set/list.csv is not a readable CSV: Invalid Record Length: expect 6, got 3 on line 3"],
    [`${header}a.png,1,2,3,4,oak\n\na.png,1,2,130,4,oak\n`, {}, "set/list.csv, line 4: the box 1, 2, 130, 4 (xmin, ymin, xmax, ymax) does not lie inside the image, which is 100 x 80 px"],
    [`${header}a.png,30,2,10,4,oak\n`, {}, "set/list.csv, line 2: the box 30, 2, 10, 4 (xmin, ymin, xmax, ymax) has no area"],
    [`${header}a.png,1,two,3,4,oak\n`, {}, 'set/list.csv, line 2: "two" in column ymin is not a number'],
    [`${header}a.png,1,,3,4,oak\n`, {}, 'set/list.csv, line 2: "" in column ymin is not a number'],
    [`${header}a.png,1,2,3,4,\n`, {}, "set/list.csv, line 2: the box has no label"],
    [`${header}a.png,1,2,3,4,elm\n`, { names: ["oak", "ash"] }, 'set/list.csv, line 2: the label "elm" is not among oak, ash'],
    [`${header}lost.png,1,2,3,4,oak\na.png,1,2,3,4,oak\n`, {}, "images listed in set/list.csv that have no file: 1 of 2 (set/lost.png); `missing: skip` goes on without them"],
    [`${header}a.png,1,2,3,4,oak\n`, { bands: ["red", "nir"] }, "set/a.png has 3 bands, but 2 names are given: red, nir"],
    [`${header}utm.tif,404005,3284980,404010,3284990,oak\n`, {}, "does not lie inside the image, which is 100 x 80 px; are these units of a map? then `units: map`"],
    [`${header}utm.tif,500005,3284980,500010,3284990,oak\n`, { units: "map" }, "; in map units it is 500005, 3284980, 500010, 3284990, and the image begins at 404000, 3285000 (EPSG:32617)"],
    // easting and northing swapped
    [`${header}utm.tif,3284980,404005,3284990,404010,oak\n`, { units: "map" }, "set/list.csv, line 2: the box"],
    [`${header}a.png,1,2,3,4,oak\n`, { units: "map" }, "set/a.png is not georeferenced, so boxes in map units cannot be placed in it: give `units: px`"]
  ])("refuses %j", async (text, more, message) => {
    await expect(ingest(boxes, await folder(text), { ...list, ...more })).rejects.toThrow(message)
  })

  it("leaves out images that are lost or cut short, as asked", async () => {
    const root = await folder(`${header}lost.png,1,2,3,4,oak\na.png,1,2,3,4,oak\nc.png,1,2,3,4,oak\n`, { "set/c.png": (await png(100, 80)).subarray(0, 60) })
    const { notices, table } = await ingest(boxes, root, { ...list, missing: "skip", onError: "skip" })
    expect(table.sample_id).toEqual(["a.png"])
    expect(notices[0]).toBe("images listed in set/list.csv that have no file: 1 of 3 (set/lost.png)")
    expect(notices[1]).toMatch(/^images left out because they cannot be read: 1 of 2 \(set\/c.png does not decode/)
  })
})

const shared = fileURLToPath(new URL("../../../../shared/data", import.meta.url))

describe.skipIf(!existsSync(`${shared}/neon-boxes`))("ingest/boxes on NEON's trees and EverWatch's birds (skipped where shared/data is absent)", () => {
  it.each([
    ["OSBS_029.csv", 61, ["Tree"]],
    ["testfile_multi.csv", 37, ["Alive", "Dead"]],
    // its columns stand in another order: xmin, xmax, ymin, ymax
    ["2018_SJER_3_252000_4107000_image_477_truth.csv", 7, ["0"]]
  ])("reads %s: %i boxes of %j", async (file, count, classes) => {
    const { notices, table } = await ingest(boxes, shared, { file: `neon-boxes/${file}` })
    expect([table.rows, table.labels[0], notices]).toEqual([1, classes, []])
    // no two crowns have their centres within 4 px, so each makes a tile of its own
    const tiles = await ingest(boxes, shared, { file: `neon-boxes/${file}`, tiles: { size: 4, stride: 4 } })
    expect(tiles.table.label.filter((label) => label !== "background").length).toBe(count)
  })

  it("finds the same boxes of OSBS_029 in metres of UTM 17N", async () => {
    const { readFileSync, symlinkSync } = await import("node:fs")
    const [head, ...lines] = readFileSync(`${shared}/neon-boxes/OSBS_029.csv`, "utf8").trim().split(/\r?\n/)
    const mapped = lines.map((line) => {
      const [path, xmin, ymin, xmax, ymax, label] = line.split(",")
      const [left, right] = [xmin, xmax].map((x) => 404211.9 + Number(x) / 10), [upper, lower] = [ymin, ymax].map((y) => 3285142.9 - Number(y) / 10)
      return [path, left, lower, right, upper, label].join(",")
    })
    const root = folderOf({ "list.csv": [head, ...mapped].join("\n") })
    symlinkSync(`${shared}/neon-boxes/OSBS_029.tif`, `${root}/OSBS_029.tif`)
    const parameters = { tiles: { size: 40, stride: 40 } }
    const px = await ingest(boxes, shared, { file: "neon-boxes/OSBS_029.csv", ...parameters }), map = await ingest(boxes, root, { file: "list.csv", units: "map", ...parameters })
    expect(map.table.sample_id).toEqual(px.table.sample_id)
    expect(map.table.label).toEqual(px.table.label)
    expect(Array.from(map.table.box.values, (value) => Math.round(value * 100) / 100)).toEqual(Array.from(px.table.box.values))
  })

  it("reads EverWatch's birds", async () => {
    const { table } = await ingest(boxes, shared, { file: "format-fixtures/everwatch/everwatch-benchmark/train.csv" })
    expect(table.sample_id).toEqual(["train1.png", "train2.png", "train3.png"])
    expect(table.labels).toEqual([["Great Egret", "White Ibis"], ["Great Blue Heron", "Snowy Egret"], ["Roseate Spoonbill", "Wood Stork"]])
  })
})
