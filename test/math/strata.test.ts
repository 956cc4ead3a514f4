import { existsSync, readFileSync } from "node:fs"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { stream } from "../../math/random.ts"
import { dealFolds, dealGroups, drawFraction, encode, quotas } from "../../math/strata.ts"

const count = (classes: ReadonlyArray<number>, rows: (row: number) => boolean): ReadonlyArray<number> => {
  const counts = Array.from({ length: Math.max(...classes) + 1 }, () => 0)
  classes.forEach((id, row) => {
    if (rows(row)) counts[id]!++
  })
  return counts
}

const oracle = new URL("../../../shared/data/oracles/splits.json", import.meta.url)

describe.skipIf(!existsSync(oracle))("class counts are those of scikit-learn (skipped where shared/data/oracles is absent)", () => {
  const { cases, train_test_split: fractions } = existsSync(oracle) ? JSON.parse(readFileSync(oracle, "utf8")) : { cases: [], train_test_split: [] }

  it.each(cases as ReadonlyArray<{ name: string; y: ReadonlyArray<number>; k: number; class_counts_per_fold: ReadonlyArray<ReadonlyArray<number>> }>)(
    "StratifiedKFold: $name",
    ({ class_counts_per_fold, k, y }) => {
      for (const seed of [0, 1, 2]) {
        const folds = dealFolds(encode(y.map(String)).ids, k, stream(seed))
        for (let fold = 0; fold < k; fold++) expect(count(y, (row) => folds[row] === fold)).toEqual(class_counts_per_fold[fold])
      }
    }
  )

  it.each(fractions as ReadonlyArray<{ name: string; y: ReadonlyArray<number>; test_size: number; n_test: number; test_counts_over_20_seeds: ReadonlyArray<ReadonlyArray<number>> }>)(
    "train_test_split: $name",
    ({ n_test, test_counts_over_20_seeds, test_size, y }) => {
      for (const seed of [0, 1, 2, 3, 4]) {
        const drawn = drawFraction(encode(y.map(String)).ids, test_size, stream(seed))
        expect(drawn.reduce((a, b) => a + b, 0)).toBe(n_test)
        expect(test_counts_over_20_seeds).toContainEqual(count(y, (row) => drawn[row] === 1))
      }
    }
  )
})

describe("encode", () => {
  it("numbers names by their first appearance", () => expect(encode(["b", "a", "b", "c"])).toEqual({ ids: Int32Array.of(0, 1, 0, 2), names: ["b", "a", "c"] }))
})

describe("quotas", () => {
  it("add up, and no share is a whole row off", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 }), fc.double({ min: 0, max: 1, noNaN: true }), (counts, part) => {
      const sum = counts.reduce((a, b) => a + b, 0), total = Math.round(part * sum)
      const shares = quotas(counts, total, stream(0))
      expect(shares.reduce((a, b) => a + b, 0)).toBe(total)
      shares.forEach((share, i) => expect(Math.abs(share - counts[i]! * total / sum)).toBeLessThan(1))
    }))
  })
  it("draw for equal remainders", () => {
    const won = new Set(Array.from({ length: 20 }, (_, seed) => quotas([1, 1, 1], 1, stream(seed)).indexOf(1)))
    expect([...won].toSorted()).toEqual([0, 1, 2])
  })
})

describe("dealFolds", () => {
  it("differs by seed in rows, never in sizes", () => {
    const classes = Int32Array.from({ length: 60 }, (_, i) => i % 3)
    expect(dealFolds(classes, 5, stream(0))).not.toEqual(dealFolds(classes, 5, stream(1)))
    expect(dealFolds(classes, 5, stream(0))).toEqual(dealFolds(classes, 5, stream(0)))
  })
})

describe("dealGroups", () => {
  const rows = fc.array(fc.record({ group: fc.integer({ min: 0, max: 12 }), label: fc.integer({ min: 0, max: 2 }) }), { minLength: 1, maxLength: 80 })
  it("never lets a group straddle", () => {
    fc.assert(fc.property(rows, fc.integer({ min: 2, max: 5 }), (made, k) => {
      const groups = encode(made.map(({ group }) => String(group))).ids, classes = encode(made.map(({ label }) => String(label))).ids
      const parts = dealGroups(classes, groups, Array.from({ length: k }, () => 1 / k), stream(0))
      const partOf = new Map<number, number>()
      groups.forEach((group, row) => {
        expect(partOf.get(group) ?? parts[row]).toBe(parts[row])
        partOf.set(group, parts[row]!)
      })
    }))
  })
  it("meets the shares where groups are alike", () => {
    const groups = Int32Array.from({ length: 200 }, (_, i) => Math.floor(i / 10)), classes = Int32Array.from({ length: 200 }, (_, i) => i % 2)
    const parts = dealGroups(classes, groups, [0.3, 0.7], stream(0))
    expect(parts.filter((part) => part === 0).length).toBe(60)
  })
  it("keeps classes in proportion where groups hold one class each", () => {
    const groups = Int32Array.from({ length: 120 }, (_, i) => Math.floor(i / 5)), classes = Int32Array.from(groups, (group) => group % 4 === 0 ? 1 : 0)
    const parts = dealGroups(classes, groups, [1 / 3, 1 / 3, 1 / 3], stream(3))
    for (const part of [0, 1, 2]) expect(count([...classes], (row) => parts[row] === part)).toEqual([30, 10])
  })
})
