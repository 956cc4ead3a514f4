import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect, type Row } from "../../imagery/collection.ts"
import { dateReader, dating } from "../../imagery/dates.ts"
import { type GeoReference, knows, pixelAt, projector, wrongDegrees } from "../../imagery/georeference.ts"
import { csvLines, json, needColumns, textOf } from "../../imagery/listing.ts"
import { filesBelow, gsdOf, isImage, openAll, openSource, parameters as reading, type Source, stemOf } from "../../imagery/source.ts"
import { inside, type Window } from "../../imagery/window.ts"
import { suggest } from "../../schemas/spelling.ts"

const Column = Schema.NonEmptyString
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
const With = Schema.Struct({
  points: Schema.NonEmptyString.annotate({ description: "the points: a GeoJSON (.geojson, .json), or a CSV with commas or tabs between its fields" }),
  scenes: Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)]).annotate({ description: "folder of georeferenced images, folders in it too; or a list of them" }),
  size: Schema.Union([Schema.Int.check(Schema.isGreaterThan(0)), Schema.Struct({ metres: Positive })]).annotate({ description: "side of the window around a point: px, or { metres: 200 }" }),
  lat: Schema.optionalKey(Column.annotate({ description: "column of degrees north; without, the first there is of decimalLatitude, latitude, Latitude, lat" })),
  lon: Schema.optionalKey(Column.annotate({ description: "column of degrees east; without, the first there is of decimalLongitude, longitude, Longitude, lon" })),
  label: Schema.optionalKey(Column.annotate({ description: "column or property of the class; without, the first there is of species, scientific_name, SciName, label" })),
  id: Schema.optionalKey(Column.annotate({ description: "column or property of unique ids (gbifID); without, the number of the row or feature" })),
  ...dating,
  ...reading
})
type Parameters = typeof With.Type

/** Names of columns in GBIF's, iNaturalist's and EDDMapS' exports, and what people write by hand. */
const latitudes = ["decimalLatitude", "latitude", "Latitude", "lat"]
const longitudes = ["decimalLongitude", "longitude", "Longitude", "lon"]
const classes = ["species", "scientific_name", "SciName", "label"]

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

interface Point {
  readonly id: string
  readonly from: string
  readonly label: string | undefined
  readonly lat: number
  readonly lon: number
}

// ---- points -------------------------------------------------------------------------------------------------------------------

const Collection = Schema.Struct({
  type: Schema.Literal("FeatureCollection"),
  crs: Schema.optionalKey(Schema.NullOr(Schema.Struct({ properties: Schema.Struct({ name: Schema.String }) }))),
  features: Schema.Array(Schema.Struct({
    geometry: Schema.NullOr(Schema.Struct({ type: Schema.String, coordinates: Schema.optionalKey(Schema.Unknown) })),
    properties: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown)))
  }))
})
const isPosition = Schema.is(Schema.Array(Schema.Finite).check(Schema.isMinLength(2)))

/** The points of a GeoJSON (RFC 7946: longitude before latitude, WGS84). */
const fromGeoJson = Effect.fnUntraced(function*({ id, label, points: path }: Parameters) {
  const { crs, features } = yield* Effect.mapError(Schema.decodeUnknownEffect(Collection)(yield* json(path)), (issue) => new Stage.StageError({ message: `${path} is no GeoJSON FeatureCollection: ${issue.message}` }))
  if (crs !== undefined && crs !== null && !/(CRS84|EPSG:+4326)$/.test(crs.properties.name)) return yield* fail(`${path} is in ${crs.properties.name}; GeoJSON's coordinates are degrees of WGS84: reproject it`)
  const points: Array<Point> = []
  const species = label ?? classes.find((name) => features.some(({ geometry, properties }) => geometry?.type === "Point" && (properties?.[name] ?? "") !== ""))
  const there = new Set(features.flatMap(({ properties }) => Object.keys(properties ?? {})))
  if (label !== undefined && features.length > 0 && !there.has(label)) return yield* fail(`no feature of ${path} has a property "${label}"${suggest(label, there)}; there are ${[...there].join(", ") || "none"}`)
  for (const [i, { geometry, properties }] of features.entries()) {
    if (geometry?.type !== "Point") continue
    const from = `${path}, feature ${i + 1}`, given = properties ?? {}
    if (!isPosition(geometry.coordinates)) return yield* fail(`${from}: its coordinates are no [longitude, latitude]`)
    const text = (name: string | undefined) => {
      const value = name === undefined ? "" : given[name] ?? ""
      return typeof value === "string" || typeof value === "number"
        ? Effect.succeed(String(value))
        : fail(`${from}: its property "${name}" is ${JSON.stringify(value).slice(0, 60)}, where a text or a number is expected`)
    }
    const own = yield* text(id)
    if (id !== undefined && own === "") return yield* fail(`${from}: it has no property "${id}"${suggest(id, Object.keys(given))}; it has ${Object.keys(given).join(", ") || "none"}`)
    const name = yield* text(species)
    points.push({ id: own === "" ? String(i + 1).padStart(6, "0") : own, from, label: name === "" ? undefined : name, lon: geometry.coordinates[0]!, lat: geometry.coordinates[1]! })
  }
  if (points.length < features.length) yield* Stage.notice(`features that are no points, left out: ${features.length - points.length} of ${features.length}`)
  return points
})

