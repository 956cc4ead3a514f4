import { assert, constantFrom, integer, property } from "fast-check"
import { describe, expect, it } from "vitest"
import { takeRows, timesTransposed, transposedTimes } from "../../math/matrix.ts"
import { productsOf } from "../../math/products.ts"
import { stream } from "../../math/random.ts"

const draw = (n: number, label: string) => Float64Array.from({ length: n }, stream(0, label, n).normal)
const size = integer({ min: 1, max: 9 })

describe("products", () => {
  it("are sums of products, whatever the sizes leave over of the blocks", () => {
    assert(property(size, size, size, constantFrom(Float32Array, Float64Array), (n, d, k, Numbers) => {
      const x = { rows: n, columns: d, values: Numbers.from(draw(n * d, "x")) }, w = draw(k * d, "w"), g = draw(n * k, "g")
      const scores = new Float64Array(n * k), gradient = new Float64Array(k * d)
      timesTransposed(x, w, k, scores)
      transposedTimes(g, k, x, gradient)
      for (let i = 0; i < n; i++) {
        for (let r = 0; r < k; r++) {
          let sum = 0
          for (let j = 0; j < d; j++) sum += x.values[i * d + j]! * w[r * d + j]!
          expect(scores[i * k + r]).toBeCloseTo(sum, 12)
        }
      }
      for (let r = 0; r < k; r++) {
        for (let j = 0; j < d; j++) {
          let sum = 0
          for (let i = 0; i < n; i++) sum += g[i * k + r]! * x.values[i * d + j]!
          expect(gradient[r * d + j]).toBeCloseTo(sum, 12)
        }
      }
    }), { numRuns: 60 })
  })
  it("by onnxruntime agree with loops to float32", async () => {
    const [n, d, k] = [500, 100, 3]
    const x = { rows: n, columns: d, values: Float32Array.from(draw(n * d, "x")) }, w = draw(k * d, "w"), g = draw(n * k, "g")
    const library = await productsOf(x, k)
    const scores = new Float64Array(n * k), gradient = new Float64Array(k * d)
    timesTransposed(x, w, k, scores)
    transposedTimes(g, k, x, gradient)
    for (const [i, value] of (await library.scores(w)).entries()) expect(Math.abs(value - scores[i]!)).toBeLessThan(1e-4)
    for (const [i, value] of (await library.gradient(g)).entries()) expect(Math.abs(value - gradient[i]!)).toBeLessThan(1e-4)
  })
})

describe("takeRows", () => {
  it("copies rows in the order asked for, in the storage they have", () => {
    const x = { rows: 3, columns: 2, values: Float32Array.of(1, 2, 3, 4, 5, 6) }
    expect(takeRows(x, [2, 0, 2])).toEqual({ rows: 3, columns: 2, values: Float32Array.of(5, 6, 1, 2, 5, 6) })
  })
})
