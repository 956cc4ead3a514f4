import { describe, expect, it } from "vitest"
import fmow from "../../../stages/ingest/fmow.ts"
import { folderOf, ingest, png } from "./services.ts"

const square = (lon: number, lat: number, side = 0.002) => {
  const [west, east, south, north] = [lon - side / 2, lon + side / 2, lat - side / 2, lat + side / 2]
  return `POLYGON ((${west} ${north}, ${east} ${north}, ${east} ${south}, ${west} ${south}, ${west} ${north}))`
}
const metadata = (more = {}) => ({
  gsd: 0.5,
  utm: "31N",
  timestamp: "2016-02-06T11:10:28Z",
  img_width: 100,
  img_height: 80,
  cloud_cover: 3,
  bounding_boxes: [{ ID: 7, category: "airport", box: [10, 20, 40, 30], raw_location: square(2.55, 49.01) }],
  ...more
})
const at = (name: string) => `train/airport/airport_7/${name}`
const list = "label,path\nairport,train/airport/airport_7/airport_7_0_rgb.png\nairport,train/airport/airport_7/airport_7_3_rgb.png\nzoo,val/zoo/zoo_7/zoo_7_0_rgb.png\n"
const folder = async (text = list, more: Record<string, string | Uint8Array> = {}) =>
  folderOf({
    "list.csv": text,
    [at("airport_7_0_rgb.png")]: await png(100, 80),
    [at("airport_7_0_rgb.json")]: JSON.stringify(metadata()),
    [at("airport_7_3_rgb.png")]: await png(100, 80),
    [at("airport_7_3_rgb.json")]: JSON.stringify(metadata({ timestamp: "2017-08-01T10:00:00Z" })),
    "val/zoo/zoo_7/zoo_7_0_rgb.png": await png(100, 80),
    ...more
  })