/** The points of a CSV. Fields between tabs are not quoted, as GBIF writes them. */
const fromCsv = Effect.fnUntraced(function*({ id, label, lat, lon, points: path }: Parameters) {
  const head = (yield* textOf(path)).split("\n", 1)[0]!
  const { header, lines } = yield* head.includes("\t") ? csvLines(path, "\t", false) : csvLines(path)
  const known = (given: string | undefined, names: ReadonlyArray<string>) => given ?? names.find((name) => header.includes(name))
  const columns = { lat: known(lat, latitudes), lon: known(lon, longitudes), label: known(label, classes) }
  yield* needColumns(path, header, [columns.lat, columns.lon, columns.label, id])
  for (const [axis, names] of [["lat", latitudes], ["lon", longitudes]] as const) {
    if (columns[axis] === undefined) return yield* fail(`${path} has none of the columns ${names.join(", ")}; name it by \`${axis}\`: there are ${header.join(", ")}`)
  }
  const points: Array<Point> = []
  for (const [row, { line, record }] of lines.entries()) {
    const from = `${path}, line ${line}`
    const north = record[columns.lat!]!, east = record[columns.lon!]!
    if (north === "" || east === "") continue
    const bad = Number.isNaN(Number(north)) ? north : Number.isNaN(Number(east)) ? east : undefined
    if (bad !== undefined) return yield* fail(`${from}: "${bad}" in columns ${columns.lat} and ${columns.lon} is no number of degrees`)
    const name = columns.label === undefined ? "" : record[columns.label]!
    points.push({ id: id === undefined ? String(row + 1).padStart(6, "0") : record[id]!, from, label: name === "" ? undefined : name, lat: Number(north), lon: Number(east) })
  }
  if (points.length < lines.length) yield* Stage.notice(`points without coordinates, left out: ${lines.length - points.length} of ${lines.length}`)
  return points
})

// ---- scenes -------------------------------------------------------------------------------------------------------------------

interface Scene {
  readonly path: string
  readonly geo: GeoReference
  readonly source: Source
}

/** Where points lie in scenes, px. Each reference system projects the points once, however many scenes are in it. */
const placer = Effect.fnUntraced(function*(scenes: ReadonlyArray<Scene>) {
  const systems = [...new Set(scenes.map(({ geo }) => geo.epsg))]
  const project = new Map(yield* Effect.forEach(systems, (epsg) => Effect.map(Effect.promise(() => projector(epsg)), (to) => [epsg, to] as const)))
  return (lat: number, lon: number) => {
    const on = new Map(systems.map((epsg) => [epsg, project.get(epsg)!(lat, lon)]))
    return scenes.flatMap((scene) => {
      const { geo, source: { height, width } } = scene
      const [at, y] = pixelAt(geo, on.get(geo.epsg)!)
      // an image in degrees that crosses the date line goes on beyond 180
      const turn = geo.epsg === 4326 ? 360 / geo.resolution[0] : 0
      const x = [at, at + turn, at - turn].find((x) => x >= 0 && x < width)
      return x !== undefined && y >= 0 && y < height ? [{ scene, x, y }] : []
    })
  }
})

/**
 * The window around a position, in whole px of the scene: square in px, or on the ground where `size` is in metres. The position lies in the
 * pixel at its centre (right of and below the centre where the side is even).
 */
