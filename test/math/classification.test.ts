import { describe, expect, it } from "vitest"
import { confidenceOf, confusion, expectedCalibrationError, measuresOf, mostProbable, surprisal } from "../../math/classification.ts"
import { stream } from "../../math/random.ts"
import { oracle, type Rows } from "./oracle.ts"

interface Case {
  readonly name: string
  readonly y: ReadonlyArray<number>
  readonly pred: ReadonlyArray<number>
  readonly prob: Rows
  readonly accuracy: number
  readonly balanced_accuracy: number
  readonly f1_macro: number
  readonly f1_weighted: number
  readonly f1_micro: number
  readonly f1_per_class: ReadonlyArray<number>
  readonly confusion: Rows
  readonly log_loss: number
  readonly ece15: number
}
const expected = oracle<{ readonly multiclass: ReadonlyArray<Case> }>("metrics")
const near = (value: number, other: number) => expect(Math.abs(value - other)).toBeLessThan(1e-12)

describe.skipIf(expected === undefined)("classification against scikit-learn, to 1e-12 (skipped without the oracles)", () => {
  for (const c of expected?.multiclass ?? []) {
    it(c.name, () => {
      const y = Int32Array.from(c.y), predicted = Int32Array.from(c.pred), k = c.prob[0]!.length, probabilities = c.prob.flat()
      const counts = confusion(y, predicted, k), { accuracy, balancedAccuracy, f1, f1Macro, f1Weighted } = measuresOf(counts, k)
      expect([...counts]).toEqual(c.confusion.flat())
      near(accuracy, c.accuracy)
      near(accuracy, c.f1_micro)
      near(balancedAccuracy, c.balanced_accuracy)
      near(f1Macro, c.f1_macro)
      near(f1Weighted, c.f1_weighted)
      for (const [i, value] of c.f1_per_class.entries()) near(f1[i]!, value)
      near(surprisal(y, probabilities, k).reduce((sum, nats) => sum + nats, 0) / y.length, c.log_loss)
      near(expectedCalibrationError(confidenceOf(y, mostProbable(probabilities, k), probabilities, k)), c.ece15)
    })
  }
})

describe("weights", () => {
  it("count a row so often: as if it stood there so often", () => {
    const random = stream(0, "weights"), n = 40, k = 3
    const y = Int32Array.from({ length: n }, () => random.integer(k)), raw = Float64Array.from({ length: n * k }, random.uniform)
    const p = raw.map((value, i) => value / (raw[i - i % k]! + raw[i - i % k + 1]! + raw[i - i % k + 2]!))
    const weights = Float64Array.from({ length: n }, () => random.integer(4))
    const rows = [...weights].flatMap((weight, i) => Array.from({ length: weight }, () => i))
    const y2 = Int32Array.from(rows, (i) => y[i]!), p2 = Float64Array.from(rows.flatMap((i) => [...p.subarray(i * k, i * k + k)]))
    const predicted = mostProbable(p, k), predicted2 = mostProbable(p2, k)
    expect(confusion(y, predicted, k, weights)).toEqual(confusion(y2, predicted2, k))
    near(expectedCalibrationError(confidenceOf(y, predicted, p, k), weights), expectedCalibrationError(confidenceOf(y2, predicted2, p2, k)))
  })
})

describe("edges", () => {
  it("a probability of 0 for the truth costs 36 nats, not infinity", () => {
    expect(surprisal(Int32Array.of(1), [1, 0], 2)[0]).toBeCloseTo(36.04, 2)
  })
  it("a probability on the edge of a bin belongs to the lower one", () => {
    expect([...confidenceOf(Int32Array.of(0, 0, 0), Int32Array.of(0, 0, 0), [0, 1 / 15, 1], 1).bin]).toEqual([0, 0, 14])
  })
  it("equal probabilities predict the first class", () => expect([...mostProbable([0.5, 0.5, 0.2, 0.8], 2)]).toEqual([0, 1]))
})
