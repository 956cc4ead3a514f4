import { describe, expect, it } from "vitest"
import { bootstrap, quantile } from "../../math/bootstrap.ts"
import { stream } from "../../math/random.ts"

describe("bootstrap", () => {
  const n = 400, random = stream(0, "values"), values = Float64Array.from({ length: n }, () => 3 + 2 * random.normal())
  const mean = (counts: Float64Array) => [counts.reduce((sum, count, i) => sum + count * values[i]!, 0) / n]

  it("finds for a mean the interval that theory has: 1.96 standard errors either side", () => {
    const [interval] = bootstrap(n, 4000, stream(0, "draws"), mean)
    const [middle] = mean(new Float64Array(n).fill(1))
    const error = Math.sqrt(values.reduce((sum, value) => sum + (value - middle!) ** 2, 0) / n / n)
    expect(Math.abs((middle! - interval!.low) / (1.96 * error) - 1)).toBeLessThan(0.08)
    expect(Math.abs((interval!.high - middle!) / (1.96 * error) - 1)).toBeLessThan(0.08)
  })
  it("draws n rows each time, and the same from the same stream", () => {
    const total = (counts: Float64Array) => [counts.reduce((sum, count) => sum + count, 0)]
    expect(bootstrap(50, 20, stream(0, "a"), total)).toEqual([{ low: 50, high: 50 }])
    expect(bootstrap(n, 100, stream(0, "a"), mean)).toEqual(bootstrap(n, 100, stream(0, "a"), mean))
    expect(bootstrap(n, 100, stream(0, "a"), mean)).not.toEqual(bootstrap(n, 100, stream(1, "a"), mean))
  })
  it("leaves out replicates in which a statistic is not defined", () => {
    let call = 0
    const [sometimes, never] = bootstrap(5, 100, stream(0, "a"), () => [call++ % 2 === 0 ? NaN : 7, NaN])
    expect(sometimes).toEqual({ low: 7, high: 7 })
    expect(never).toEqual({ low: NaN, high: NaN })
  })
})

describe("quantile", () => {
  it("interpolates between order statistics", () => {
    expect(quantile([1, 2, 4], 0)).toBe(1)
    expect(quantile([1, 2, 4], 0.25)).toBe(1.5)
    expect(quantile([1, 2, 4], 1)).toBe(4)
  })
})
