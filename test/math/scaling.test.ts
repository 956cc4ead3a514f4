import { describe, expect, it } from "vitest"
import { minMax, scaled, standard } from "../../math/scaling.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

interface Oracle {
  readonly ridge: { readonly X: Rows }
  readonly scalers: { readonly mean: ReadonlyArray<number>; readonly std_ddof0: ReadonlyArray<number>; readonly min: ReadonlyArray<number>; readonly max: ReadonlyArray<number> }
}
const expected = oracle<Oracle>("probes")

describe.skipIf(expected === undefined)("scaling against scikit-learn (skipped without the oracles)", () => {
  it("finds mean and deviation, minimum and range to 1e-13", () => {
    const x = matrix(expected!.ridge.X), { max, mean, min, std_ddof0 } = expected!.scalers
    const z = standard(x), m = minMax(x)
    for (let j = 0; j < x.columns; j++) {
      expect(z.offset[j]).toBeCloseTo(mean[j]!, 13)
      expect(z.scale[j]).toBeCloseTo(std_ddof0[j]!, 13)
      expect(m.offset[j]).toBe(min[j])
      expect(m.scale[j]).toBe(max[j]! - min[j]!)
    }
  })
})

describe("scaled", () => {
  it("maps the rows fitted to 0..1, and others beyond", () => {
    const fitted = minMax(matrix([[1, 10], [3, 30]]))
    expect([...scaled(matrix([[1, 30], [3, 10], [5, 20]]), fitted).values]).toEqual([0, 1, 1, 0, 2, 0.5])
  })
  it("makes a constant column 0, also where its mean is not exact", () => {
    const x = matrix(Array.from({ length: 7 }, () => [0.1, 1e6 + 0.1]))
    expect(scaled(x, minMax(x)).values).toEqual(new Float64Array(14))
    for (const value of scaled(x, standard(x)).values) expect(Math.abs(value)).toBeLessThan(1e-8)
  })
  it("keeps float32 as float32", () => {
    const x = { rows: 2, columns: 1, values: Float32Array.of(1, 3) }
    expect(scaled(x, standard(x)).values).toEqual(Float32Array.of(-1, 1))
  })
})
