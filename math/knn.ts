/** k nearest neighbours by cosine, and the votes they cast. Exact. */
import { type Matrix, timesTransposed } from "./matrix.ts"
import { isLarge } from "./products.ts"

/** Rows scaled to length 1, in the storage of `x`; a row of zeros stays. */
export const unitRows = ({ columns, rows, values }: Matrix): Matrix => {
  const out = values instanceof Float32Array ? new Float32Array(rows * columns) : new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    const end = (i + 1) * columns
    let squares = 0
    for (let at = i * columns; at < end; at++) squares += values[at]! * values[at]!
    const scale = 1 / (Math.sqrt(squares) || 1)
    for (let at = i * columns; at < end; at++) out[at] = values[at]! * scale
  }
  return { rows, columns, values: out }
}

/** The k nearest rows of a bank for each query, nearest first; of equally near ones the lower row first. */
export interface Neighbours {
  readonly k: number
  /** [queries, k] */
  readonly rows: Int32Array
  /** Cosine similarity, [queries, k]. */
  readonly similarities: Float64Array
}

/**
 * Neighbours of queries [q, d] in a bank [n, d], rows of both of length 1. `k` is cut to the bank's size. Similarities are float64 sums;
 * of the values rounded to float32 where the problem is large.
 */
export const neighboursOf = async (bank: Matrix, queries: Matrix, k: number): Promise<Neighbours> => {
  const most = Math.min(k, bank.rows)
  if (most > 0 && isLarge(bank, queries.rows)) return await (await import("./neighbours.ts")).search(bank, queries, most)
  const rows = new Int32Array(queries.rows * most), similarities = new Float64Array(queries.rows * most), scores = new Float64Array(bank.rows * queries.rows)
  timesTransposed(bank, Float64Array.from(queries.values), queries.rows, scores)
  for (let q = 0; q < queries.rows; q++) {
    const order = Int32Array.from({ length: bank.rows }, (_, i) => i).toSorted((a, b) => scores[b * queries.rows + q]! - scores[a * queries.rows + q]! || a - b)
    for (let j = 0; j < most; j++) {
      rows[q * most + j] = order[j]!
      similarities[q * most + j] = scores[order[j]! * queries.rows + q]!
    }
  }
  return { k: most, rows, similarities }
}

/**
 * What the first k neighbours vote: sum of exp(similarity / temperature) for each class, [queries, classes] (DINO, ICCV 2021, appendix;
 * temperature 0.07 there). An infinite temperature counts heads: the majority vote.
 */
export const votesOf = (neighbours: Neighbours, ids: Int32Array, classes: number, k: number, temperature: number): Float64Array => {
  const queries = neighbours.k === 0 ? 0 : neighbours.rows.length / neighbours.k, most = Math.min(k, neighbours.k)
  const votes = new Float64Array(queries * classes)
  for (let q = 0; q < queries; q++) {
    for (let j = q * neighbours.k; j < q * neighbours.k + most; j++) {
      votes[q * classes + ids[neighbours.rows[j]!]!]! += Math.exp(neighbours.similarities[j]! / temperature)
    }
  }
  return votes
}

/**
 * The same votes where samples have several labels: the share of the first k neighbours' votes that is for each class, [queries, classes] in
 * 0..1. `labels` are the bank's, multi-hot [n, classes]; a neighbour votes for each of its own.
 */
export const labelVotesOf = (neighbours: Neighbours, labels: ArrayLike<number>, classes: number, k: number, temperature: number): Float64Array => {
  const queries = neighbours.k === 0 ? 0 : neighbours.rows.length / neighbours.k, most = Math.min(k, neighbours.k)
  const votes = new Float64Array(queries * classes)
  for (let q = 0; q < queries; q++) {
    const own = votes.subarray(q * classes, (q + 1) * classes)
    let total = 0
    for (let j = q * neighbours.k; j < q * neighbours.k + most; j++) {
      const weight = Math.exp(neighbours.similarities[j]! / temperature), from = neighbours.rows[j]! * classes
      total += weight
      for (let c = 0; c < classes; c++) own[c]! += weight * labels[from + c]!
    }
    for (let c = 0; c < classes; c++) own[c]! /= total
  }
  return votes
}
