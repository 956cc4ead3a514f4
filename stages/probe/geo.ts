import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Embeddings, Metrics, Predictions, Samples, Split, Stage, Weights } from "outcrop"
import { classProbabilities, fitClassHead, predictTargets, targetHeads } from "../../math/heads.ts"
import { type Matrix, takeRows } from "../../math/matrix.ts"
import { identity } from "../../math/scaling.ts"
import { Scorecard } from "../../math/scorecard.ts"
import { offEarth, placed, placeOf, type Places, unitVectors } from "../../math/sphere.ts"
import { oneView } from "../../math/views.ts"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

const fail = (message: string) => new Stage.StageError({ message })
/** What the numerics refuse becomes the stage's error. */
const attempt = <A>(work: () => A | Promise<A>) =>
  Effect.tryPromise({ try: async () => await work(), catch: (cause) => fail(cause instanceof Error ? cause.message : String(cause)) })
const candidates = Schema.Array(Schema.Finite.check(Schema.isGreaterThan(0))).check(Schema.isMinLength(1))

/** The samples with coordinates; an error where those cannot be degrees. */
const located = Effect.fnUntraced(function*(samples: Places) {
  const off = offEarth(samples)
  return off === undefined ? placed(samples) : yield* fail(off)
})
type Clusters = { readonly open: Readonly<Record<string, unknown>>; readonly metadata: Readonly<Record<string, string>> }
/** The cluster of each sample by name, null where it is in none. */
const clustersOf = Effect.fnUntraced(function*({ metadata, open }: Clusters, column: string) {
  const ids = open[column]
  if (!(ids instanceof Int32Array)) return yield* fail(`the annotation column ${column} holds no class ids (int32), so there are no clusters to tell; name one of ids in column`)
  const names: ReadonlyArray<string> = JSON.parse(metadata[column] ?? "[]")
  return Array.from(ids, (id) => id < 0 ? null : names[id] ?? String(id))
})

/**
 * How well a place is still readable from the embeddings: one that knows little but where it is looks good on a random split and poor on a
 * spatial one, and this tells why. Ours; no paper's.
 *
 * `geo`: ridge regression of the place as a point of the unit sphere, alpha by least mean squared error on the validation rows, fitted again
 * on training and validation rows; the predicted vector's direction is the place. It has no seam at the date line and no pole. Metrics:
 * `median_km`, the median great circle to the truth, `within_1km` to `within_2500km`, the shares that are that near (the distances of image
 * geolocation: Vo et al., ICCV 2017), and `baseline_median_km`, the median if the mean direction of the rows fitted were answered for all.
 *
 * `cluster`, where annotations are bound: logistic regression of the class ids in `column` (of mine/geo-clusters; any other int32 column
 * does), C by least log loss on validation rows, as `class` of probe/linear, but to 1 by default: many small clusters are nearly separable, and fits
 * beyond take long for little; its metrics are those of a classification.
 *
 * Samples without coordinates are left out of `geo`, those in no cluster (-1) out of `cluster`, with a notice. Metrics of test have 95%
 * bootstrap intervals over the samples. Predictions of `geo` are latitude and longitude in degrees. `weights` holds `geo.coefficients` [3, d],
 * `geo.intercepts` [3], `geo.offset` and `geo.scale` [d] of the embeddings' scaling, `geo.alpha`, `geo.mean` [3], and likewise of `cluster`.
 */
