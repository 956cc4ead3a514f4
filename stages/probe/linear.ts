import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Metrics, Predictions, Samples, Split, Stage, Weights } from "outcrop"
import { boxFeatureNames, boxFeatures, boxPlacement, boxPlacementNames } from "../../math/box-features.ts"
import { surprisal } from "../../math/classification.ts"
import { balancedWeights, fitLogistic, probabilities } from "../../math/logistic.ts"
import { type Matrix, takeRows } from "../../math/matrix.ts"
import { regressionMeasures } from "../../math/regression.ts"
import { predictLinear, ridgeOf } from "../../math/ridge.ts"
import { identity, minMax, scaled, type Scaling, standard } from "../../math/scaling.ts"
import { Scorecard } from "../../math/scorecard.ts"
import { oneView } from "../../math/views.ts"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

const candidates = Schema.Array(Schema.Finite.check(Schema.isGreaterThan(0))).check(Schema.isMinLength(1))
const fail = (message: string) => new Stage.StageError({ message })

type Boxes = { readonly box: { readonly values: Float32Array }; readonly window: { readonly values: Float32Array } }
interface Targets {
  readonly names: ReadonlyArray<string>
  /** Rows of the samples that have the targets. */
  readonly rows: Int32Array
  /** [rows, names], unscaled */
  readonly values: Matrix
}
const wherePresent = ({ columns, rows, values }: Matrix): Int32Array =>
  Int32Array.from({ length: rows }, (_, i) => i).filter((i) => values.subarray(i * columns, (i + 1) * columns).every(Number.isFinite))

/** The regression tasks: what they predict, and how its columns are scaled. */
const regressions = {
  box: {
    needs: "box",
    scaling: minMax,
    of: ({ box }: Boxes): Targets => {
      const all = boxFeatures(box.values), rows = wherePresent(all)
      return { names: boxFeatureNames, rows, values: takeRows(all, rows) }
    }
  },
  position: {
    needs: "box in a window of known size",
    scaling: identity,
    of: ({ box, window }: Boxes): Targets => {
      const all = boxPlacement(box.values, window.values), rows = wherePresent(all), values = new Float64Array(rows.length * 2)
      for (const [i, row] of rows.entries()) values.set(all.values.subarray(row * 4, row * 4 + 2), i * 2)
      return { names: boxPlacementNames.slice(0, 2), rows, values: { rows: rows.length, columns: 2, values } }
    }
  }
}

/** Learned arrays under `<task>.<name>`. */
class Layers {
  readonly layer: Array<string> = []
  readonly shape: Array<Float64Array> = []
  readonly values: Array<Float64Array> = []
  add(layer: string, shape: ReadonlyArray<number>, values: Float64Array): void {
    this.layer.push(layer)
    this.shape.push(Float64Array.from(shape))
    this.values.push(values)
  }
}

/** The value with the least loss; the first of equals. */
const best = (values: ReadonlyArray<number>, losses: ReadonlyArray<number>): number => values[losses.indexOf(Math.min(...losses))]!

/**
 * Linear probes: what a linear model can read from the embeddings. `class` is multinomial logistic regression of the samples' label (L2,
 * intercepts free, scikit-learn's objective), `box` ridge regression of 13 features of the sample's box, each min-max scaled on the rows
 * fitted, `position` ridge regression of the box's centre as a share of its window: the three heads by which TG-MATL (arXiv 2604.03837)
 * judges a projection. Its code trains them by gradient descent; here each is at its optimum.
 *
 * C and alpha are chosen on the validation rows (least log loss, with the class weights if `balanced`; least mean squared error), the
 * first of equals in ascending order, then the probe is fitted again on training and validation rows together. A single value is not
 * chosen, so needs no validation rows. With `standardize` the embeddings' columns get mean 0 and deviation 1 on the rows fitted.
 *
 * Samples without the truth of a task are left out of it, with a notice, and so is a task that no training sample has the truth of. A
 * class that only test samples have is in the vocabulary with probability 0: it is never predicted and counts as wrong.
 *
 * Metrics (see `math/measure.ts`) are of the training, validation and test rows, the former two fitted on; those of test have 95%
 * bootstrap intervals over the samples. `weights` holds, a task `t`, `t.coefficients` [outputs, d] and `t.intercepts` for scaled
 * embeddings, `t.offset` and `t.scale` [d] of that scaling, `t.C` or `t.alpha` as chosen, and for box the targets' offset and scale.
 */
