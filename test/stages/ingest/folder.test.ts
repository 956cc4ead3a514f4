import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import folder from "../../../stages/ingest/folder.ts"
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
    expect(notices).toEqual(["images in no class's folder, left out: 1 of 4 (loose.png first)", "files that are no images, left out: 1"])
  })

  it("gives the bands of each file the names asked for", async () => {
    const { table } = await ingest(folder, folderOf({ "Forest/a.png": await png(4, 4) }), { bands: ["B04", "B03", "B02"] })
    expect(table.assets[0]!.map(({ band, index }) => [band, index])).toEqual([["B04", 0], ["B03", 1], ["B02", 2]])
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
})
