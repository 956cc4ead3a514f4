import { describe, expect, it } from "vitest"
import { regressionMeasures, regressionTerms } from "../../math/regression.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

const expected = oracle<{ readonly regression: { readonly Y: Rows; readonly pred: Rows; readonly mse: number; readonly r2_uniform: number; readonly r2_raw: ReadonlyArray<number> } }>("metrics")

describe("regressionMeasures", () => {
  it.skipIf(expected === undefined)("agree with scikit-learn to 1e-12 (skipped without the oracles)", () => {
    const { Y, mse, pred, r2_raw, r2_uniform } = expected!.regression
    const found = regressionMeasures(regressionTerms(matrix(Y), matrix(pred)))
    expect(Math.abs(found.mse - mse)).toBeLessThan(1e-12)
    expect(Math.abs(found.r2 - r2_uniform)).toBeLessThan(1e-12)
    for (const [t, value] of r2_raw.entries()) expect(Math.abs(found.r2Of[t]! - value)).toBeLessThan(1e-12)
  })
  it("give a constant target 1 where it is met and 0 where it is not, also where its mean is not exact", () => {
    const constant = matrix(Array.from({ length: 7 }, () => [0.1, 0.1])), predicted = matrix(Array.from({ length: 7 }, () => [0.1, 0.2]))
    expect([...regressionMeasures(regressionTerms(constant, predicted)).r2Of]).toEqual([1, 0])
  })
  it("count a row of weight w as w rows", () => {
    const y = matrix([[1, 2], [3, 5], [4, 4]]), predicted = matrix([[1, 1], [2, 5], [5, 3]])
    const often = (m: Rows) => matrix([m[0]!, m[2]!, m[2]!, m[2]!])
    const weighted = regressionMeasures(regressionTerms(y, predicted), [1, 0, 3]), repeated = regressionMeasures(regressionTerms(often([[1, 2], [3, 5], [4, 4]]), often([[1, 1], [2, 5], [5, 3]])))
    expect(weighted.mse).toBeCloseTo(repeated.mse, 12)
    for (const t of [0, 1]) expect(weighted.r2Of[t]).toBeCloseTo(repeated.r2Of[t]!, 12)
  })
  it("have no R2 of one row", () => expect(regressionMeasures(regressionTerms(matrix([[1]]), matrix([[2]]))).r2).toBeNaN())
})