export default Stage.make({
  name: "probe/linear",
  version: 1,
  summary: "linear probes: logistic regression of the class, ridge regression of box features and position",
  with: Schema.Struct({
    tasks: Stage.withDefault(
      Schema.Array(Schema.Literals(["class", "box", "position"])).check(Schema.isMinLength(1)).annotate({ description: "what is read from the embeddings" }),
      ["class", "box", "position"]
    ),
    C: Stage.withDefault(candidates.annotate({ description: "weight of the data against the penalty, for class; several: chosen on validation rows" }), [0.001, 0.01, 0.1, 1, 10, 100]),
    alpha: Stage.withDefault(candidates.annotate({ description: "weight of the penalty, for box and position; several: chosen on validation rows" }), [0.01, 0.1, 1, 10, 100, 1000]),
    standardize: Stage.withDefault(Schema.Boolean.annotate({ description: "scale each column of the embeddings to mean 0 and deviation 1 on the rows fitted" }), true),
    balanced: Stage.withDefault(Schema.Boolean.annotate({ description: "weigh samples so that every class counts the same" }), false),
    bootstrap: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })).annotate({ description: "replicates behind the intervals of test metrics; 0: none" }), 1000),
    seed: Stage.Seed
  }),
  needs: { embeddings: Stage.needs(Embeddings), samples: Stage.needs(Samples, "label", "box", "window"), split: Stage.needs(Split) },
  gives: { predictions: Predictions, metrics: Metrics },
  learns: { weights: Weights },
  validates: true,
  fit: Effect.fn("probe/linear.fit")(function*({ embeddings, samples, split }, p) {
    const x = yield* Effect.try({ try: () => oneView(embeddings, samples.sample_id), catch: (cause) => fail(String((cause as Error).message)) })
    const layers = new Layers()
    const scalingOf = p.standardize ? standard : identity
    const inSplit = (rows: Int32Array, name: string) => rows.filter((row) => split.split[row] === name)
    const addScaling = (task: string, { offset, scale }: Scaling) => {
      layers.add(`${task}.offset`, [offset.length], offset)
      layers.add(`${task}.scale`, [scale.length], scale)
    }
    const unchosen = (name: string, values: ReadonlyArray<number>, truth: string) =>
      fail(`${name} has ${values.length} values to choose from on validation rows, and no validation sample has a ${truth} to compare with; give one value (${name}: [${values[0]}]) or a split with validation rows`)
    let classes: ReadonlyArray<string> = []

    if (p.tasks.includes("class")) {
      const labelled = Int32Array.from(samples.label.keys()).filter((row) => samples.label[row] !== null)
      const train = inSplit(labelled, "train"), val = inSplit(labelled, "val")
      const fitOn = (rows: Int32Array, Cs: ReadonlyArray<number>) =>
        Effect.gen(function*() {
          const names = vocabularyOf(Array.from(rows, (row) => samples.label[row]!)), y = idsOf(Array.from(rows, (row) => samples.label[row]!), names)
          if (names.length < 2) return yield* fail(`all ${rows.length} samples to fit on are of the class "${names[0]}"; the task class needs two classes (tasks: [box, position] leaves it out)`)
          const part = takeRows(x, rows), scaling = scalingOf(part), weights = p.balanced ? balancedWeights(y) : undefined
          return { names, y, scaling, weights, fits: yield* Effect.promise(() => fitLogistic(scaled(part, scaling), y, names.length, Cs, weights)) }
        })
      if (train.length > 0) {
        let Cs = p.C.toSorted((a, b) => a - b)
        if (Cs.length > 1) {
          const { fits, names, scaling, weights, y } = yield* fitOn(train, Cs)
          const known = val.filter((row) => names.includes(samples.label[row]!))
          if (known.length === 0) return yield* unchosen("C", p.C, "label of the training samples")
          const truth = idsOf(Array.from(known, (row) => samples.label[row]!), names), seen = scaled(takeRows(x, known), scaling)
          const weightOf = Float64Array.from(names, (_, id) => weights === undefined ? 1 : weights[y.indexOf(id)]!)
          const losses = yield* Effect.forEach(fits, (fit) =>
            Effect.map(Effect.promise(() => probabilities(fit, seen)), (given) => surprisal(truth, given, names.length).reduce((sum, nats, i) => sum + weightOf[truth[i]!]! * nats, 0)))
          Cs = [best(Cs, losses)]
        }
        const { fits: [fit], names, scaling } = yield* fitOn(labelled, Cs)
        classes = names
        layers.add("class.C", [], Float64Array.from(Cs))
        layers.add("class.coefficients", [fit!.intercepts.length, x.columns], fit!.coefficients)
        layers.add("class.intercepts", [fit!.intercepts.length], fit!.intercepts)
        addScaling("class", scaling)
      }
    }

    // Box and position are mostly of the same rows: their products are made once.
    const designs = new Map<string, { readonly scaling: Scaling; readonly ridge: ReturnType<typeof ridgeOf> }>()
    const designOf = (rows: Int32Array) => {
      const name = rows.join()
      const found = designs.get(name)
      if (found !== undefined) return found
      const part = takeRows(x, rows), scaling = scalingOf(part)
      const design = { scaling, ridge: ridgeOf(scaled(part, scaling)) }
      designs.set(name, design)
      return design
    }
    for (const task of ["box", "position"] as const) {
      if (!p.tasks.includes(task)) continue
      const { names, rows, values } = regressions[task].of(samples)
      const place = new Map(Array.from(rows, (row, i) => [row, i]))
      const train = inSplit(rows, "train"), val = inSplit(rows, "val")
      if (train.length === 0) continue
      const targetsOf = (chosen: Int32Array) => takeRows(values, Array.from(chosen, (row) => place.get(row)!))
      const fitOn = (chosen: Int32Array, alphas: ReadonlyArray<number>) =>
        Effect.try({
          try: () => {
            const { ridge, scaling } = designOf(chosen), targets = targetsOf(chosen), targetScaling = regressions[task].scaling(targets)
            return { scaling, targetScaling, fits: alphas.map((alpha) => ridge.fit(scaled(targets, targetScaling), alpha)) }
          },
          catch: (cause) => fail(`${task}: ${(cause as Error).message}`)
        })
      let alphas = p.alpha.toSorted((a, b) => a - b)
      if (alphas.length > 1) {
        if (val.length === 0) return yield* unchosen("alpha", p.alpha, regressions[task].needs)
        const { fits, scaling, targetScaling } = yield* fitOn(train, alphas)
        const seen = scaled(takeRows(x, val), scaling), truth = scaled(targetsOf(val), targetScaling)
        alphas = [best(alphas, fits.map((fit) => regressionMeasures(truth, predictLinear(fit, seen)).mse))]
      }
      const { fits: [fit], scaling, targetScaling } = yield* fitOn(rows, alphas)
      layers.add(`${task}.alpha`, [], Float64Array.from(alphas))
      layers.add(`${task}.coefficients`, [names.length, x.columns], fit!.coefficients)
      layers.add(`${task}.intercepts`, [names.length], fit!.intercepts)
      addScaling(task, scaling)
      addScaling(`${task}.target`, targetScaling)
    }
    if (layers.layer.length === 0) return yield* fail(`no training sample has the truth of any task (${p.tasks.join(", ")}): class needs a label, box and position a box; check the split and the data`)
    return { weights: { layer: layers.layer, shape: layers.shape, values: layers.values, metadata: { class: JSON.stringify(classes) } } }
  }),
  apply: Effect.fn("probe/linear.apply")(function*({ weights }, { embeddings, samples, split }, p) {
    const x = yield* Effect.try({ try: () => oneView(embeddings, samples.sample_id), catch: (cause) => fail(String((cause as Error).message)) })
    const layers = new Map(weights.layer.map((layer, i) => [layer, weights.values[i]!]))
    const scalingAt = (name: string): Scaling => ({ offset: layers.get(`${name}.offset`)!, scale: layers.get(`${name}.scale`)! })
    const learnedAt = (task: string) => ({ coefficients: layers.get(`${task}.coefficients`)!, intercepts: layers.get(`${task}.intercepts`)! })
    const scorecard = new Scorecard(samples.sample_id, split.split, p)
    const noticeRows = (task: string, rows: Int32Array, truth: string) => {
      if (!layers.has(`${task}.coefficients`)) return Stage.notice(`no training sample has a ${truth}: the task ${task} is left out`)
      return rows.length < samples.rows ? Stage.notice(`${samples.rows - rows.length} of ${samples.rows} samples have no ${truth} and are left out of the task ${task}`) : Effect.void
    }
    if (!split.split.includes("test")) yield* Stage.notice("the split has no test samples: there are no test metrics")

    if (p.tasks.includes("class")) {
      const rows = Int32Array.from(samples.label.keys()).filter((row) => samples.label[row] !== null)
      yield* noticeRows("class", rows, "label")
      if (layers.has("class.coefficients")) {
        const learned = JSON.parse(weights.metadata!["class"]!) as ReadonlyArray<string>
        const names = vocabularyOf([...learned, ...samples.label]), places = idsOf(learned, names), truth = idsOf(Array.from(rows, (row) => samples.label[row]!), names)
        for (const [id, name] of names.entries()) {
          if (!learned.includes(name)) yield* Stage.notice(`no training sample is of the class "${name}", which ${truth.filter((own) => own === id).length} other samples are of: it is never predicted`)
        }
        const known = yield* Effect.promise(() => probabilities({ classes: learned.length, ...learnedAt("class") }, scaled(x, scalingAt("class"))))
        const given = new Float64Array(rows.length * names.length)
        for (const [i, row] of rows.entries()) for (const [c, place] of places.entries()) given[i * names.length + place] = known[row * learned.length + c]!
        scorecard.classes("class", rows, truth, given, names)
      }
    }
    for (const task of ["box", "position"] as const) {
      if (!p.tasks.includes(task)) continue
      const { names, rows, values } = regressions[task].of(samples)
      yield* noticeRows(task, rows, regressions[task].needs)
      if (!layers.has(`${task}.coefficients`)) continue
      const predicted = predictLinear(learnedAt(task), scaled(x, scalingAt(task)))
      scorecard.targets(task, rows, scaled(values, scalingAt(`${task}.target`)), takeRows(predicted, rows), names)
    }
    return scorecard.tables()
  })
})
