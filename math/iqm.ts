/** The interquartile mean over seeds and data sets (Agarwal et al., Deep RL at the edge of the statistical precipice, NeurIPS 2021), as rliable has it. */
import { type Interval, percentiles } from "./bootstrap.ts"
import type { Random } from "./random.ts"

/** The mean of the middle half of values [n]: floor(n / 4) are cut from either end, as by `scipy.stats.trim_mean(values, 0.25)`. */
export const interquartileMean = (values: Iterable<number>): number => {
  const sorted = Float64Array.from(values).toSorted(), cut = Math.floor(sorted.length / 4)
  return sorted.subarray(cut, sorted.length - cut).reduce((sum, value) => sum + value, 0) / (sorted.length - 2 * cut)
}

/**
 * The interquartile mean of all scores together and its 95% bootstrap interval: of each stratum (a data set) its own scores (its seeds) are
 * drawn with replacement, so that no replicate lacks a data set. NaN for an interval where every stratum has one score.
 */
export const stratifiedIqm = (strata: ReadonlyArray<ReadonlyArray<number>>, replicates: number, random: Random): Interval & { readonly value: number } => {
  const value = interquartileMean(strata.flat())
  if (strata.every(({ length }) => length < 2)) return { value, low: Number.NaN, high: Number.NaN }
  const drawn = Float64Array.from({ length: replicates }, () => interquartileMean(strata.flatMap((scores) => scores.map(() => scores[random.integer(scores.length)]!))))
  return { value, ...percentiles(drawn) }
}
