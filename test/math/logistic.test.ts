import { describe, expect, it } from "vitest"
import { balancedWeights, fitLogistic, probabilities } from "../../math/logistic.ts"
import type { Matrix } from "../../math/matrix.ts"
import { stream } from "../../math/random.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

/** Class means a unit apart or so, Gaussian rows about them. */
const clouds = (n: number, d: number, k: number, seed = 0) => {
  const random = stream(seed, "clouds"), means = Float64Array.from({ length: k * d }, random.normal)
  const y = Int32Array.from({ length: n }, (_, i) => i % k)
  return { x: { rows: n, columns: d, values: Float32Array.from({ length: n * d }, (_, at) => 0.5 * means[y[Math.floor(at / d)]! * d + at % d]! + random.normal()) }, y }
}

interface Problem {
  readonly k: number
  readonly C: number
  readonly X: Rows | string
  readonly y: ReadonlyArray<number> | null
  readonly Xt: Rows | null
  readonly coef: Rows
  readonly objective: number
  readonly proba_t: Rows
}
const expected = oracle<{ readonly logistic: ReadonlyArray<Problem> }>("probes")

describe.skipIf(expected === undefined)("logistic regression against scikit-learn (skipped without the oracles)", () => {
  const { logistic } = expected ?? { logistic: [] }
  for (const k of new Set(logistic.map((problem) => problem.k))) {
    it(`reaches the optimum of ${k} classes for each C, on a path of warm starts`, async () => {
      const problems = logistic.filter((problem) => problem.k === k), [first] = problems
      if (first === undefined || typeof first.X === "string" || first.y === null || first.Xt === null) throw new Error("the first problem holds the data")
      const fits = await fitLogistic(matrix(first.X), Int32Array.from(first.y), k, problems.map(({ C }) => C))
      for (const [i, fit] of fits.entries()) {
        const { coef, objective, proba_t } = problems[i]!
        expect(Math.abs(fit.objective / objective - 1)).toBeLessThan(1e-6)
        expect(fit.coefficients.length).toBe(coef.length * coef[0]!.length)
        const scale = Math.max(...coef.flat().map(Math.abs))
        for (const [j, value] of coef.flat().entries()) expect(Math.abs(fit.coefficients[j]! - value)).toBeLessThan(2e-3 * scale)
        const given = await probabilities(fit, matrix(first.Xt))
        for (const [j, p] of proba_t.flat().entries()) expect(Math.abs(given[j]! - p)).toBeLessThan(1e-3)
      }
    })
  }
})

describe("fitLogistic", () => {
  it("weights rows as if they stood there so often", async () => {
    const { x, y } = clouds(30, 4, 3)
    const twice: Matrix = { rows: 60, columns: 4, values: Float32Array.from([...x.values, ...x.values]) }
    const [weighted] = await fitLogistic(x, y, 3, [1], new Float64Array(30).fill(2))
    const [repeated] = await fitLogistic(twice, Int32Array.from([...y, ...y]), 3, [1])
    expect(weighted!.objective).toBeCloseTo(repeated!.objective, 6)
  })

  it("has its minimum within the tolerance, for lists of C that go on evenly and for others", async () => {
    const { x, y } = clouds(90, 5, 3)
    for (const Cs of [[0.01, 0.1, 1, 10], [10, 1, 0.1], [1, 1, 1], [0.1, 0.2, 50]]) {
      const fits = await fitLogistic(x, y, 3, Cs), loose = await fitLogistic(x, y, 3, Cs, undefined, { tolerance: 1e-3 })
      for (const [i, C] of Cs.entries()) {
        const [alone] = await fitLogistic(x, y, 3, [C], undefined, { tolerance: 1e-12 })
        expect(fits[i]!.objective / alone!.objective - 1).toBeLessThan(1e-7)
        expect(loose[i]!.objective / alone!.objective - 1).toBeLessThan(1e-3)
      }
      expect(loose.reduce((sum, { evaluations }) => sum + evaluations, 0)).toBeLessThan(fits.reduce((sum, { evaluations }) => sum + evaluations, 0))
    }
  })

  it("by onnxruntime comes to the same minimum as by loops, and to the same bits twice", async () => {
    // 600 x 50 x 4 is beyond the size from which onnxruntime makes the products; without the columns of zeros it is below.
    const { x, y } = clouds(600, 40, 4), wide: Matrix = { rows: 600, columns: 50, values: new Float32Array(600 * 50) }
    for (let i = 0; i < 600; i++) wide.values.set(x.values.subarray(i * 40, i * 40 + 40), i * 50)
    const byLoops = await fitLogistic(x, y, 4, [0.1, 10]), byLibrary = await fitLogistic(wide, y, 4, [0.1, 10])
    for (const [i, { objective }] of byLoops.entries()) expect(Math.abs(byLibrary[i]!.objective / objective - 1)).toBeLessThan(1e-6)
    expect(await fitLogistic(wide, y, 4, [0.1, 10])).toEqual(byLibrary)
  })
})

describe("balancedWeights", () => {
  it("gives every class the same sum, and n in all", () => {
    const y = Int32Array.of(0, 0, 0, 2, 2, 5)
    expect([...balancedWeights(y)]).toEqual([2 / 3, 2 / 3, 2 / 3, 1, 1, 2])
  })
})
