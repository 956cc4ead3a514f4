import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import coco from "../../../stages/ingest/coco.ts"
import { folderOf, ingest, png } from "./services.ts"

const image = (id: number, file_name: string, width = 100, height = 80, more = {}) => ({ id, file_name, width, height, ...more })
const annotation = (id: number, image_id: number, bbox: ReadonlyArray<number>, category_id = 1) => ({ id, image_id, category_id, bbox })
const json = (images: ReadonlyArray<unknown>, annotations: ReadonlyArray<unknown>) =>
  JSON.stringify({ images, annotations, categories: [{ id: 1, name: "cow" }, { id: 2, name: "deer" }] })
const folder = async (images: ReadonlyArray<unknown>, annotations: ReadonlyArray<unknown>, more: Record<string, string | Uint8Array> = {}) =>
  folderOf({ "set/list.json": json(images, annotations), "set/a.png": await png(100, 80), "set/b.png": await png(100, 80), ...more })
const list = { annotations: "set/list.json" }

describe("ingest/coco", () => {
  it("crops around boxes, places them by the seed, and counts what is dropped", async () => {
    const root = await folder([image(1, "a.png"), image(2, "b.png")], [
      annotation(1, 1, [10, 10, 20, 10]),
      annotation(2, 1, [70, 60, 10, 10], 2),
      annotation(3, 2, [30, 30, 6, 6]),
      annotation(4, 2, [36, 30, 6, 6]),
      annotation(5, 2, [5, 5, 60, 20])
    ])
    const { notices, table } = await ingest(coco, root, { ...list, crop: 40 })
    expect(table.sample_id).toEqual(["a/000001", "a/000002"])
    expect(table.label).toEqual(["cow", "deer"])
    expect(table.labels).toEqual([["cow"], ["deer"]])
    expect(table.location).toEqual(["a", "a"])
    expect(notices).toEqual(["boxes that gave no crop: 3 of 5 (2 crossed by another box, 1 larger than the crop)"])
    const [x, y, width, height] = table.window.values
    expect([width, height]).toEqual([40, 40])
    expect([...table.box.values.subarray(0, 4)]).toEqual([10 - x!, 10 - y!, 30 - x!, 20 - y!])
    const places = await Promise.all([0, 1, 2, 3].map((seed) => ingest(coco, root, { ...list, crop: 40, seed })))
    expect(new Set(places.map((ran) => ran.table.window.values.slice(0, 2).join())).size).toBeGreaterThan(1)
    expect(places[0]!.table.window).toEqual(table.window)
  })

  it("labels tiles by the boxes whose centres they hold", async () => {
    const root = await folder([image(1, "a.png")], [
      annotation(1, 1, [30, 5, 16, 10]),
      annotation(2, 1, [2, 42, 4, 4], 2),
      annotation(3, 1, [12, 42, 4, 4], 2),
      annotation(4, 1, [22, 42, 4, 4])
    ])
    const { table } = await ingest(coco, root, { ...list, tiles: { size: 40, stride: 40 } })
    expect(table.sample_id).toEqual(["a/00000-00000", "a/00000-00040", "a/00040-00000", "a/00040-00040"])
    expect(table.label).toEqual(["cow", "background", "deer", "background"])
    expect(table.labels).toEqual([["cow"], [], ["cow", "deer"], []])
    // one box: clipped to the tile; three: none
    expect([...table.box.values.subarray(0, 4)]).toEqual([30, 5, 40, 15])
    expect([...table.box.values.subarray(8, 12)]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN])
  })

  it("takes whole images, with date and category, without crop or tiles", async () => {
    const root = await folder([image(1, "a.png", 100, 80, { date_captured: "2020-05-06 07:08:09" }), image(2, "b.png", 100, 80, { date_captured: 0 })], [annotation(9, 1, [1, 2, 3, 4], 2)])
    const { table } = await ingest(coco, root, list)
    expect(table.sample_id).toEqual(["a", "b"])
    expect(table.label).toEqual(["deer", null])
    expect([...table.box.values.subarray(0, 4)]).toEqual([1, 2, 4, 6])
    expect([...table.time]).toEqual([Date.UTC(2020, 4, 6, 7, 8, 9), Number.NaN])
    // a box has its place in a window of known size; without a box the window is the whole image, unsaid
    expect([...table.window.values]).toEqual([0, 0, 100, 80, Number.NaN, Number.NaN, Number.NaN, Number.NaN])
  })

  it("takes no part of a date_captured for a time, and counts those that are no date", async () => {
    const root = await folder([image(1, "a.png", 100, 80, { date_captured: "2020-05-06 7:08:09 +0200" }), image(2, "b.png", 100, 80, { date_captured: "2020-05-06 07:08 PM" })], [])
    const { notices, table } = await ingest(coco, root, list)
    expect([...table.time]).toEqual([Date.UTC(2020, 4, 6, 5, 8, 9), Number.NaN])
    expect(notices).toEqual(["images whose date_captured is no date as 2023-04-26 10:30:00, and thus without time: 1 of 2"])
  })

  it("takes the bounds of polygons where an annotation has no bbox", async () => {
    const polygons = (id: number, segmentation: unknown, more = {}) => ({ id, image_id: 1, category_id: 1, segmentation, ...more })
    const root = await folder([image(1, "a.png")], [polygons(1, [[10, 20, 30, 22, 14, 40.5]]), polygons(2, [[50, 50, 60, 50, 60, 60], [70, 40, 80, 40, 80, 45]], { bbox: [] }), polygons(3, { counts: "abc", size: [80, 100] }, { bbox: [1, 2, 3, 4] })])
    const { table } = await ingest(coco, root, { ...list, tiles: { size: 10, stride: 10 } })
    expect(table.sample_id.filter((_, row) => table.label[row] === "cow")).toEqual(["a/00000-00000", "a/00030-00020", "a/00050-00060"])
    for (const segmentation of [{ counts: "abc", size: [80, 100] }, [], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], undefined]) {
      await expect(ingest(coco, await folder([image(1, "a.png")], [polygons(5, segmentation)]), list)).rejects.toThrow("annotation 5 of set/list.json has neither a bbox nor polygons")
    }
  })

  it("finds a scene's bands in its folder, in the order asked for", async () => {
    const grey = await import("sharp").then(({ default: sharp }) => sharp({ create: { width: 100, height: 80, channels: 3, background: "grey" } }).toColourspace("b-w").png().toBuffer())
    const root = await folder([image(1, "port_rgb.png"), image(2, "bay_rgb.png")], [], {
      "set/port/2023-04-26_B02_(Raw).png": grey,
      "set/port/2023-04-26_B04_(Raw).png": grey,
      "set/port/2023-04-26_B8A_(Raw).png": grey,
      "set/bay/bay_rgb.png": await png(100, 80)
    })
    const { table } = await ingest(coco, root, { ...list, bands: ["B04", "B02"], missing: "skip" }).catch((error: Error) => ({ table: error.message }))
    expect(table).toBe("set/bay/bay_rgb.png has 3 bands, but 2 names are given: B04, B02; `onError: skip` goes on without it")
    const port = await ingest(coco, root, { ...list, bands: ["B04", "B02"], onError: "skip" })
    expect(port.table.assets[0]!.map(({ band, index, path }) => [band, index, path])).toEqual([
      ["B04", 0, "set/port/2023-04-26_B04_(Raw).png"],
      ["B02", 0, "set/port/2023-04-26_B02_(Raw).png"]
    ])
    expect(port.table.location).toEqual(["port"])
    expect(port.table.time[0]).toBe(Date.UTC(2023, 3, 26))
    expect(port.notices[0]).toMatch(/^images left out because they cannot be read: 1 of 2 \(set\/bay\/bay_rgb.png has 3 bands/)
  })

  it("tells scenes that lack some of the bands from those without a file", async () => {
    const root = await folder([image(1, "a.png"), image(2, "port_rgb.png"), image(3, "gone.png")], [annotation(1, 2, [1, 1, 2, 2])], { "set/port/B03.png": await png(100, 80), "set/port/B04.png": await png(100, 80) })
    const said = "images listed in set/list.json that lack bands, and with them 1 of 1 boxes: 1 of 3 (port: B02 missing, has B04, B03)"
    await expect(ingest(coco, root, { ...list, bands: ["B04", "B03", "B02"] })).rejects.toThrow(`${said}; \`missing: skip\``)
    const { notices } = await ingest(coco, root, { ...list, bands: ["B04", "B03", "B02"], missing: "skip" })
    await expect(ingest(coco, folderOf({ "set/list.json": json([image(1, "gone.png")], []), "img/x": "" }), { ...list, images: "img", missing: "skip" })).rejects.toThrow("1 of 1 (gone.png); none was found in `images: img`: is that the right folder?")
    expect(notices).toEqual([said, "images listed in set/list.json that have no file, and with them 0 of 1 boxes: 1 of 3 (gone.png)"])
  })

  it("stops at images without a file, and goes on without them as asked", async () => {
    const root = await folder([image(1, "a.png"), image(2, "lost.png"), image(3, "gone.png")], [annotation(1, 2, [1, 1, 2, 2]), annotation(2, 7, [1, 1, 2, 2])])
    await expect(ingest(coco, root, list)).rejects.toThrow(/^images listed in set\/list.json that have no file \(scenes of one file a band need `bands`\), and with them 1 of 2 boxes: 2 of 3 \(lost.png, gone.png\); `missing: skip` goes on without them$/)
    const { notices, table } = await ingest(coco, root, { ...list, missing: "skip" })
    expect(table.sample_id).toEqual(["a"])
    expect(notices[0]).toBe("annotations of images that set/list.json does not list: 1 of 2")
    expect(notices[1]).toMatch(/, and with them 1 of 2 boxes: 2 of 3 \(lost.png, gone.png\)$/)
  })

  it("stops at an image that does not decode, and goes on without it as asked, even where only its end is missing", async () => {
    const noise = await import("sharp").then(({ default: sharp }) => sharp(Uint8Array.from({ length: 24000 }, (_, i) => (i * 7919) % 251), { raw: { width: 100, height: 80, channels: 3 } }).jpeg().toBuffer())
    const root = await folder([image(1, "a.png"), image(2, "c.png"), image(3, "d.jpg")], [], { "set/c.png": "not an image", "set/d.jpg": noise.subarray(0, noise.length / 2) })
    await expect(ingest(coco, root, list)).rejects.toThrow(/^set\/c.png is not an image that can be read: .*; `onError: skip` goes on without it$/)
    const { notices, table } = await ingest(coco, root, { ...list, onError: "skip" })
    expect(table.sample_id).toEqual(["a"])
    expect(notices[0]).toMatch(/^images left out because they cannot be read: 2 of 3 \(set\/c.png does not decode: .*; set\/d.jpg does not decode: /)
  })

  it.each([
    ["{", /^set\/list.json is not JSON: /],
    ['{"images": []}', /^set\/list.json is not a COCO file: .*annotations/s],
    [json([image(1, "a.png", 90)], []), /^set\/a.png is 100 x 80 px, but set\/list.json lists a.png with 90 x 80, so its boxes would be off/],
    [json([image(1, "a.png")], [annotation(4, 1, [1, 1, 2, 2], 3)]), /^annotation 4 of set\/list.json has category 3, which is not listed; there are 1, 2$/],
    [json([image(1, "a.png"), image(2, "a.png")], []), /^"a" would be the id of two samples: image 1 \(a.png\) of set\/list.json, and image 2 \(a.png\) of set\/list.json$/],
    [json([image(1, "a.png"), image(1, "b.png")], []), /^set\/list.json gives the image id 1 twice: to "a.png" and to "b.png"$/],
    [JSON.stringify({ images: [image(1, "a.png")], annotations: [], categories: [{ id: 1, name: "cow" }, { id: 1, name: "deer" }] }), /^set\/list.json gives the category id 1 twice: to "cow" and to "deer"$/],
    [json([image(1, "a.png")], [annotation(4, 1, [90, 1, 20, 2])]), /^annotation 4 of set\/list.json \(a.png\): the box 90, 1, 110, 3 .* does not lie inside the image, which is 100 x 80 px; `onError: skip`/],
    [json([image(1, "a.png")], [annotation(4, 1, [50, 1, -20, 2])]), /^annotation 4 of set\/list.json \(a.png\): the box 50, 1, 30, 3 .* has no area/],
    [json([], []), /^no sample is left/]
  ])("refuses %s", async (content, message) => {
    const root = folderOf({ "set/list.json": content, "set/a.png": await png(100, 80) })
    await expect(ingest(coco, root, list)).rejects.toThrow(message)
  })

  it("refuses crop and tiles at once", async () => {
    const root = await folder([image(1, "a.png")], [])
    await expect(ingest(coco, root, { ...list, crop: 40, tiles: { size: 40, stride: 40 } })).rejects.toThrow("`crop` and `tiles` are two ways to cut an image")
  })
})

