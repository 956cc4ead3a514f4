/**
 * Fisher's sign-flip test of paired differences: where two methods are alike, each difference could as well have had the other sign
 * (The Design of Experiments, 1935, section 21).
 */
import { stream } from "./random.ts"

/** All signs are tried up to so many differences, 65,536 ways; beyond, as many are drawn. */
const tried = 16

/**
 * The two-sided p of the mean of differences [n]: the share of the signs that bring it at least as far from 0. Exact up to n = 16, else from
 * 65,536 draws of a fixed stream, the observed signs counted among them (Phipson & Smyth 2010), so that no p is 0. NaN without differences.
 */
export const signFlip = (differences: ReadonlyArray<number>): number => {
  const n = differences.length
  if (n === 0) return Number.NaN
  const observed = Math.abs(differences.reduce((sum, difference) => sum + difference, 0))
  // Sums that are equal but for the order of their terms count as equal.
  const least = observed - 1e-12 * differences.reduce((sum, difference) => sum + Math.abs(difference), 0)
  let hits = 0
  if (n > tried) {
    const { uniform } = stream(0, "sign-flip", n), ways = 2 ** tried
    for (let draw = 0; draw < ways; draw++) {
      let sum = 0, bits = 0
      for (let i = 0; i < n; i++) {
        // A draw has 32 bits, a sign each.
        if (i % 32 === 0) bits = Math.floor(uniform() * 2 ** 32)
        sum += (bits >>> i % 32) & 1 ? differences[i]! : -differences[i]!
      }
      if (Math.abs(sum) >= least) hits++
    }
    return (hits + 1) / (ways + 1)
  }
  // A way and its opposite are equally far from 0: the last sign may stay as it is.
  const ways = 2 ** (n - 1)
  for (let signs = 0; signs < ways; signs++) {
    let sum = differences[n - 1]!
    for (let i = 0; i < n - 1; i++) sum += (signs >>> i) & 1 ? -differences[i]! : differences[i]!
    if (Math.abs(sum) >= least) hits++
  }
  return hits / ways
}

/** The smallest p that a two-sided test over the signs of n differences can come to. */
export const leastOfSigns = (n: number): number => 2 ** (1 - n)
