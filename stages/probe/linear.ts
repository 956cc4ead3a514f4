import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Metrics, Predictions, Samples, Split, Stage, Weights } from "outcrop"
import { boxFeatureNames, boxFeatures, boxPlacement, boxPlacementNames } from "../../math/box-features.ts"
import { classProbabilities, fitClassHead, predictTargets, targetHeads } from "../../math/heads.ts"
import { fitLabelHead, labelHeadProbabilities } from "../../math/label-head.ts"
import { type Matrix, takeRows } from "../../math/matrix.ts"
import { fromThresholds, multiHot, neutral } from "../../math/multi-label.ts"
import { identity, minMax, scaled, type Scaling } from "../../math/scaling.ts"
import { Scorecard } from "../../math/scorecard.ts"
import { oneView } from "../../math/views.ts"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

const candidates = Schema.Array(Schema.Finite.check(Schema.isGreaterThan(0))).check(Schema.isMinLength(1))
/** What the numerics refuse becomes the stage's error. */
const attempt = <A>(work: () => A | Promise<A>) =>
  Effect.tryPromise({ try: async () => await work(), catch: (cause) => new Stage.StageError({ message: cause instanceof Error ? cause.message : String(cause) }) })

/** Box centre as shares of the window's width and height. */
const centres = (boxes: Float32Array, windows: Float32Array): Matrix => {
  const { columns, rows, values } = boxPlacement(boxes, windows)
  return { rows, columns: 2, values: values.filter((_, at) => at % columns < 2) }
}
type Boxes = { readonly box: { readonly values: Float32Array }; readonly window: { readonly values: Float32Array } }
/** The regression tasks: the truth of every sample (NaN: none), and how its columns are scaled. */
const regressions = [
  { task: "box", truth: "box", names: boxFeatureNames, scaling: minMax, of: ({ box }: Boxes) => boxFeatures(box.values) },
  { task: "position", truth: "box in a window of known size", names: boxPlacementNames.slice(0, 2), scaling: identity, of: ({ box, window }: Boxes) => centres(box.values, window.values) }
] as const
const withTruth = ({ columns, rows, values }: Matrix): Int32Array =>
  Int32Array.from({ length: rows }, (_, i) => i).filter((i) => values.subarray(i * columns, (i + 1) * columns).every(Number.isFinite))
const labelled = (labels: ReadonlyArray<string | null>): Int32Array => Int32Array.from(labels.keys()).filter((row) => labels[row] !== null)
/** A sample without any label counts as unlabelled, as in SSL4EO-S12-ML. */
const multiLabelled = (labels: ReadonlyArray<ReadonlyArray<string>>): Int32Array => Int32Array.from(labels.keys()).filter((row) => labels[row]!.length > 0)

/**
 * Linear probes: what a linear model can read from the embeddings. `class` is multinomial logistic regression of the samples' label (L2,
 * intercepts free, scikit-learn's objective), `box` ridge regression of 13 features of the sample's box, each min-max scaled on the rows
 * fitted, `position` ridge regression of the box's centre as a share of its window: the three heads by which TG-MATL (arXiv 2604.03837)
 * judges a projection. Its code trains them by gradient descent; here each is at its optimum.
 *
 * `labels`, only where asked for, reads several labels a sample: a logistic regression a class, each at its optimum with one C. That is the
 * optimum of a linear layer under torch's multi-label soft margin loss, by which SoftCon (arXiv 2405.20462) probes, with an L2 penalty beside
 * it: the loss is a mean of these regressions' losses (see `math/multi-label.ts`). Penalty, scaling and thresholds are ours. A class is
 * predicted from the probability on that had the highest F1 on the validation rows, fitted on training rows alone; 0.5 where no validation row
 * has the class. A sample without any label counts as unlabelled, as SoftCon's data have it.
 *
 * C and alpha are chosen on the validation rows (least log loss, over all classes of labels together, with the class weights if `balanced`;
 * least mean squared error), the first of equals in ascending order, then the probe is fitted again on training and validation rows together. A single value is not
 * chosen, so needs no validation rows. With `standardize` the embeddings' columns get mean 0 and deviation 1 on the rows fitted.
 *
 * Samples without the truth of a task are left out of it, with a notice, and so is a task that no training sample has the truth of. A
 * class that only test samples have is in the vocabulary with probability 0: it is never predicted and counts as wrong.
 *
 * Metrics (see `math/measure.ts`) are of the training, validation and test rows, the former two fitted on; those of test have 95%
 * bootstrap intervals over the samples. `weights` holds, a task `t`, `t.coefficients` [outputs, d] and `t.intercepts` for scaled
 * embeddings, `t.offset` and `t.scale` [d] of that scaling, `t.C` or `t.alpha` as chosen, for labels `labels.thresholds` [classes], and for box
 * the targets' offset and scale.
 */
