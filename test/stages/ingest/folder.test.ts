import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import folder from "../../../stages/ingest/folder.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { folderOf, ingest, png } from "./services.ts"

describe("ingest/folder", () => {
  it("takes the folder as the class, also of images deeper down, and counts what is no image", async () => {
    const image = await png(20, 10)
    const root = folderOf({ "set/Forest/b.png": image, "set/Forest/2020-02-03/a.png": image, "set/River/b.png": image, "set/River/notes.txt": "", "set/loose.png": image })
    const { notices, table } = await ingest(folder, root, { images: "./set/" })
    expect(table.sample_id).toEqual(["Forest/2020-02-03/a.png", "Forest/b.png", "River/b.png"])
    expect(table.label).toEqual(["Forest", "Forest", "River"])
    expect([...table.time]).toEqual([Date.UTC(2020, 1, 3), Number.NaN, Number.NaN])
    expect(table.assets[2]).toEqual([{ band: "image", path: "set/River/b.png", digest: expect.stringMatching(/^[0-9a-f]{64}$/), index: -1, gsd: Number.NaN }])
    expect(notices).toEqual([
      "images in no class's folder, left out: 1 of 4 (loose.png first)",
      "files that are no images, left out: 1",
      "images without a date in their path: 2 of 3 (Forest/b.png first)"
    ])
  })

  it("gives the bands of each file the names asked for", async () => {
    const { table } = await ingest(folder, folderOf({ "Forest/a.png": await png(4, 4) }), { bands: ["B04", "B03", "B02"] })
    expect(table.assets[0]!.map(({ band, index }) => [band, index])).toEqual([["B04", 0], ["B03", 1], ["B02", 2]])
  })

  it("takes dates from paths by a pattern, and counts where there is none", async () => {
    const image = await png(4, 4)
    const root = folderOf({ "Forest/13.06.2017_a.png": image, "River/b.png": image })
    const { notices, table } = await ingest(folder, root, { date: "%d.%m.%Y" })
    expect([...table.time]).toEqual([Date.UTC(2017, 5, 13), Number.NaN])
    expect(notices).toEqual(["images without a date in their path: 1 of 2 (River/b.png first)"])
    expect((await ingest(folder, root)).notices).toEqual([])
    await expect(ingest(folder, root, { date: "%d.%m" })).rejects.toThrow("the date pattern \"%d.%m\" has no year")
  })

  it("refuses pictures where EuroSAT's 13 bands are asked for, and TIFFs that are cut off", async () => {
    await expect(ingest(folder, folderOf({ "Forest/a.png": await png(4, 4) }), { bands: "eurosat" })).rejects.toThrow("Forest/a.png has 3 bands, but 13 names are given: B01, B02")
    const whole = tiff({ width: 4, height: 4, bands: 13, values: Array.from({ length: 208 }, (_, i) => i) })
    await expect(ingest(folder, folderOf({ "Forest/a.tif": whole.subarray(0, 100) }), { bands: "eurosat" })).rejects.toThrow("Forest/a.tif is not an image that can be read")
    const { notices, table } = await ingest(folder, folderOf({ "Forest/a.tif": whole, "Forest/b.tif": whole.subarray(0, 100) }), { bands: "eurosat", onError: "skip" })
    expect(table.sample_id).toEqual(["Forest/a.tif"])
    expect(notices).toEqual([expect.stringContaining("all 2 images are of one class"), expect.stringContaining("images left out because they cannot be read: 1 of 2 (Forest/b.tif does not decode")])
  })

  it("refuses a folder so far up that it would hold one class, and names the one right above the classes", async () => {
    const image = await png(4, 4)
    const root = folderOf({ "set/ds/tif/Forest/a.png": image, "set/ds/tif/River/b.png": image, "set/ds/tif/River/c.png": image })
    await expect(ingest(folder, root, { images: "set" })).rejects.toThrow(
      'every image would be of one class, "ds", the folder in set, though they lie deeper in 2 folders (set/ds/tif/Forest, set/ds/tif/River); to take these for the classes, give `images: set/ds/tif`'
    )
    expect((await ingest(folder, root, { images: "set/ds/tif" })).table.label).toEqual(["Forest", "River", "River"])
    await expect(ingest(folder, folderOf({ "all/train/Forest/a.png": image, "all/val/Forest/b.png": image }))).rejects.toThrow("give `images: all/train` or `images: all/val`")
  })

  it("says where there is one class, and where classes are not the folders that images lie in", async () => {
    const image = await png(4, 4)
    expect((await ingest(folder, folderOf({ "Forest/a.png": image, "Forest/old/b.png": image }))).notices).toEqual(['all 2 images are of one class, "Forest", the folder in .'])
    expect((await ingest(folder, folderOf({ "train/Forest/a.png": image, "val/Forest/b.png": image }))).notices).toEqual([
      "no image lies right in the folder of its class: classes are the folders in . (train, val), images lie deeper (in train/Forest first)"
    ])
  })

  it("refuses a folder without classes", async () => {
    await expect(ingest(folder, folderOf({ "a.png": await png(4, 4) }))).rejects.toThrow("there are no images in folders of .; the folder of an image is its class")
  })
})

const shared = fileURLToPath(new URL("../../../../shared/data", import.meta.url))
const eurosat = "format-fixtures/eurosat/ds/images/remote_sensing/otherDatasets/sentinel_2/tif"

describe.skipIf(!existsSync(`${shared}/${eurosat}`))("ingest/folder on EuroSAT's layout (skipped where shared/data is absent)", () => {
  it("reads its two classes", async () => {
    const { table } = await ingest(folder, shared, { images: eurosat })
    expect(table.sample_id).toEqual(["AnnualCrop/AnnualCrop_1.tif", "Forest/Forest_1.tif"])
    expect(table.label).toEqual(["AnnualCrop", "Forest"])
  })

  it("names the 13 bands, B8A the last, and finds the place (UTM 32N)", async () => {
    const { notices, table } = await ingest(folder, shared, { images: eurosat, bands: "eurosat" })
    expect(table.assets[1]!.map(({ band, index }) => `${index} ${band}`).join()).toBe("0 B01,1 B02,2 B03,3 B04,4 B05,5 B06,6 B07,7 B08,8 B09,9 B10,10 B11,11 B12,12 B8A")
    expect(table.assets[1]![0]!.gsd).toBeCloseTo(10.008, 3)
    expect(table.lat[1]).toBeCloseTo(50.25, 1)
    expect(table.lon[1]).toBeCloseTo(9.47, 1)
    expect(notices).toEqual([])
  })

  it("reads colour JPEGs as pictures", async () => {
    const { default: sharp } = await import("sharp")
    const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: "green" } }).jpeg().toBuffer()
    const { table } = await ingest(folder, folderOf({ "2750/AnnualCrop/AnnualCrop_1.jpg": jpeg, "2750/Forest/Forest_1.jpg": jpeg }), { images: "2750" })
    expect(table.sample_id).toEqual(["AnnualCrop/AnnualCrop_1.jpg", "Forest/Forest_1.jpg"])
    expect(table.assets[0]!.map(({ band }) => band)).toEqual(["image"])
  })
})
