import { readFileSync } from "node:fs"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { resampledT } from "../../math/corrected-t.ts"
import { cohensDz } from "../../math/effect.ts"
import { holm } from "../../math/holm.ts"
import { interquartileMean, stratifiedIqm } from "../../math/iqm.ts"
import { leastOfSigns, signFlip } from "../../math/permutation.ts"
import { stream } from "../../math/random.ts"
import { ranks } from "../../math/ranks.ts"
import { studentReach, studentTails } from "../../math/student.ts"
import { signedRanks } from "../../math/wilcoxon.ts"

interface Paired {
  readonly differences: ReadonlyArray<number>
  readonly sign_flip: number
  readonly wilcoxon: { readonly p: number; readonly rank_biserial: number }
}
interface Expected {
  readonly versions: { readonly scipy: string; readonly statsmodels: string }
  readonly student: ReadonlyArray<{ readonly t: number; readonly df: number; readonly p: number; readonly quantile: number }>
  readonly paired: ReadonlyArray<Paired & { readonly dz: number; readonly resampled_t: ReadonlyArray<Readonly<Record<"correlation" | "t" | "p" | "low" | "high", number>>> }>
  readonly constant: Paired
  readonly holm: ReadonlyArray<{ readonly p: ReadonlyArray<number>; readonly adjusted: ReadonlyArray<number> }>
  readonly ranks: ReadonlyArray<{ readonly values: ReadonlyArray<number>; readonly ranks: ReadonlyArray<number> }>
  readonly iqm: ReadonlyArray<{ readonly values: ReadonlyArray<number>; readonly mean: number }>
}
/** Written by the script that stands in it. */
const expected: Expected = JSON.parse(readFileSync(new URL("../fixtures/significance.json", import.meta.url), "utf8"))

const near = (got: number, wanted: number) => expect(Math.abs(got - wanted)).toBeLessThan(1e-9 * Math.max(1, Math.abs(wanted)))

describe(`equal to scipy ${expected.versions.scipy} and statsmodels ${expected.versions.statsmodels} to 1e-9`, () => {
  it("Student's t: both tails, and the 95% reach", () => {
    expect(expected.student.length).toBeGreaterThan(40)
    for (const { df, p, quantile, t } of expected.student) {
      near(studentTails(t, df), p)
      near(studentReach(0.95, df), quantile)
    }
  })
  it("the sign-flip test, exact", () => {
    for (const { differences, sign_flip } of [...expected.paired, expected.constant]) near(signFlip(differences), sign_flip)
  })
  it("Wilcoxon's signed ranks, with ties and zeros by enumeration, and the rank-biserial correlation", () => {
    for (const { differences, wilcoxon } of [...expected.paired, expected.constant]) {
      const { p, rankBiserial } = signedRanks(differences)
      near(p, wilcoxon.p)
      near(rankBiserial, wilcoxon.rank_biserial)
    }
  })
  it("the resampled t, plain where replicates are independent, and Cohen's dz", () => {
    for (const { differences, dz, resampled_t } of expected.paired) {
      near(cohensDz(differences), dz)
      for (const { correlation, high, low, p, t } of resampled_t) {
        const got = resampledT(differences, correlation)
        near(got.t, t)
        near(got.p, p)
        near(got.low, low)
        near(got.high, high)
      }
    }
  })
  it("Holm's correction", () => {
    for (const { adjusted, p } of expected.holm) holm(p).forEach((value, i) => near(value, adjusted[i]!))
  })
  it("ranks and the interquartile mean", () => {
    for (const { ranks: wanted, values } of expected.ranks) expect([...ranks(values)]).toEqual(wanted)
    for (const { mean, values } of expected.iqm) near(interquartileMean(values), mean)
  })
})

describe("the sign-flip test", () => {
  it("cannot go below 2 / 2^n, which n differences of one sign reach", () => {
    for (const n of [1, 2, 4, 6, 16]) {
      expect(signFlip(Array.from({ length: n }, (_, i) => 1 + i / 10))).toBe(leastOfSigns(n))
      expect(leastOfSigns(n)).toBe(2 / 2 ** n)
    }
  })
  it("has no direction, no unit, and no opinion of differences that are all 0", () => {
    const doubles = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 9 })
    fc.assert(fc.property(doubles, (differences) => {
      expect(signFlip(differences.map((difference) => -difference))).toBe(signFlip(differences))
      expect(signFlip(differences.map((difference) => difference / 7))).toBe(signFlip(differences))
    }), { numRuns: 50 })
    expect(signFlip([0, 0, 0])).toBe(1)
    expect(signFlip([])).toBeNaN()
  })
  it("drawn, beyond 16 differences, comes near the exact test and to the same twice", () => {
    const { normal } = stream(1, "differences"), differences = Array.from({ length: 20 }, () => 0.4 + normal())
    let hits = 0
    const sum = Math.abs(differences.reduce((a, b) => a + b, 0))
    // Gray code: each way differs from the one before in one sign.
    const signs = new Int8Array(20).fill(1)
    let way = differences.reduce((a, b) => a + b, 0)
    for (let i = 1; i <= 2 ** 20; i++) {
      if (Math.abs(way) >= sum - 1e-12) hits++
      const flip = Math.min(19, 31 - Math.clz32(i & -i))
      signs[flip]! *= -1
      way += 2 * signs[flip]! * differences[flip]!
    }
    const exact = hits / 2 ** 20, drawn = signFlip(differences)
    expect(Math.abs(drawn - exact)).toBeLessThan(4 * Math.sqrt(exact * (1 - exact) / 65536))
    expect(signFlip(differences)).toBe(drawn)
    expect(signFlip(Array.from({ length: 40 }, () => 1))).toBe(1 / 65537)
  })
})

