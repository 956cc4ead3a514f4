/** k nearest neighbours by cosine, and the votes they cast. Exact: every pair is compared. */
import type { Matrix } from "./matrix.ts"
import { productsOf } from "./products.ts"

/** Rows scaled to length 1, in the storage of `x`; a row of zeros stays. */
export const unitRows = ({ columns, rows, values }: Matrix): Matrix => {
  const out = values instanceof Float32Array ? new Float32Array(rows * columns) : new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    let squares = 0
    for (let j = 0; j < columns; j++) squares += values[i * columns + j]! ** 2
    const length = Math.sqrt(squares) || 1
    for (let j = 0; j < columns; j++) out[i * columns + j] = values[i * columns + j]! / length
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

const chunk = 256

/** Neighbours of queries [q, d] in a bank [n, d], rows of both of length 1. `k` is cut to the bank's size. */
export const neighboursOf = async (bank: Matrix, queries: Matrix, k: number): Promise<Neighbours> => {
  const most = Math.min(k, bank.rows), { columns: d } = bank
  const rows = new Int32Array(queries.rows * most), similarities = new Float64Array(queries.rows * most)
  const width = Math.min(chunk, queries.rows)
  const products = await productsOf(bank, width)
  const part = new Float64Array(width * d)
  for (let from = 0; from < queries.rows; from += width) {
    const count = Math.min(width, queries.rows - from)
    part.fill(0)
    part.set(queries.values.subarray(from * d, (from + count) * d))
    const scores = await products.scores(part)
    for (let q = 0; q < count; q++) {
      const to = (from + q) * most
      let found = 0
      for (let i = 0; i < bank.rows; i++) {
        const similarity = scores[i * width + q]!
        if (found === most && similarity <= similarities[to + most - 1]!) continue
        let at = found < most ? found++ : most - 1
        for (; at > 0 && similarities[to + at - 1]! < similarity; at--) {
          similarities[to + at] = similarities[to + at - 1]!
          rows[to + at] = rows[to + at - 1]!
        }
        similarities[to + at] = similarity
        rows[to + at] = i
      }
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
