import { describe, expect, it } from "vitest"
import { dot } from "../../math/lbfgs.ts"
import { along, fitLogistic } from "../../math/logistic.ts"
import type { Matrix } from "../../math/matrix.ts"
import { isNewtons, newtonOf } from "../../math/newton.ts"
import { stream } from "../../math/random.ts"

/** Columns that say nearly the same of each other, and a target that some of them nearly tell. */
const correlated = (n: number, d: number) => {
  const random = stream(0, "correlated"), truth = Uint8Array.from({ length: n }, (_, i) => i % 3 === 0 ? 1 : 0)
  const values = new Float64Array(n * d)
  for (let i = 0; i < n; i++) {
    const shared = random.normal()
    for (let j = 0; j < d; j++) values[i * d + j] = shared + 0.1 * random.normal() + (j % 2 === 0 ? 0.15 * truth[i]! : 0)
  }
  return { x: { rows: n, columns: d, values } satisfies Matrix, truth }
}
const plain = { positive: 1, negative: 1 }, stop = { iterations: 1000, tolerance: 1e-12 }

describe("newtonOf", () => {
  const { truth, x } = correlated(120, 12), minimum = newtonOf(x), zeros = new Float64Array(13)

  it("finds the minimum that L-BFGS finds, in a tenth of its evaluations", async () => {
    for (const C of [0.01, 1, 100]) {
      const found = minimum({ truth, ...plain }, C, zeros, stop), [fit] = await fitLogistic(x, Int32Array.from(truth), 2, [C], undefined, { tolerance: 1e-12 })
      expect(found.settled).toBe(true)
      expect(Math.abs(found.value / fit!.objective - 1)).toBeLessThan(1e-9)
      for (let j = 0; j < 12; j++) expect(found.point[j]).toBeCloseTo(fit!.coefficients[j]!, 3)
      expect(found.point[12]).toBeCloseTo(fit!.intercepts[0]!, 3)
      if (C === 100) expect(fit!.evaluations / found.evaluations).toBeGreaterThan(10)
    }
  })

  it("has the slope that central differences of the objective have, and none at the minimum", () => {
    const objective = (point: Float64Array) => {
      let value = 0
      for (let j = 0; j < 12; j++) value += 0.5 * point[j]! ** 2
      for (let i = 0; i < 120; i++) {
        let odds = point[12]!
        for (let j = 0; j < 12; j++) odds += point[j]! * x.values[i * 12 + j]!
        value += 2 * (truth[i] === 1 ? 3 * Math.log(1 + Math.exp(-odds)) : 0.5 * Math.log(1 + Math.exp(odds)))
      }
      return value
    }
    const weighted = { truth, positive: 3, negative: 0.5 }, start = Float64Array.from({ length: 13 }, (_, j) => 0.1 * Math.sin(j))
    const here = minimum(weighted, 2, start, { ...stop, iterations: 0 }), there = minimum(weighted, 2, start, stop)
    expect([here.point, here.settled, here.value]).toEqual([start, false, expect.closeTo(objective(start), 9)])
    for (const { gradient, point } of [here, there]) {
      for (let p = 0; p < 13; p++) {
        const nudged = (by: number) => objective(point.map((value, at) => at === p ? value + by : value))
        expect((nudged(1e-4) - nudged(-1e-4)) / 2e-4).toBeCloseTo(gradient[p]!, 4)
      }
    }
    expect(dot(there.gradient, there.gradient)).toBeLessThan(2e-12 * there.value)
  })

  it("comes to the minimum from afar, where whole steps would lead away", () => {
    const near = minimum({ truth, ...plain }, 1, zeros, stop), far = minimum({ truth, ...plain }, 1, Float64Array.from({ length: 13 }, (_, j) => j % 2 === 0 ? 30 : -20), stop)
    expect(far.settled).toBe(true)
    for (let p = 0; p < 13; p++) expect(far.point[p]).toBeCloseTo(near.point[p]!, 4)
  })

  it("ends for targets that are separable, of rows of zeros, and of fewer rows than columns", () => {
    const sign = Uint8Array.from({ length: 120 }, (_, i) => x.values[i * 12]! > 0 ? 1 : 0), zero: Matrix = { rows: 4, columns: 2, values: new Float64Array(8) }
    expect(minimum({ truth: sign, ...plain }, 1e6, zeros, stop).settled).toBe(true)
    const shares = newtonOf(zero)({ truth: [1, 0, 0, 0], ...plain }, 1, new Float64Array(3), stop)
    expect(1 / (1 + Math.exp(-shares.point[2]!))).toBeCloseTo(0.25, 6)
    const few: Matrix = { rows: 5, columns: 12, values: x.values.subarray(0, 60) }
    expect(newtonOf(few)({ truth: truth.subarray(0, 5), ...plain }, 100, zeros, stop).settled).toBe(true)
  })

  it("goes along a list of C from where the last ended", async () => {
    const minima = await along([0.01, 0.1, 1, 10], 13, (C, start) => minimum({ truth, ...plain }, C, start, stop))
    for (const [i, C] of [0.01, 0.1, 1, 10].entries()) expect(Math.abs(minima[i]!.value / minimum({ truth, ...plain }, C, zeros, stop).value - 1)).toBeLessThan(1e-9)
  })

  it("gives the same bits twice, whatever was fitted between", () => {
    const first = minimum({ truth, ...plain }, 1, zeros, stop)
    minimum({ truth: truth.map((has) => 1 - has), ...plain }, 100, zeros, stop)
    expect(minimum({ truth, ...plain }, 1, zeros, stop)).toEqual(first)
  })

  it("is for embeddings of up to 256 columns", () => {
    const of = (rows: number, columns: number) => isNewtons({ rows, columns, values: new Float32Array() })
    expect([of(1000, 256), of(1000, 257), of(100_000, 256)]).toEqual([true, false, false])
  })
})
