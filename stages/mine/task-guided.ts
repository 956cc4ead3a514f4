import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Samples, Split, Stage, stream, Weights } from "outcrop"
import { boxPlacement, boxPlacementNames } from "../../math/box-features.ts"
import { takeRows } from "../../math/matrix.ts"
import { mutualInformation } from "../../math/mutual-information.ts"
import { minMax, scaled } from "../../math/scaling.ts"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

/**
 * Task-guided scores (TG-MATL, arXiv 2604.03837): how much a sample's box has of what tells the classes apart. The box is
 * x = (xc, yc, w, h) as shares of its window, min-max scaled to x~; I_f is the mutual information of feature f with the class (Ross 2014,
 * nats, see `math/mutual-information.ts`); the score of a sample is the sum over f of I_f x~_f.
 *
 * Gives the annotations `class` (int32 ids of the labels, names in byte order in the metadata, -1: no label) and `score` (float32, NaN: no
 * box or no window of known size) beside those of the `annotations` port. Learns `information`, one value a feature, and `scaling`.
 *
 * Scaling and information are of the training rows (those with a label and a box); `protocol: released` takes all rows. The released code
 * scores training and validation rows each by an information of their own; that is not offered: validation folds of three rows a class
 * are below what the estimator can do.
 */
export default Stage.make({
  name: "mine/task-guided",
  version: 1,
  summary: "class ids, and scores by the mutual information of box features with the class (TG-MATL)",
  paper: "TG-MATL (arXiv 2604.03837)",
  with: Schema.Struct({
    neighbours: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })).annotate({ description: "k of the mutual information's nearest neighbours" }), 3),
    seed: Stage.Seed,
    protocol: Stage.Protocol
  }),
  needs: {
    samples: Stage.needs(Samples, "label", "box", "window"),
    split: Stage.optional(Stage.needs(Split)),
    annotations: Stage.optional(Stage.withOpen(Stage.needs(Annotations), "all"))
  },
  gives: { annotations: Annotations },
  learns: { information: Weights, scaling: Weights },
  fit: Effect.fn("mine/task-guided.fit")(function*({ samples }, { neighbours, seed }) {
    const all = boxPlacement(samples.box.values, samples.window.values), { columns } = all
    const ids = idsOf(samples.label, vocabularyOf(samples.label))
    const rows = Int32Array.from(ids.keys()).filter((row) => ids[row]! >= 0 && all.values.subarray(row * columns, (row + 1) * columns).every(Number.isFinite))
    if (rows.length === 0) {
      return yield* new Stage.StageError({ message: `none of the ${samples.rows} samples to fit on has a label and a box in a window of known size; mine/classes gives class ids without boxes` })
    }
    const boxes = takeRows(all, rows), scaling = minMax(boxes), x = scaled(boxes, scaling), classes = Int32Array.from(rows, (row) => ids[row]!)
    const information = boxPlacementNames.map((name, f) => {
      const random = stream(seed, "mutual information", name)
      return mutualInformation(Float64Array.from(rows, (_, i) => x.values[i * columns + f]!), classes, Float64Array.from(rows, random.normal), neighbours)
    })
    // What rounding leaves of an information of 0 is none.
    if (information.every((nats) => nats < 1e-9)) yield* Stage.notice("no box feature tells the classes apart (every mutual information is 0): the scores mean nothing")
    return {
      information: { layer: [...boxPlacementNames], shape: boxPlacementNames.map(() => new Float64Array()), values: information.map((nats) => Float64Array.of(nats)) },
      scaling: { layer: ["offset", "scale"], shape: [Float64Array.of(columns), Float64Array.of(columns)], values: [scaling.offset, scaling.scale] }
    }
  }),
  apply: Effect.fn("mine/task-guided.apply")(function*({ information, scaling }, { annotations, samples }) {
    const taken = ["class", "score"].find((name) => annotations?.open[name] !== undefined)
    if (taken !== undefined) return yield* new Stage.StageError({ message: `the annotations handed to mine/task-guided have a column "${taken}" already, which it makes itself; bind an earlier stage's annotations` })
    const names = vocabularyOf(samples.label), ids = idsOf(samples.label, names)
    const learned = (layer: string) => scaling.values[scaling.layer.indexOf(layer)]!
    const x = scaled(boxPlacement(samples.box.values, samples.window.values), { offset: learned("offset"), scale: learned("scale") })
    const weights = boxPlacementNames.map((name) => information.values[information.layer.indexOf(name)]![0]!)
    const score = Float32Array.from(ids, (_, row) => weights.reduce((sum, weight, f) => sum + weight * x.values[row * x.columns + f]!, 0))
    const unlabelled = ids.filter((id) => id < 0).length, unscored = score.filter(Number.isNaN).length
    if (unlabelled > 0) yield* Stage.notice(`${unlabelled} of ${samples.rows} samples have no label; their class is -1`)
    if (unscored > 0) yield* Stage.notice(`${unscored} of ${samples.rows} samples have no box in a window of known size; their score is NaN`)
    return {
      annotations: {
        sample_id: samples.sample_id,
        open: { ...annotations?.open, class: ids, score },
        metadata: { ...annotations?.metadata, class: JSON.stringify(names) }
      }
    }
  })
})
