import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { Samples } from "outcrop"
import * as Tables from "../../../schemas/table.ts"
import split from "../../../stages/ingest/split.ts"
import treesatai from "../../../stages/ingest/treesatai.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { divide, folderOf, ingest } from "./services.ts"

/** 6 x 6 px of 10 m in UTM zone 32 (Lower Saxony), four bands. */
const patch = tiff({ width: 6, height: 6, bands: 4, values: Array.from({ length: 144 }, () => 1), epsg: 25832, origin: [560000, 5800000], pixel: [10, 10] })
const genera = { "b.tif": [["Fagus", 0.6], ["Quercus", 0.35], ["Cleared", 0.05]], "a.tif": [["Picea", 0.5], ["Abies", 0.5]] }
const parameters = { labels: "labels/shares.json", images: "aerial/60m" }
const folder = (content: string, more: Record<string, string | Uint8Array> = {}) => folderOf({ "labels/shares.json": content, "aerial/60m/a.tif": patch, "aerial/60m/b.tif": patch, ...more })

describe("ingest/treesatai", () => {
  it("gives the genera of an image by the threshold of their shares", async () => {
    const root = folder(JSON.stringify(genera))
    const { table } = await ingest(treesatai, root, { ...parameters, threshold: 0.07 })
    expect(table.sample_id).toEqual(["a.tif", "b.tif"])
    expect(table.labels).toEqual([["Abies", "Picea"], ["Fagus", "Quercus"]])
    // equal shares: the first in name order
    expect(table.label).toEqual(["Abies", "Fagus"])
    expect([table.lat[0], table.lon[0]].map((degrees) => Math.round(degrees! * 10) / 10)).toEqual([52.3, 9.9])
    expect((await ingest(treesatai, root, parameters)).table.labels[1]).toEqual(["Cleared", "Fagus", "Quercus"])
  })

  it("keeps an image in which no genus reaches the threshold, and counts it", async () => {
    const { notices, table } = await ingest(treesatai, folder(JSON.stringify(genera)), { ...parameters, threshold: 0.55 })
    expect(table.labels).toEqual([[], ["Fagus"]])
    expect(table.label).toEqual([null, "Fagus"])
    expect(notices).toEqual(["images in which no genus has a share of 0.55, and thus without labels: 1 of 2"])
  })

  it.each([
    ['{"a.tif": [["Picea"', {}, /^labels\/shares.json is not JSON: /],
    ['{"a.tif": [["Picea", 1.5]]}', {}, /^labels\/shares.json is not a list of genera and their shares \(0 to 1\): .*between 0 and 1.*a\.tif/s],
    ['{"a.tif": ["Picea"]}', {}, /^labels\/shares.json is not a list of genera/],
    ['{"a.tif": [["Picea", 1]]}', { names: ["Abies"] }, /^a.tif of labels\/shares.json has the genus "Picea", which is not among Abies$/],
    ['{"z.tif": [["Picea", 1]], "a.tif": []}', {}, /^images listed in labels\/shares.json that have no file: 1 of 2 \(aerial\/60m\/z.tif\); `missing: skip`/],
    ['{"a.tif": []}', { images: "aerial/200m", missing: "skip" }, /: 1 of 1 \(aerial\/200m\/a.tif\); none was found in `images: aerial\/200m`: is that the right folder\?$/],
    ['{"a.tif": [["Picea", 1]]}', { bands: ["R", "G", "B"] }, /^aerial\/60m\/a.tif has 4 bands, but 3 names are given: R, G, B/]
  ])("refuses %s with %j", async (content, more, message) => {
    await expect(ingest(treesatai, folder(content), { ...parameters, ...more })).rejects.toThrow(message)
  })

  it("stops at a truncated image, or goes on without it", async () => {
    const root = folder(JSON.stringify(genera), { "aerial/60m/b.tif": patch.subarray(0, 100) })
    await expect(ingest(treesatai, root, parameters)).rejects.toThrow(/^aerial\/60m\/b.tif is not an image that can be read/)
    expect((await ingest(treesatai, root, { ...parameters, onError: "skip" })).table.sample_id).toEqual(["a.tif"])
  })
})

const fixture = fileURLToPath(new URL("../../../../shared/data/format-fixtures/treesatai", import.meta.url))

describe.skipIf(!existsSync(fixture))("ingest/treesatai on the data set's layout (skipped where shared/data/format-fixtures is absent)", () => {
  it("reads its labels, and ingest/split its lists", async () => {
    const content = readFileSync(`${fixture}/labels/TreeSatBA_v9_60m_multi_labels.json`, "utf8")
    const files = Object.keys(JSON.parse(content) as object)
    const lists = ["train", "test"].map((part) => [`${part}_filenames.lst`, readFileSync(`${fixture}/${part}_filenames.lst`, "utf8")] as const)
    const root = folderOf({ "labels/shares.json": content, ...Object.fromEntries(lists), ...Object.fromEntries(files.map((file) => [`aerial/60m/${file}`, patch])) })
    const { table } = await ingest(treesatai, root, parameters)
    expect(table.rows).toBe(files.length)
    const row = table.sample_id.indexOf("Quercus_petraea_2_84375_WEFL_NLF.tif")
    expect([table.label[row], table.labels[row]]).toEqual(["Acer", ["Acer", "Cleared", "Pseudotsuga"]])
    const { sample_id } = table, named = Tables.make(Samples, { sample_id, assets: sample_id.map(() => []) })
    const { of } = await divide(split, { samples: Tables.view(named, Object.keys(Samples.columns)) }, { given: { train: "train_filenames.lst", test: "test_filenames.lst" } }, root)
    expect(of.get("Acer_pseudoplatanus_4_6058_WEFL_NLF.tif")).toBe("test")
    expect([...of.values()].filter((part) => part === "train").length).toBe(9)
  })
})
