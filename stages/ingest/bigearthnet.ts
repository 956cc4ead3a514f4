import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Split, Stage } from "outcrop"
import { bandsOf, openPatch, parameters as reading, type Shot, squareOf } from "../../imagery/bigearthnet.ts"
import { classes19, strange } from "../../imagery/bigearthnet-classes.ts"
import { collect } from "../../imagery/collection.ts"
import { timeIn } from "../../imagery/dates.ts"
import { join, leaveOut, noneIn, openAll } from "../../imagery/source.ts"
import { suggest } from "../../schemas/spelling.ts"

const With = Schema.Struct({
  metadata: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "the list of patches, relative to the data root" }), "metadata.parquet"),
  maps: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder of the reference maps; a sample has its own as the asset `reference_map`" })),
  ...reading
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))
const because = (path: string) => (cause: unknown) => new Stage.StageError({ message: `${path} is not a readable Parquet file: ${cause instanceof Error ? cause.message : String(cause)}` })

interface Listed {
  readonly id: string
  readonly from: string
  readonly s1: string | undefined
  readonly labels: ReadonlyArray<string>
  readonly split: "train" | "val" | "test" | "unused"
}

const parts: Readonly<Record<string, Listed["split"]>> = { train: "train", validation: "val", val: "val", test: "test" }
const names = {
  patch_id: /^S2[A-Z]_MSIL2A_\d{8}T\d{6}_N\d{4}_R\d{3}_T\d{2}[A-Z]{3}_\d+_\d+$/,
  s1_name: /^S1[A-Z]_IW_GRDH_1SDV_\d{8}T\d{6}_\d{2}[A-Z]{3}_\d+_\d+$/
}

/** A row of the list. Names become paths, so what is not a patch's name is refused. */
const listed = (row: Readonly<Record<string, unknown>>, from: string, withS1: boolean): Effect.Effect<Listed, Stage.StageError> => {
  const { labels, patch_id, s1_name, split = null } = row
  if (typeof patch_id !== "string" || !names.patch_id.test(patch_id)) return fail(`${from}: "${String(patch_id)}" in patch_id is no name of a Sentinel-2 patch`)
  if (withS1 && (typeof s1_name !== "string" || !names.s1_name.test(s1_name))) return fail(`${from}: "${String(s1_name)}" in s1_name is no name of a Sentinel-1 patch`)
  if (!Array.isArray(labels) || !labels.every((label): label is string => typeof label === "string")) return fail(`${from}: labels is no list of names`)
  const wrong = strange(labels, classes19)
  if (wrong !== undefined) return fail(`${from}: ${wrong}`)
  const part = split === null ? "unused" : parts[String(split)]
  if (part === undefined) return fail(`${from}: "${String(split)}" in split is none of train, validation and test`)
  return Effect.succeed({ id: patch_id, from, s1: typeof s1_name === "string" ? s1_name : undefined, labels: [...new Set(labels)], split: part })
}

/** Reads the list of patches. */
const list = Effect.fn("ingest/bigearthnet.list")(function*(path: string, withS1: boolean) {
  const files = yield* Stage.Files
  const bytes = yield* files.read(path)
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = yield* Effect.promise(() => import("hyparquet"))
  const file = { byteLength: bytes.byteLength, slice: (from: number, to = bytes.byteLength): ArrayBuffer => new Uint8Array(bytes.subarray(from, to)).buffer }
  const metadata = yield* Effect.tryPromise({ try: () => parquetMetadataAsync(file), catch: because(path) })
  const there = parquetSchema(metadata).children.map(({ element }) => element.name)
  const needed = ["patch_id", "labels", ...(withS1 ? ["s1_name"] : [])]
  const lost = needed.find((name) => !there.includes(name))
  if (lost !== undefined) return yield* fail(`${path} has no column "${lost}"${suggest(lost, there)}; it has ${there.join(", ")}`)
  const columns = [...needed, ...(there.includes("split") ? ["split"] : [])]
  const rows = yield* Effect.tryPromise({ try: () => parquetReadObjects({ file, metadata, columns }), catch: because(path) })
  return yield* Effect.forEach(rows, (row, i) => listed(row, `${path}, row ${i + 1}`, withS1))
})

/** A patch lies in the folder of its scene, whose name is that of the patch without what says where in the scene: two words, or three. */
const shot = (folder: string, name: string, words: 2 | 3): Shot => ({ folder: join(folder, name.split("_").slice(0, -words).join("_")), name })

