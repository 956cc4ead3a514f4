/** Positives of anchors as pairs, as miners of pairs give them. */

/**
 * Each row with its positives, named by their ids, in the order of the rows. A row without any is its own positive; `alone` is how many such
 * there are. The weight of a pair is 1 / (positives of the anchor), so that the weights of each anchor add up to 1.
 */
export const pairsOf = (ids: ReadonlyArray<string>, positivesOf: (row: number) => ReadonlyArray<number>) => {
  const anchor: Array<string> = [], positive: Array<string> = [], weight: Array<number> = []
  let alone = 0
  for (const [row, id] of ids.entries()) {
    const positives = positivesOf(row)
    if (positives.length === 0) alone++
    for (const other of positives.length === 0 ? [row] : positives) {
      anchor.push(id)
      positive.push(ids[other]!)
      weight.push(1 / Math.max(1, positives.length))
    }
  }
  return { alone, pairs: { anchor, positive, weight: Float32Array.from(weight) } }
}
