import { describe, expect, it } from "vitest"
import { stream } from "../../math/random.ts"
import { predictLinear, ridgeOf } from "../../math/ridge.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

interface Oracle {
  readonly ridge: {
    readonly X: Rows
    readonly Y: Rows
    readonly Xwide: Rows
    readonly Ywide: Rows
    readonly cases: ReadonlyArray<{ readonly case: "tall" | "wide"; readonly alpha: number; readonly coef: Rows; readonly intercept: ReadonlyArray<number> }>
  }
}
const expected = oracle<Oracle>("probes")?.ridge

describe.skipIf(expected === undefined)("ridge regression against scikit-learn (skipped without the oracles)", () => {
  for (const { alpha, case: shape, coef, intercept } of expected?.cases ?? []) {
    it(`${shape}, alpha ${alpha}, to 1e-10`, () => {
      const { X, Xwide, Y, Ywide } = expected!
      const { coefficients, intercepts } = ridgeOf(matrix(shape === "tall" ? X : Xwide)).fit(matrix(shape === "tall" ? Y : Ywide))(alpha)
      for (const [i, value] of coef.flat().entries()) expect(Math.abs(coefficients[i]! - value)).toBeLessThan(1e-10)
      for (const [i, value] of intercept.entries()) expect(Math.abs(intercepts[i]! - value)).toBeLessThan(1e-10)
    })
  }
})

describe("ridgeOf", () => {
  const random = stream(0, "ridge")
  const normal = (rows: number, columns: number) => ({ rows, columns, values: Float64Array.from({ length: rows * columns }, random.normal) })
  /** d/dW of |Y - X W^T - b|^2 + alpha |W|^2: 0 at the solution, whatever n and d are. */
  const gradientNorm = (n: number, d: number, alpha: number) => {
    const x = normal(n, d), y = normal(n, 2), fit = ridgeOf(x).fit(y)(alpha), predicted = predictLinear(fit, x)
    let largest = 0
    for (let t = 0; t < 2; t++) {
      for (let j = 0; j < d; j++) {
        let g = alpha * fit.coefficients[t * d + j]!
        for (let i = 0; i < n; i++) g += (predicted.values[i * 2 + t]! - y.values[i * 2 + t]!) * x.values[i * d + j]!
        largest = Math.max(largest, Math.abs(g))
      }
    }
    return largest
  }
  it("has no gradient left at its solution, with more rows than columns, as many, and fewer", () => {
    for (const [n, d] of [[40, 7], [13, 13], [9, 30], [2, 5], [90, 67], [67, 90], [200, 33]] as const) expect(gradientNorm(n, d, 0.3)).toBeLessThan(1e-9)
  })
  it("solves each alpha as if alone", () => {
    const x = normal(20, 6), y = normal(20, 3), both = ridgeOf(x).fit(y)
    const [first, second, again] = [both(1), both(10), both(1)]
    expect(again).toEqual(first)
    expect(second).toEqual(ridgeOf(x).fit(y)(10))
  })
  it("says so where alpha is too small for columns that are copies", () => {
    const x = matrix([[1, 1], [2, 2], [3, 3], [5, 5]])
    expect(() => ridgeOf(x).fit(matrix([[1], [2], [3], [4]]))(1e-300)).toThrow("alpha 1e-300 is too small")
  })
})
