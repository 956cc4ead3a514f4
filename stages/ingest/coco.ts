import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import type { Box } from "../../imagery/crop.ts"
import { cut, parameters as cutting, type Thing } from "../../imagery/cut.ts"
import { folderOf, json, noneOf } from "../../imagery/listing.ts"
import { misfit } from "../../imagery/misfit.ts"
import { isImage, join, leaveOut, openAll, openSource, parameters as reading, stemOf, timeIn, timeOf } from "../../imagery/source.ts"

/** The parts of a COCO file that are read; https://cocodataset.org/#format-data */
const Coco = Schema.Struct({
  images: Schema.Array(Schema.Struct({
    id: Schema.Finite,
    file_name: Schema.NonEmptyString,
    width: Schema.Finite,
    height: Schema.Finite,
    date_captured: Schema.optionalKey(Schema.Unknown)
  })),
  annotations: Schema.Array(Schema.Struct({
    id: Schema.Finite,
    image_id: Schema.Finite,
    category_id: Schema.Finite,
    bbox: Schema.optionalKey(Schema.Union([Schema.Tuple([Schema.Finite, Schema.Finite, Schema.Finite, Schema.Finite]), Schema.Tuple([])])),
    segmentation: Schema.optionalKey(Schema.Unknown)
  })),
  categories: Schema.optionalKey(Schema.Array(Schema.Struct({ id: Schema.Finite, name: Schema.NonEmptyString })))
})
type Image = (typeof Coco.Type)["images"][number]
type Annotation = (typeof Coco.Type)["annotations"][number]

const isPolygons = Schema.is(Schema.Array(Schema.Array(Schema.Finite)))

