/** Measures of regression, equal to scikit-learn's. What a bootstrap need not do again is done once, in `regressionTerms`. */
import type { Matrix } from "./matrix.ts"

/** Squared errors, and the truth about its mean, of each row and target, [n, targets]. */
export interface RegressionTerms {
  readonly rows: number
  readonly means: Float64Array
  readonly errors: Float64Array
  readonly centred: Float64Array
}

/** The terms of predictions [n, targets] against truth [n, targets]. */
export const regressionTerms = (truth: Matrix, predicted: Matrix): RegressionTerms => {
  const { columns: k, rows, values } = truth
  const means = new Float64Array(k), errors = new Float64Array(values.length), centred = new Float64Array(values.length)
  for (let i = 0; i < rows; i++) for (let t = 0; t < k; t++) means[t]! += values[i * k + t]! / rows
  for (let i = 0; i < values.length; i++) {
    errors[i] = (values[i]! - predicted.values[i]!) ** 2
    centred[i] = values[i]! - means[i % k]!
  }
  return { rows, means, errors, centred }
}

export interface RegressionMeasures {
  /** Mean over targets of the mean squared error. */
  readonly mse: number
  /** Mean over targets of R2. */
  readonly r2: number
  /** R2 = 1 - sum of squared errors / sum of squares about the mean, of each target; of a constant target 1 where it is met, else 0. */
  readonly r2Of: Float64Array
}

/** Measures of the rows, each counted `weights` [n] times; NaN without rows, and R2 with fewer than two. */
export const regressionMeasures = ({ centred, errors, means, rows }: RegressionTerms, weights?: ArrayLike<number>): RegressionMeasures => {
  const k = means.length
  const error = new Float64Array(k), sum = new Float64Array(k), squares = new Float64Array(k), r2Of = new Float64Array(k)
  let total = 0, present = 0
  for (let i = 0; i < rows; i++) {
    const weight = weights === undefined ? 1 : weights[i]!
    if (weight === 0) continue
    total += weight
    present++
    for (let t = 0, at = i * k; t < k; t++, at++) {
      const y = centred[at]!
      error[t]! += weight * errors[at]!
      sum[t]! += weight * y
      squares[t]! += weight * y * y
    }
  }
  let mse = 0, r2 = 0
  for (let t = 0; t < k; t++) {
    const spread = squares[t]! - sum[t]! ** 2 / total
    // What rounding leaves of a constant target is no spread.
    const constant = spread <= total * (10 * Number.EPSILON * means[t]!) ** 2
    r2Of[t] = present < 2 ? Number.NaN : !constant ? 1 - error[t]! / spread : error[t]! > 0 ? 0 : 1
    mse += error[t]! / total / k
    r2 += r2Of[t]! / k
  }
  return { mse, r2, r2Of }
}
