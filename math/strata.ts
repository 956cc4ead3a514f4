/**
 * Dividing rows so that every class is represented: by a fraction, into folds, and by whole groups. Class counts are those of
 * scikit-learn's `train_test_split(stratify)` and `StratifiedKFold(shuffle=True)`; which rows they are follows from the stream given.
 */
import type { Random } from "./random.ts"

/** Numbers equal names from 0, in the order of their first appearance. */
export const encode = (names: ReadonlyArray<string>): { readonly ids: Int32Array; readonly names: ReadonlyArray<string> } => {
  const seen = new Map<string, number>()
  const ids = Int32Array.from(names, (name) => {
    const id = seen.get(name) ?? seen.size
    seen.set(name, id)
    return id
  })
  return { ids, names: [...seen.keys()] }
}

/** Rows of each class, each list in a random order. */
const shuffledRows = (classes: ArrayLike<number>, random: Random): ReadonlyArray<Array<number>> => {
  const rows: Array<Array<number>> = []
  for (let row = 0; row < classes.length; row++) (rows[classes[row]!] ??= []).push(row)
  return rows.map((list) => random.shuffle(list))
}

/** Shares of `total` in proportion to `counts` by the largest remainder; equal remainders are drawn for. */
export const quotas = (counts: ReadonlyArray<number>, total: number, random: Random): ReadonlyArray<number> => {
  const sum = counts.reduce((a, b) => a + b, 0)
  // in integers: total * count = share * sum + remainder
  const shares = counts.map((count) => Math.floor(total * count / sum))
  const remainders = counts.map((count) => (total * count) % sum)
  const order = random.shuffle(counts.map((_, i) => i)).toSorted((a, b) => remainders[b]! - remainders[a]!)
  const left = total - shares.reduce((a, b) => a + b, 0)
  for (const i of order.slice(0, left)) shares[i]!++
  return shares
}

/** How many of n rows a fraction is: rounded up as in `train_test_split`, but 0.07 of 100 is 7, although 0.07 * 100 is above 7 in binary. */
export const countOf = (fraction: number, n: number): number => Math.ceil(fraction * n - 1e-9 * n)

/** Draws a fraction of the rows, each class in proportion. The mask is 1 for what was drawn. */
export const drawFraction = (classes: ArrayLike<number>, fraction: number, random: Random): Uint8Array => {
  const rows = shuffledRows(classes, random)
  const shares = quotas(rows.map((list) => list.length), countOf(fraction, classes.length), random)
  const drawn = new Uint8Array(classes.length)
  rows.forEach((list, i) => {
    for (const row of list.slice(0, shares[i])) drawn[row] = 1
  })
  return drawn
}

/**
 * Deals rows to folds 0..k-1: fold sizes differ by one at most, and so do the rows of a class in each. As in `StratifiedKFold`, fold i
 * gets as many rows of each class as stand at places i, i + k, i + 2k, ... when the rows are sorted by class (by first appearance).
 */
export const dealFolds = (classes: ArrayLike<number>, k: number, random: Random): Int32Array => {
  const folds = new Int32Array(classes.length)
  let place = 0
  for (const list of shuffledRows(classes, random)) {
    for (const row of list) folds[row] = place++ % k
  }
  return folds
}

/**
 * Deals whole groups to parts with given shares of the rows (`[0.3, 0.7]`, or 1/k each for folds), keeping each class near those shares.
 * Greedy, as in scikit-learn's `StratifiedGroupKFold`: groups with the most uneven classes first (equal ones in a random order, larger
 * before smaller), each to the part that brings the classes' shares nearest to what is asked. We compare squared deviations from the
 * shares, where scikit-learn compares deviations from the mean, because our parts need not be equal.
 * @returns the part of each row
 */
export const dealGroups = (classes: ArrayLike<number>, groups: ArrayLike<number>, shares: ReadonlyArray<number>, random: Random): Int32Array => {
  const classCount = 1 + Array.from(classes).reduce((a, b) => Math.max(a, b), -1)
  const totals = new Float64Array(classCount)
  const counts: Array<Float64Array> = []
  for (let row = 0; row < classes.length; row++) {
    const ofGroup = counts[groups[row]!] ??= new Float64Array(classCount)
    ofGroup[classes[row]!]!++
    totals[classes[row]!]!++
  }
  const sizes = counts.map((ofGroup) => ofGroup.reduce((a, b) => a + b, 0))
  const unevenness = counts.map((ofGroup, group) => ofGroup.reduce((sum, count) => sum + (count - sizes[group]! / classCount) ** 2, 0))
  const order = random.shuffle(counts.map((_, group) => group)).toSorted((a, b) => unevenness[b]! - unevenness[a]! || sizes[b]! - sizes[a]!)

  const held = shares.map(() => new Float64Array(classCount))
  const partOf = new Int32Array(counts.length)
  for (const group of order) {
    let best = 0, least = Infinity
    for (let part = 0; part < shares.length; part++) {
      // only this part's own term changes, so the change of the sum of squares is compared
      let change = 0
      for (let c = 0; c < classCount; c++) {
        const before = held[part]![c]! / totals[c]! - shares[part]!
        change += (before + counts[group]![c]! / totals[c]!) ** 2 - before ** 2
      }
      if (change < least - 1e-12) {
        least = change
        best = part
      }
    }
    partOf[group] = best
    for (let c = 0; c < classCount; c++) held[best]![c]! += counts[group]![c]!
  }
  return Int32Array.from(groups, (group) => partOf[group]!)
}
