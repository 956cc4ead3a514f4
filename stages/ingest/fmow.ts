import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect, type Row } from "../../imagery/collection.ts"
import type { Box } from "../../imagery/crop.ts"
import { wrapped, wrongDegrees } from "../../imagery/georeference.ts"
import { csvLines, folderOf, json, present } from "../../imagery/listing.ts"
import { misfit } from "../../imagery/misfit.ts"
import { join, openAll, openSource, parameters as reading, stemOf, timeOf } from "../../imagery/source.ts"

const Bounds = Schema.Struct({
  box: Schema.Tuple([Schema.Finite, Schema.Finite, Schema.Finite, Schema.Finite]),
  raw_location: Schema.optionalKey(Schema.NonEmptyString)
})
/** The parts of fMoW's metadata that are read. */
const Metadata = Schema.Struct({
  timestamp: Schema.optionalKey(Schema.NonEmptyString),
  gsd: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0))),
  img_width: Schema.optionalKey(Schema.Finite),
  img_height: Schema.optionalKey(Schema.Finite),
  bounding_boxes: Schema.optionalKey(Schema.Union([Schema.Array(Bounds), Bounds]))
})

const With = Schema.Struct({
  file: Schema.NonEmptyString.annotate({ description: "the CSV: a header, then label or geo-cluster and path in the first two columns" }),
  images: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder that the paths are relative to; without, that of the CSV" })),
  names: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "class names, by the class number in the first column; a number or name that is not among them is an error" })),
  missing: Stage.withDefault(Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where listed images have no file" }), "stop"),
  ...reading
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** Centre of the bounds of a WKT polygon of longitudes and latitudes, `POLYGON ((lon lat, ...))`; undefined: it is none. */
const centreOf = (wkt: string): { readonly lat: number; readonly lon: number } | undefined => {
  const ring = /^\s*POLYGON\s*\(\(([^()]*)\)/i.exec(wkt)?.[1]
  const corners = ring?.split(",").map((corner) => corner.trim().split(/\s+/).map(Number)) ?? []
  if (corners.length < 4 || corners.some((corner) => corner.length < 2 || !corner.every(Number.isFinite))) return undefined
  const middle = (values: ReadonlyArray<number>) => (Math.min(...values) + Math.max(...values)) / 2
  const lons = corners.map((corner) => corner[0]!)
  // no object of an image is half the earth wide: such a polygon crosses the date line
  const across = Math.max(...lons) - Math.min(...lons) > 180
  return { lat: middle(corners.map((corner) => corner[1]!)), lon: wrapped(middle(across ? lons.map((lon) => lon < 0 ? lon + 360 : lon) : lons)) }
}

/**
 * Reads Functional Map of the World by lists as Geography-aware's code takes them, several dates a place. One sample an image, whole.
 *
 * Known from released code:
 * - The CSV has a header; column 0 is a class or a geo-cluster, column 1 the path of an image (Geography-aware, `fmow_dataloader.py`). `label` is
 *   column 0 whichever it is, by `names` where they are given; clusters can be had without a list from `mine/geo-clusters`.
 * - Images of a place lie in one folder, `airport/airport_7/airport_7_3_rgb.jpg`; the same file takes the folder for the place, by its name. `location`
 *   is the folder's whole path, because `train` and `val` number their places each from 0.
 * - The metadata lie beside the image as `airport_7_3_rgb.json`: `timestamp`, `gsd` in metres, `img_width`, `img_height`, and `bounding_boxes`, one or a
 *   list, each with `box` [x, y, width, height] in px (fMoW's baseline and its README). There, `utm` is a zone such as "31N"
 *   and no coordinate, so it is not read.
 *
 * Inferred: `raw_location` of a bounding box is a WKT polygon in degrees of WGS84, longitude first, around that box: other people's code reads
 * it so. `lat` and `lon` are the centre of the first box that has one, so of the object, not of the image.
 *
 * `box` is there where an image has one bounding box. Where an image was resized since, and is not of the size that its metadata say, its box
 * is left out, with a count. Images without metadata have neither date nor place on the earth; how many is said.
 */
export default Stage.make({
  name: "ingest/fmow",
  version: 1,
  summary: "images by a list of labels (or geo-clusters) and paths, with fMoW's metadata beside them: several dates a place",
  paper: "fMoW (arXiv 1711.07846), lists of Geography-aware (arXiv 2011.09980)",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/fmow")(function*(_, parameters) {
    const { file, missing, names, onError } = parameters
    const files = yield* Stage.Files
    const { header, lines } = yield* csvLines(file)
    if (header.length < 2) return yield* fail(`${file} has one column, "${header[0]}"; a label and a path are expected in the first two`)
    const folder = parameters.images ?? folderOf(file)
    const listed = yield* Effect.forEach(lines, ({ fields, line }) => {
      const [given = "", path = ""] = fields, where = `${file}, line ${line}`
      if (path === "") return fail(`${where}: there is no path in the second column, "${header[1]}"`)
      const label = names === undefined || names.includes(given) ? given : names[/^\d+$/.test(given) ? Number(given) : -1]
      if (label === undefined) return fail(`${where}: "${given}" is no class: neither a number from 0 to ${names!.length - 1} nor among ${names!.join(", ")}`)
      return Effect.succeed({ at: join(folder, path), label, path, where })
    })
    const there = yield* present(listed.map(({ at }) => at), file, missing, parameters.images)

    let bare = 0, resized = 0
    const rows = yield* openAll(listed.filter(({ at }) => there.has(at)), onError, Effect.fnUntraced(function*({ at, label, path, where }) {
      const source = yield* openSource([at], parameters)
      const row: Row = { id: path, from: where, assets: source.assets, label: label === "" ? undefined : label, location: folderOf(path), ...source.locate(source.width / 2, source.height / 2) }
      const beside = `${stemOf(at)}.json`
      if (!(yield* files.exists(beside))) {
        bare++
        return row
      }
      const metadata = yield* Effect.mapError(Schema.decodeUnknownEffect(Metadata)(yield* json(beside)), (issue) => new Stage.StageError({ message: `${beside} is no metadata of fMoW: ${issue.message}` }))
      const { bounding_boxes: bounds = [], gsd, img_height = source.height, img_width = source.width, timestamp } = metadata
      const boxes = Array.isArray(bounds) ? bounds : [bounds]
      const time = timestamp === undefined ? Number.NaN : timeOf(timestamp)
      if (timestamp !== undefined && Number.isNaN(time)) return yield* fail(`${beside}: the timestamp "${timestamp}" is no date as 2016-02-06T11:10:28Z`)
      const wkt = boxes.find(({ raw_location }) => raw_location !== undefined)?.raw_location
      const place = wkt === undefined ? undefined : centreOf(wkt)
      if (wkt !== undefined && place === undefined) return yield* fail(`${beside}: the raw_location "${wkt.slice(0, 60)}" is no WKT polygon as POLYGON ((lon lat, ...))`)
      const wrong = place === undefined ? undefined : wrongDegrees(place.lat, place.lon)
      if (wrong !== undefined) return yield* fail(`${beside}: raw_location lies at ${wrong}`)

      const [only, another] = boxes
      const scaled = img_width !== source.width || img_height !== source.height
      if (scaled) resized++
      let box: Box | undefined
      if (only !== undefined && another === undefined && !scaled) {
        const [x, y, width, height] = only.box
        box = [x, y, x + width, y + height]
        const unfit = misfit(box, source)
        if (unfit !== undefined) return yield* fail(`${beside}: ${unfit}`)
      }
      return {
        ...row,
        ...place,
        assets: gsd === undefined || scaled ? source.assets : source.assets.map((asset) => ({ ...asset, gsd })),
        window: box === undefined ? undefined : [0, 0, source.width, source.height] as const,
        box,
        time
      }
    }))
    if (bare > 0) yield* Stage.notice(`images without metadata beside them, and thus without date and place on the earth: ${bare} of ${rows.length}`)
    if (resized > 0) yield* Stage.notice(`images that are not of the size their metadata say, whose boxes are left out: ${resized} of ${rows.length}`)
    return { samples: yield* collect(rows) }
  })
})