export default Stage.make({
  name: "probe/linear",
  version: 1,
  summary: "linear probes: logistic regression of the class or of several labels, ridge regression of box features and position",
  paper: "TG-MATL (arXiv 2604.03837), SoftCon (arXiv 2405.20462)",
  with: Schema.Struct({
    tasks: Stage.withDefault(
      Schema.Array(Schema.Literals(["class", "box", "position", "labels"])).check(Schema.isMinLength(1)).annotate({ description: "what is read from the embeddings" }),
      ["class", "box", "position"]
    ),
    C: Stage.withDefault(candidates.annotate({ description: "weight of the data against the penalty, for class and labels; several: chosen on validation rows" }), [0.001, 0.01, 0.1, 1, 10, 100]),
    alpha: Stage.withDefault(candidates.annotate({ description: "weight of the penalty, for box and position; several: chosen on validation rows" }), [0.01, 0.1, 1, 10, 100, 1000]),
    standardize: Stage.withDefault(Schema.Boolean.annotate({ description: "scale each column of the embeddings to mean 0 and deviation 1 on the rows fitted" }), true),
    iterations: Stage.withDefault(Schema.Int.check(Schema.isGreaterThan(0)).annotate({ description: "the most steps of logistic regression's solver for each C; it ends before where the optimum is reached" }), 1000),
    balanced: Stage.withDefault(Schema.Boolean.annotate({ description: "weigh samples so that every class counts the same" }), false),
    bootstrap: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })).annotate({ description: "replicates behind the intervals of test metrics; 0: none" }), 1000),
    seed: Stage.Seed
  }),
  needs: { embeddings: Stage.needs(Embeddings), samples: Stage.needs(Samples, "label", "labels", "box", "window"), split: Stage.needs(Split) },
  gives: { predictions: Predictions, metrics: Metrics },
  learns: { weights: Weights },
  validates: true,
  fit: Effect.fn("probe/linear.fit")(function*({ embeddings, samples, split }, p) {
    const x = yield* attempt(() => oneView(embeddings, samples.sample_id))
    const layers: Array<{ readonly name: string; readonly shape: ReadonlyArray<number>; readonly values: Float64Array }> = []
    const learn = (task: string, outputs: number, learned: { readonly coefficients: Float64Array; readonly intercepts: Float64Array; readonly scaling: Scaling }) =>
      layers.push(
        { name: `${task}.coefficients`, shape: [outputs, x.columns], values: learned.coefficients },
        { name: `${task}.intercepts`, shape: [outputs], values: learned.intercepts },
        { name: `${task}.offset`, shape: [x.columns], values: learned.scaling.offset },
        { name: `${task}.scale`, shape: [x.columns], values: learned.scaling.scale }
      )
    const fitting = (rows: Int32Array) => ({ train: rows.filter((row) => split.split[row] === "train"), val: rows.filter((row) => split.split[row] === "val") })

    let classes: ReadonlyArray<string> = []
    const known = fitting(labelled(samples.label))
    if (p.tasks.includes("class") && known.train.length > 0) {
      const head = yield* attempt(() => fitClassHead(x, samples.label, known, p))
      classes = head.names
      if (!head.settled) yield* Stage.notice(`class: fits were ended after ${p.iterations} iterations, short of their optimum`)
      learn("class", head.intercepts.length, head)
      layers.push({ name: "class.C", shape: [], values: Float64Array.of(head.C) })
    }
    let several: ReadonlyArray<string> = []
    const tagged = fitting(multiLabelled(samples.labels))
    if (p.tasks.includes("labels") && tagged.train.length > 0) {
      const head = yield* attempt(() => fitLabelHead(x, samples.labels, tagged, p))
      several = head.names
      if (!head.settled) yield* Stage.notice(`labels: fits were ended after ${p.iterations} iterations, short of their optimum`)
      if (tagged.val.length === 0) yield* Stage.notice(`labels: no validation sample has labels, so every class is predicted from a probability of ${neutral} on`)
      learn("labels", several.length, head)
      layers.push({ name: "labels.C", shape: [], values: Float64Array.of(head.C) }, { name: "labels.thresholds", shape: [several.length], values: head.thresholds })
    }
    const heads = targetHeads(x, p.standardize)
    for (const { names, of, scaling, task } of regressions) {
      const targets = of(samples), rows = fitting(withTruth(targets))
      if (!p.tasks.includes(task) || rows.train.length === 0) continue
      const head = yield* attempt(() => heads.fit(targets, scaling, rows, p.alpha))
      learn(task, names.length, head)
      layers.push(
        { name: `${task}.alpha`, shape: [], values: Float64Array.of(head.alpha) },
        { name: `${task}.target.offset`, shape: [names.length], values: head.targetScaling.offset },
        { name: `${task}.target.scale`, shape: [names.length], values: head.targetScaling.scale }
      )
    }
    if (layers.length === 0) {
      return yield* new Stage.StageError({ message: `no training sample has the truth of any task (${p.tasks.join(", ")}): class needs a label, box and position a box, and labels, which has to be asked for (tasks: [labels]), a list of labels; check the split and the data` })
    }
    return {
      weights: {
        layer: layers.map(({ name }) => name),
        shape: layers.map(({ shape }) => Float64Array.from(shape)),
        values: layers.map(({ values }) => values),
        metadata: { class: JSON.stringify(classes), ...(several.length > 0 ? { labels: JSON.stringify(several) } : {}) }
      }
    }
  }),
  apply: Effect.fn("probe/linear.apply")(function*({ weights }, { embeddings, samples, split }, p) {
    const x = yield* attempt(() => oneView(embeddings, samples.sample_id))
    const layers = new Map(weights.layer.map((layer, i) => [layer, weights.values[i]!]))
    const scalingAt = (name: string): Scaling => ({ offset: layers.get(`${name}.offset`)!, scale: layers.get(`${name}.scale`)! })
    const headAt = (task: string) => ({ coefficients: layers.get(`${task}.coefficients`)!, intercepts: layers.get(`${task}.intercepts`)!, scaling: scalingAt(task) })
    /** Whether a task was learned; says which samples it leaves out. */
    const learned = Effect.fnUntraced(function*(task: (typeof p.tasks)[number], truth: string, rows: Int32Array) {
      if (!p.tasks.includes(task)) return false
      const there = layers.has(`${task}.coefficients`)
      if (!there) yield* Stage.notice(`no training sample has ${truth === "labels" ? "" : "a "}${truth}: the task ${task} is left out`)
      else if (rows.length < samples.rows) yield* Stage.notice(`${samples.rows - rows.length} of ${samples.rows} samples have no ${truth} and are left out of the task ${task}`)
      return there
    })
    if (!split.split.includes("test")) yield* Stage.notice("the split has no test samples: there are no test metrics")

    const scorecard = new Scorecard(samples.sample_id, split.split, p), rows = labelled(samples.label)
    if (yield* learned("class", "label", rows)) {
      const own: ReadonlyArray<string> = JSON.parse(weights.metadata!["class"]!)
      const names = vocabularyOf([...own, ...samples.label]), ids = idsOf(samples.label, names)
      for (const [id, name] of names.entries()) {
        if (!own.includes(name)) yield* Stage.notice(`no training sample is of the class "${name}", which ${ids.filter((other) => other === id).length} other samples are of: it is never predicted`)
      }
      const all = yield* attempt(() => classProbabilities({ ...headAt("class"), names: own, classes: own.length }, x, names))
      const given = takeRows({ rows: x.rows, columns: names.length, values: all }, rows)
      scorecard.classes("class", rows, Int32Array.from(rows, (row) => ids[row]!), given.values, names)
    }
    const tagged = multiLabelled(samples.labels)
    if (yield* learned("labels", "labels", tagged)) {
      const own: ReadonlyArray<string> = JSON.parse(weights.metadata!["labels"]!), thresholds = layers.get("labels.thresholds")!
      const names = vocabularyOf([...own, ...samples.labels.flat()]), truth = multiHot(Array.from(tagged, (row) => samples.labels[row]!), names)
      for (const [c, name] of names.entries()) {
        if (!own.includes(name)) yield* Stage.notice(`no training sample has the label "${name}", which ${truth.filter((has, at) => has === 1 && at % names.length === c).length} other samples have: it is never predicted`)
      }
      const scores = yield* attempt(() => labelHeadProbabilities({ ...headAt("labels"), names: own }, takeRows(x, tagged), names))
      scorecard.labels("labels", tagged, truth, scores, fromThresholds(scores, Float64Array.from(names, (name) => thresholds[own.indexOf(name)] ?? neutral)), names)
    }
    for (const { names, of, task, truth } of regressions) {
      const targets = of(samples), rows = withTruth(targets)
      if (!(yield* learned(task, truth, rows))) continue
      const predicted = takeRows(predictTargets(headAt(task), x), rows)
      scorecard.targets(task, rows, scaled(takeRows(targets, rows), scalingAt(`${task}.target`)), predicted, names)
    }
    return scorecard.tables()
  })
})
