import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { bandsOf, openPatch, parameters as reading, type Shot, squareOf } from "../../imagery/bigearthnet.ts"
import { classes43, strange, to19 } from "../../imagery/bigearthnet-classes.ts"
import { collect } from "../../imagery/collection.ts"
import { timeIn, timeOf } from "../../imagery/dates.ts"
import { locator } from "../../imagery/georeference.ts"
import { json } from "../../imagery/listing.ts"
import { join, leaveOut, noneIn, openAll } from "../../imagery/source.ts"
import { greatCircle } from "../../math/sphere.ts"

const With = Schema.Struct({
  classes: Stage.withDefault(Schema.Literals([19, 43]).annotate({ description: "19: the classes of BigEarthNet's new nomenclature; 43: those of CORINE as they are in the files" }), 19),
  ...reading
})

/** The parts of a `*_labels_metadata.json` that are read. Sentinel-2's says lry and acquisition_date, Sentinel-1's lly and acquisition_time. */
const Metadata = Schema.Struct({
  labels: Schema.Array(Schema.String),
  coordinates: Schema.Struct({ ulx: Schema.Finite, uly: Schema.Finite, lrx: Schema.Finite, lry: Schema.optionalKey(Schema.Finite), lly: Schema.optionalKey(Schema.Finite) }),
  projection: Schema.String,
  acquisition_date: Schema.optionalKey(Schema.String),
  acquisition_time: Schema.optionalKey(Schema.String),
  corresponding_s2_patch: Schema.optionalKey(Schema.String),
  tile_source: Schema.optionalKey(Schema.String)
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** The JSON and the file may place the centre of a patch (1.2 km wide) this many metres apart. */
const tolerance = 60

/** A patch of one satellite, as its JSON has it. */
interface Described extends Shot {
  /** Path of the JSON. */
  readonly from: string
  readonly metadata: typeof Metadata.Type
  readonly centre: { readonly lat: number; readonly lon: number }
}

/** The centre of a patch from its corners, in the projection (WKT) that the JSON gives; NaN: not a known one. */
const centreOf = Effect.fnUntraced(function*({ coordinates, projection }: typeof Metadata.Type, path: string) {
  const { lly, lrx, ulx, uly } = coordinates, lower = coordinates.lry ?? lly
  if (lower === undefined) return yield* fail(`${path}: coordinates has neither lry nor lly`)
  if (!(ulx < lrx && lower < uly)) return yield* fail(`${path}: the corners ulx ${ulx}, uly ${uly}, lrx ${lrx}, ${coordinates.lry === undefined ? "lly" : "lry"} ${lower} enclose nothing; are some of them swapped?`)
  const epsg = Number(/AUTHORITY\["EPSG",\s*"(\d+)"\]\]\s*$/.exec(projection)?.[1])
  const locate = yield* Effect.promise(() => locator({ epsg, origin: [ulx, uly], resolution: [1, -1] }))
  return locate((lrx - ulx) / 2, (uly - lower) / 2)
})

/** Reads the metadata of all patches of a folder; folders without are left out, or stop the stage. */
const describe = Effect.fn("ingest/bigearthnet-v1.describe")(function*(parameter: "s1" | "s2", folder: string, { missing, onError }: typeof With.Type) {
  const files = yield* Stage.Files
  const names = (yield* files.list(folder)).flatMap((name) => name.endsWith("/") ? [name.slice(0, -1)] : [])
  const pathOf = (name: string) => join(join(folder, name), `${name}_labels_metadata.json`)
  const described = new Set(yield* Effect.filter(names, (name) => files.exists(pathOf(name)), { concurrency: 8 }))
  yield* leaveOut(`folders in ${folder} without their labels_metadata.json`, names.filter((name) => !described.has(name)), names.length, missing, noneIn({ [parameter]: folder }))
  const patches = yield* openAll([...described], onError, Effect.fnUntraced(function*(name) {
    const from = pathOf(name)
    const given = yield* json(from)
    const metadata = yield* Effect.mapError(Schema.decodeUnknownEffect(Metadata)(given), (issue) => new Stage.StageError({ message: `${from} is no metadata of BigEarthNet: ${issue.message}` }))
    return { folder, name, from, metadata, centre: yield* centreOf(metadata, from) } satisfies Described
  }))
  for (const { from, metadata } of patches) {
    const wrong = strange(metadata.labels, classes43)
    if (wrong !== undefined) return yield* fail(`${from}: ${wrong}`)
  }
  return patches
})

/** Joins the patches of the two satellites: a Sentinel-1 patch names its Sentinel-2 patch. */
const pair = Effect.fn("ingest/bigearthnet-v1.pair")(function*(s2: ReadonlyArray<Described>, s1: ReadonlyArray<Described>, missing: "stop" | "skip") {
  const partner = new Map<string, Described>()
  for (const patch of s1) {
    const of = patch.metadata.corresponding_s2_patch
    if (of === undefined) return yield* fail(`${patch.from} has no corresponding_s2_patch`)
    const other = partner.get(of)
    if (other !== undefined) return yield* fail(`both ${other.name} and ${patch.name} say that they correspond to ${of}`)
    partner.set(of, patch)
  }
  const names = new Set(s2.map(({ name }) => name))
  yield* leaveOut("Sentinel-2 patches without a Sentinel-1 patch", s2.filter(({ name }) => !partner.has(name)).map(({ name }) => name), s2.length, missing, "are `s2` and `s1` folders of the same patches?")
  yield* leaveOut("Sentinel-1 patches without their Sentinel-2 patch", [...partner].filter(([of]) => !names.has(of)).map(([, { name }]) => name), s1.length, missing, "are `s2` and `s1` folders of the same patches?")
  return s2.flatMap((patch) => partner.has(patch.name) ? [{ s2: patch, s1: partner.get(patch.name) }] : [])
})

/** The square of the tiling grid; in v1, a Sentinel-2 patch's name lacks the tile, which the scene's name has. */
const square = ({ metadata, name }: Described): string | undefined => {
  const tile = /_(T\d{2}[A-Z]{3})_/.exec(metadata.tile_source ?? "")?.[1], [, place] = /_(\d+_\d+)$/.exec(name) ?? []
  return squareOf(name) ?? (tile === undefined || place === undefined ? undefined : squareOf(`_${tile}_${place}`))
}

/**
 * Reads BigEarthNet v1 (Sumbul et al. 2019, arXiv 1902.06148) and its Sentinel-1 patches (BigEarthNet-MM, arXiv 2105.07921): a folder a
 * patch, in it one TIFF a band and `<patch>_labels_metadata.json`.
 *
 * Which folders are named says what is read: `s2` alone, `s1` alone, or both as one sample with the bands of both (10, 20 and 60 m),
 * where a Sentinel-1 patch says which Sentinel-2 patch it belongs to. `labels` are the 19 classes, or the 43 of CORINE; patches that the
 * 19 leave without any keep an empty list, and are counted. `lat` and `lon` are the centre, from the files, and must agree with the
 * corners in the JSON; `time` is the acquisition's (of Sentinel-2 where there are both), `location` the square of the tiling grid.
 *
 * Files are opened for their headers only.
 */
export default Stage.make({
  name: "ingest/bigearthnet-v1",
  version: 1,
  summary: "BigEarthNet v1: Sentinel-2 patches and those of Sentinel-1, with JSON of several classes each (43 or 19)",
  paper: "BigEarthNet (arXiv 1902.06148)",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/bigearthnet-v1")(function*(_, parameters) {
    const { classes, missing, onError, s1, s2 } = parameters
    const bands = yield* bandsOf(parameters)
    const shots2 = s2 === undefined ? undefined : yield* describe("s2", s2, parameters)
    const shots1 = s1 === undefined ? undefined : yield* describe("s1", s1, parameters)
    const patches: ReadonlyArray<{ readonly s2: Described | undefined; readonly s1: Described | undefined }> = shots2 !== undefined && shots1 !== undefined
      ? yield* pair(shots2, shots1, missing)
      : [...(shots2 ?? []).map((s2) => ({ s2, s1: undefined })), ...(shots1 ?? []).map((s1) => ({ s2: undefined, s1 }))]

    const rows = yield* openAll(patches, onError, Effect.fnUntraced(function*(patch) {
      const source = yield* openPatch(patch, bands, onError)
      const shot = (patch.s2 ?? patch.s1)!, { from, metadata, name } = shot
      const here = source.locate(source.width / 2, source.height / 2), at = Number.isNaN(here.lat) ? shot.centre : here
      for (const one of [patch.s2, patch.s1]) {
        const apart = one === undefined ? 0 : greatCircle(one.centre.lat, one.centre.lon, at.lat, at.lon)
        if (apart > tolerance) return yield* fail(`${one?.from} places the patch ${Math.round(apart)} m from where ${source.assets[0]!.path} does`)
      }
      const date = metadata.acquisition_date ?? metadata.acquisition_time
      if (date !== undefined && Number.isNaN(timeOf(date))) return yield* fail(`${from}: "${date}" is no date as 2017-06-17 11:33:21`)
      return {
        id: name,
        from,
        assets: source.assets,
        labels: classes === 43 ? [...new Set(metadata.labels)] : to19(metadata.labels),
        ...at,
        time: date === undefined ? timeIn(name) : timeOf(date),
        location: square(shot)
      }
    }))
    const unlabelled = rows.filter(({ labels }) => labels.length === 0).length
    if (unlabelled > 0) yield* Stage.notice(`patches without a class${classes === 19 ? " among the 19" : ""}: ${unlabelled} of ${rows.length}`)
    return { samples: yield* collect(rows) }
  })
})
