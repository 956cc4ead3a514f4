/**
 * Task-guided selection within a batch (TG-MATL, arXiv 2604.03837): of each class the rows with the highest scores, and some more.
 * Sizes as in the released code: n_top = max(1, floor(top n)), n_more = min(floor(more n), n - n_top) for a class of n rows.
 */
import type { Random } from "../math/random.ts"

/** How the `more` rows are taken: the next in rank (released code), or any of the rest, drawn by the seed (the paper's text). */
export type Fill = "next-ranked" | "random"

export interface Shares {
  /** Share of a class that is taken by rank, at least one row. */
  readonly top: number
  /** Share of a class that is taken beyond that. */
  readonly more: number
}

/** Rows of the batch by descending score, ties by lower row; a score that is not a number comes last. */
const ranked = (rows: ReadonlyArray<number>, scores: ArrayLike<number>): Array<number> => {
  const key = (row: number) => Number.isNaN(scores[row]!) ? -Infinity : scores[row]!
  return rows.toSorted((i, j) => key(i) === key(j) ? i - j : key(j) > key(i) ? 1 : -1)
}

/** The rows that are selected, ascending. ids: class of each row, -1: none, never selected. `random` is asked for only to draw rows. */
export const selectRows = (ids: ArrayLike<number>, scores: ArrayLike<number>, { more, top }: Shares, fill: Fill, random: () => Random): ReadonlyArray<number> => {
  const classes = new Map<number, Array<number>>()
  for (let row = 0; row < ids.length; row++) {
    if (ids[row]! < 0) continue
    const rows = classes.get(ids[row]!)
    if (rows === undefined) classes.set(ids[row]!, [row])
    else rows.push(row)
  }
  const selected = new Uint8Array(ids.length)
  let draw: Random | undefined
  for (const [, rows] of [...classes].toSorted(([a], [b]) => a - b)) {
    const order = ranked(rows, scores)
    const first = Math.max(1, Math.floor(top * rows.length)), further = Math.min(Math.floor(more * rows.length), rows.length - first)
    const rest = order.slice(first)
    if (fill === "random" && further > 0) (draw ??= random()).shuffle(rest)
    for (let i = 0; i < first; i++) selected[order[i]!] = 1
    for (let i = 0; i < further; i++) selected[rest[i]!] = 1
  }
  const rows: Array<number> = []
  for (let row = 0; row < selected.length; row++) if (selected[row] === 1) rows.push(row)
  return rows
}

/**
 * Selection of triplets instead of rows, the reading that the paper's abstract suggests; the definition is ours, as no code of it was
 * released. Of the batch's valid triplets (see `triplets.ts`) those are kept whose score s_a + s_p + s_n is among the highest
 * max(1, floor((top + more) n)) of n; ties at the cut are kept. Returns the cut, summed in float32 in this order; -Infinity where there is
 * no valid triplet.
 */
export const tripletCut = (ids: ArrayLike<number>, scores: ArrayLike<number>, { more, top }: Shares): number => {
  const rows = ids.length, sums: Array<number> = []
  for (let a = 0; a < rows; a++) {
    for (let p = 0; p < rows; p++) {
      if (a === p || ids[a]! < 0 || ids[a] !== ids[p]) continue
      const two = Math.fround(scores[a]! + scores[p]!)
      for (let n = 0; n < rows; n++) if (ids[n]! >= 0 && ids[n] !== ids[a]) sums.push(two + scores[n]!)
    }
  }
  if (sums.length === 0) return -Infinity
  const sorted = Float32Array.from(sums).toSorted()
  return sorted[sorted.length - Math.min(sorted.length, Math.max(1, Math.floor((top + more) * sorted.length)))]!
}
