import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Samples, Split, Stage, stream, Weights } from "outcrop"
import { kmeans, nearest } from "../../math/kmeans.ts"
import { type Matrix, takeRows } from "../../math/matrix.ts"
import { offEarth, placed, placeOf, unitVectors } from "../../math/sphere.ts"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

const With = Schema.Struct({
  method: Stage.withDefault(
    Schema.Literals(["sphere", "plane", "h3"]).annotate({
      description: "sphere: k-means of points on the sphere, safe across the date line and near the poles; plane: k-means of latitude and longitude, as in the paper; h3: H3 cells"
    }),
    "sphere"
  ),
  k: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 10_000 })).annotate({ description: "how many clusters (paper: 100); not of `h3`" }), 100),
  resolution: Stage.withDefault(
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 15 })).annotate({ description: "of `h3`: 1 has sides of about 480 km, 2 of 180 km, 3 of 69 km, 5 of 10 km" }),
    2
  ),
  restarts: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })).annotate({ description: "k-means runs, of which the one of least inertia is taken" }), 5),
  seed: Stage.Seed,
  protocol: Stage.Protocol
})
type Method = (typeof With.Type)["method"]

const needs = {
  samples: Stage.needs(Samples, "lat", "lon"),
  split: Stage.optional(Stage.needs(Split)),
  annotations: Stage.optional(Stage.withOpen(Stage.needs(Annotations), "all"))
}

interface Places {
  /** Rows of the samples that have coordinates, and those in degrees. */
  readonly rows: Int32Array
  readonly lat: Float64Array
  readonly lon: Float64Array
}

const placesOf = Effect.fnUntraced(function*(samples: Stage.Inputs<typeof needs>["samples"]) {
  const off = offEarth(samples), { lat, lon } = samples, rows = placed(samples)
  if (off !== undefined) return yield* new Stage.StageError({ message: off })
  return { rows, lat: Float64Array.from(rows, (row) => lat[row]!), lon: Float64Array.from(rows, (row) => lon[row]!) }
})

/** What k-means runs on: points of the unit sphere, or latitude and longitude in degrees as they are. */
const featuresOf = (method: Method, { lat, lon }: Pick<Places, "lat" | "lon">): Matrix =>
  method === "sphere"
    ? { rows: lat.length, columns: 3, values: unitVectors(lat, lon) }
    : { rows: lat.length, columns: 2, values: Float64Array.from({ length: 2 * lat.length }, (_, i) => (i % 2 === 0 ? lat : lon)[i >> 1]!) }

const cellsOf = Effect.fnUntraced(function*({ lat, lon }: Pick<Places, "lat" | "lon">, resolution: number) {
  const { cellToLatLng, latLngToCell } = yield* Effect.promise(() => import("h3-js"))
  return { cells: Array.from(lat, (degrees, i) => latLngToCell(degrees, lon[i]!, resolution)), centreOf: cellToLatLng }
})

/** Clusters as a table: centres [k, 2] in degrees, north then east, and how many of the rows each holds [k]. */
const tableOf = (centres: ReadonlyArray<readonly [lat: number, lon: number]>, ids: Int32Array, names: ReadonlyArray<string>) => {
  const sizes = new Float64Array(centres.length)
  for (const id of ids) sizes[id]!++
  return {
    clusters: {
      layer: ["centres", "sizes"],
      shape: [Float64Array.of(centres.length, 2), Float64Array.of(centres.length)],
      values: [Float64Array.from(centres.flat()), sizes],
      metadata: { place: JSON.stringify(names) }
    }
  }
}

