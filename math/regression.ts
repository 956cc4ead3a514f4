/** Measures of regression, equal to scikit-learn's. `weights` [n] count each row so often. */
import type { Matrix } from "./matrix.ts"

export interface RegressionMeasures {
  /** Mean over targets of the mean squared error. */
  readonly mse: number
  /** Mean over targets of R2. */
  readonly r2: number
  /** R2 = 1 - sum of squared errors / sum of squares about the mean, of each target; of a constant target 1 where it is met, else 0. */
  readonly r2Of: Float64Array
}

/** Measures of predictions [n, targets] against truth [n, targets]; NaN without rows, and R2 with fewer than two. */
export const regressionMeasures = (truth: Matrix, predicted: Matrix, weights?: ArrayLike<number>): RegressionMeasures => {
  const { columns: k, rows: n } = truth
  const means = new Float64Array(k), errors = new Float64Array(k), squares = new Float64Array(k)
  let total = 0, present = 0
  for (let i = 0; i < n; i++) {
    const weight = weights === undefined ? 1 : weights[i]!
    if (weight === 0) continue
    total += weight
    present++
    for (let t = 0; t < k; t++) means[t]! += weight * truth.values[i * k + t]!
  }
  for (let t = 0; t < k; t++) means[t]! /= total
  for (let i = 0; i < n; i++) {
    const weight = weights === undefined ? 1 : weights[i]!
    for (let t = 0; t < k; t++) {
      const y = truth.values[i * k + t]!
      errors[t]! += weight * (y - predicted.values[i * k + t]!) ** 2
      squares[t]! += weight * (y - means[t]!) ** 2
    }
  }
  // What rounding of the mean leaves of a constant target is no spread.
  const constant = (t: number) => squares[t]! <= total * (10 * Number.EPSILON * means[t]!) ** 2
  const r2Of = errors.map((error, t) => present < 2 ? Number.NaN : !constant(t) ? 1 - error / squares[t]! : error > 0 ? 0 : 1)
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / k
  return { mse: mean(errors) / total, r2: mean(r2Of), r2Of }
}
