/**
 * Label fractions: an order of samples in which every beginning keeps the classes near their shares, so that 1% is part of 10% and both are
 * stratified.
 */

/**
 * The first `count` samples of that order. `sets` says which classes (ids from 0) each sample has: one for a stratum, several for a
 * multi-label sample; `ranks` is what is drawn for each, and lower comes first.
 *
 * One by one, the class that is furthest behind its share (samples taken / samples there are) is given its first sample that is left, which
 * then counts for all of its classes. Of classes equally far behind the rarer comes first, as in the iterative stratification of Sechidis et al.
 * (ECML PKDD 2011); with one class a sample this is Adams' apportionment. So no class is given a second sample while another has none, and
 * as many samples as there are classes leave none out. Who is taken depends on `count` only in where it ends: that is ours, and is what nests
 * the fractions. A sample without a class is never taken; the classes of a sample are distinct.
 */
export const first = (sets: ReadonlyArray<ReadonlyArray<number>>, ranks: ArrayLike<number>, count: number): ReadonlyArray<number> => {
  const order = Int32Array.from(sets.keys()).toSorted((a, b) => ranks[a]! - ranks[b]! || a - b)
  const waiting: Array<Array<number>> = []
  for (const row of order) for (const id of sets[row]!) (waiting[id] ??= []).push(row)
  const classes = [...waiting.keys()].filter((id) => waiting[id] !== undefined).toSorted((a, b) => waiting[a]!.length - waiting[b]!.length || a - b)
  const held = new Float64Array(waiting.length), next = new Int32Array(waiting.length), taken = new Uint8Array(sets.length)
  const result: Array<number> = []
  while (result.length < count) {
    let behind = -1, least = Infinity
    for (const id of classes) {
      const share = held[id]! / waiting[id]!.length
      if (share < least && share < 1) {
        behind = id
        least = share
      }
    }
    if (behind < 0) break
    const list = waiting[behind]!
    while (taken[list[next[behind]!]!] === 1) next[behind]!++
    const row = list[next[behind]!]!
    taken[row] = 1
    result.push(row)
    for (const id of sets[row]!) held[id]!++
  }
  return result
}
