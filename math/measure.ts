/**
 * The measures of a classification and of a regression that probes report, by name, with bootstrap intervals where asked for. Interval and
 * value are the same computation: the value counts every row once.
 */
import { bootstrap } from "./bootstrap.ts"
import { confidenceOf, confusion, expectedCalibrationError, measuresOf, mostProbable, surprisal } from "./classification.ts"
import type { Matrix } from "./matrix.ts"
import type { Random } from "./random.ts"
import { ranking, rankingMeasures } from "./ranking.ts"
import { regressionMeasures, regressionTerms } from "./regression.ts"

export interface Measure {
  readonly metric: string
  /** The class or target that it is of; empty where it is of all. */
  readonly of: string
  readonly value: number
  /** Rows it was measured on; for a class, those that are of the class. */
  readonly n: number
  /** 95% bootstrap interval over the rows; NaN where none was asked for. */
  readonly low: number
  readonly high: number
}

/** How intervals are drawn. */
export interface Resampling {
  readonly replicates: number
  readonly random: Random
}

interface Name {
  readonly metric: string
  readonly of: string
  readonly n: number
}

const measures = (names: ReadonlyArray<Name>, n: number, statistics: (counts?: Float64Array) => Float64Array, resampling: Resampling | undefined): ReadonlyArray<Measure> => {
  const values = Float64Array.from(statistics())
  const intervals = resampling === undefined || n === 0 ? [] : bootstrap(n, resampling.replicates, resampling.random, statistics)
  return names.map((name, s) => ({ ...name, value: values[s]!, low: intervals[s]?.low ?? Number.NaN, high: intervals[s]?.high ?? Number.NaN }))
}

/**
 * Measures of class probabilities [n, classes] against class ids [n]: accuracy, balanced_accuracy, f1_macro, f1_weighted, auc,
 * average_precision, log_loss (nats), ece (15 bins), then f1 and average_precision of each class that occurs among the truths.
 *
 * With two classes auc and average_precision are those of the last one, the positive; with more they are means over the classes
 * (one against the rest) that occur among the truths. A class is predicted where its probability is highest, the first of equals.
 */
export const measureClasses = (truth: Int32Array, probabilities: ArrayLike<number>, classes: ReadonlyArray<string>, resampling?: Resampling): ReadonlyArray<Measure> => {
  const k = classes.length, n = truth.length
  const sizes = new Float64Array(k)
  for (const id of truth) sizes[id]!++
  const present = Int32Array.from(sizes.keys()).filter((c) => sizes[c]! > 0)
  const predicted = mostProbable(probabilities, k), surprise = surprisal(truth, probabilities, k), confidence = confidenceOf(truth, predicted, probabilities, k)
  const rankings = Array.from(present, (c) => ranking(Float64Array.from({ length: n }, (_, i) => probabilities[i * k + c]!)))
  const names: ReadonlyArray<Name> = [
    ...["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "auc", "average_precision", "log_loss", "ece"].map((metric) => ({ metric, of: "", n })),
    ...["f1", "average_precision"].flatMap((metric) => Array.from(present, (c) => ({ metric, of: classes[c]!, n: sizes[c]! })))
  ]
  const out = new Float64Array(names.length)
  const statistics = (counts?: Float64Array): Float64Array => {
    const table = confusion(truth, predicted, k, counts)
    const { accuracy, balancedAccuracy, f1, f1Macro, f1Weighted } = measuresOf(table, k)
    let aucs = 0, ranked = 0, precisions = 0, occurring = 0, loss = 0, total = 0
    for (const [at, c] of present.entries()) {
      const { auc, averagePrecision } = rankingMeasures(rankings[at]!, truth, c, counts)
      let size = 0
      for (let o = 0; o < k; o++) size += table[c * k + o]!
      out[8 + at] = f1[c]!
      out[8 + present.length + at] = size > 0 ? averagePrecision : Number.NaN
      if (size === 0 || (k === 2 && c === 0)) continue
      precisions += averagePrecision
      occurring++
      if (Number.isNaN(auc)) continue
      aucs += auc
      ranked++
    }
    for (let i = 0; i < n; i++) {
      const weight = counts === undefined ? 1 : counts[i]!
      loss += weight * surprise[i]!
      total += weight
    }
    out.set([accuracy, balancedAccuracy, f1Macro, f1Weighted, aucs / ranked, precisions / occurring, loss / total, expectedCalibrationError(confidence, counts)])
    return out
  }
  return measures(names, n, statistics, resampling)
}

/** Measures of predictions [n, targets] against truth [n, targets]: mse and r2 (means over targets), then r2 of each target. */
export const measureTargets = (truth: Matrix, predicted: Matrix, targets: ReadonlyArray<string>, resampling?: Resampling): ReadonlyArray<Measure> => {
  const n = truth.rows
  const names: ReadonlyArray<Name> = [{ metric: "mse", of: "", n }, { metric: "r2", of: "", n }, ...targets.map((of) => ({ metric: "r2", of, n }))]
  const terms = regressionTerms(truth, predicted), values = new Float64Array(names.length)
  return measures(names, n, (counts) => {
    const { mse, r2, r2Of } = regressionMeasures(terms, counts)
    values[0] = mse
    values[1] = r2
    values.set(r2Of, 2)
    return values
  }, resampling)
}