export default Stage.make({
  name: "probe/geo",
  version: 1,
  summary: "how well the place is readable: error in km of ridge regression on the sphere, accuracy of geo-clusters",
  with: Schema.Struct({
    column: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "annotation column of class ids that are told apart, where annotations are bound" }), "place"),
    alpha: Stage.withDefault(candidates.annotate({ description: "weight of the penalty, for the place; several: chosen on validation rows" }), [0.01, 0.1, 1, 10, 100, 1000]),
    C: Stage.withDefault(candidates.annotate({ description: "weight of the data against the penalty, for clusters; several: chosen on validation rows" }), [0.001, 0.01, 0.1, 1]),
    standardize: Stage.withDefault(Schema.Boolean.annotate({ description: "scale each column of the embeddings to mean 0 and deviation 1 on the rows fitted" }), true),
    iterations: Stage.withDefault(Schema.Int.check(Schema.isGreaterThan(0)).annotate({ description: "the most steps of logistic regression's solver for each C" }), 1000),
    bootstrap: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })).annotate({ description: "replicates behind the intervals of test metrics; 0: none" }), 1000),
    seed: Stage.Seed
  }),
  needs: {
    embeddings: Stage.needs(Embeddings),
    samples: Stage.needs(Samples, "lat", "lon"),
    split: Stage.needs(Split),
    annotations: Stage.optional(Stage.withOpen(Stage.needs(Annotations), ({ column }: { readonly column: string }) => [column]))
  },
  gives: { predictions: Predictions, metrics: Metrics },
  learns: { weights: Weights },
  validates: true,
  fit: Effect.fn("probe/geo.fit")(function*({ annotations, embeddings, samples, split }, p) {
    const x = yield* attempt(() => oneView(embeddings, samples.sample_id)), { columns: d } = x
    const fitting = (rows: Int32Array) => ({ train: rows.filter((row) => split.split[row] === "train"), val: rows.filter((row) => split.split[row] === "val") })
    const there = yield* located(samples), rows = fitting(there)
    if (rows.train.length === 0) return yield* fail("no training sample has coordinates (lat, lon), and probe/geo reads where samples are; check the split and the data")
    const points: Matrix = { rows: samples.rows, columns: 3, values: unitVectors(samples.lat, samples.lon) }
    const head = yield* attempt(() => targetHeads(x, p.standardize).fit(points, identity, rows, p.alpha)), mean = new Float64Array(3)
    for (const row of there) for (let j = 0; j < 3; j++) mean[j]! += points.values[3 * row + j]! / there.length
    const layers = [
      { name: "geo.coefficients", shape: [3, d], values: head.coefficients },
      { name: "geo.intercepts", shape: [3], values: head.intercepts },
      { name: "geo.offset", shape: [d], values: head.scaling.offset },
      { name: "geo.scale", shape: [d], values: head.scaling.scale },
      { name: "geo.alpha", shape: [], values: Float64Array.of(head.alpha) },
      { name: "geo.mean", shape: [3], values: mean }
    ]
    const clusters = annotations === undefined ? undefined : yield* clustersOf(annotations, p.column)
    let names: ReadonlyArray<string> = []
    if (clusters !== undefined) {
      const known = fitting(Int32Array.from(clusters.keys()).filter((row) => clusters[row] !== null))
      const found = new Set(Array.from(known.train, (row) => clusters[row]!))
      if (found.size < 2) yield* Stage.notice(`the training samples are in ${found.size} cluster${found.size === 1 ? "" : "s"} of ${p.column}, and to tell clusters apart takes two: the task cluster is left out`)
      else {
        const head = yield* attempt(() => fitClassHead(x, clusters, known, { ...p, balanced: false }))
        names = head.names
        if (!head.settled) yield* Stage.notice(`cluster: fits were ended after ${p.iterations} iterations, short of their optimum`)
        layers.push(
          { name: "cluster.coefficients", shape: [head.intercepts.length, d], values: head.coefficients },
          { name: "cluster.intercepts", shape: [head.intercepts.length], values: head.intercepts },
          { name: "cluster.offset", shape: [d], values: head.scaling.offset },
          { name: "cluster.scale", shape: [d], values: head.scaling.scale },
          { name: "cluster.C", shape: [], values: Float64Array.of(head.C) }
        )
      }
    }
    return {
      weights: {
        layer: layers.map(({ name }) => name),
        shape: layers.map(({ shape }) => Float64Array.from(shape)),
        values: layers.map(({ values }) => values),
        metadata: { cluster: JSON.stringify(names) }
      }
    }
  }),
  apply: Effect.fn("probe/geo.apply")(function*({ weights }, { annotations, embeddings, samples, split }, p) {
    const x = yield* attempt(() => oneView(embeddings, samples.sample_id)), layers = new Map(weights.layer.map((layer, i) => [layer, weights.values[i]!]))
    const headAt = (task: string) => ({
      coefficients: layers.get(`${task}.coefficients`)!,
      intercepts: layers.get(`${task}.intercepts`)!,
      scaling: { offset: layers.get(`${task}.offset`)!, scale: layers.get(`${task}.scale`)! }
    })
    if (!split.split.includes("test")) yield* Stage.notice("the split has no test samples: there are no test metrics")
    const scorecard = new Scorecard(samples.sample_id, split.split, p)

    const rows = yield* located(samples), [meanX, meanY, meanZ] = layers.get("geo.mean")!
    if (rows.length < samples.rows) yield* Stage.notice(`${samples.rows - rows.length} of ${samples.rows} samples have no coordinates and are left out`)
    const points = predictTargets(headAt("geo"), takeRows(x, rows)).values
    const degrees = (lat: (i: number) => number, lon: (i: number) => number): Matrix =>
      ({ rows: rows.length, columns: 2, values: Float64Array.from({ length: 2 * rows.length }, (_, at) => (at % 2 === 0 ? lat : lon)(Math.floor(at / 2))) })
    const answer = (i: number) => placeOf(points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!)
    scorecard.places(
      "geo",
      rows,
      degrees((i) => samples.lat[rows[i]!]!, (i) => samples.lon[rows[i]!]!),
      degrees((i) => answer(i).lat, (i) => answer(i).lon),
      placeOf(meanX!, meanY!, meanZ!)
    )

    if (annotations === undefined || !layers.has("cluster.coefficients")) return scorecard.tables()
    const clusters = yield* clustersOf(annotations, p.column), own: ReadonlyArray<string> = JSON.parse(weights.metadata!["cluster"]!)
    const names = vocabularyOf([...own, ...clusters]), ids = idsOf(clusters, names), members = Int32Array.from(ids.keys()).filter((row) => ids[row]! >= 0)
    if (members.length < samples.rows) yield* Stage.notice(`${samples.rows - members.length} of ${samples.rows} samples are in no cluster and are left out of the task cluster`)
    for (const [id, name] of names.entries()) {
      if (!own.includes(name)) yield* Stage.notice(`no training sample is in the cluster "${name}", which ${ids.filter((other) => other === id).length} other samples are in: it is never predicted`)
    }
    const probabilities = yield* attempt(() => classProbabilities({ ...headAt("cluster"), names: own, classes: own.length }, takeRows(x, members), names))
    scorecard.classes("cluster", members, Int32Array.from(members, (row) => ids[row]!), probabilities, names)
    return scorecard.tables()
  })
})