/** Paths of the folders in the folders of a folder, and their names. */
const patchesIn = Effect.fn("ingest/bigearthnet.patches")(function*(folder: string) {
  const files = yield* Stage.Files
  const folders = (at: string) => Effect.map(files.list(at), (entries) => entries.flatMap((name) => name.endsWith("/") ? [name.slice(0, -1)] : []))
  const scenes = yield* Effect.forEach(yield* folders(folder), (scene) => Effect.map(folders(join(folder, scene)), (patches) => patches.map((patch) => join(join(folder, scene), patch))), { concurrency: 8 })
  return new Set(scenes.flat())
})

/**
 * Reads BigEarthNet v2 (reBEN, Clasen et al. 2024, arXiv 2407.03653): `metadata.parquet` with the 19 classes of each patch (several a
 * patch), and the folders of its Sentinel-2 and Sentinel-1 images, `<scene>/<patch>/<patch>_<band>.tif`.
 *
 * Which folders are named says what is read: `s2` alone, `s1` alone, or both as one sample with the bands of both (10, 20 and 60 m). The id
 * is the Sentinel-2 patch's; `time` is that in its name, or, of `s1` alone, in the Sentinel-1 patch's; `location` its square of the tiling
 * grid; `lat` and `lon` its centre, from the files. The authors' split, by region, is the output `split`.
 *
 * Files are opened for their headers only. Patches without a folder stop the stage, or are left out with a count; folders that the list
 * does not know are counted.
 */
export default Stage.make({
  name: "ingest/bigearthnet",
  version: 1,
  summary: "BigEarthNet v2: Sentinel-1 and Sentinel-2 patches with several classes each, and the authors' split",
  paper: "reBEN (arXiv 2407.03653)",
  with: With,
  needs: {},
  gives: { samples: Samples, split: Split },
  run: Effect.fn("ingest/bigearthnet")(function*(_, parameters) {
    const { maps, metadata, missing, onError, s1, s2 } = parameters
    const files = yield* Stage.Files
    const bands = yield* bandsOf(parameters)
    const rows = yield* list(metadata, s1 !== undefined)

    const there = new Set<string>()
    for (const folder of [s2, s1]) if (folder !== undefined) for (const path of yield* patchesIn(folder)) there.add(path)
    const patches = rows.map((row) => ({
      ...row,
      s2: s2 === undefined ? undefined : shot(s2, row.id, 2),
      s1: s1 === undefined || row.s1 === undefined ? undefined : shot(s1, row.s1, 3),
      map: maps === undefined ? undefined : `${join(shot(maps, row.id, 2).folder, row.id)}/${row.id}_reference_map.tif`
    }))
    const pathsOf = ({ s1, s2 }: { readonly s1: Shot | undefined; readonly s2: Shot | undefined }) => [s2, s1].flatMap((one) => one === undefined ? [] : [join(one.folder, one.name)])
    const known = new Set(patches.flatMap(pathsOf))
    const strangers = [...there].filter((path) => !known.has(path))
    if (strangers.length > 0) yield* Stage.notice(`folders of patches that ${metadata} does not list, left out: ${strangers.length} (${strangers.slice(0, 3).join(", ")}${strangers.length > 3 ? ", ..." : ""})`)
    const complete = new Set(yield* Effect.filter(patches, (patch) =>
      pathsOf(patch).every((path) => there.has(path)) ? patch.map === undefined ? Effect.succeed(true) : files.exists(patch.map) : Effect.succeed(false), { concurrency: 8 }))
    const lost = patches.filter((patch) => !complete.has(patch))
    yield* leaveOut(`patches listed in ${metadata} that are not there whole`, lost.map(({ id }) => id), patches.length, missing, noneIn({ s2, s1, maps }))

    const found = yield* openAll(patches.filter((patch) => complete.has(patch)), onError, (patch) =>
      Effect.map(openPatch(patch, bands, onError, patch.map === undefined ? undefined : { band: "reference_map", path: patch.map }), (source) => ({
        id: patch.id,
        from: patch.from,
        assets: source.assets,
        labels: patch.labels,
        ...source.locate(source.width / 2, source.height / 2),
        time: timeIn((patch.s2 ?? patch.s1)!.name),
        location: squareOf(patch.id),
        split: patch.split
      })))
    const unlabelled = found.filter(({ labels }) => labels.length === 0).length
    if (unlabelled > 0) yield* Stage.notice(`patches without a class: ${unlabelled} of ${found.length}`)
    return { samples: yield* collect(found), split: { sample_id: found.map(({ id }) => id), split: found.map(({ split }) => split) } }
  })
})
