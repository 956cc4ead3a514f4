/**
 * p-values [m] made larger so that, calling those below a level significant, the chance of calling any that is none stays below that level
 * (Holm, Scandinavian Journal of Statistics 6, 1979). NaN: not tested; it stays, and does not count among the m.
 */
export const holm = (ps: ReadonlyArray<number>): Array<number> => {
  const tested = ps.flatMap((p, i) => Number.isNaN(p) ? [] : [i]).toSorted((a, b) => ps[a]! - ps[b]!)
  const adjusted = [...ps]
  let most = 0
  for (const [rank, i] of tested.entries()) {
    most = Math.max(most, Math.min(1, (tested.length - rank) * ps[i]!))
    adjusted[i] = most
  }
  return adjusted
}
