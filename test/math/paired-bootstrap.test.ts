import { describe, expect, it } from "vitest"
import { percentiles } from "../../math/bootstrap.ts"
import { resamples } from "../../math/paired-bootstrap.ts"
import { stream } from "../../math/random.ts"

const draw = (units: Parameters<typeof resamples>[0], replicates = 300) => Array.from(resamples(units, replicates, stream(0, "draws")), (counts) => counts.slice())

describe("resamples of test samples", () => {
  const strata = ["a", "b", "a", "a", "b", "c"]
  it("keep the size of every stratum, and draw every sample equally often", () => {
    const drawn = draw({ strata }, 3000)
    for (const counts of drawn) {
      for (const name of ["a", "b", "c"]) {
        expect(counts.reduce((sum, count, i) => sum + (strata[i] === name ? count : 0), 0)).toBe(strata.filter((each) => each === name).length)
      }
    }
    for (const i of strata.keys()) expect(drawn.reduce((sum, counts) => sum + counts[i]!, 0) / 3000).toBeCloseTo(1, 1)
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(20)
  })
  it("draw places whole", () => {
    const clusters = ["x", "y", "x", "z", "x", "y"]
    const drawn = draw({ clusters })
    for (const counts of drawn) {
      for (const [i, name] of clusters.entries()) expect(counts[i]).toBe(counts[clusters.indexOf(name)])
      expect(counts[0]! + counts[1]! + counts[3]!).toBe(3)
    }
  })
  it("are the same for whoever asks: paired", () => {
    expect(draw({ strata })).toEqual(draw({ strata }))
  })

  const n = 400, random = stream(3, "values")
  const hard = Float64Array.from({ length: n }, () => 3 * random.normal()), a = hard.map((x) => x + 0.3 * random.normal()), b = hard.map((x) => x + 0.2 + 0.3 * random.normal())
  const mean = (values: Float64Array, counts: Float64Array) => counts.reduce((sum, count, i) => sum + count * values[i]!, 0) / counts.reduce((sum, count) => sum + count, 0)
  const width = (statistic: (counts: Float64Array) => number, units: Parameters<typeof resamples>[0]) => {
    const { high, low } = percentiles(Float64Array.from(draw(units, 2000), statistic))
    return high - low
  }
  it("find a difference that the two methods' own intervals hide: what is hard for both widens neither", () => {
    const units = { strata: Array.from({ length: n }, () => "") }
    const own = width((counts) => mean(a, counts), units), difference = width((counts) => mean(b, counts) - mean(a, counts), units)
    expect(own).toBeGreaterThan(5 * difference)
    // of a mean, 3.92 standard errors
    const d = b.map((x, i) => x - a[i]!), middle = d.reduce((s, x) => s + x, 0) / n
    expect(difference / (3.92 * Math.sqrt(d.reduce((s, x) => s + (x - middle) ** 2, 0)) / n)).toBeCloseTo(1, 1)
  })
  it("have wider intervals over places than over samples where samples of one place are alike", () => {
    const clusters = Array.from({ length: n }, (_, i) => String(i % 20)), alike = Float64Array.from({ length: n }, (_, i) => hard[i % 20]!)
    expect(width((counts) => mean(alike, counts), { clusters })).toBeGreaterThan(3 * width((counts) => mean(alike, counts), { strata: clusters.map(() => "") }))
  })
})
