import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parquetWriteBuffer } from "hyparquet-writer"
import { describe, expect, it } from "vitest"
import { sentinel2 } from "../../../imagery/sentinel.ts"
import bigearthnet from "../../../stages/ingest/bigearthnet.ts"
import { tiff } from "../../imagery/tiff-fixture.ts"
import { folderOf, ingest } from "./services.ts"

const scene = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP", radar = "S1A_IW_GRDH_1SDV_20170613T165043"
const [a, b] = [`${scene}_26_57`, `${scene}_26_58`], radarOf = (id: string) => `${radar}_33UUP${id.slice(scene.length)}`
const band = (bands = 1) => tiff({ width: 12, height: 12, bands, values: Array.from({ length: 144 * bands }, (_, i) => i), epsg: 32633, pixel: [10, 10], origin: [373_200, 5_353_200] })

interface Row {
  readonly patch_id: string
  readonly s1_name: string
  readonly split: string
  readonly labels: ReadonlyArray<string>
}
const row = (id: string, more: Partial<Row> = {}): Row => ({ patch_id: id, s1_name: radarOf(id), split: "train", labels: ["Pastures"], ...more })
const columns = ["patch_id", "s1_name", "split", "labels"] as const
/** The list of patches, as pandas writes it: texts, and a list of texts. */
const list = (rows: ReadonlyArray<Row>, names: ReadonlyArray<keyof Row> = columns) =>
  new Uint8Array(parquetWriteBuffer({
    columnData: names.map((name) => ({ name, data: rows.map((one) => one[name]) })),
    schema: [
      { name: "root", num_children: names.length },
      ...names.flatMap((name) =>
        name !== "labels" ? [{ name, type: "BYTE_ARRAY" as const, converted_type: "UTF8" as const, repetition_type: "OPTIONAL" as const }] : [
          { name, converted_type: "LIST" as const, num_children: 1, repetition_type: "OPTIONAL" as const },
          { name: "list", num_children: 1, repetition_type: "REPEATED" as const },
          { name: "element", type: "BYTE_ARRAY" as const, converted_type: "UTF8" as const, repetition_type: "OPTIONAL" as const }
        ])
    ]
  }))

const patch = (id: string): Record<string, Uint8Array> => ({
  ...Object.fromEntries(sentinel2.map((name) => [`S2/${scene}/${id}/${id}_${name}.tif`, band()])),
  ...Object.fromEntries(["VV", "VH"].map((name) => [`S1/${radar}/${radarOf(id)}/${radarOf(id)}_${name}.tif`, band()])),
  [`maps/${scene}/${id}/${id}_reference_map.tif`]: band()
})