const shared = fileURLToPath(new URL("../../../../shared/data", import.meta.url))

describe.skipIf(!existsSync(`${shared}/neon-boxes`))("ingest/coco on NEON's polygons and VHR-10's layout (skipped where shared/data is absent)", () => {
  it("reads six trees in two georeferenced scenes", async () => {
    const { notices, table } = await ingest(coco, `${shared}/neon-boxes`, { annotations: "coco_sample_file.json", tiles: { size: 256, stride: 256 } })
    expect(table.rows).toBe(2 * 64)
    expect(table.labels.flat()).toEqual(table.label.filter((label) => label === "tree"))
    expect(table.location[0]).toBe("5b90f92da0d7280005fab355_4310")
    expect([table.lat[0], table.lon[0]].map((degrees) => Math.round(degrees! * 10) / 10)).toEqual([14.6, 121])
    expect(notices).toEqual([])
  })

  it("reads VHR-10's positive images, whose list names no categories", async () => {
    const { table } = await ingest(coco, `${shared}/format-fixtures/vhr10`, { annotations: "annotations.json", images: "NWPU VHR-10 dataset/positive image set" })
    expect(table.sample_id).toEqual(["001", "002", "003", "004", "005"])
    expect(new Set(table.label)).toEqual(new Set(["category-1"]))
    expect([...table.box.values.subarray(0, 4)]).toEqual([4, 4, 6, 6])
  })
})

