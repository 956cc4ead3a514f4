/**
 * The measures of a classification, of several labels a sample, and of a regression that probes report, by name, with bootstrap intervals where asked for. Interval and
 * value are the same computation: the value counts every row once.
 */
import type { Interval } from "./bootstrap.ts"
import { confidenceOf, confusion, expectedCalibrationError, measuresOf, mostProbable, surprisal } from "./classification.ts"
import type { Matrix } from "./matrix.ts"
import { ascending } from "./order.ts"
import { averagePrecisions, ranking, rankingMeasures } from "./ranking.ts"
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

/** The statistics behind the measures, of n rows each counted so often. What they return is read at once: it is reused. */
export type Statistics = (counts?: Float64Array) => Float64Array
/** Draws the intervals of statistics of n rows. */
export type Resampling = (n: number, statistics: Statistics) => ReadonlyArray<Interval>

interface Name {
  readonly metric: string
  readonly of: string
  readonly n: number
}

const measures = (names: ReadonlyArray<Name>, n: number, statistics: Statistics, resampling: Resampling | undefined): ReadonlyArray<Measure> => {
  const values = Float64Array.from(statistics())
  const intervals = resampling === undefined || n === 0 ? [] : resampling(n, statistics)
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

/**
 * Measures of several labels a sample: truth, scores and what is predicted, [n, classes] each, truth and predictions multi-hot. map_micro
 * ranks all pairs of a row and a class together, map_macro is the mean over classes of their average precision; f1_micro and f1_macro
 * likewise; then average_precision and f1 of each class, whose n are the rows that have it.
 *
 * They are scikit-learn's but for what is not defined: a class that no row has has no average precision (NaN; scikit-learn counts 0) and takes no
 * part in map_macro, one that is neither true nor predicted anywhere none in f1_macro. A class that is there and never predicted counts as 0.
 */
export const measureLabels = (truth: Uint8Array, scores: ArrayLike<number>, predicted: Uint8Array, classes: ReadonlyArray<string>, resampling?: Resampling): ReadonlyArray<Measure> => {
  const k = classes.length, n = k === 0 ? 0 : truth.length / k
  const sizes = new Float64Array(k)
  for (let at = 0; at < truth.length; at++) sizes[at % k]! += truth[at]!
  const column = (values: ArrayLike<number>, c: number) => Float64Array.from({ length: n }, (_, i) => values[i * k + c]!)
  const micro = averagePrecisions(ranking(scores), truth, (pair) => Math.floor(pair / k))
  const precisions = classes.map((_, c) => averagePrecisions(ranking(column(scores, c)), column(truth, c)))
  const names: ReadonlyArray<Name> = [
    ...["map_micro", "map_macro", "f1_micro", "f1_macro"].map((metric) => ({ metric, of: "", n })),
    ...["average_precision", "f1"].flatMap((metric) => classes.map((name, c) => ({ metric, of: name, n: sizes[c]! })))
  ]
  const out = new Float64Array(names.length), has = new Float64Array(k), given = new Float64Array(k), hits = new Float64Array(k)
  const mean = (values: Float64Array) => {
    const defined = values.filter((value) => !Number.isNaN(value))
    return defined.reduce((sum, value) => sum + value, 0) / defined.length
  }
  return measures(names, n, (counts) => {
    for (const sums of [has, given, hits]) sums.fill(0)
    for (let i = 0, at = 0; i < n; i++) {
      const count = counts === undefined ? 1 : counts[i]!
      if (count === 0) at += k
      else for (let c = 0; c < k; c++, at++) {
        if (truth[at] === 1) has[c]! += count
        if (predicted[at] === 0) continue
        given[c]! += count
        if (truth[at] === 1) hits[c]! += count
      }
    }
    const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0)
    for (let c = 0; c < k; c++) {
      out[4 + c] = precisions[c]!(counts)
      out[4 + k + c] = (2 * hits[c]!) / (has[c]! + given[c]!)
    }
    out[0] = micro(counts)
    out[1] = mean(out.subarray(4, 4 + k))
    out[2] = (2 * sum(hits)) / (sum(has) + sum(given))
    out[3] = mean(out.subarray(4 + k))
    return out
  }, resampling)
}

/** The median of values [n], each counted so often, halfway between the two middle ones where their number is even. */
const medians = (values: Float64Array): (counts?: Float64Array) => number => {
  const order = ascending(values)
  return (counts) => {
    const total = counts === undefined ? values.length : counts.reduce((sum, count) => sum + count, 0)
    let seen = 0, lower = Number.NaN
    for (const row of order) {
      const count = counts === undefined ? 1 : counts[row]!
      if (count === 0) continue
      seen += count
      if (Number.isNaN(lower) && 2 * seen >= total) lower = values[row]!
      if (2 * seen > total) return (lower + values[row]!) / 2
    }
    return lower
  }
}

/** Great circles from the probe to the truth within which it is right, km: those of image geolocation (Vo et al., ICCV 2017). */
export const reaches: ReadonlyArray<number> = [1, 25, 200, 750, 2500]

/**
 * Measures of predicted places against the truth by the great circles between them, km [n]: median_km, the share within each of `reaches`,
 * and baseline_median_km, the median of distances [n] that the same rows would have from one place answered for all.
 */
export const measurePlaces = (distances: Float64Array, baseline: Float64Array, resampling?: Resampling): ReadonlyArray<Measure> => {
  const n = distances.length, medianOf = medians(distances), baselineOf = medians(baseline)
  const names = ["median_km", ...reaches.map((km) => `within_${km}km`), "baseline_median_km"].map((metric) => ({ metric, of: "", n }))
  return measures(names, n, (counts) => {
    let total = 0
    const within = new Float64Array(reaches.length)
    for (let i = 0; i < n; i++) {
      const weight = counts === undefined ? 1 : counts[i]!
      total += weight
      for (const [at, km] of reaches.entries()) if (distances[i]! <= km) within[at]! += weight
    }
    return Float64Array.of(medianOf(counts), ...within.map((sum) => sum / total), baselineOf(counts))
  }, resampling)
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
