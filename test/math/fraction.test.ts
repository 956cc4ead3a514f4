import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { first } from "../../math/fraction.ts"
import { stream } from "../../math/random.ts"

const ranksOf = (n: number, seed: number) => {
  const random = stream(seed, "ranks")
  return Float64Array.from({ length: n }, () => random.uniform())
}

describe("first", () => {
  it("on four samples by hand: the rare class first, then who is furthest behind, by rank", () => {
    // class 0 of three samples, class 1 of one
    expect(first([[0], [0], [1], [0]], [0.5, 0.1, 0.9, 0.3], 4)).toEqual([2, 1, 3, 0])
  })
  it("a sample counts for all of its classes", () => {
    // class 1 (two samples) is rarer than class 0 (three): it draws the sample that has both, and both then have one
    expect(first([[0], [0, 1], [1], [0]], [0.1, 0.2, 0.3, 0.4], 3)).toEqual([1, 0, 2])
  })
  it("is by rank alone with one class", () => {
    expect(first([[0], [0], [0]], [0.3, 0.1, 0.2], 2)).toEqual([1, 2])
  })
  it("is the beginning of one order, whatever the count", () => {
    const sets = fc.array(fc.uniqueArray(fc.nat(6), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 60 })
    fc.assert(fc.property(sets, fc.nat(100), fc.nat(9), (sets, count, seed) => {
      const ranks = ranksOf(sets.length, seed), all = first(sets, ranks, sets.length)
      expect(all.toSorted((a, b) => a - b)).toEqual([...sets.keys()])
      expect(first(sets, ranks, Math.min(count, sets.length))).toEqual(all.slice(0, count))
    }))
  })
  it("with one class a sample, each class has its share: never as much as a sample more, nor two less", () => {
    fc.assert(fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 100 }), fc.nat(100), fc.nat(9), (classes, count, seed) => {
      const m = Math.min(count, classes.length), kept = first(classes.map((id) => [id]), ranksOf(classes.length, seed), m)
      // Adams: the smallest t at which sum ceil(t n_c) reaches m has every class between ceil(t n_c) - 1 and ceil(t n_c)
      const shares = [...new Set(classes)].map((id) => ({ n: classes.filter((c) => c === id).length, held: kept.filter((row) => classes[row] === id).length }))
      for (const a of shares) for (const b of shares) if (a.held > 0) expect((a.held - 1) / a.n).toBeLessThanOrEqual(b.held / b.n + 1e-12)
    }))
  })
  it("no label of multi-label samples falls behind its share, and none exceeds it by more than a random draw would", () => {
    const random = stream(0, "labels"), odds = [0.7, 0.4, 0.2, 0.05, 0.01]
    const sets = Array.from({ length: 5000 }, () => odds.flatMap((odd, id) => random.uniform() < odd ? [id] : [])).map((set) => set.length === 0 ? [5] : set)
    for (let seed = 0; seed < 5; seed++) {
      const kept = first(sets, ranksOf(5000, seed), 500)
      for (const id of odds.keys()) {
        const n = sets.filter((set) => set.includes(id)).length, share = kept.filter((row) => sets[row]!.includes(id)).length / n
        expect(share).toBeGreaterThan(0.09)
        expect(share).toBeLessThan(0.1 + 4 * Math.sqrt(0.1 * 0.9 / n))
      }
    }
  })
})
