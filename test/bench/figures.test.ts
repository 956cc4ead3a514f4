import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { exponent, interleaved, measured, ratio } from "../../bench/figures.ts"

describe("measured", () => {
  it("is the median, between the two in the middle where there is none, with the least and the most", () => {
    expect(measured([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3, n: 3 })
    expect(measured([4, 1, 2, 10])).toEqual({ median: 3, low: 1, high: 10, n: 4 })
    expect(() => measured([])).toThrow("nothing measured")
  })
})

describe("ratio", () => {
  it("is above 1 where ours is better, for times and for rates", () => {
    expect(ratio("lower", measured([2]), measured([6]))).toBe(3)
    expect(ratio("higher", measured([6]), measured([2]))).toBe(3)
  })
})

describe("interleaved", () => {
  it("takes turns, throws the first round away, and passes over a peer that is not there", async () => {
    const turns: Array<string> = []
    const body = (name: string, values: Array<number>) => () => {
      turns.push(name)
      return values.shift()!
    }
    const peer: (() => number) | undefined = undefined
    const figures = await interleaved({ ours: body("ours", [100, 1, 2, 3]), peer, other: body("other", [100, 4, 5, 6]) }, 3)
    expect(turns).toEqual(["ours", "other", "ours", "other", "ours", "other", "ours", "other"])
    expect(figures).toEqual({ ours: { median: 2, low: 1, high: 3, n: 3 }, other: { median: 5, low: 4, high: 6, n: 3 } })
  })
})

describe("the fitted exponent", () => {
  it("is that of a power law, whatever its factor and its sizes", () => {
    fc.assert(fc.property(
      fc.double({ min: -3, max: 3, noNaN: true }),
      fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
      fc.uniqueArray(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 2, maxLength: 8 }),
      (e, c, sizes) => {
        expect(exponent(sizes.map((x) => [x, c * x ** e]))).toBeCloseTo(e, 4)
      }
    ))
  })

  it("is the least-squares slope in log-log where points scatter: 1, 10, 1000 at 1, 10, 100 is 1.5", () => {
    expect(exponent([[1, 1], [10, 10], [100, 1000]])).toBeCloseTo(1.5, 12)
  })

  it("is not known from one size", () => {
    expect(exponent([[10, 1]])).toBeNaN()
  })
})
