import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Samples, Split, Stage, stream, Weights } from "outcrop"
import { boxFeatures } from "../../math/box-features.ts"
import { kmeans, nearest } from "../../math/kmeans.ts"
import { type Matrix, takeRows } from "../../math/matrix.ts"
import { minMax, scaled } from "../../math/scaling.ts"

/** Width, height, area and elongation of the samples' boxes, and which samples have one. */
const shapesOf = (boxes: Float32Array): { readonly rows: Int32Array; readonly shapes: Matrix } => {
  const all = boxFeatures(boxes), columns = 4
  const rows = Int32Array.from({ length: all.rows }, (_, i) => i).filter((i) => !Number.isNaN(boxes[i * 4]!))
  const values = new Float64Array(rows.length * columns)
  for (const [i, row] of rows.entries()) values.set(all.values.subarray(row * all.columns, row * all.columns + columns), i * columns)
  return { rows, shapes: { rows: rows.length, columns, values } }
}

/**
 * k-means clusters of box shape, the second label set of multi-annotation triplets (MATL, arXiv 2504.08054): k = 3 on min-max scaled
 * (w, h, w h, 1 - min(w/h, h/w)), w and h in px. Gives the annotation `box`, the id of the nearest centre; -1 where there is no box.
 *
 * Scaling and centres are of the training rows (validation rows take no part); `protocol: released` takes all rows, as the authors' code
 * does. Centres are in lexicographic order, so that ids mean the same from run to run: cluster 0 is the narrowest.
 */
export default Stage.make({
  name: "mine/box-clusters",
  version: 1,
  summary: "k-means clusters of box shape as class ids: the second label set of MATL",
  paper: "MATL (arXiv 2504.08054)",
  with: Schema.Struct({
    clusters: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 1000 })).annotate({ description: "how many clusters" }), 3),
    restarts: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })).annotate({ description: "k-means runs, of which the one of least inertia is taken" }), 20),
    seed: Stage.Seed,
    protocol: Stage.Protocol
  }),
  needs: { samples: Stage.needs(Samples, "box"), split: Stage.optional(Stage.needs(Split)) },
  gives: { annotations: Annotations },
  learns: { centres: Weights },
  fit: Effect.fn("mine/box-clusters.fit")(function*({ samples }, { clusters, restarts, seed }) {
    const { shapes } = shapesOf(samples.box.values)
    const distinct = new Set(Array.from({ length: shapes.rows }, (_, i) => takeRows(shapes, [i]).values.join())).size
    if (distinct < clusters) {
      return yield* new Stage.StageError({
        message: `${clusters} clusters need as many boxes of different shape, and the ${samples.rows} samples to fit on have ${distinct}; ask for fewer clusters, or leave mine/box-clusters out where the data has no boxes`
      })
    }
    const scaling = minMax(shapes)
    const { centres } = kmeans(scaled(shapes, scaling), clusters, restarts, stream(seed, "k-means"))
    return {
      centres: {
        layer: ["centres", "offset", "scale"],
        shape: [Float64Array.of(clusters, shapes.columns), Float64Array.of(shapes.columns), Float64Array.of(shapes.columns)],
        values: [Float64Array.from(centres.values), scaling.offset, scaling.scale]
      }
    }
  }),
  apply: Effect.fn("mine/box-clusters.apply")(function*({ centres }, { samples }, { clusters }) {
    const { rows, shapes } = shapesOf(samples.box.values)
    const learned = (layer: string) => centres.values[centres.layer.indexOf(layer)]!
    const { labels } = nearest(scaled(shapes, { offset: learned("offset"), scale: learned("scale") }), { rows: clusters, columns: shapes.columns, values: learned("centres") })
    const box = new Int32Array(samples.rows).fill(-1)
    for (const [i, row] of rows.entries()) box[row] = labels[i]!
    if (rows.length < samples.rows) yield* Stage.notice(`${samples.rows - rows.length} of ${samples.rows} samples have no box; their cluster is -1`)
    return { annotations: { sample_id: samples.sample_id, open: { box } } }
  })
})
