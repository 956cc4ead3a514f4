import { array, assert, boolean, double, integer, property, tuple } from "fast-check"
import { describe, expect, it } from "vitest"
import { fitLogistic } from "../../math/logistic.ts"
import type { Matrix } from "../../math/matrix.ts"
import { balancedSides, fitOneVsRest, fromThresholds, labelProbabilities, multiHot, neutral, thresholdsOf } from "../../math/multi-label.ts"
import { stream } from "../../math/random.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

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

describe.skipIf(expected === undefined)("one-vs-rest against scikit-learn's binary logistic regression (skipped without the oracles)", () => {
  const problems = (expected?.logistic ?? []).filter(({ k }) => k === 2), [first] = problems
  it("reaches the optimum of each class for each C, beside one that is its mirror image", async () => {
    if (first === undefined || typeof first.X === "string" || first.y === null || first.Xt === null) throw new Error("the first problem holds the data")
    const truth = Uint8Array.from(first.y.flatMap((y) => [y, 1 - y])), d = first.X[0]!.length
    for (const [i, fit] of (await fitOneVsRest(matrix(first.X), truth, 2, problems.map(({ C }) => C))).entries()) {
      const { coef, objective, proba_t } = problems[i]!, scale = Math.max(...coef.flat().map(Math.abs))
      expect(Math.abs(fit.objective / (2 * objective) - 1)).toBeLessThan(1e-6)
      for (let j = 0; j < d; j++) {
        expect(Math.abs(fit.coefficients[j]! - coef[0]![j]!)).toBeLessThan(2e-3 * scale)
        expect(Math.abs(fit.coefficients[d + j]! + coef[0]![j]!)).toBeLessThan(2e-3 * scale)
      }
      const given = await labelProbabilities(fit, matrix(first.Xt))
      for (const [row, [no, yes]] of proba_t.entries()) {
        expect(Math.abs(given[2 * row]! - yes!)).toBeLessThan(1e-3)
        expect(Math.abs(given[2 * row + 1]! - no!)).toBeLessThan(1e-3)
      }
    }
  })
})

/** Rows whose first columns say, with noise, which labels they have; the second label is rare. */
const study = (n: number, d: number, k: number) => {
  const random = stream(0, "labels"), truth = Uint8Array.from({ length: n * k }, (_, at) => random.uniform() < (at % k === 1 ? 0.1 : 0.4) ? 1 : 0)
  const x: Matrix = { rows: n, columns: d, values: Float64Array.from({ length: n * d }, (_, at) => (at % d < k ? truth[Math.floor(at / d) * k + at % d]! : 0) + 0.7 * random.normal()) }
  return { x, truth, of: (c: number) => Int32Array.from({ length: n }, (_, i) => truth[i * k + c]!) }
}

describe("fitOneVsRest", () => {
  it("is a logistic regression of each class by itself, balanced or not", async () => {
    const k = 3, { of, truth, x } = study(120, 5, k)
    for (const weights of [undefined, balancedSides(truth, k)]) {
      const [joint] = await fitOneVsRest(x, truth, k, [1], weights, { tolerance: 1e-12 })
      for (let c = 0; c < k; c++) {
        const y = of(c), own = weights === undefined ? undefined : Float64Array.from(y, (id) => (id === 1 ? weights.positive : weights.negative)[c]!)
        const [alone] = await fitLogistic(x, y, 2, [1], own, { tolerance: 1e-12 })
        for (let j = 0; j < 5; j++) expect(joint!.coefficients[c * 5 + j]).toBeCloseTo(alone!.coefficients[j]!, 5)
        expect(joint!.intercepts[c]).toBeCloseTo(alone!.intercepts[0]!, 5)
      }
    }
  })

  it("is where torch's multi-label soft margin loss plus L2 has no slope: C = 1 / (n classes lambda)", async () => {
    const n = 60, d = 4, k = 2, { truth, x } = study(n, d, k), lambda = 0.01
    const [fit] = await fitOneVsRest(x, truth, k, [1 / (n * k * lambda)], undefined, { tolerance: 1e-14 })
    // MultiLabelSoftMarginLoss: the mean over rows and classes of -(y log s(z) + (1 - y) log s(-z)), as torch documents it.
    const loss = (coefficients: Float64Array, intercepts: Float64Array) => {
      let sum = 0
      for (let i = 0; i < n; i++) {
        for (let c = 0; c < k; c++) {
          let z = intercepts[c]!
          for (let j = 0; j < d; j++) z += coefficients[c * d + j]! * x.values[i * d + j]!
          sum += truth[i * k + c] === 1 ? Math.log(1 + Math.exp(-z)) : Math.log(1 + Math.exp(z))
        }
      }
      return sum / (n * k) + 0.5 * lambda * coefficients.reduce((total, w) => total + w * w, 0)
    }
    const step = 1e-5, nudged = (values: Float64Array, p: number, by: number) => values.map((value, at) => at === p ? value + by : value)
    for (let p = 0; p < k * d; p++) {
      expect(Math.abs(loss(nudged(fit!.coefficients, p, step), fit!.intercepts) - loss(nudged(fit!.coefficients, p, -step), fit!.intercepts)) / (2 * step)).toBeLessThan(1e-6)
    }
    for (let c = 0; c < k; c++) {
      expect(Math.abs(loss(fit!.coefficients, nudged(fit!.intercepts, c, step)) - loss(fit!.coefficients, nudged(fit!.intercepts, c, -step))) / (2 * step)).toBeLessThan(1e-6)
    }
  })

  it("reaches the same optimum of wide embeddings, whose classes are fitted together, with products in float32", async () => {
    const k = 4, { of, truth, x } = study(400, 300, k)
    const [fit] = await fitOneVsRest(x, truth, k, [0.1])
    let sum = 0
    for (let c = 0; c < k; c++) sum += (await fitLogistic(x, of(c), 2, [0.1], undefined, { tolerance: 1e-10 }))[0]!.objective
    expect(Math.abs(fit!.objective / sum - 1)).toBeLessThan(1e-5)
  })
})

