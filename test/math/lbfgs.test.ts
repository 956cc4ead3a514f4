import { describe, expect, it } from "vitest"
import { minimise } from "../../math/lbfgs.ts"

describe("minimise", () => {
  it("finds the minimum of a badly scaled quadratic", async () => {
    const curvatures = Float64Array.from({ length: 20 }, (_, i) => 10 ** (i / 8))
    const { evaluations, point } = await minimise(new Float64Array(20), (x) => ({
      value: x.reduce((sum, value, i) => sum + 0.5 * curvatures[i]! * (value - i) ** 2, 0),
      gradient: x.map((value, i) => curvatures[i]! * (value - i))
    }), ({ gradient }) => gradient.every((g) => Math.abs(g) < 1e-8))
    for (const [i, value] of point.entries()) expect(value).toBeCloseTo(i, 7)
    expect(evaluations).toBeLessThan(300)
  })
  it("ends where rounding ends, though the aim is out of reach", async () => {
    const { evaluations, point } = await minimise(Float64Array.of(3), ([x]) => ({ value: Math.fround(Math.cosh(x! - 1)), gradient: Float64Array.of(Math.sinh(x! - 1) + 1e-6) }), () => false)
    expect(point[0]).toBeCloseTo(1, 3)
    expect(evaluations).toBeLessThan(1100)
  })
  it("ends after the steps that it is given, and says that it had to", async () => {
    const parabola = ([x]: Float64Array) => ({ value: Math.cosh(x!), gradient: Float64Array.of(Math.sinh(x!)) }), far = (at: { readonly gradient: Float64Array }) => Math.abs(at.gradient[0]!) < 1e-9
    const two = await minimise(Float64Array.of(5), parabola, far, 2), whole = await minimise(Float64Array.of(5), parabola, far)
    expect([two.settled, whole.settled]).toEqual([false, true])
    expect(two.value).toBeGreaterThan(whole.value)
    expect(two.evaluations).toBeLessThan(whole.evaluations)
  })
  it("does nothing at a minimum", async () => {
    const at = Float64Array.of(2, 3)
    expect(await minimise(at, () => ({ value: 0, gradient: new Float64Array(2) }), ({ gradient }) => gradient.every((g) => g === 0))).toEqual({ point: at, value: 0, gradient: new Float64Array(2), evaluations: 1, settled: true })
  })
})
