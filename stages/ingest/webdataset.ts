import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import { timeIn, timeOf } from "../../imagery/dates.ts"
import { wrongDegrees } from "../../imagery/georeference.ts"
import { textOf } from "../../imagery/listing.ts"
import { filesBelow, isImage, openAll, openSource, parameters as reading, stemOf } from "../../imagery/source.ts"

const Key = Schema.NonEmptyString
const With = Schema.Struct({
  shards: Stage.withDefault(Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)]).annotate({ description: "folder of the .tar files, or a list of them" }), "."),
  image: Schema.optionalKey(Key.annotate({ description: "extension of the picture where a sample has several images (jpg, rgb.png); without, the only one whose name has no middle word" })),
  names: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "class names by the number in .cls, from 0" })),
  label: Schema.optionalKey(Key.annotate({ description: "key of the class in .json; without, .cls, or .txt of one line" })),
  labels: Schema.optionalKey(Key.annotate({ description: "key of a list of classes in .json; without, the lines of .txt" })),
  lat: Schema.optionalKey(Key.annotate({ description: "key of degrees north in .json; without, from georeferenced files" })),
  lon: Schema.optionalKey(Key.annotate({ description: "key of degrees east in .json" })),
  time: Schema.optionalKey(Key.annotate({ description: "key of the date in .json" })),
  location: Schema.optionalKey(Key.annotate({ description: "key of the place in .json" })),
  ...reading
})

const Metadata = Schema.Record(Schema.String, Schema.Unknown)
const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** The members of one sample by their extension: all that follows the first dot of the name ("seg.png"). */
interface Sample {
  readonly id: string
  readonly members: ReadonlyMap<string, string>
}

/** Members grouped by their name up to the first dot; folders belong to the name. Fails where extensions differ in capitals only. */
const samplesOf = Effect.fnUntraced(function*(shard: string, members: ReadonlyArray<string>) {
  const found = new Map<string, Map<string, string>>()
  for (const member of members) {
    const dot = member.indexOf(".", member.lastIndexOf("/") + 1)
    if (dot < 0) continue
    const key = member.slice(0, dot), known = found.get(key) ?? new Map<string, string>()
    const extension = member.slice(dot + 1).toLowerCase(), other = known.get(extension)
    if (other !== undefined) return yield* fail(`${other} and ${shard}/${member} would be one member of one sample: their names differ in capitals only`)
    found.set(key, known.set(extension, `${shard}/${member}`))
  }
  return [...found].map(([key, members]): Sample => ({ id: `${stemOf(shard)}/${key}`, members }))
})

/** The middle word of a member's name, which is its band: "B04" of "0/000.B04.tif"; "": there is none. */
const bandIn = (path: string): string => {
  const name = stemOf(path.slice(path.lastIndexOf("/") + 1)), dot = name.indexOf(".")
  return dot < 0 ? "" : name.slice(dot + 1)
}

/** The images of a sample in the order of `bands`: one file, or several that bear a band each; the picture among these is the band `image`. */
const imagesOf = Effect.fnUntraced(function*({ id, members }: Sample, { bands, image }: typeof With.Type) {
  const images = [...members].filter(([, path]) => isImage(path)).toSorted(([, a], [, b]) => a < b ? -1 : 1)
  const [first, ...others] = images
  if (first === undefined) return undefined
  // the picture with all of its own bands is what a reader gives without names
  const alone = { paths: [first[1]] as const, ...(bands === undefined || (bands.length === 1 && bands[0] === "image") ? {} : { bands }) }
  const listed = images.map(([extension]) => extension).join(", ")
  if (image !== undefined && !members.has(image.toLowerCase())) return yield* fail(`sample ${id} has no member .${image}, which \`image\` names; its images are ${listed}`)
  if (others.length === 0) return alone
  const plain = images.filter(([, path]) => bandIn(path) === "")
  if (image === undefined && plain.length > 1) return yield* fail(`sample ${id} has several images without a band in their name, ${listed}; say by \`image: ${plain[0]![0]}\` which is the picture`)
  const picture = image === undefined ? plain[0]?.[0] : image.toLowerCase()
  const pathOf = new Map<string, string>(), names: Array<string> = []
  for (const [extension, path] of images.toSorted(([a], [b]) => Number(b === picture) - Number(a === picture))) {
    const band = extension === picture ? "image" : bandIn(path) || extension, other = pathOf.get(band.toLowerCase())
    if (other !== undefined) return yield* fail(`both ${other} and ${path} would be the band ${band}`)
    pathOf.set(band.toLowerCase(), path)
    names.push(band)
  }
  const lost = (bands ?? []).filter((band) => !pathOf.has(band.toLowerCase()))
  if (lost.length > 0) return yield* fail(`sample ${id} has no image for ${lost.join(", ")}; it has ${names.join(", ")}`)
  const [band, ...more] = bands ?? names, path = pathOf.get(band!.toLowerCase())!
  if (more.length === 0 && band === "image") return { ...alone, paths: [path] as const }
  return { paths: [path, ...more.map((one) => pathOf.get(one.toLowerCase())!)] as const, bands: [band!, ...more] as const }
})