describe("ingest/bigearthnet", () => {
  it("reads the bands asked for and the authors' split", async () => {
    const root = folderOf({ ...patch(a), ...patch(b), "metadata.parquet": list([row(b, { split: "test", labels: ["Pastures", "Arable land"] }), row(a, { split: "validation", labels: [] })]) })
    const { notices, outputs, table } = await ingest(bigearthnet, root, { s2: "S2", s1: "S1", maps: "maps", bands: ["VV", "B04"] })
    expect(table.sample_id).toEqual([a, b])
    expect(table.labels).toEqual([[], ["Pastures", "Arable land"]])
    expect(table.assets[0]!.map(({ band, path }) => [band, path])).toEqual([
      ["VV", `S1/${radar}/${radarOf(a)}/${radarOf(a)}_VV.tif`],
      ["B04", `S2/${scene}/${a}/${a}_B04.tif`],
      ["reference_map", `maps/${scene}/${a}/${a}_reference_map.tif`]
    ])
    expect(outputs["split"]).toEqual({ sample_id: [b, a], split: ["test", "val"] })
    expect(notices).toEqual(["patches without a class: 1 of 2"])
  })

  it("stops at patches without a folder, or leaves them out; counts folders that are not listed", async () => {
    const root = folderOf({ ...patch(a), ...patch(`${scene}_1_1`), "metadata.parquet": list([row(a), row(b)]) })
    await expect(ingest(bigearthnet, root, { s2: "S2" })).rejects.toThrow(`patches listed in metadata.parquet that are not there whole: 1 of 2 (${b}); \`missing: skip\` goes on without them`)
    await expect(ingest(bigearthnet, folderOf({ ...patch(`${scene}_1_1`), "metadata.parquet": list([row(b)]) }), { s2: "S2", missing: "skip" })).rejects.toThrow(
      `1 of 1 (${b}); none was found in \`s2: S2\`: is that the right folder?`
    )
    const { notices, outputs, table } = await ingest(bigearthnet, root, { s2: "S2", missing: "skip" })
    expect(table.sample_id).toEqual([a])
    expect(outputs["split"]).toEqual({ sample_id: [a], split: ["train"] })
    expect(notices).toEqual([
      `folders of patches that metadata.parquet does not list, left out: 1 (S2/${scene}/${scene}_1_1)`,
      `patches listed in metadata.parquet that are not there whole: 1 of 2 (${b})`
    ])
  })

  it.each([
    ["a missing column", list([row(a)], ["patch_id", "split", "labels"]), { s1: "S1" }, "metadata.parquet has no column \"s1_name\"; it has patch_id, split, labels"],
    ["a label that is no class", list([row(a, { labels: ["Pasture"] })]), {}, "metadata.parquet, row 1: \"Pasture\" is none of the 19 classes of BigEarthNet (did you mean \"Pastures\"?)"],
    ["a split that is none", list([row(a, { split: "dev" })]), {}, "\"dev\" in split is none of train, validation and test"],
    ["a name that leads elsewhere", list([row("../../../etc/passwd")]), {}, "\"../../../etc/passwd\" in patch_id is no name of a Sentinel-2 patch"],
    ["a Sentinel-1 name that leads elsewhere", list([row(a, { s1_name: "/etc" })]), { s1: "S1" }, "\"/etc\" in s1_name is no name of a Sentinel-1 patch"],
    ["a patch twice", list([row(a), row(a)]), {}, `"${a}" would be the id of two samples: metadata.parquet, row 1, and metadata.parquet, row 2`],
    ["a truncated list", list([row(a)]).subarray(0, 200), {}, "metadata.parquet is not a readable Parquet file"],
    ["no list", undefined, {}, "metadata.parquet is not there"]
  ])("refuses %s", async (_, metadata, parameters, message) => {
    const root = folderOf({ ...patch(a), ...(metadata === undefined ? {} : { "metadata.parquet": metadata }) })
    await expect(ingest(bigearthnet, root, { s2: "S2", ...parameters })).rejects.toThrow(message)
  })

  it("says which patch lacks a band", async () => {
    const { [`S2/${scene}/${a}/${a}_B8A.tif`]: _, ...part } = patch(a)
    await expect(ingest(bigearthnet, folderOf({ ...part, "metadata.parquet": list([row(a)]) }), { s2: "S2" })).rejects.toThrow(`S2/${scene}/${a} lacks the band B8A: there is no ${a}_B8A.tif`)
  })

  it("takes a list without splits: no sample is in any", async () => {
    const { outputs } = await ingest(bigearthnet, folderOf({ ...patch(a), "metadata.parquet": list([row(a)], ["patch_id", "labels"]) }), { s2: "S2" })
    expect(outputs["split"]).toEqual({ sample_id: [a], split: ["unused"] })
  })
})

const shared = fileURLToPath(new URL("../../../../shared/data/format-fixtures/bigearthnet/v2", import.meta.url))

describe.skipIf(!existsSync(shared))("ingest/bigearthnet on the real layout, pixels of noise (skipped where shared/data is absent)", () => {
  const folders = { s2: "BigEarthNet-S2", s1: "BigEarthNet-S1", maps: "Reference_Maps" }
  it("reads four patches of both satellites and their reference maps", async () => {
    const { notices, outputs, table } = await ingest(bigearthnet, shared, folders)
    expect(table.sample_id).toEqual([
      "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_26_57",
      "S2A_MSIL2A_20170614T102021_N9999_R122_T32TQT_45_38",
      "S2A_MSIL2A_20170618T101021_N9999_R022_T32TQR_89_34",
      "S2B_MSIL2A_20170615T102019_N9999_R122_T32TNS_45_23"
    ])
    expect(table.labels[0]).toEqual(["Urban fabric", "Industrial or commercial units", "Complex cultivation patterns"])
    for (const assets of table.assets) expect(assets.map(({ band }) => band)).toEqual([...sentinel2, "VV", "VH", "reference_map"])
    expect(table.time[0]).toBe(Date.UTC(2017, 5, 13, 10, 10, 31))
    expect(table.location[0]).toBe("33UUP_26_57")
    // the noise lies on the equator, at the false origin of UTM 32N
    for (const lat of table.lat) expect(Math.abs(lat)).toBeLessThan(0.01)
    expect(outputs["split"]!["split"]).toEqual(["train", "train", "val", "test"])
    expect(notices).toEqual([])
  })

  it("reads one satellite alone", async () => {
    const radar = await ingest(bigearthnet, shared, { s1: "BigEarthNet-S1" })
    expect(radar.table.time[0]).toBe(Date.UTC(2017, 5, 13, 16, 50, 43))
    expect(radar.table.sample_id).toHaveLength(4)
    const optical = await ingest(bigearthnet, shared, { s2: "BigEarthNet-S2", bands: ["B04", "B03", "B02"] })
    expect(optical.table.assets[3]!.map(({ band }) => band)).toEqual(["B04", "B03", "B02"])
  })
})