describe.skipIf(!existsSync(`${shared}/sen2ships`))("ingest/coco on sen2ships (skipped where shared/data/sen2ships is absent)", () => {
  const parameters = { annotations: "sen2ships/coco_annotations.json", tiles: { size: 64, stride: 64 }, bands: ["B04", "B03", "B02"], missing: "skip" }

  it("cuts eight ports into 1,465 tiles, 103 of them with ships", async () => {
    const { notices, table } = await ingest(coco, shared, parameters)
    expect(table.rows).toBe(1465)
    expect(table.label.filter((label) => label === "ship").length).toBe(103)
    expect(table.label.filter((label) => label === "background").length).toBe(1362)
    const ports = new Map<string, [number, number]>()
    table.location.forEach((port, row) => {
      const [tiles, ships] = ports.get(port!) ?? [0, 0]
      ports.set(port!, [tiles + 1, ships + (table.label[row] === "ship" ? 1 : 0)])
    })
    expect(Object.fromEntries(ports)).toEqual({
      algiers: [357, 17],
      busan: [160, 26],
      cartagena: [209, 14],
      casablanca: [35, 8],
      hedland: [342, 15],
      honolulu: [24, 8],
      klang: [240, 12],
      san_francisco: [98, 3]
    })
    expect(notices).toEqual([expect.stringMatching(/^images listed in sen2ships\/coco_annotations.json that have no file, and with them 414 of \d+ boxes: 12 of 20 \(marseille_rgb.tiff, .*, \.\.\.\)$/)])
    for (const assets of table.assets) expect(assets.map(({ band }) => band)).toEqual(["B04", "B03", "B02"])
    const at = (port: string) => table.location.indexOf(port)
    expect(table.assets[at("san_francisco")]!.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(table.time[at("klang")]).toBe(Date.UTC(2023, 3, 8))
    expect([table.lat[at("klang")], table.lon[at("klang")]].map((degrees) => Math.round(degrees!))).toEqual([3, 101])
    expect(table.assets[at("san_francisco")]![0]!.gsd).toBeCloseTo(10.0029 * Math.cos(37.8 * Math.PI / 180), 1)
  })

  it("lists the twelve scenes without pixels where it is to stop", async () => {
    await expect(ingest(coco, shared, { ...parameters, missing: "stop" })).rejects.toThrow(/^images listed in sen2ships\/coco_annotations.json that have no file, and with them 414 of \d+ boxes: 12 of 20 \(marseille_rgb.tiff, .*, \.\.\.\); `missing: skip`/)
  })

  it("crops around its boxes", async () => {
    const { notices, table } = await ingest(coco, shared, { annotations: parameters.annotations, bands: parameters.bands, missing: "skip", crop: 64 })
    const dropped = /^boxes that gave no crop: (\d+) of 168/.exec(notices[1]!)
    expect(table.rows).toBe(168 - Number(dropped![1]))
    expect(table.rows).toBeGreaterThan(40)
  })
})