describe("ingest/fmow", () => {
  it("reads label and path by their columns' places, and metadata beside the images: two dates of one place", async () => {
    const { notices, table } = await ingest(fmow, await folder(), { file: "list.csv" })
    expect(table.sample_id).toEqual([at("airport_7_0_rgb.png"), at("airport_7_3_rgb.png"), "val/zoo/zoo_7/zoo_7_0_rgb.png"])
    expect(table.label).toEqual(["airport", "airport", "zoo"])
    expect(table.location).toEqual(["train/airport/airport_7", "train/airport/airport_7", "val/zoo/zoo_7"])
    expect([...table.time]).toEqual([Date.UTC(2016, 1, 6, 11, 10, 28), Date.UTC(2017, 7, 1, 10), Number.NaN])
    expect(table.lat[0]).toBeCloseTo(49.01, 9)
    expect(table.lon[0]).toBeCloseTo(2.55, 9)
    expect([...table.box.values.subarray(0, 4)]).toEqual([10, 20, 50, 50])
    expect([...table.window.values.subarray(0, 4)]).toEqual([0, 0, 100, 80])
    expect(table.assets[0]![0]!.gsd).toBe(0.5)
    expect(notices).toEqual(["images without metadata beside them, and thus without date and place on the earth: 1 of 3"])
  })

  it("takes geo-clusters in the first column as they stand, and class numbers by their names", async () => {
    const numbers = list.replaceAll("\nairport,", "\n1,").replace("\nzoo,", "\n0,")
    expect((await ingest(fmow, await folder(numbers), { file: "list.csv" })).table.label).toEqual(["1", "1", "0"])
    expect((await ingest(fmow, await folder(numbers), { file: "list.csv", names: ["zoo", "airport"] })).table.label).toEqual(["airport", "airport", "zoo"])
    // pandas names columns without names by number
    expect((await ingest(fmow, await folder(numbers.replace("label,path", "1,0")), { file: "list.csv" })).table.label).toEqual(["1", "1", "0"])
  })

  it("has no box where an image has several, and none where it was resized since", async () => {
    const { bounding_boxes: [box] } = metadata()
    const root = await folder(list, {
      [at("airport_7_0_rgb.json")]: JSON.stringify(metadata({ bounding_boxes: [box, { ...box, ID: 8 }] })),
      [at("airport_7_3_rgb.json")]: JSON.stringify(metadata({ img_width: 200, img_height: 160 })),
      "val/zoo/zoo_7/zoo_7_0_rgb.json": JSON.stringify(metadata({ bounding_boxes: { box: [0, 0, 100, 80] } }))
    })
    const { notices, table } = await ingest(fmow, root, { file: "list.csv" })
    expect(table.box.values.subarray(0, 8).every(Number.isNaN)).toBe(true)
    expect([...table.box.values.subarray(8)]).toEqual([0, 0, 100, 80])
    expect(table.assets.map(([asset]) => asset!.gsd)).toEqual([0.5, Number.NaN, 0.5])
    expect(table.lat[2]).toBeNaN()
    expect(notices).toEqual(["images that are not of the size their metadata say, whose boxes are left out: 1 of 3"])
  })

  it.each([
    ["path\na.png\n", {}, {}, 'list.csv has one column, "path"; a label and a path are expected in the first two'],
    ["label,path\nzoo,\n", {}, {}, 'list.csv, line 2: there is no path in the second column, "path"'],
    ["label,path\nzoo,val/zoo/zoo_7/zoo_7_0_rgb.png\nzo", {}, {}, "list.csv is not a readable CSV: Invalid Record Length: expect 2, got 1 on line 3"],
    ["label,path\nzoo,lost.png\n", {}, {}, "images listed in list.csv that have no file: 1 of 1 (lost.png); none was found beside list.csv: `images` names another folder"],
    [list, { names: ["airport"] }, {}, 'list.csv, line 4: "zoo" is no class: neither a number from 0 to 0 nor among airport'],
    [list.replace("zoo,", "62,"), { names: ["zoo", "airport"] }, {}, 'list.csv, line 4: "62" is no class: neither a number from 0 to 1 nor among zoo, airport'],
    [list, { bands: ["B", "G", "R", "NIR"] }, {}, "has 3 bands, but 4 names are given: B, G, R, NIR"],
    [list, {}, { timestamp: "yesterday" }, 'airport_7_0_rgb.json: the timestamp "yesterday" is no date'],
    [list, {}, { timestamp: "2016-02-06 11:10 PM" }, 'airport_7_0_rgb.json: the timestamp "2016-02-06 11:10 PM" is no date'],
    [list, {}, { bounding_boxes: [{ box: [1, 2, 3, 4], raw_location: "POINT (2 49)" }] }, 'airport_7_0_rgb.json: the raw_location "POINT (2 49)" is no WKT polygon'],
    [list, {}, { bounding_boxes: [{ box: [1, 2, 3, 4], raw_location: square(49.01, 120) }] }, "airport_7_0_rgb.json: raw_location lies at latitude 120 and longitude 49.01: latitudes lie within -90 and 90; are the two swapped?"],
    [list, {}, { bounding_boxes: [{ box: [1, 2, 3, 4], raw_location: square(449_000, 5_411_000) }] }, "are these metres of a map?"],
    [list, {}, { bounding_boxes: [{ box: [80, 2, 30, 4] }] }, "airport_7_0_rgb.json: the box 80, 2, 110, 6 (xmin, ymin, xmax, ymax) does not lie inside the image, which is 100 x 80 px"],
    [list, {}, { gsd: "half a metre" }, "airport_7_0_rgb.json is no metadata of fMoW: "]
  ])("refuses %j with %j and metadata %j", async (text, more, wrong, message) => {
    const root = await folder(text, { [at("airport_7_0_rgb.json")]: JSON.stringify(metadata(wrong)) })
    await expect(ingest(fmow, root, { file: "list.csv", ...more })).rejects.toThrow(message)
  })

  it("places an object on the date line there, on either side", async () => {
    const ring = (west: number, east: number) => `POLYGON ((${west} 52, ${east} 52, ${east} 51, ${west} 51, ${west} 52))`
    const root = await folder(list, {
      [at("airport_7_0_rgb.json")]: JSON.stringify(metadata({ bounding_boxes: [{ box: [1, 2, 3, 4], raw_location: ring(179, -175) }] })),
      [at("airport_7_3_rgb.json")]: JSON.stringify(metadata({ bounding_boxes: [{ box: [1, 2, 3, 4], raw_location: ring(173, -179) }] }))
    })
    expect([...(await ingest(fmow, root, { file: "list.csv" })).table.lon.subarray(0, 2)]).toEqual([-178, 177])
  })

  it("refuses truncated metadata", async () => {
    await expect(ingest(fmow, await folder(list, { [at("airport_7_3_rgb.json")]: JSON.stringify(metadata()).slice(0, 90) }), { file: "list.csv" })).rejects.toThrow(/airport_7_3_rgb.json is not JSON: /)
  })
})
