import { describe, expect, it } from "vitest"
import { unitRows } from "../../math/knn.ts"
import type { Matrix } from "../../math/matrix.ts"
import { search } from "../../math/neighbours.ts"
import { stream } from "../../math/random.ts"

const rowsOf = (n: number, d: number, value: (i: number, j: number) => number): Matrix =>
  unitRows({ rows: n, columns: d, values: Float32Array.from({ length: n * d }, (_, at) => value(Math.floor(at / d), at % d)) })

/** By comparing every pair in float64; similarities that are equal but for the order of summation count as equal. */
const expectNearest = async (bank: Matrix, queries: Matrix, k: number) => {
  const { columns: d } = bank, found = await search(bank, queries, k)
  for (let q = 0; q < queries.rows; q++) {
    const cosine = (i: number) => {
      let sum = 0
      for (let j = 0; j < d; j++) sum += bank.values[i * d + j]! * queries.values[q * d + j]!
      return sum
    }
    const all = Float64Array.from({ length: bank.rows }, (_, i) => cosine(i)), best = all.toSorted().toReversed()
    const own = [...found.rows.subarray(q * k, (q + 1) * k)]
    expect(new Set(own).size).toBe(k)
    for (const [j, row] of own.entries()) {
      expect(Math.abs(all[row]! - best[j]!)).toBeLessThan(1e-14)
      expect(Math.abs(found.similarities[q * k + j]! - all[row]!)).toBeLessThan(1e-14)
    }
    // Of equals to the bit the lower row comes first, and one that is left out comes after all of its equals that are in.
    for (let j = 1; j < k; j++) if (found.similarities[q * k + j] === found.similarities[q * k + j - 1]) expect(own[j]).toBeGreaterThan(own[j - 1]!)
  }
  return found
}

describe("search finds what comparing all pairs finds", () => {
  const random = stream(0, "neighbours")
  it("among rows at random, in sizes that fill no block", async () => {
    for (const [n, m, d, k] of [[2100, 261, 19, 5], [50, 3, 40, 50], [1, 1, 3, 1], [4500, 30, 64, 20]] as const) {
      await expectNearest(rowsOf(n, d, random.normal), rowsOf(m, d, random.normal), k)
    }
  })
  it("among rows so close together that 8 bits do not tell them apart", async () => {
    const d = 32, centre = Float64Array.from({ length: d }, random.normal), near = () => rowsOf(5000, d, (_, j) => centre[j]! + 1e-3 * random.normal())
    await expectNearest(near(), { ...near(), rows: 40 }, 10)
  })
  it("among copies: the first ones", async () => {
    const bank = rowsOf(4100, 24, (i, j) => Math.sin(i % 2 + 3 * j)), { rows } = await expectNearest(bank, rowsOf(9, 24, (_, j) => Math.sin(3 * j)), 7)
    expect([...rows.subarray(0, 7)]).toEqual([0, 2, 4, 6, 8, 10, 12])
  })
  it("with rows of zeros on both sides, and rows of one large value among small ones", async () => {
    const bank = rowsOf(2500, 30, (i, j) => i % 7 === 0 ? 0 : i % 5 === 0 ? (j === 3 ? 1 : 1e-4 * random.normal()) : random.normal())
    await expectNearest(bank, rowsOf(20, 30, (i, j) => i === 4 ? 0 : i % 2 === 0 ? (j === 3 ? 1 : 1e-4) : random.normal()), 9)
  })
  it("the same bits whichever queries come along", async () => {
    const bank = rowsOf(3000, 48, random.normal), queries = rowsOf(300, 48, random.normal), { rows, similarities } = await search(bank, queries, 6)
    const some = { rows: 17, columns: 48, values: queries.values.slice(270 * 48, 287 * 48) }
    const alone = await search(bank, some, 6)
    expect(alone.rows).toEqual(rows.slice(270 * 6, 287 * 6))
    expect(alone.similarities).toEqual(similarities.slice(270 * 6, 287 * 6))
  })
})
