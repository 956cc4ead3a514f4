import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Metrics, Predictions, Samples, Split, Stage, Weights } from "outcrop"
import { mostProbable } from "../../math/classification.ts"
import { neighboursOf, unitRows, votesOf } from "../../math/knn.ts"
import { takeRows } from "../../math/matrix.ts"
import { Scorecard } from "../../math/scorecard.ts"
import { oneView } from "../../math/views.ts"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

const fail = (message: string) => new Stage.StageError({ message })
const viewOf = (embeddings: Parameters<typeof oneView>[0], ids: ReadonlyArray<string>) =>
  Effect.try({ try: () => oneView(embeddings, ids), catch: (cause) => fail(cause instanceof Error ? cause.message : String(cause)) })

/**
 * k-nearest-neighbour probe of the class: what is near in the embedding, by cosine similarity. The k nearest fitted samples vote with
 * weight exp(similarity / temperature), as in DINO (ICCV 2021) and DINOv2: k of 10, 20, 100, 200 and temperature 0.07. The class
 * probabilities are shares of the votes.
 *
 * k is chosen on the validation rows by accuracy, the smallest of equals, with votes of the training rows; then training and validation
 * rows vote. A single value is not chosen. A k beyond the number of voters means all of them. Samples without a label take no part.
 *
 * The voters are learned (`bank` [n, d] rows of length 1, `ids` [n], `k`). Metrics and predictions are of the other rows only: a voter's
 * nearest neighbour is itself. Metrics of test have 95% bootstrap intervals over the samples.
 */
export default Stage.make({
  name: "probe/knn",
  version: 1,
  summary: "k-nearest-neighbour probe of the class: cosine similarity, weighted votes (DINO)",
  with: Schema.Struct({
    k: Stage.withDefault(
      Schema.Array(Schema.Int.check(Schema.isGreaterThan(0))).check(Schema.isMinLength(1)).annotate({ description: "neighbours that vote; several: chosen on validation rows" }),
      [10, 20, 100, 200]
    ),
    temperature: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0.01)).annotate({ description: "a vote weighs exp(similarity / temperature)" }), 0.07),
    bootstrap: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })).annotate({ description: "replicates behind the intervals of test metrics; 0: none" }), 1000),
    seed: Stage.Seed
  }),
  needs: { embeddings: Stage.needs(Embeddings), samples: Stage.needs(Samples, "label"), split: Stage.needs(Split) },
  gives: { predictions: Predictions, metrics: Metrics },
  learns: { weights: Weights },
  validates: true,
  fit: Effect.fn("probe/knn.fit")(function*({ embeddings, samples, split }, p) {
    const x = yield* viewOf(embeddings, samples.sample_id)
    const labelled = Int32Array.from(samples.label.keys()).filter((row) => samples.label[row] !== null)
    const train = labelled.filter((row) => split.split[row] === "train"), val = labelled.filter((row) => split.split[row] === "val")
    if (train.length === 0) return yield* fail("no training sample has a label; probe/knn needs labelled training samples: check the split and the data")
    const names = vocabularyOf(samples.label), ids = idsOf(samples.label, names)
    const bank = unitRows(x), of = (rows: Int32Array) => Int32Array.from(rows, (row) => ids[row]!)
    const ks = p.k.toSorted((a, b) => a - b)
    let k = ks[0]!
    if (ks.length > 1) {
      if (val.length === 0) return yield* fail(`k has ${ks.length} values to choose from on validation rows, and no validation sample has a label; give one value (k: [${k}]) or a split with validation rows`)
      const neighbours = yield* Effect.promise(() => neighboursOf(takeRows(bank, train), takeRows(bank, val), ks.at(-1)!))
      const truth = of(val)
      let most = -1
      for (const candidate of ks) {
        const right = mostProbable(votesOf(neighbours, of(train), names.length, candidate, p.temperature), names.length).filter((id, i) => id === truth[i]).length
        if (right <= most) continue
        most = right
        k = candidate
      }
    }
    const voters = takeRows(bank, labelled)
    return {
      weights: {
        layer: ["bank", "ids", "k"],
        shape: [Float64Array.of(voters.rows, voters.columns), Float64Array.of(voters.rows), new Float64Array()],
        values: [Float64Array.from(voters.values), Float64Array.from(of(labelled)), Float64Array.of(k)],
        metadata: { class: JSON.stringify(names) }
      }
    }
  }),
  apply: Effect.fn("probe/knn.apply")(function*({ weights }, { embeddings, samples, split }, p) {
    const x = yield* viewOf(embeddings, samples.sample_id)
    const layer = (name: string) => weights.values[weights.layer.indexOf(name)]!
    const learned: ReadonlyArray<string> = JSON.parse(weights.metadata!["class"]!)
    const names = vocabularyOf([...learned, ...samples.label]), ids = idsOf(samples.label, names), places = idsOf(learned, names)
    const rows = Int32Array.from(ids.keys()).filter((row) => ids[row]! >= 0 && split.split[row] !== "train" && split.split[row] !== "val")
    const without = ids.filter((id) => id < 0).length
    if (without > 0) yield* Stage.notice(`${without} of ${samples.rows} samples have no label and are left out`)
    if (!split.split.includes("test")) yield* Stage.notice("the split has no test samples: there are no metrics")
    for (const [id, name] of names.entries()) {
      if (!learned.includes(name)) yield* Stage.notice(`no training sample is of the class "${name}", which ${ids.filter((own) => own === id).length} other samples are of: it is never predicted`)
    }
    const bank = { rows: layer("ids").length, columns: x.columns, values: layer("bank") }
    const neighbours = yield* Effect.promise(() => neighboursOf(bank, unitRows(takeRows(x, rows)), layer("k")[0]!))
    const votes = votesOf(neighbours, Int32Array.from(layer("ids"), (id) => places[id]!), names.length, neighbours.k, p.temperature)
    for (let i = 0; i < rows.length; i++) {
      const own = votes.subarray(i * names.length, (i + 1) * names.length), total = own.reduce((sum, vote) => sum + vote, 0)
      for (let c = 0; c < own.length; c++) own[c]! /= total
    }
    const scorecard = new Scorecard(samples.sample_id, split.split, p, ["test"])
    scorecard.classes("class", rows, Int32Array.from(rows, (row) => ids[row]!), votes, names)
    return scorecard.tables()
  })
})