/**
 * Reads the shards of a WebDataset (https://github.com/webdataset/webdataset): tar archives, never unpacked, in which members of one name and different
 * extensions are one sample.
 *
 * - Images are `jpg`, `png`, `tif` and the like; several in a sample are its bands, `000.B04.tif`, chosen and ordered by `bands`. The one without a middle
 *   word, `000.jpg` beside `000.seg.png`, is the picture, the band `image` with all of its own bands (`bands: [image]` reads it alone); so is the one
 *   whose extension the parameter `image` names. Others have one band each.
 * - `.cls` holds the class: its number, which `names` gives a name to, or its name. `.txt` holds class names, one a line. `.json` holds what the parameters
 *   name keys of.
 * - A sample's id is its shard and its name, since names begin anew in each shard. Its pixels are keyed by the member's bytes: packed anew into other shards,
 *   no image is embedded again.
 *
 * Samples without an image are left out with a count. Compressed shards cannot be read in place and are refused.
 */
export default Stage.make({
  name: "ingest/webdataset",
  version: 1,
  summary: "WebDataset: samples in tar shards, read without unpacking",
  paper: "WebDataset (layout of its tar shards)",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/webdataset")(function*(_, parameters) {
    const { names, onError, shards } = parameters
    const files = yield* Stage.Files
    const listed = yield* Effect.forEach(typeof shards === "string" ? [shards] : shards, (path) => path.endsWith(".tar") ? Effect.succeed([path]) : filesBelow(path))
    const paths = [...new Set(listed.flat())]
    const packed = paths.find((path) => /\.(tar\.\w+|tgz)$/i.test(path))
    if (packed !== undefined) return yield* fail(`${packed} is compressed: its members can be read only from a plain .tar; decompress it first`)
    if ((parameters.lat === undefined) !== (parameters.lon === undefined)) return yield* fail(`\`${parameters.lat === undefined ? "lon" : "lat"}\` is half a place: name the keys of both \`lat\` and \`lon\``)
    const archives = paths.filter((path) => path.endsWith(".tar"))
    if (archives.length === 0) return yield* fail(`there are no .tar files in ${String(shards)}`)
    const samples = (yield* Effect.forEach(archives, (shard) => Effect.flatMap(files.list(shard), (members) => samplesOf(shard, members)))).flat()

    const text = (path: string) => Effect.map(textOf(path), (content) => content.trim())
    const metadataOf = Effect.fnUntraced(function*(path: string | undefined) {
      if (path === undefined) return {}
      const content = yield* text(path)
      const parsed = yield* Effect.try({ try: (): unknown => JSON.parse(content), catch: (cause) => new Stage.StageError({ message: `${path} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}` }) })
      return yield* Effect.mapError(Schema.decodeUnknownEffect(Metadata)(parsed), () => new Stage.StageError({ message: `${path} is no JSON object` }))
    })
    const classIn = Effect.fnUntraced(function*(path: string) {
      const found = yield* text(path)
      if (names === undefined || !/^\d+$/.test(found)) return found
      return names[Number(found)] ?? (yield* fail(`${path} is class ${found}, but there are ${names.length} names, from 0`))
    })
    /** The value of a key that a parameter names. */
    const valueOf = <A>(path: string | undefined, metadata: typeof Metadata.Type, key: string | undefined, what: string, accept: (value: unknown) => A | undefined) => {
      if (key === undefined || metadata[key] === undefined || metadata[key] === null) return Effect.succeed(undefined)
      const value = accept(metadata[key])
      return value === undefined ? fail(`${path}: "${key}" is ${JSON.stringify(metadata[key])}, where ${what} is expected`) : Effect.succeed(value)
    }
    const asText = (value: unknown) => typeof value === "string" || typeof value === "number" ? String(value) : undefined
    const asNumber = (value: unknown) => typeof value === "number" ? value : undefined
    const asTime = (value: unknown) => typeof value !== "string" || Number.isNaN(timeOf(value)) ? undefined : timeOf(value)
    const asTexts = (value: unknown) => Array.isArray(value) && value.every((one) => asText(one) !== undefined) ? value.map(String) : undefined

    let bare = 0
    const rows = yield* openAll(samples, onError, Effect.fnUntraced(function*(sample) {
      const images = yield* imagesOf(sample, parameters)
      if (images === undefined) {
        bare++
        return undefined
      }
      const { id, members } = sample
      const source = yield* openSource(images.paths, { ...images, onError })
      const json = members.get("json"), metadata = yield* metadataOf(json)
      const lines = members.has("txt") ? (yield* text(members.get("txt")!)).split(/\r?\n/).filter((line) => line !== "") : []
      const cls = members.has("cls") ? yield* classIn(members.get("cls")!) : lines.length === 1 ? lines[0] : undefined
      const centre = source.locate(source.width / 2, source.height / 2)
      const north = yield* valueOf(json, metadata, parameters.lat, "a number of degrees", asNumber)
      const east = yield* valueOf(json, metadata, parameters.lon, "a number of degrees", asNumber)
      if ((north === undefined) !== (east === undefined)) return yield* fail(`${json}: there is no "${north === undefined ? parameters.lat : parameters.lon}", so its place is half given`)
      const lat = north ?? centre.lat, lon = east ?? centre.lon
      const wrong = wrongDegrees(lat, lon)
      if (wrong !== undefined) return yield* fail(`${json}: ${wrong}`)
      return {
        id,
        from: images.paths[0],
        assets: source.assets,
        label: (yield* valueOf(json, metadata, parameters.label, "the name of a class", asText)) ?? cls,
        labels: (yield* valueOf(json, metadata, parameters.labels, "a list of classes", asTexts)) ?? lines,
        lat,
        lon,
        time: (yield* valueOf(json, metadata, parameters.time, "a date", asTime)) ?? timeIn(id),
        location: yield* valueOf(json, metadata, parameters.location, "the name of a place", asText)
      }
    }))
    if (bare > 0) yield* Stage.notice(`samples without an image, left out: ${bare} of ${samples.length}`)
    return { samples: yield* collect(rows) }
  })
})
