/** Percentile bootstrap over samples (Efron & Tibshirani, An Introduction to the Bootstrap, chapter 13). */
import type { Random } from "./random.ts"

export interface Interval {
  readonly low: number
  readonly high: number
}

/** Linear interpolation between order statistics (numpy's default) of values sorted in ascending order. */
export const quantile = (sorted: ArrayLike<number>, p: number): number => {
  const at = p * (sorted.length - 1), below = Math.floor(at), share = at - below
  return share === 0 ? sorted[below]! : sorted[below]! * (1 - share) + sorted[below + 1]! * share
}

/** The middle 95% of what a statistic came to over replicates; those where it is not a number are left out, NaN where none is left. */
export const percentiles = (values: Float64Array): Interval => {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted()
  return sorted.length === 0 ? { low: Number.NaN, high: Number.NaN } : { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) }
}

/**
 * 95% intervals of several statistics of n rows. Each replicate draws n rows with replacement and hands the statistics how often it drew
 * each (counts [n]); counts and what the statistics return are read at once, so both may be reused. Replicates in which a statistic is not a number (AUC with one class drawn) are left out of
 * its interval; NaN where none is left.
 */
export const bootstrap = (n: number, replicates: number, random: Random, statistics: (counts: Float64Array) => ArrayLike<number>): ReadonlyArray<Interval> => {
  const counts = new Float64Array(n)
  const drawn: Array<Float64Array> = []
  for (let b = 0; b < replicates; b++) {
    counts.fill(0)
    for (let i = 0; i < n; i++) counts[random.integer(n)]!++
    const values = statistics(counts)
    for (let s = 0; s < values.length; s++) (drawn[s] ??= new Float64Array(replicates))[b] = values[s]!
  }
  return drawn.map(percentiles)
}
