import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import webdataset from "../../../stages/ingest/webdataset.ts"
import { ingest, removeFolders } from "../../engine/data-files.ts"
import { type Entry, tar } from "../../engine/tar-fixture.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { digestOf, png } from "./services.ts"

afterAll(removeFolders)
const shards = (archives: Readonly<Record<string, ReadonlyArray<Entry> | Uint8Array>>): string => {
  const root = mkdtempSync(join(tmpdir(), "outcrop-shards-"))
  for (const [path, content] of Object.entries(archives)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content instanceof Uint8Array ? content : tar(...content))
  }
  return root
}
const image = await png(4, 4)

describe("ingest/webdataset", () => {
  it("takes members of one name as a sample, its image where it lies in the shard, its class from .cls", async () => {
    const root = shards({
      "train/000.tar": [{ name: "a/2020-06-13-x.png", content: image }, { name: "a/2020-06-13-x.cls", content: "1\n" }, { name: "note", content: "" }],
      "train/001.tar": [{ name: "x.cls", content: "0" }, { name: "x.PNG", content: image }]
    })
    const { notices, table, trace } = await ingest(webdataset, root, { shards: "train", names: ["forest", "river"] })
    expect(table.sample_id).toEqual(["train/000/a/2020-06-13-x", "train/001/x"])
    expect(table.label).toEqual(["river", "forest"])
    expect(table.assets[0]).toEqual([{ band: "image", path: "train/000.tar/a/2020-06-13-x.png", digest: digestOf(image), index: -1, gsd: Number.NaN }])
    expect(table.assets[1]![0]!.path).toBe("train/001.tar/x.PNG")
    expect([...table.time]).toEqual([Date.UTC(2020, 5, 13), Number.NaN])
    expect(notices).toEqual([])
    expect(Object.keys(trace).toSorted(), "archives are what its key covers").toEqual(["train/", "train/000.tar", "train/001.tar"])
  })

  it("takes classes from .txt and metadata from the keys of .json that are named", async () => {
    const json = { species: "oak", all: ["oak", "elm"], at: [1], y: 47.5, x: 8.25, day: "2019-01-02", plot: 7, ignored: "secret" }
    const root = shards({ "s.tar": [
      { name: "0.png", content: image }, { name: "0.json", content: JSON.stringify(json) }, { name: "0.txt", content: "a caption" },
      { name: "1.png", content: image }, { name: "1.txt", content: "ash\r\nfir\n" },
      { name: "2.txt", content: "no image" }
    ] })
    const { notices, table } = await ingest(webdataset, root, { label: "species", labels: "all", lat: "y", lon: "x", time: "day", location: "plot" })
    expect(table.label).toEqual(["oak", null])
    expect(table.labels).toEqual([["oak", "elm"], ["ash", "fir"]])
    expect([table.lat[0], table.lon[0], table.time[0], table.location[0]]).toEqual([47.5, 8.25, Date.UTC(2019, 0, 2), "7"])
    expect(notices).toEqual(["samples without an image, left out: 1 of 3"])
  })

  it("takes several images of a sample as its bands, in the order asked for", async () => {
    const one = (value: number) => tiff({ width: 1, height: 1, bands: 1, values: [value] })
    const root = shards({ "s.tar": [{ name: "0.B04.tif", content: one(4) }, { name: "0.B02.tif", content: one(2) }, { name: "0.B03.tif", content: one(3) }] })
    expect((await ingest(webdataset, root)).table.assets[0]!.map(({ band }) => band)).toEqual(["B02", "B03", "B04"])
    const { table } = await ingest(webdataset, root, { bands: ["B04", "b02"] })
    expect(table.assets[0]!.map(({ band, digest, index, path }) => [band, digest, index, path])).toEqual([["B04", digestOf(one(4)), 0, "s.tar/0.B04.tif"], ["b02", digestOf(one(2)), 0, "s.tar/0.B02.tif"]])
    await expect(ingest(webdataset, root, { bands: ["B04", "B08"] })).rejects.toThrow("sample s/0 has no image for B08; it has B02, B03, B04")
  })

  it("takes the only image without a middle word for the picture, others for bands beside it", async () => {
    const grey = tiff({ width: 4, height: 4, bands: 1, values: Array.from({ length: 16 }, (_, i) => i) })
    const root = shards({ "s.tar": [{ name: "0.a.tif", content: grey }, { name: "0.png", content: image }, { name: "0.seg.tif", content: grey }] })
    const bandsOf = async (parameters: object) => (await ingest(webdataset, root, parameters)).table.assets[0]!.map(({ band, index, path }) => [band, index, path])
    expect(await bandsOf({})).toEqual([["image", -1, "s.tar/0.png"], ["a", 0, "s.tar/0.a.tif"], ["seg", 0, "s.tar/0.seg.tif"]])
    expect(await bandsOf({ bands: ["seg", "image"] })).toEqual([["seg", 0, "s.tar/0.seg.tif"], ["image", -1, "s.tar/0.png"]])
    expect(await bandsOf({ bands: ["image"] })).toEqual([["image", -1, "s.tar/0.png"]])
    expect(await bandsOf({ image: "a.tif", bands: ["image", "png"] }).catch((error: Error) => error.message)).toMatch(/s\.tar\/0\.png has 3 bands, but 1 names are given: png/)
  })

  it("is told which of several plain images is the picture", async () => {
    const root = shards({ "s.tar": [{ name: "0.png", content: image }, { name: "0.tif", content: tiff({ width: 4, height: 4, bands: 1, values: Array.from({ length: 16 }, () => 1) }) }] })
    await expect(ingest(webdataset, root)).rejects.toThrow("sample s/0 has several images without a band in their name, png, tif; say by `image: png` which is the picture")
    expect((await ingest(webdataset, root, { image: "png" })).table.assets[0]!.map(({ band, index }) => [band, index])).toEqual([["image", -1], ["tif", 0]])
    await expect(ingest(webdataset, root, { image: "jpg" })).rejects.toThrow("sample s/0 has no member .jpg, which `image` names; its images are png, tif")
  })

  it.each<[string, Readonly<Record<string, ReadonlyArray<Entry> | Uint8Array>>, unknown, RegExp]>([
    ["no shard", { "a.zip": [] }, {}, /there are no \.tar files in \./],
    ["a compressed shard", { "a.tar": [], "b.tar.gz": new Uint8Array(9) }, {}, /b\.tar\.gz is compressed: its members can be read only from a plain \.tar/],
    ["a shard that was cut off", { "a.tar": tar({ name: "0.png", content: image }).subarray(0, 540) }, {}, /a\.tar: member "0\.png" is said to have \d+ bytes/],
    ["a hostile shard", { "a.tar": [{ name: "0.png", type: "2", link: "/etc/passwd" }] }, {}, /a\.tar: member "0\.png" is a symbolic link/],
    ["an image that is cut off", { "a.tar": [{ name: "0.png", content: image.subarray(0, 20) }] }, {}, /a\.tar\/0\.png is not an image that can be read: .*; `onError: skip`/],
    ["a class that has no name", { "a.tar": [{ name: "0.png", content: image }, { name: "0.cls", content: "2" }] }, { names: ["a", "b"] }, /a\.tar\/0\.cls is class 2, but there are 2 names, from 0/],
    ["broken JSON", { "a.tar": [{ name: "0.png", content: image }, { name: "0.json", content: "{" }] }, {}, /a\.tar\/0\.json is no JSON: /],
    ["JSON that is a list", { "a.tar": [{ name: "0.png", content: image }, { name: "0.json", content: "[]" }] }, {}, /a\.tar\/0\.json is no JSON object/],
    ["a value of another kind", { "a.tar": [{ name: "0.png", content: image }, { name: "0.json", content: "{\"y\":\"north\"}" }] }, { lat: "y", lon: "x" }, /a\.tar\/0\.json: "y" is "north", where a number of degrees is expected/],
    ["coordinates that are swapped", { "a.tar": [{ name: "0.png", content: image }, { name: "0.json", content: "{\"y\":120.5,\"x\":31}" }] }, { lat: "y", lon: "x" }, /a\.tar\/0\.json: latitude 120\.5 .*swapped\?/],
    ["members that differ in capitals only", { "a.tar": [{ name: "0.json", content: "{}" }, { name: "0.JSON", content: "{}" }] }, {}, /a\.tar\/0\.JSON and a\.tar\/0\.json would be one member of one sample/],
    ["two images of one band", { "a.tar": [{ name: "0.x.png", content: image }, { name: "0.X.jpg", content: image }] }, {}, /both a\.tar\/0\.X\.jpg and a\.tar\/0\.x\.png would be the band x/],
    ["half a place", { "a.tar": [{ name: "0.png", content: image }, { name: "0.json", content: "{\"y\":12}" }] }, { lat: "y", lon: "x" }, /a\.tar\/0\.json: there is no "x", so its place is half given/],
    ["one key of a place", { "a.tar": [] }, { lon: "x" }, /`lon` is half a place: name the keys of both/],
    ["a time that is not understood", { "a.tar": [{ name: "0.png", content: image }, { name: "0.json", content: "{\"t\":\"2020-06-13 10:00 PM\"}" }] }, { time: "t" }, /a\.tar\/0\.json: "t" is "2020-06-13 10:00 PM", where a date is expected/],
    ["a wrong number of bands", { "a.tar": [{ name: "0.png", content: image }] }, { bands: ["B04"] }, /a\.tar\/0\.png has 3 bands, but 1 names are given/],
    ["a shard outside of the data root", { "a.tar": [] }, { shards: ["../x.tar"] }, /\.\.\/x\.tar lies outside of the data root/]
  ])("refuses %s", async (_, archives, parameters, message) => {
    await expect(ingest(webdataset, shards(archives), parameters)).rejects.toThrow(message)
  })
})
