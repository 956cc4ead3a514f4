import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import voc from "../../../stages/ingest/voc.ts"
import { folderOf, ingest, png } from "./services.ts"

const object = (name: string, [xmin, ymin, xmax, ymax]: ReadonlyArray<number | string>) =>
  `<object><name>${name}</name><difficult>0</difficult><bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`
const xml = (filename: string, objects: string, size = "<size><width>100</width><height>80</height><depth>3</depth></size>") =>
  `<annotation><folder>VOC</folder><filename>${filename}</filename>${size}<segmented>0</segmented>${objects}</annotation>`
const folder = async (files: Record<string, string>) => folderOf({ "set/a.png": await png(100, 80), "set/b.png": await png(100, 80), ...files })
const boxOf = (table: { readonly box: { readonly values: Float32Array } }, row: number) => [...table.box.values.subarray(row * 4, row * 4 + 4)]

describe("ingest/voc", () => {
  it("gives whole images, tiles and crops of one XML an image", async () => {
    const root = await folder({ "set/a.xml": xml("a.png", object("oak", [10, 20, 30, 44.5])), "set/b.xml": xml("b.png", object("oak", [50, 10, 60, 20]) + object("ash &amp; elm", [4, 50, 12, 58])) })
    const whole = await ingest(voc, root, { annotations: "set" })
    expect(whole.table.sample_id).toEqual(["a", "b"])
    expect(whole.table.labels).toEqual([["oak"], ["ash & elm", "oak"]])
    expect(boxOf(whole.table, 0)).toEqual([10, 20, 30, 44.5])
    const crops = await ingest(voc, root, { annotations: "set", crop: 30 })
    expect(crops.table.sample_id).toEqual(["a/000001", "b/000001", "b/000002"])
    expect(crops.table.location).toEqual(["a", "b", "b"])
    expect((await ingest(voc, root, { annotations: ["set/b.xml"], tiles: { size: 40, stride: 40 } })).table.label).toEqual(["background", "oak", "ash & elm", "background"])
  })

  it("reads an image without objects, and PASCAL VOC's own folders, whose pixels count from 1", async () => {
    const root = folderOf({
      "Annotations/2007_000027.xml": xml("2007_000027.png", object("person", [1, 1, 100, 80])),
      "Annotations/2007_000032.xml": xml("2007_000032.png", ""),
      "JPEGImages/2007_000027.png": await png(100, 80),
      "JPEGImages/2007_000032.png": await png(100, 80)
    })
    const { table } = await ingest(voc, root, { annotations: "Annotations", images: "JPEGImages", first: 1 })
    expect(table.sample_id).toEqual(["2007_000027", "2007_000032"])
    expect(boxOf(table, 0)).toEqual([0, 0, 100, 80])
    expect(table.label).toEqual(["person", null])
  })

  it.each([
    [xml("a.png", object("oak", [1, 2, 3, 4])).slice(0, -40), /^set\/a.xml is not XML: /],
    ["<annotation><filename>a.png</filename><object><name>oak</name></object></annotation>", /^set\/a.xml is not a PASCAL VOC annotation: .*bndbox/s],
    [xml("a.png", object("oak", [1, "two", 3, 4])), /^set\/a.xml is not a PASCAL VOC annotation: .*ymin/s],
    [xml("a.png", object("oak", ["", 2, 3, 4])), /^set\/a.xml is not a PASCAL VOC annotation: .*xmin/s],
    [xml("a.png", object("oak", [1, 2, "0x10", 4])), /^set\/a.xml is not a PASCAL VOC annotation: .*decimal.*xmax/s],
    [`<${"a".repeat(3000)}`, /^set\/a.xml is not XML: .{1,200}$/s],
    [xml("a.png", object("oak", [1, 2, 130, 4])), /^set\/a.xml, object 1 \(oak\): the box 1, 2, 130, 4 \(xmin, ymin, xmax, ymax\) does not lie inside the image, which is 100 x 80 px$/],
    [xml("a.png", object("oak", [9, 2, 3, 4])), /^set\/a.xml, object 1 \(oak\): the box 9, 2, 3, 4 .* has no area$/],
    [xml("a.png", object("elm", [1, 2, 3, 4])), /^set\/a.xml, object 1 \(elm\): the class "elm" is not among oak, ash$/],
    [xml("a.png", "", "<size><width>80</width><height>100</height></size>"), /^set\/a.png is 100 x 80 px, but set\/a.xml says 80 x 100, so its boxes would be off/],
    [xml("lost.png", ""), /^images listed in the XML files that have no file: 1 of 1 \(set\/lost.png\); none was found beside the XML files: `images` names another folder$/],
    [`<!DOCTYPE annotation [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>${xml("a.png", object("&b;", [1, 2, 3, 4]))}`, /^set\/a.xml declares a DTD or entities, which are not read/],
    [`<!DOCTYPE annotation [<!ENTITY a SYSTEM "file:///etc/passwd">]>${xml("&a;", "")}`, /^set\/a.xml declares a DTD or entities/],
    [`${"<a>".repeat(5000)}${"</a>".repeat(5000)}`, /^set\/a.xml is not XML: .*nested/],
    [" ".repeat(2 ** 24 + 1), /^set\/a.xml has 16777217 bytes; annotations of more than 16777216 are not read$/]
  ])("refuses %.80s", async (text, message) => {
    await expect(ingest(voc, await folder({ "set/a.xml": text }), { annotations: "set", names: ["oak", "ash"] })).rejects.toThrow(message)
  })

  it("says so where several XML files are of one image", async () => {
    const { notices, table } = await ingest(voc, await folder({ "set/a.xml": xml("a.png", object("oak", [1, 2, "3.5e0", 4])), "set/more.xml": xml("a.png", "") }), { annotations: "set" })
    expect(table.sample_id).toEqual(["a", "more"])
    expect(notices).toEqual(["images that several XML files annotate, thus samples of each of these: 1 (set/a.png first, of set/a.xml and set/more.xml)"])
  })

  it("refuses text that is not UTF-8", async () => {
    const root = folderOf({ "set/a.xml": Buffer.from(xml("a.png", object("B\u00e4r", [1, 2, 3, 4])), "latin1"), "set/a.png": await png(100, 80) })
    await expect(ingest(voc, root, { annotations: "set" })).rejects.toThrow("set/a.xml is not UTF-8; save it as UTF-8")
  })

  it("says so where there are no XML files, and leaves out images that are lost or broken as asked", async () => {
    await expect(ingest(voc, await folder({}), { annotations: "set" })).rejects.toThrow("there are no .xml files in set")
    const root = await folder({ "set/a.xml": xml("a.png", ""), "set/b.xml": xml("lost.png", ""), "set/c.xml": xml("c.png", ""), "set/c.png": "not an image" })
    const { notices, table } = await ingest(voc, root, { annotations: "set", missing: "skip", onError: "skip" })
    expect(table.sample_id).toEqual(["a"])
    expect(notices).toEqual(["images listed in the XML files that have no file: 1 of 3 (set/lost.png)", expect.stringMatching(/^images left out because they cannot be read: 1 of 2 \(set\/c.png does not decode/)])
  })
})

const neon = fileURLToPath(new URL("../../../../shared/data/neon-boxes", import.meta.url))

describe.skipIf(!existsSync(neon))("ingest/voc on NEON's trees (skipped where shared/data/neon-boxes is absent)", () => {
  it("reads 377 trees in three images", async () => {
    const { table } = await ingest(voc, neon, { annotations: ".", tiles: { size: 400, stride: 400 } })
    expect(new Set(table.location)).toEqual(new Set(["2019_YELL_2_541000_4977000_image_crop", "OSBS_029", "SOAP_061"]))
    expect(table.labels[table.location.indexOf("SOAP_061")]).toEqual(["Alive", "Dead"])
    expect([table.lat[table.location.indexOf("OSBS_029")], table.lon[table.location.indexOf("OSBS_029")]].map((degrees) => Math.round(degrees! * 100) / 100)).toEqual([29.69, -81.99])
    const { notices } = await ingest(voc, neon, { annotations: ".", crop: 48 })
    expect(notices).toEqual([expect.stringMatching(/^boxes that gave no crop: \d+ of 377 \(\d+ crossed by another box, \d+ larger than the crop\)$/)])
  })
})
