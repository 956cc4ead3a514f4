import { describe, expect, it } from "vitest"
import { mostProbable } from "../../math/classification.ts"
import { labelVotesOf, neighboursOf, unitRows, votesOf } from "../../math/knn.ts"
import { stream } from "../../math/random.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

interface Oracle {
  readonly knn: {
    readonly X: Rows
    readonly y: ReadonlyArray<number>
    readonly Xq: Rows
    readonly cases: ReadonlyArray<{ readonly kind: string; readonly k: number; readonly metric: string; readonly pred: ReadonlyArray<number>; readonly votes?: Rows; readonly neighbours?: Rows }>
  }
}
const expected = oracle<Oracle>("probes")?.knn

describe.skipIf(expected === undefined)("k nearest neighbours by cosine against scikit-learn and numpy (skipped without the oracles)", () => {
  for (const { k, kind, neighbours, pred, votes } of (expected?.cases ?? []).filter(({ metric }) => metric === "cosine")) {
    it(`${kind}, k = ${k}`, async () => {
      const { X, Xq, y } = expected!
      const found = await neighboursOf(unitRows(matrix(X)), unitRows(matrix(Xq)), k)
      if (neighbours !== undefined) expect([...found.rows]).toEqual(neighbours.flat())
      const cast = votesOf(found, Int32Array.from(y), 3, k, votes === undefined ? Infinity : 0.07)
      expect([...mostProbable(cast, 3)]).toEqual(pred)
      for (const [i, value] of (votes ?? []).flat().entries()) expect(Math.abs(cast[i]! / value - 1) || 0).toBeLessThan(1e-9)
    })
  }
})

describe("neighboursOf", () => {
  it("orders equally near rows by their place, and gives all where k is beyond them", async () => {
    const bank = unitRows(matrix([[0, 1], [1, 0], [2, 0], [3, 0]]))
    const { k, rows } = await neighboursOf(bank, unitRows(matrix([[5, 0]])), 10)
    expect(k).toBe(4)
    expect([...rows]).toEqual([1, 2, 3, 0])
  })
  it("by onnxruntime, beyond the size for loops, finds the same neighbours", async () => {
    const random = stream(0, "bank"), n = 700, d = 64
    const x = unitRows({ rows: n, columns: d, values: Float64Array.from({ length: n * d }, random.normal) })
    const some = { rows: 300, columns: d, values: x.values.slice(0, 300 * d) }
    const { rows, similarities } = await neighboursOf(x, some, 5)
    for (let q = 0; q < 300; q += 37) {
      const cosine = (i: number) => Array.from({ length: d }, (_, j) => x.values[q * d + j]! * x.values[i * d + j]!).reduce((sum, product) => sum + product, 0)
      const best = Array.from({ length: n }, (_, i) => i).toSorted((a, b) => cosine(b) - cosine(a)).slice(0, 5)
      expect([...rows.subarray(q * 5, q * 5 + 5)]).toEqual(best)
      expect(similarities[q * 5]).toBeCloseTo(1, 5)
    }
  })
})

describe("labelVotesOf", () => {
  const neighbours = { k: 3, rows: Int32Array.of(0, 1, 2, 2, 1, 0), similarities: Float64Array.of(1, 0.5, 0.5, 1, 0.5, 0) }
  const labels = [1, 1, 0, /**/ 1, 0, 0, /**/ 0, 1, 0]
  it("is the share of the votes for each label, and a sample votes for all of its own", () => {
    const e = Math.exp, all = labelVotesOf(neighbours, labels, 3, 3, 1), total = e(1) + 2 * e(0.5), other = e(1) + e(0.5) + 1
    for (const [at, share] of [(e(1) + e(0.5)) / total, (e(1) + e(0.5)) / total, 0, (e(0.5) + 1) / other, (e(1) + 1) / other, 0].entries()) expect(all[at]).toBeCloseTo(share, 12)
  })
  it("asks the nearest k, and where each has one label it is votesOf as shares", () => {
    expect(labelVotesOf(neighbours, labels, 3, 1, 0.07)).toEqual(Float64Array.of(1, 1, 0, 0, 1, 0))
    const one = labelVotesOf(neighbours, [1, 0, 0, 1, 0, 1], 2, 3, 0.2), votes = votesOf(neighbours, Int32Array.of(0, 1, 1), 2, 3, 0.2)
    for (const [at, share] of one.entries()) expect(share).toBeCloseTo(votes[at]! / (votes[at - at % 2]! + votes[at - at % 2 + 1]!), 12)
  })
})