const With = Schema.Struct({
  annotations: Schema.NonEmptyString.annotate({ description: "the COCO file, relative to the data root" }),
  images: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder of the images; without, that of the COCO file" })),
  missing: Stage.withDefault(Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where listed images have no file" }), "stop"),
  ...reading,
  ...cutting
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** The box of an annotation: `bbox` [x, y, width, height], or the bounds of its polygons [x0, y0, x1, y1, ...] where that is absent or empty. */
const boxOf = ({ bbox, segmentation }: Annotation): Box | undefined => {
  if (bbox !== undefined && bbox.length === 4) return [bbox[0], bbox[1], bbox[0] + bbox[2], bbox[1] + bbox[3]]
  if (!isPolygons(segmentation) || segmentation.length === 0 || segmentation.some(({ length }) => length < 6 || length % 2 === 1)) return undefined
  const at = (parity: number) => segmentation.flatMap((polygon) => polygon.filter((_, i) => i % 2 === parity))
  const edge = (pick: (a: number, b: number) => number, parity: number) => at(parity).reduce((a, b) => pick(a, b))
  return [edge(Math.min, 0), edge(Math.min, 1), edge(Math.max, 0), edge(Math.max, 1)]
}

/** Names by the ids that a list gives them. Fails where an id is given twice: which of the two an annotation means, nobody knows. */
const byId = Effect.fnUntraced(function*(path: string, what: "image" | "category", entries: ReadonlyArray<readonly [id: number, name: string]>) {
  const names = new Map<number, string>()
  for (const [id, name] of entries) {
    if (names.has(id)) return yield* fail(`${path} gives the ${what} id ${id} twice: to "${names.get(id)}" and to "${name}"`)
    names.set(id, name)
  }
  return names
})

/** Whether a name has a band in it as a word of its own: "..._L2A_B02_(Raw).tiff". */
const hasBand = (name: string, band: string): boolean => stemOf(name).split(/[_.\-() ]+/).includes(band)

/**
 * Finds the files of a listed image. Either it is where its name says; or a folder bears the scene's name (`klang` for
 * `klang_rgb.tiff`) and holds the image, or one file for each of the bands asked for; where it holds some of them, which is said.
 */
const find = Effect.fnUntraced(function*(folder: string, folders: ReadonlyArray<string>, { file_name }: Image, bands: ReadonlyArray<string> | undefined) {
  const files = yield* Stage.Files
  const stem = stemOf(file_name)
  const scene = folders.filter((name) => stem === name || stem.startsWith(`${name}_`) || stem.startsWith(`${name}-`)).toSorted((a, b) => b.length - a.length)[0]
  const beside = join(folder, file_name)
  if (yield* files.exists(beside)) return { name: scene ?? stem, paths: [beside] as const }
  if (scene === undefined) return undefined
  const inside = join(join(folder, scene), file_name)
  if (yield* files.exists(inside)) return { name: scene, paths: [inside] as const }
  if (bands === undefined) return undefined
  const names = (yield* files.list(join(folder, scene))).filter(isImage)
  const paths = new Map<string, string>()
  for (const band of bands) {
    const [only, another] = names.filter((name) => hasBand(name, band))
    if (another !== undefined) return yield* fail(`two files in ${join(folder, scene)} may be band ${band} of ${file_name}: ${only} and ${another}`)
    if (only !== undefined) paths.set(band, join(join(folder, scene), only))
  }
  const [first, ...rest] = paths.values(), lost = bands.filter((band) => !paths.has(band))
  if (first === undefined) return undefined
  return lost.length === 0 ? { name: scene, paths: [first, ...rest] as const } : `${scene}: ${lost.join(", ")} missing, has ${[...paths.keys()].join(", ")}`
})

/**
 * Reads images with boxes as COCO lists them: https://cocodataset.org/#format-data
 *
 * Samples are crops (`crop`), tiles (`tiles`), or whole images. `label` is the category; `location` the scene, so that a split by location
 * keeps it together; `time` the date in the name of the file, or in `date_captured` (texts there that are no date are counted); `lat` and
 * `lon` come from georeferenced files. The box of an annotation without `bbox` is that of its polygons; one that does not lie inside its image
 * stops the reader, or leaves the image out with `onError: skip`.
 *
 * With `bands`, a scene may also be a folder of one file a band, and the bands of a multi-band file get these names.
 */
export default Stage.make({
  name: "ingest/coco",
  version: 1,
  summary: "images with boxes as COCO lists them: crops, tiles or whole images",
  paper: "COCO (arXiv 1405.0312)",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/coco")(function*(_, parameters) {
    const { annotations: path, bands, missing, onError } = parameters
    const files = yield* Stage.Files
    const coco = yield* Effect.mapError(Schema.decodeUnknownEffect(Coco)(yield* json(path)), (issue) => new Stage.StageError({ message: `${path} is not a COCO file: ${issue.message}` }))

    const names = yield* byId(path, "category", (coco.categories ?? []).map(({ id, name }) => [id, name]))
    yield* byId(path, "image", coco.images.map(({ file_name, id }) => [id, file_name]))
    const thingsOf = new Map(coco.images.map(({ id }) => [id, new Array<Thing & { readonly id: number }>()]))
    let strangers = 0
    for (const annotation of coco.annotations) {
      const { category_id, id, image_id } = annotation, box = boxOf(annotation)
      const label = names.get(category_id) ?? (names.size === 0 ? `category-${category_id}` : undefined)
      if (label === undefined) return yield* fail(`annotation ${id} of ${path} has category ${category_id}, which is not listed; there are ${[...names.keys()].join(", ")}`)
      if (box === undefined) return yield* fail(`annotation ${id} of ${path} has neither a bbox nor polygons; masks of run lengths (RLE) are not read: add their bbox`)
      const things = thingsOf.get(image_id)
      if (things === undefined) strangers++
      else things.push({ id, name: String(id).padStart(6, "0"), label, box })
    }
    if (strangers > 0) yield* Stage.notice(`annotations of images that ${path} does not list: ${strangers} of ${coco.annotations.length}`)

    const folder = parameters.images ?? folderOf(path)
    const folders = (yield* files.list(folder === "" ? "." : folder)).flatMap((name) => name.endsWith("/") ? [name.slice(0, -1)] : [])
    const found = yield* Effect.forEach(coco.images, (image) => Effect.map(find(folder, folders, image, bands), (at) => ({ at, image })))
    const leave = (what: string, lost: ReadonlyArray<{ readonly image: Image; readonly said: string }>, advice: string) => {
      const boxes = lost.reduce((sum, { image }) => sum + thingsOf.get(image.id)!.length, 0)
      return leaveOut(`images listed in ${path} ${what}, and with them ${boxes} of ${coco.annotations.length} boxes`, lost.map(({ said }) => said), found.length, missing, advice)
    }
    yield* leave("that lack bands", found.flatMap(({ at, image }) => typeof at === "string" ? [{ image, said: at }] : []), "are `bands` named as in the names of the files?")
    yield* leave(`that have no file${bands === undefined ? " (scenes of one file a band need `bands`)" : ""}`, found.flatMap(({ at, image }) => at === undefined ? [{ image, said: image.file_name }] : []), noneOf(parameters.images, path))

    let undated = 0
    const present = found.flatMap(({ at, image }) => at === undefined || typeof at === "string" ? [] : [{ ...at, image }])
    const images = yield* openAll(present, onError, Effect.fnUntraced(function*({ image, name, paths }) {
      const source = yield* openSource(paths, parameters)
      if (source.width !== image.width || source.height !== image.height) {
        return yield* fail(`${paths[0]} is ${source.width} x ${source.height} px, but ${path} lists ${image.file_name} with ${image.width} x ${image.height}, so its boxes would be off`)
      }
      const things = thingsOf.get(image.id)!
      for (const { box, id } of things) {
        const unfit = misfit(box, source)
        if (unfit !== undefined) return yield* fail(`annotation ${id} of ${path} (${image.file_name}): ${unfit}`)
      }
      const named = timeIn(paths[0]), date = typeof image.date_captured === "string" ? image.date_captured : ""
      const time = Number.isNaN(named) ? timeOf(date) : named
      if (date !== "" && Number.isNaN(time)) undated++
      return { name, from: `image ${image.id} (${image.file_name}) of ${path}`, source, things, location: name, time }
    }))
    if (undated > 0) yield* Stage.notice(`images whose date_captured is no date as 2023-04-26 10:30:00, and thus without time: ${undated} of ${images.length}`)
    return { samples: yield* collect(yield* cut(images, parameters)) }
  })
})
