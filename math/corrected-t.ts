/**
 * The corrected resampled t-test (Nadeau & Bengio, Inference for the generalization error, Machine Learning 52, 2003): replicates that share
 * training or test rows are alike for that reason, so that their spread is less than that of independent ones and the plain t-test finds
 * differences that are none.
 */
import { allEqual } from "./effect.ts"
import { studentReach, studentTails } from "./student.ts"

export interface PairedT {
  readonly t: number
  /** Two-sided; NaN where fewer than two differences, or such as are all equal, leave no spread to judge by; 1 where all are 0. */
  readonly p: number
  /** 95% interval of the mean difference; NaN as p. */
  readonly low: number
  readonly high: number
}

/**
 * Tests the mean of differences [J] against 0. The variance of the mean is taken as (1/J + r / (1 - r)) times that of one, with r the correlation
 * of two replicates: 0 gives the plain paired t-test. Two correlations are of use:
 *
 * - test sets drawn anew with the training sets: r = n_test / (n_test + n_train), theirs (section 3);
 * - one test set, training sets that share rows: r = the share of the training rows that two have in common. For J folds of which each
 *   training set leaves one out, r = (J - 2) / (J - 1) and the variance is the jackknife's.
 */
export const resampledT = (differences: ReadonlyArray<number>, correlation: number): PairedT => {
  const n = differences.length
  if (n < 2) return { t: Number.NaN, p: Number.NaN, low: Number.NaN, high: Number.NaN }
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / n
  const variance = differences.reduce((sum, difference) => sum + (difference - mean) ** 2, 0) / (n - 1)
  // Few replicates on few samples are equal by chance: that is no sign that there is no chance in them.
  if (mean !== 0 && allEqual(differences)) return { t: Number.NaN, p: Number.NaN, low: Number.NaN, high: Number.NaN }
  const error = Math.sqrt((1 / n + correlation / (1 - correlation)) * variance)
  const t = mean === 0 ? 0 : mean / error, reach = studentReach(0.95, n - 1)
  return { t, p: studentTails(t, n - 1), low: mean - reach * error, high: mean + reach * error }
}
