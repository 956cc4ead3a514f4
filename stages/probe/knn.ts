import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Metrics, Predictions, Samples, Split, Stage, Weights } from "outcrop"
import { mostProbable } from "../../math/classification.ts"
import { labelVotesOf, type Neighbours, neighboursOf, unitRows, votesOf } from "../../math/knn.ts"
import { takeRows } from "../../math/matrix.ts"
import { fromThresholds, multiHot, neutral, thresholdsOf } from "../../math/multi-label.ts"
import { ranking, rankingMeasures } from "../../math/ranking.ts"
import { Scorecard } from "../../math/scorecard.ts"
import { oneView } from "../../math/views.ts"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

const fail = (message: string) => new Stage.StageError({ message })
const viewOf = (embeddings: Parameters<typeof oneView>[0], ids: ReadonlyArray<string>) =>
  Effect.try({ try: () => oneView(embeddings, ids), catch: (cause) => fail(cause instanceof Error ? cause.message : String(cause)) })
type Task = "class" | "labels"
/** The names that each sample goes by in a task; none: it takes no part. */
const namesOf = ({ label, labels }: { readonly label: ReadonlyArray<string | null>; readonly labels: ReadonlyArray<ReadonlyArray<string>> }, task: Task): ReadonlyArray<ReadonlyArray<string>> =>
  task === "labels" ? labels : label.map((name) => name === null ? [] : [name])
