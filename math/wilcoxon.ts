/** Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945): over data sets, whose scores are not of one scale (Demšar, JMLR 7, 2006). */
import { ranks } from "./ranks.ts"

export interface SignedRanks {
  /** Differences that are not 0: the others say nothing and are left out, as Wilcoxon does. */
  readonly n: number
  /** Two-sided, exact, also where differences are equally large: the distribution is that of the ranks met. NaN where all are 0. */
  readonly p: number
  /** Matched-pairs rank-biserial correlation (Kerby 2014): the share of the ranks that are positive less the share that are negative. */
  readonly rankBiserial: number
}

/** Tests whether differences [n] are as often and as far above 0 as below. */
export const signedRanks = (differences: ReadonlyArray<number>): SignedRanks => {
  const other = differences.filter((difference) => difference !== 0), n = other.length
  if (n === 0) return { n, p: Number.NaN, rankBiserial: Number.NaN }
  // Ranks shared by two are halves: doubled, all are whole.
  const doubled = ranks(other.map(Math.abs)).map((rank) => 2 * rank), total = n * (n + 1)
  const plus = doubled.reduce((sum, rank, i) => sum + (other[i]! > 0 ? rank : 0), 0)
  /** The probability of each sum of positive ranks. */
  const chance = new Float64Array(total + 1)
  chance[0] = 1
  for (const rank of doubled) for (let sum = total; sum >= 0; sum--) chance[sum] = (chance[sum]! + (sum < rank ? 0 : chance[sum - rank]!)) / 2
  const far = Math.abs(plus - total / 2)
  const p = chance.reduce((sum, share, at) => sum + (Math.abs(at - total / 2) >= far ? share : 0), 0)
  return { n, p: Math.min(1, p), rankBiserial: (2 * plus - total) / total }
}
