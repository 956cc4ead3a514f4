/**
 * Measures of classification, equal to scikit-learn's. `weights` [n] count each row so often; bootstrap replicates are such counts.
 * Ids are 0..classes-1; probabilities are [n, classes] row-major.
 */

/** Weighted counts [classes, classes], a row a truth, a column a prediction. */
export const confusion = (truth: Int32Array, predicted: Int32Array, classes: number, weights?: ArrayLike<number>): Float64Array => {
  const counts = new Float64Array(classes * classes)
  for (let i = 0; i < truth.length; i++) counts[truth[i]! * classes + predicted[i]!]! += weights === undefined ? 1 : weights[i]!
  return counts
}

/** What a confusion matrix says: shares of all rows, means over classes, and F1 of each class. */
export interface ConfusionMeasures {
  /** Share of rows predicted right; in single-label classification micro-averaged F1 is the same number. */
  readonly accuracy: number
  /** Mean recall of the classes that occur among the truths. */
  readonly balancedAccuracy: number
  /** Mean F1 of the classes that occur among truths or predictions. */
  readonly f1Macro: number
  /** Mean F1, weighted by the classes' sizes among the truths. */
  readonly f1Weighted: number
  /** F1 = 2 tp / (2 tp + fp + fn) of each class; 0 for a class that does not occur. */
  readonly f1: Float64Array
}

/** Measures of a confusion matrix [classes, classes]; NaN without rows. */
export const measuresOf = (counts: Float64Array, classes: number): ConfusionMeasures => {
  const f1 = new Float64Array(classes)
  let total = 0, right = 0, recalls = 0, present = 0, sum = 0, weighted = 0, occurring = 0
  for (let c = 0; c < classes; c++) {
    let truths = 0, predictions = 0
    for (let o = 0; o < classes; o++) {
      truths += counts[c * classes + o]!
      predictions += counts[o * classes + c]!
    }
    const hits = counts[c * classes + c]!
    total += truths
    right += hits
    if (truths > 0) {
      present++
      recalls += hits / truths
    }
    if (truths + predictions > 0) {
      occurring++
      f1[c] = (2 * hits) / (truths + predictions)
      sum += f1[c]!
      weighted += f1[c]! * truths
    }
  }
  return { accuracy: right / total, balancedAccuracy: recalls / present, f1Macro: sum / occurring, f1Weighted: weighted / total, f1 }
}

/** The most probable class of each row; of equals the first. */
export const mostProbable = (probabilities: ArrayLike<number>, classes: number): Int32Array => {
  const out = new Int32Array(probabilities.length / classes)
  for (let i = 0; i < out.length; i++) {
    for (let c = 1; c < classes; c++) if (probabilities[i * classes + c]! > probabilities[i * classes + out[i]!]!) out[i] = c
  }
  return out
}

/** Negative log of the probability given to the truth of each row, [n]; probabilities below 2^-52 count as 2^-52. */
export const surprisal = (truth: Int32Array, probabilities: ArrayLike<number>, classes: number): Float64Array =>
  Float64Array.from(truth, (id, i) => -Math.log(Math.max(Number.EPSILON, probabilities[i * classes + id]!)))

/** Where each row falls among equal bins (low, high] of its top probability, for the calibration error. */
export interface Confidence {
  readonly bins: number
  /** [n] */
  readonly bin: Int32Array
  /** Top probability minus 1 where the prediction is right, minus 0 where it is wrong, [n]. */
  readonly excess: Float64Array
}
export const confidenceOf = (truth: Int32Array, predicted: Int32Array, probabilities: ArrayLike<number>, classes: number, bins = 15): Confidence => {
  const bin = new Int32Array(truth.length), excess = new Float64Array(truth.length)
  for (let i = 0; i < truth.length; i++) {
    const top = probabilities[i * classes + predicted[i]!]!
    bin[i] = Math.min(bins - 1, Math.max(0, Math.ceil(top * bins) - 1))
    excess[i] = top - (truth[i] === predicted[i] ? 1 : 0)
  }
  return { bins, bin, excess }
}

/** Expected calibration error (Guo et al., ICML 2017): over bins, the share of rows times |accuracy - mean confidence|. */
export const expectedCalibrationError = ({ bin, bins, excess }: Confidence, weights?: ArrayLike<number>): number => {
  const sums = new Float64Array(bins)
  let total = 0
  for (let i = 0; i < bin.length; i++) {
    const weight = weights === undefined ? 1 : weights[i]!
    sums[bin[i]!]! += weight * excess[i]!
    total += weight
  }
  return sums.reduce((sum, gap) => sum + Math.abs(gap), 0) / total
}