const firsts = (names: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string | null> => names.map(([first]) => first ?? null)

/**
 * k-nearest-neighbour probe: what is near in the embedding, by cosine similarity. The k nearest fitted samples vote with weight
 * exp(similarity / temperature), as in DINO (ICCV 2021) and DINOv2: k of 10, 20, 100, 200 and temperature 0.07. Scores are shares of the votes.
 *
 * `class` predicts the class of most votes. `labels` (several a sample, ours) scores a class by the share of the votes whose samples have it and
 * predicts those whose score reaches their threshold, however many: that of the highest F1 on the validation rows, with votes of the training
 * rows; 0.5 where no validation row has the class.
 *
 * k is chosen on the validation rows by accuracy, or by micro mAP of labels, the smallest of equals, with votes of the training rows; then
 * training and validation rows vote. A single value is not chosen. A k beyond the number of voters means all of them. Samples without a label
 * take no part.
 *
 * The voters are learned (`bank` [n, d] rows of length 1, `ids` [n] or `labels` [n, classes] multi-hot, `k`, `thresholds` [classes] of labels).
 * Metrics and predictions are of the other rows only: a voter's nearest neighbour is itself. Metrics of test have 95% bootstrap intervals over
 * the samples.
 */
export default Stage.make({
  name: "probe/knn",
  version: 1,
  summary: "k-nearest-neighbour probe of the class or of several labels: cosine similarity, weighted votes",
  paper: "DINO (ICCV 2021)",
  with: Schema.Struct({
    task: Stage.withDefault(Schema.Literals(["class", "labels"]).annotate({ description: "class: the samples' one label; labels: several a sample" }), "class"),
    k: Stage.withDefault(
      Schema.Array(Schema.Int.check(Schema.isGreaterThan(0))).check(Schema.isMinLength(1)).annotate({ description: "neighbours that vote; several: chosen on validation rows" }),
      [10, 20, 100, 200]
    ),
    temperature: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0.01)).annotate({ description: "a vote weighs exp(similarity / temperature)" }), 0.07),
    bootstrap: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })).annotate({ description: "replicates behind the intervals of test metrics; 0: none" }), 1000),
    seed: Stage.Seed
  }),
  needs: { embeddings: Stage.needs(Embeddings), samples: Stage.needs(Samples, "label", "labels"), split: Stage.needs(Split) },
  gives: { predictions: Predictions, metrics: Metrics },
  learns: { weights: Weights },
  validates: true,
  fit: Effect.fn("probe/knn.fit")(function*({ embeddings, samples, split }, { k: ks, task, temperature }) {
    const x = yield* viewOf(embeddings, samples.sample_id), named = namesOf(samples, task)
    const labelled = Int32Array.from(named.keys()).filter((row) => named[row]!.length > 0)
    const train = labelled.filter((row) => split.split[row] === "train"), val = labelled.filter((row) => split.split[row] === "val")
    if (train.length === 0) {
      return yield* fail(task === "class" ?
        "no training sample has a label; probe/knn needs labelled training samples: check the split and the data, or set task: labels where samples have several" :
        "no training sample has labels; probe/knn needs labelled training samples: check the split and the data, or leave task: labels out where samples have one label")
    }
    const names = vocabularyOf(named.flat()), bank = unitRows(x)
    const ids = (rows: Int32Array) => idsOf(firsts(Array.from(rows, (row) => named[row]!)), names)
    const hot = (rows: Int32Array) => multiHot(Array.from(rows, (row) => named[row]!), names)

    const ascending = ks.toSorted((a, b) => a - b)
    if (ks.length > 1 && val.length === 0) {
      return yield* fail(`k has ${ks.length} values to choose from on validation rows, and no validation sample has a label; give one value (k: [${ascending[0]!}]) or a split with validation rows`)
    }
    let k = ascending[0]!, thresholds: Float64Array = new Float64Array(names.length).fill(neutral)
    if (val.length > 0 && (ks.length > 1 || task === "labels")) {
      const neighbours = yield* Effect.promise(() => neighboursOf(takeRows(bank, train), takeRows(bank, val), ascending.at(-1)!))
      const scoresOf = (k: number) => task === "class" ? votesOf(neighbours, ids(train), names.length, k, temperature) : labelVotesOf(neighbours, hot(train), names.length, k, temperature)
      const qualityOf = (scores: Float64Array) => {
        if (task === "labels") return rankingMeasures(ranking(scores), hot(val), 1).averagePrecision
        const truth = ids(val)
        return mostProbable(scores, names.length).filter((id, i) => id === truth[i]).length
      }
      const found = ascending.map((candidate) => qualityOf(scoresOf(candidate)))
      k = ascending[found.indexOf(Math.max(...found))]!
      if (task === "labels") thresholds = thresholdsOf(hot(val), scoresOf(k), names.length)
    } else if (task === "labels") yield* Stage.notice(`no validation sample has labels, so every class is predicted from a share of ${neutral} of the votes on`)

    const voters = takeRows(bank, labelled), n = voters.rows
    const layers = [
      { layer: "bank", shape: [n, voters.columns], values: Float64Array.from(voters.values) },
      ...(task === "class" ?
        [{ layer: "ids", shape: [n], values: Float64Array.from(ids(labelled)) }] :
        [{ layer: "labels", shape: [n, names.length], values: Float64Array.from(hot(labelled)) }, { layer: "thresholds", shape: [names.length], values: thresholds }]),
      { layer: "k", shape: [], values: Float64Array.of(k) }
    ]
    return {
      weights: {
        layer: layers.map(({ layer }) => layer),
        shape: layers.map(({ shape }) => Float64Array.from(shape)),
        values: layers.map(({ values }) => values),
        metadata: { [task]: JSON.stringify(names) }
      }
    }
  }),
  apply: Effect.fn("probe/knn.apply")(function*({ weights }, { embeddings, samples, split }, p) {
    const x = yield* viewOf(embeddings, samples.sample_id), named = namesOf(samples, p.task)
    const layers = new Map(weights.layer.map((layer, i) => [layer, weights.values[i]!]))
    const learned: ReadonlyArray<string> = JSON.parse(weights.metadata![p.task]!)
    const names = vocabularyOf([...learned, ...named.flat()]), places = idsOf(learned, names)
    const rows = Int32Array.from(named.keys()).filter((row) => named[row]!.length > 0 && split.split[row] !== "train" && split.split[row] !== "val")
    const without = named.filter((own) => own.length === 0).length
    if (without > 0) yield* Stage.notice(`${without} of ${samples.rows} samples have no label${p.task === "class" ? "" : "s"} and are left out`)
    if (!split.split.includes("test")) yield* Stage.notice("the split has no test samples: there are no metrics")
    for (const name of names) {
      if (learned.includes(name)) continue
      const others = named.filter((own) => own.includes(name)).length
      yield* Stage.notice(p.task === "class" ?
        `no training sample is of the class "${name}", which ${others} other samples are of: it is never predicted` :
        `no training sample has the label "${name}", which ${others} other samples have: it is never predicted`)
    }
    const bank = { rows: layers.get("bank")!.length / x.columns, columns: x.columns, values: layers.get("bank")! }
    const neighbours: Neighbours = yield* Effect.promise(() => neighboursOf(bank, unitRows(takeRows(x, rows)), layers.get("k")![0]!))
    const scorecard = new Scorecard(samples.sample_id, split.split, p, ["test"]), own = Array.from(rows, (row) => named[row]!)
    if (p.task === "labels") {
      const known = labelVotesOf(neighbours, layers.get("labels")!, learned.length, neighbours.k, p.temperature)
      const scores = new Float64Array(rows.length * names.length), thresholds = new Float64Array(names.length).fill(neutral)
      for (const [c, place] of places.entries()) {
        thresholds[place] = layers.get("thresholds")![c]!
        for (let i = 0; i < rows.length; i++) scores[i * names.length + place] = known[i * learned.length + c]!
      }
      scorecard.labels("labels", rows, multiHot(own, names), scores, fromThresholds(scores, thresholds), names)
      return scorecard.tables()
    }
    const votes = votesOf(neighbours, Int32Array.from(layers.get("ids")!, (id) => places[id]!), names.length, neighbours.k, p.temperature)
    for (let i = 0; i < rows.length; i++) {
      const cast = votes.subarray(i * names.length, (i + 1) * names.length), total = cast.reduce((sum, vote) => sum + vote, 0)
      for (let c = 0; c < cast.length; c++) cast[c]! /= total
    }
    scorecard.classes("class", rows, idsOf(firsts(own), names), votes, names)
    return scorecard.tables()
  })
})