/**
 * Clusters of places, the classes of the geo-location pretext of Geography-aware self-supervised learning (Ayush et al., ICCV 2021,
 * arXiv 2011.09980): k-means of the coordinates, k = 100. Gives the annotation `place` (int32, the id of the nearest centre; -1: no
 * coordinates, or for `h3` a cell that no row to fit on lies in) beside those of the `annotations` port. Learns `clusters`: the centres in
 * degrees and their sizes, with the centres or cells as names in the metadata.
 *
 * The paper clusters latitude and longitude as if they were a plane (`method: plane`), which tears the Pacific apart at 180 degrees and counts a
 * step along a parallel near the pole like one at the equator. `sphere` is ours and the default: spherical k-means of 3-D unit vectors, so that
 * the nearest centre is the nearest along the ground. `h3` takes the cells of the H3 grid.
 *
 * Fits on the training rows (validation rows take no part); `protocol: released` takes all rows. Centres are in
 * lexicographic order of what was clustered, so that ids mean the same from run to run.
 */
export default Stage.make({
  name: "mine/geo-clusters",
  version: 1,
  summary: "clusters of coordinates as class ids: k-means on the sphere or the plane, or H3 cells",
  paper: "Geography-aware SSL (arXiv 2011.09980)",
  with: With,
  needs,
  gives: { annotations: Annotations },
  learns: { clusters: Weights },
  fit: Effect.fn("mine/geo-clusters.fit")(function*({ samples }, { k, method, resolution, restarts, seed }) {
    const places = yield* placesOf(samples)
    if (places.rows.length === 0) return yield* new Stage.StageError({ message: `none of the ${samples.rows} samples to fit on has coordinates, so there are no clusters of places` })
    if (method === "h3") {
      const { cells, centreOf } = yield* cellsOf(places, resolution), names = vocabularyOf(cells)
      return tableOf(names.map(centreOf), idsOf(cells, names), names)
    }
    const distinct = new Set(Array.from(places.rows, (_, i) => `${places.lat[i]} ${places.lon[i]}`)).size
    if (distinct < k) {
      return yield* new Stage.StageError({ message: `${k} clusters need as many places, and the ${samples.rows} samples to fit on have ${distinct}; ask for fewer by \`k\`` })
    }
    const { centres, labels } = kmeans(featuresOf(method, places), k, restarts, stream(seed, "k-means"), method === "sphere" ? "sphere" : "flat")
    const degrees = Array.from({ length: k }, (_, c) => {
      const centre = takeRows(centres, [c]).values
      if (method === "plane") return [centre[0]!, centre[1]!] as const
      const { lat, lon } = placeOf(centre[0]!, centre[1]!, centre[2]!)
      return [lat, lon] as const
    })
    return tableOf(degrees, labels, degrees.map(([lat, lon]) => `${lat.toFixed(5)}, ${lon.toFixed(5)}`))
  }),
  apply: Effect.fn("mine/geo-clusters.apply")(function*({ clusters }, { annotations, samples }, { method, resolution }) {
    if (annotations?.open["place"] !== undefined) {
      return yield* new Stage.StageError({ message: `the annotations handed to mine/geo-clusters have a column "place" already, which it makes itself; bind an earlier stage's annotations` })
    }
    const places = yield* placesOf(samples), centres = clusters.values[clusters.layer.indexOf("centres")]!
    const names: string = clusters.metadata?.["place"] ?? "[]"
    const place = new Int32Array(samples.rows).fill(-1)
    if (method === "h3") {
      const { cells } = yield* cellsOf(places, resolution)
      for (const [i, id] of idsOf(cells, JSON.parse(names) as ReadonlyArray<string>).entries()) place[places.rows[i]!] = id
    } else {
      const [lat, lon] = [0, 1].map((from) => centres.filter((_, i) => i % 2 === from))
      const { labels } = nearest(featuresOf(method, places), featuresOf(method, { lat: lat!, lon: lon! }))
      for (const [i, id] of labels.entries()) place[places.rows[i]!] = id
    }
    const without = samples.rows - places.rows.length, strange = place.filter((id) => id < 0).length - without
    if (without > 0) yield* Stage.notice(`${without} of ${samples.rows} samples have no coordinates; their place is -1`)
    if (strange > 0) yield* Stage.notice(`${strange} of ${samples.rows} samples lie in an H3 cell without a training sample; their place is -1`)
    return { annotations: { sample_id: samples.sample_id, open: { ...annotations?.open, place }, metadata: { ...annotations?.metadata, place: names } } }
  })
})
