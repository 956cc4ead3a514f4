import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Metrics, Predictions, Samples, Split, Stage, Weights } from "outcrop"
import { mostProbable } from "../../math/classification.ts"
import { classProbabilities } from "../../math/heads.ts"
import { descend } from "../../math/linear-sgd.ts"
import { takeRows, timesTransposed } from "../../math/matrix.ts"
import { identity } from "../../math/scaling.ts"
import { Scorecard } from "../../math/scorecard.ts"
import { oneView } from "../../math/views.ts"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

const failed = (cause: unknown) => new Stage.StageError({ message: cause instanceof Error ? cause.message : String(cause) })
const positive = Schema.Int.check(Schema.isGreaterThan(0))

/**
 * Linear probe of the class as MoCo and Geography-aware self-supervised learning (arXiv 2011.09980) train it: a linear layer on the embeddings
 * as they are, coefficients drawn from N(0, 0.01) (0.01 read as the standard deviation), cross-entropy, SGD with rate 1, momentum 0.9 and no
 * decay, 100 epochs, the rate a tenth after epochs 60 and 80, batches of 256.
 *
 * The released code keeps the epoch that is best on TEST. Here it is the one of highest accuracy on the validation rows, the first of equals:
 * test rows choose nothing. Without validation rows it is the last epoch, with a notice. It is not trained again on validation rows. For the
 * best that a linear model can read, see `probe/linear`, which is at its optimum.
 *
 * Samples without a label take no part. A class that no training row has is never predicted and counts as wrong; validation rows of it
 * choose nothing. Metrics are of the training, validation and test rows; those of test have 95% bootstrap intervals over the samples.
 * `weights` holds `class.coefficients` [classes, d], `class.intercepts` [classes], `epoch` (the one kept, from 1), and of each epoch
 * `train_loss` and `val_accuracy` (NaN: no validation rows).
 */
export default Stage.make({
  name: "probe/linear-sgd",
  version: 1,
  summary: "linear probe of the class trained by SGD, the epoch chosen on validation rows",
  paper: "Geography-aware SSL (arXiv 2011.09980), MoCo (arXiv 1911.05722)",
  with: Schema.Struct({
    epochs: Stage.withDefault(positive.annotate({ description: "passes over the training rows" }), 100),
    rate: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "learning rate" }), 1),
    drops: Stage.withDefault(Schema.Array(positive).annotate({ description: "epochs after which the rate becomes a tenth" }), [60, 80]),
    batch: Stage.withDefault(positive.annotate({ description: "rows a step" }), 256),
    bootstrap: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })).annotate({ description: "replicates behind the intervals of test metrics; 0: none" }), 1000),
    seed: Stage.Seed
  }),
  needs: { embeddings: Stage.needs(Embeddings), samples: Stage.needs(Samples, "label"), split: Stage.needs(Split) },
  gives: { predictions: Predictions, metrics: Metrics },
  learns: { weights: Weights },
  validates: true,
  fit: Effect.fn("probe/linear-sgd.fit")(function*({ embeddings, samples, split }, p) {
    const x = yield* Effect.try({ try: () => oneView(embeddings, samples.sample_id), catch: failed }), { columns: d } = x
    const rowsOf = (role: string) => Int32Array.from(samples.label.keys()).filter((row) => samples.label[row] !== null && split.split[row] === role)
    const train = rowsOf("train"), names = vocabularyOf(Array.from(train, (row) => samples.label[row]!)), ids = idsOf(samples.label, names), k = names.length
    if (k < 2) {
      const found = k === 0 ? "no training sample has a label" : `all ${train.length} labelled training samples are of the class "${names[0]!}"`
      return yield* failed(`${found}, and a probe of classes needs two; check the split and the data`)
    }
    const val = rowsOf("val").filter((row) => ids[row]! >= 0), seen = takeRows(x, val), z = new Float64Array(val.length * k)
    if (val.length === 0) yield* Stage.notice(`no validation sample has a label that training samples have: the last of ${p.epochs} epochs is kept`)
    const accuracyOf = (coefficients: Float64Array, intercepts: Float64Array) => {
      timesTransposed(seen, coefficients, k, z)
      for (let at = 0; at < z.length; at++) z[at]! += intercepts[at % k]!
      return mostProbable(z, k).filter((id, i) => id === ids[val[i]!]).length / val.length
    }

    const report = yield* Stage.Report, losses = new Float64Array(p.epochs), accuracies = new Float64Array(p.epochs)
    let kept = { epoch: 0, coefficients: new Float64Array(), intercepts: new Float64Array() }
    const epochs = descend(takeRows(x, train), Int32Array.from(train, (row) => ids[row]!), k, p)
    for (let done = 0; done < p.epochs; done++) {
      const { done: over, value } = yield* Effect.try({ try: () => epochs.next(), catch: failed })
      if (over === true) break
      const { coefficients, epoch, intercepts, loss } = value
      losses[done] = loss
      const accuracy = accuracies[done] = accuracyOf(coefficients, intercepts)
      // Without validation rows an accuracy is no number, and every epoch takes the place of the one before.
      if (kept.epoch === 0 || !(accuracy <= accuracies[kept.epoch - 1]!)) kept = { epoch, coefficients: coefficients.slice(), intercepts: intercepts.slice() }
      yield* report.progress(epoch, p.epochs)
    }
    return {
      weights: {
        layer: ["class.coefficients", "class.intercepts", "epoch", "train_loss", "val_accuracy"],
        shape: [Float64Array.of(k, d), Float64Array.of(k), new Float64Array(), Float64Array.of(p.epochs), Float64Array.of(p.epochs)],
        values: [kept.coefficients, kept.intercepts, Float64Array.of(kept.epoch), losses, accuracies],
        metadata: { class: JSON.stringify(names) }
      }
    }
  }),
  apply: Effect.fn("probe/linear-sgd.apply")(function*({ weights }, { embeddings, samples, split }, p) {
    const x = yield* Effect.try({ try: () => oneView(embeddings, samples.sample_id), catch: failed })
    const learned: ReadonlyArray<string> = JSON.parse(weights.metadata!["class"]!), layer = (name: string) => weights.values[weights.layer.indexOf(name)]!
    const names = vocabularyOf([...learned, ...samples.label]), ids = idsOf(samples.label, names)
    const rows = Int32Array.from(ids.keys()).filter((row) => ids[row]! >= 0)
    if (rows.length < samples.rows) yield* Stage.notice(`${samples.rows - rows.length} of ${samples.rows} samples have no label and are left out`)
    if (!split.split.includes("test")) yield* Stage.notice("the split has no test samples: there are no test metrics")
    for (const [id, name] of names.entries()) {
      if (!learned.includes(name)) yield* Stage.notice(`no training sample is of the class "${name}", which ${ids.filter((own) => own === id).length} other samples are of: it is never predicted`)
    }
    const seen = takeRows(x, rows)
    const head = { classes: learned.length, names: learned, coefficients: layer("class.coefficients"), intercepts: layer("class.intercepts"), scaling: identity(seen) }
    const probabilities = yield* Effect.promise(() => classProbabilities(head, seen, names))
    const scorecard = new Scorecard(samples.sample_id, split.split, p)
    scorecard.classes("class", rows, Int32Array.from(rows, (row) => ids[row]!), probabilities, names)
    return scorecard.tables()
  })
})
