/**
 * Measures of a ranking by score, equal to scikit-learn's. The order is found once; replicates of a bootstrap only count rows anew.
 */
import { ascending } from "./order.ts"

/** Rows by descending score, with the ends of runs of equal scores. */
export interface Ranking {
  /** Rows by descending score [n]. */
  readonly order: Int32Array
  /** 1 where a run of equal scores ends [n]. */
  readonly ends: Uint8Array
}

/** Ranks scores [n]. */
export const ranking = (scores: ArrayLike<number>): Ranking => {
  const falling = new Float64Array(scores.length)
  for (let i = 0; i < scores.length; i++) falling[i] = -scores[i]!
  const order = ascending(falling)
  const ends = new Uint8Array(order.length)
  for (let i = 0; i < order.length; i++) ends[i] = i + 1 === order.length || scores[order[i]!] !== scores[order[i + 1]!] ? 1 : 0
  return { order, ends }
}

export interface RankingMeasures {
  /** Area under the ROC curve: how often a positive stands above a negative, ties as half; NaN without positives or negatives. */
  readonly auc: number
  /** Sum of (R_n - R_{n-1}) P_n over distinct thresholds; 0 without positives. */
  readonly averagePrecision: number
}

/** Measures of a ranking of rows, of which those with `truth` equal to `positive` are the relevant ones. */
export const rankingMeasures = ({ ends, order }: Ranking, truth: ArrayLike<number>, positive: number, weights?: ArrayLike<number>): RankingMeasures => {
  let above = 0, positives = 0, pairs = 0, precision = 0, hits = 0, misses = 0
  for (let i = 0; i < order.length; i++) {
    const row = order[i]!, weight = weights === undefined ? 1 : weights[row]!
    if (truth[row] === positive) hits += weight
    else misses += weight
    if (ends[i] === 0) continue
    positives += hits
    if (hits > 0) precision += hits * (positives / (positives + above + misses))
    // Negatives of this run stand below the positives before it, and level with its own.
    pairs += misses * (positives - hits / 2)
    above += misses
    hits = 0
    misses = 0
  }
  return { auc: positives > 0 && above > 0 ? pairs / (positives * above) : Number.NaN, averagePrecision: positives > 0 ? precision / positives : 0 }
}

/**
 * Average precision (see `RankingMeasures`; NaN without positives) of one ranking whose rows are counted anew many times: what lies in its order
 * is laid out once. `truth` is 1 for what is relevant; several ranked things may be of one row, `rowOf` says of which.
 */
export const averagePrecisions = ({ ends, order }: Ranking, truth: ArrayLike<number>, rowOf: (ranked: number) => number = (ranked) => ranked): (counts?: Float64Array) => number => {
  const rows = Int32Array.from(order, rowOf), relevant = Uint8Array.from(order, (ranked) => truth[ranked] === 1 ? 1 : 0)
  return (counts) => {
    let seen = 0, positives = 0, precision = 0, hits = 0
    for (let i = 0; i < rows.length; i++) {
      const count = counts === undefined ? 1 : counts[rows[i]!]!
      seen += count
      if (relevant[i] === 1) hits += count
      if (ends[i] === 0 || hits === 0) continue
      positives += hits
      precision += hits * (positives / seen)
      hits = 0
    }
    return precision / positives
  }
}