describe("thresholdsOf", () => {
  const of = (truth: ReadonlyArray<number>, scores: ReadonlyArray<number>) => thresholdsOf(Uint8Array.from(truth), Float64Array.from(scores), 1)[0]!
  it("lies halfway between the scores that it parts", () => {
    expect(of([1, 1, 0, 0], [0.9, 0.7, 0.3, 0.1])).toBe(0.5)
    expect(of([1, 1, 1], [0.9, 0.8, 0.6])).toBe(0.3)
  })
  it("is the highest where F1 is equal", () => {
    // From 0.9 on: F1 = 2/3 (one of two found, nothing wrong). From 0.2 on: 2 of 4, F1 = 2/3 too.
    expect(of([1, 0, 0, 1], [0.9, 0.6, 0.4, 0.2])).toBe(0.75)
  })
  it("does not part equal scores", () => expect(of([1, 0, 1, 0], [0.8, 0.8, 0.8, 0.2])).toBe(0.5))
  it("is neutral without rows, without positives, and where all positives have the score 0: nothing is known of them", () => {
    expect([of([], []), of([0, 0], [0.9, 0.1]), of([1, 0], [0, 0.9])]).toEqual([neutral, neutral, neutral])
  })
  it("is above 0, so that a score of 0 is never predicted", () => {
    expect(fromThresholds(Float64Array.of(0, 0.1), thresholdsOf(Uint8Array.of(1, 1), Float64Array.of(0, 0.1), 1))).toEqual(Uint8Array.of(0, 1))
  })
  it("has the highest F1 that any threshold has, each class by itself", () => {
    const rows = array(tuple(array(boolean(), { minLength: 2, maxLength: 2 }), array(integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 2 })), { minLength: 1, maxLength: 12 })
    assert(property(rows, double({ min: 0.01, max: 1, noNaN: true }), (rows, other) => {
      const truth = Uint8Array.from(rows.flatMap(([has]) => has.map(Number))), scores = Float64Array.from(rows.flatMap(([, own]) => own.map((score) => score / 6)))
      const f1 = (thresholds: Float64Array, c: number) => {
        const predicted = fromThresholds(scores, thresholds)
        let hits = 0, sizes = 0
        for (let at = c; at < truth.length; at += 2) {
          hits += truth[at]! * predicted[at]!
          sizes += truth[at]! + predicted[at]!
        }
        return sizes === 0 ? 0 : 2 * hits / sizes
      }
      const chosen = thresholdsOf(truth, scores, 2)
      return [0, 1].every((c) => f1(chosen, c) >= f1(Float64Array.of(other, other), c) - 1e-12)
    }))
  })
})

describe("multiHot", () => {
  it("has a 1 for each name of the vocabulary that a list has, once or twice", () => {
    expect(multiHot([["water", "crops", "water"], [], ["snow"]], ["crops", "trees", "water"])).toEqual(Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 0, 0))
  })
})