const windowAt = (size: Parameters["size"], { geo }: Scene, { lat, x, y }: { readonly x: number; readonly y: number; readonly lat: number }): Window => {
  const metres = gsdOf(geo, lat), [across, down] = geo.resolution
  const height = typeof size === "number" ? size : Math.max(1, Math.round(size.metres / metres))
  const width = typeof size === "number" ? size : Math.max(1, Math.round(size.metres / (metres * Math.abs(across / down) * (geo.epsg === 4326 ? Math.cos(lat * Math.PI / 180) : 1))))
  return [Math.floor(x) - Math.floor(width / 2), Math.floor(y) - Math.floor(height / 2), width, height]
}

/**
 * Joins points to scenes by location: a window of `size` around each point in each georeferenced image that contains it. Points are a
 * GeoJSON, or a CSV as GBIF, iNaturalist or EDDMapS export it, in degrees of WGS84.
 *
 * A point in several scenes (dates, overlaps) gives a sample in each. Left out, with counts: points without coordinates, points in no scene,
 * windows that cross a scene's edge (not shifted: the point would leave the centre), images that are not georeferenced in a reference system
 * that is known. Ids are the scene's path and the point's id. `label` is the species; `lat` and `lon` are the point's; `location` is the point
 * too (to 5 decimals, a metre), so that its dates share it; `time` is the date in the scene's name: when the image was taken, not when somebody
 * saw the species. Latitudes that are none stop the reader, and so do points that would lie in the scenes only with columns swapped.
 */
export default Stage.make({
  name: "ingest/points",
  version: 1,
  summary: "points of a GeoJSON or a CSV (GBIF, iNaturalist, EDDMapS) joined to scenes by location: a window around each",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/points")(function*(_, parameters) {
    const { date, onError, points: path, size } = parameters, timeOf = dateReader(date)
    const points = yield* /\.(geo)?json$/i.test(path) ? fromGeoJson(parameters) : fromCsv(parameters)
    if (points.length === 0) return yield* fail(`${path} has no points with coordinates`)
    for (const { from, lat, lon } of points) {
      const wrong = wrongDegrees(lat, lon)
      if (wrong !== undefined) return yield* fail(`${from}: ${wrong}`)
    }

    const paths = typeof parameters.scenes === "string" ? (yield* filesBelow(parameters.scenes)).filter(isImage) : parameters.scenes
    const sources = yield* openAll(paths, onError, (path) => Effect.map(openSource([path], parameters), (source) => ({ path, source })))
    const scenes = sources.flatMap(({ path, source }): ReadonlyArray<Scene> => source.geo !== undefined && knows(source.geo.epsg) ? [{ geo: source.geo, path, source }] : [])
    if (scenes.length < sources.length) yield* Stage.notice(`images without georeference, or in a reference system that is not known, left out: ${sources.length - scenes.length} of ${sources.length}`)
    if (scenes.length === 0) return yield* fail(`there are no georeferenced images in ${String(parameters.scenes)}`)

    const place = yield* placer(scenes)
    const found = points.map((point) => ({ point, at: place(point.lat, point.lon) }))
    const lost = found.filter(({ at }) => at.length === 0).length
    if (lost === points.length) {
      const swapped = points.filter(({ lat, lon }) => Math.abs(lon) <= 90 && place(lon, lat).length > 0).length
      const hint = swapped > 0 ? `; with latitude and longitude swapped ${swapped} would: are the two columns swapped?` : `; the first is at latitude ${points[0]!.lat} and longitude ${points[0]!.lon}`
      return yield* fail(`none of the ${points.length} points of ${path} lies in one of the ${scenes.length} scenes${hint}`)
    }
    if (lost > 0) yield* Stage.notice(`points that lie in no scene, left out: ${lost} of ${points.length}`)

    const placed = found.flatMap(({ at, point }) => at.map(({ scene, x, y }) => ({ point, scene, window: windowAt(size, scene, { lat: point.lat, x, y }) })))
    const whole = placed.filter(({ scene, window }) => inside(window, scene.source))
    if (whole.length < placed.length) yield* Stage.notice(`windows that cross the edge of their scene, left out: ${placed.length - whole.length} of ${placed.length}`)
    const rows = whole.map(({ point: { from, id, label, lat, lon }, scene: { path, source }, window }): Row => ({
      id: `${stemOf(path)}/${id}`,
      from,
      assets: source.assets,
      window,
      label,
      lat,
      lon,
      time: timeOf(path),
      location: `${lat.toFixed(5)},${lon.toFixed(5)}`
    }))
    return { samples: yield* collect(rows) }
  })
})
