import { describe, expect, it } from "vitest"
import { descend, type Epoch } from "../../math/linear-sgd.ts"
import { fitLogistic, probabilities } from "../../math/logistic.ts"
import type { Matrix } from "../../math/matrix.ts"
import { stream } from "../../math/random.ts"

const plan = { epochs: 1, rate: 1, drops: [60, 80], batch: 256, seed: 0 }
const copy = ({ coefficients, epoch, intercepts, loss }: Epoch) => ({ epoch, loss, coefficients: coefficients.slice(), intercepts: intercepts.slice() })
const all = (x: Matrix, y: Int32Array, classes: number, given: Partial<typeof plan>) => Array.from(descend(x, y, classes, { ...plan, ...given }), copy)

const clouds = (n: number, d: number, k: number) => {
  const random = stream(0, "clouds"), y = Int32Array.from({ length: n }, (_, i) => i % k)
  const x: Matrix = { rows: n, columns: d, values: Float32Array.from({ length: n * d }, (_, at) => (at % d === y[Math.floor(at / d)] ? 1 : 0) + random.normal()) }
  return { x, y }
}
/** Mean cross-entropy of a softmax, written out. */
const lossOf = (x: Matrix, y: Int32Array, k: number, coefficients: Float64Array, intercepts: Float64Array) => {
  let sum = 0
  for (let i = 0; i < x.rows; i++) {
    const z = Array.from({ length: k }, (_, c) => intercepts[c]! + Array.from({ length: x.columns }, (_, j) => coefficients[c * x.columns + j]! * x.values[i * x.columns + j]!).reduce((a, b) => a + b, 0))
    sum += Math.log(z.reduce((total, value) => total + Math.exp(value), 0)) - z[y[i]!]!
  }
  return sum / x.rows
}

describe("descend", () => {
  const k = 3, { x, y } = clouds(40, 5, k)

  it("steps along the gradient of the mean cross-entropy: central differences say so", () => {
    // A rate of nearly 0 shows where it begins; the first step at rate 1 is the gradient there.
    const [start] = all(x, y, k, { rate: 1e-12 }), [stepped] = all(x, y, k, {}), step = 1e-5
    const nudged = (values: Float64Array, p: number, by: number) => values.map((value, at) => at === p ? value + by : value)
    expect(start!.loss).toBeCloseTo(lossOf(x, y, k, start!.coefficients, start!.intercepts), 10)
    for (let p = 0; p < k * 5; p++) {
      const slope = (lossOf(x, y, k, nudged(start!.coefficients, p, step), start!.intercepts) - lossOf(x, y, k, nudged(start!.coefficients, p, -step), start!.intercepts)) / (2 * step)
      expect(start!.coefficients[p]! - stepped!.coefficients[p]!).toBeCloseTo(slope, 8)
    }
    for (let c = 0; c < k; c++) {
      const slope = (lossOf(x, y, k, start!.coefficients, nudged(start!.intercepts, c, step)) - lossOf(x, y, k, start!.coefficients, nudged(start!.intercepts, c, -step))) / (2 * step)
      expect(start!.intercepts[c]! - stepped!.intercepts[c]!).toBeCloseTo(slope, 8)
    }
  })

  it("begins at coefficients of deviation 0.01 and intercepts of 0", () => {
    const wide: Matrix = { rows: 2, columns: 2000, values: new Float32Array(4000) }, [start] = all(wide, Int32Array.of(0, 1), 2, { rate: 1e-12 })
    const { coefficients } = start!, mean = coefficients.reduce((sum, w) => sum + w, 0) / 4000
    expect(Math.abs(mean)).toBeLessThan(6e-4)
    expect(Math.sqrt(coefficients.reduce((sum, w) => sum + (w - mean) ** 2, 0) / 4000)).toBeCloseTo(0.01, 3)
  })

  it("has torch's momentum, and a tenth of the rate after a drop: three steps on zeros in closed form", () => {
    // Where x is 0 only the intercepts move; of two classes with three rows to one they are (b, -b), and the slope in b is s(2b) - 3/4.
    const zeros: Matrix = { rows: 4, columns: 1, values: new Float64Array(4) }, steps = all(zeros, Int32Array.of(0, 0, 0, 1), 2, { epochs: 3, drops: [2] })
    const slope = (b: number) => 1 / (1 + Math.exp(-2 * b)) - 0.75
    const v1 = slope(0), b1 = -v1, v2 = 0.9 * v1 + slope(b1), b2 = b1 - v2, v3 = 0.9 * v2 + slope(b2), b3 = b2 - 0.1 * v3
    for (const [i, b] of [b1, b2, b3].entries()) {
      expect(steps[i]!.intercepts[0]).toBeCloseTo(b, 12)
      expect(steps[i]!.intercepts[1]).toBeCloseTo(-b, 12)
    }
  })

  it("ends, on zeros, where the probabilities are the shares of the classes", () => {
    const zeros: Matrix = { rows: 4, columns: 1, values: new Float64Array(4) }, { intercepts, loss } = all(zeros, Int32Array.of(0, 0, 0, 1), 2, { epochs: 300, drops: [] }).at(-1)!
    expect(1 / (1 + Math.exp(intercepts[1]! - intercepts[0]!))).toBeCloseTo(0.75, 6)
    expect(loss).toBeCloseTo(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25), 8)
  })

  it("comes to the optimum of logistic regression without a penalty", async () => {
    const { coefficients, intercepts } = all(x, y, k, { epochs: 3000, rate: 0.3, drops: [] }).at(-1)!, [fit] = await fitLogistic(x, y, k, [1e5], undefined, { tolerance: 1e-12 })
    const given = await probabilities({ classes: k, coefficients, intercepts }, x), optimum = await probabilities(fit!, x)
    for (const [at, p] of given.entries()) expect(p).toBeCloseTo(optimum[at]!, 2)
  })

  it("meets every row once an epoch, in an order of its own, the last batch the smaller", () => {
    const two = all(x, y, k, { epochs: 2, batch: 16, rate: 0.1 }), again = all(x, y, k, { epochs: 2, batch: 16, rate: 0.1 })
    expect(again).toEqual(two)
    expect(all(x, y, k, { epochs: 2, batch: 16, rate: 0.1, seed: 1 })).not.toEqual(two)
    // With a rate of nearly 0 all batches meet the same weights: their mean loss is that of all rows, however they are cut.
    const still = all(x, y, k, { epochs: 2, batch: 16, rate: 1e-12 })
    for (const { coefficients, intercepts, loss } of still) expect(loss).toBeCloseTo(lossOf(x, y, k, coefficients, intercepts), 8)
  })

  it("says that the rate is too high where the loss is no number any more", () => {
    const large: Matrix = { ...x, values: Float64Array.from(x.values, (value) => value * 1e200) }
    expect(() => all(large, y, k, { epochs: 5 })).toThrow("the loss is no number any more in epoch 2: the rate 1 is too high")
  })
})