describe("the corrected resampled t", () => {
  it("is the jackknife's for folds of which each training set leaves one out: r = (J - 2) / (J - 1)", () => {
    const differences = [0.1, 0.4, 0.2, 0.35, 0.15], J = differences.length, mean = differences.reduce((a, b) => a + b) / J
    const jackknife = Math.sqrt((J - 1) / J * differences.reduce((sum, difference) => sum + (difference - mean) ** 2, 0))
    near(resampledT(differences, (J - 2) / (J - 1)).t, mean / jackknife)
  })
  it("keeps its level where independent replicates' test does not: repeated random splits of one data set, no difference to find", () => {
    // A difference of each of 60 rows with no mean; each replicate tests on 20 of them and fits nothing.
    const random = stream(2, "splits")
    let plain = 0, corrected = 0
    const trials = 400
    for (let trial = 0; trial < trials; trial++) {
      const rows = Float64Array.from({ length: 60 }, random.normal)
      const means = Array.from({ length: 10 }, () => random.shuffle(rows).subarray(0, 20).reduce((a, b) => a + b) / 20)
      if (resampledT(means, 0).p < 0.05) plain++
      if (resampledT(means, 20 / 60).p < 0.05) corrected++
    }
    expect(plain / trials).toBeGreaterThan(0.2)
    expect(corrected / trials).toBeLessThan(0.08)
  })
  it("says nothing of differences that are all equal, but for rounding: of few samples they are so by chance", () => {
    for (const equal of [[0.2, 0.2], [0.3 - 0.2, 0.2 - 0.1, 0.8 - 0.7]]) {
      expect(resampledT(equal, 0.5)).toEqual({ t: Number.NaN, p: Number.NaN, low: Number.NaN, high: Number.NaN })
      expect(cohensDz(equal)).toBeNaN()
    }
    // two folds of 10 test samples, both methods right three times of four: as often as not the folds say the same
    const random = stream(3, "folds"), right = () => Array.from({ length: 10 }, () => random.uniform() < 0.75).filter(Boolean).length / 10
    const trials = 2000, below = Array.from({ length: trials }, () => resampledT([right() - right(), right() - right()], 1 / 2).p < 0.05).filter(Boolean).length
    expect(below / trials).toBeLessThan(0.05)
  })
  it("says nothing of one difference, and that differences that are all 0 are none", () => {
    expect(resampledT([0.2], 0).p).toBeNaN()
    expect(resampledT([0, 0, 0], 0)).toEqual({ t: 0, p: 1, low: 0, high: 0 })
    expect(cohensDz([0.2, 0.2])).toBeNaN()
  })
})

describe("Holm's correction", () => {
  it("leaves what was not tested, which does not count", () => {
    expect(holm([0.01, Number.NaN, 0.04])).toEqual([0.02, Number.NaN, 0.04])
  })
  it("never lowers a p, never changes their order, never passes 1", () => {
    fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }), (ps) => {
      const adjusted = holm(ps)
      for (const [i, p] of ps.entries()) {
        expect(adjusted[i]!).toBeGreaterThanOrEqual(p)
        expect(adjusted[i]!).toBeLessThanOrEqual(1)
        for (const [j, other] of ps.entries()) if (p < other) expect(adjusted[i]!).toBeLessThanOrEqual(adjusted[j]!)
      }
    }), { numRuns: 100 })
  })
})

describe("Wilcoxon's signed ranks", () => {
  it("leave out zeros and say nothing where there is nothing else", () => {
    expect(signedRanks([0, 0])).toEqual({ n: 0, p: Number.NaN, rankBiserial: Number.NaN })
    expect(signedRanks([0, 1, -2, 3])).toEqual(signedRanks([1, -2, 3]))
  })
})

describe("the stratified bootstrap of the interquartile mean", () => {
  it("draws seeds of a data set among those of that data set: data sets that differ widen nothing", () => {
    expect(stratifiedIqm([[1, 1, 1], [5, 5, 5], [9, 9, 9]], 200, stream(0, "a"))).toEqual({ value: 5, low: 5, high: 5 })
    const { high, low, value } = stratifiedIqm([[0.5, 0.6, 0.7, 0.9]], 2000, stream(0, "a"))
    expect(value).toBeCloseTo(0.65)
    expect(low).toBeLessThan(value)
    expect(high).toBeGreaterThan(value)
  })
  it("has no interval where every data set has one seed", () => {
    expect(stratifiedIqm([[1], [2], [6]], 100, stream(0, "a"))).toEqual({ value: 3, low: Number.NaN, high: Number.NaN })
  })
})
