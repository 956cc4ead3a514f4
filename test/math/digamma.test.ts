import { assert, double, property } from "fast-check"
import { describe, expect, it } from "vitest"
import { digamma } from "../../math/digamma.ts"
import { oracle } from "./oracle.ts"

const expected = oracle<{ readonly digamma: { readonly x: ReadonlyArray<number>; readonly value: ReadonlyArray<number> } }>("mutual_info")

describe("digamma", () => {
  it.skipIf(expected === undefined)("agrees with scipy to 1e-13 (skipped without the oracles)", () => {
    for (const [i, x] of expected!.digamma.x.entries()) expect(Math.abs(digamma(x) - expected!.digamma.value[i]!)).toBeLessThan(1e-13 * Math.max(1, Math.abs(expected!.digamma.value[i]!)))
  })
  it("is minus Euler's constant at 1", () => expect(digamma(1)).toBeCloseTo(-0.5772156649015329, 13))
  it("obeys psi(x + 1) = psi(x) + 1 / x", () => {
    assert(property(double({ min: 0.5, max: 1e4, noNaN: true }), (x) => Math.abs(digamma(x + 1) - digamma(x) - 1 / x) < 1e-12))
  })
  it("is not defined at 0 and below", () => {
    expect(digamma(0)).toBeNaN()
    expect(digamma(-1.5)).toBeNaN()
  })
})
