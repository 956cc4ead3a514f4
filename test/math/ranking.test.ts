import { assert, array, boolean, integer, property, tuple } from "fast-check"
import { describe, expect, it } from "vitest"
import { averagePrecisions, ranking, rankingMeasures } from "../../math/ranking.ts"
import { oracle, type Rows } from "./oracle.ts"

interface Oracle {
  readonly binary: ReadonlyArray<{ readonly name: string; readonly y: ReadonlyArray<number>; readonly score: ReadonlyArray<number>; readonly roc_auc: number; readonly average_precision: number }>
  readonly multilabel: ReadonlyArray<{ readonly name: string; readonly Y: Rows; readonly score: Rows; readonly ap_per_label: ReadonlyArray<number> }>
  readonly multiclass: ReadonlyArray<{ readonly name: string; readonly y: ReadonlyArray<number>; readonly prob: Rows; readonly roc_auc_ovr_macro: number | null }>
}
const expected = oracle<Oracle>("metrics")

describe.skipIf(expected === undefined)("rankings against scikit-learn, to 1e-12 (skipped without the oracles)", () => {
  for (const { average_precision, name, roc_auc, score, y } of expected?.binary ?? []) {
    it(`binary, ${name}`, () => {
      const { auc, averagePrecision } = rankingMeasures(ranking(score), y, 1)
      expect(Math.abs(auc - roc_auc)).toBeLessThan(1e-12)
      expect(Math.abs(averagePrecision - average_precision)).toBeLessThan(1e-12)
    })
  }
  for (const { Y, ap_per_label, name, score } of expected?.multilabel ?? []) {
    it(`multi-label, ${name}`, () => {
      for (const [label, value] of ap_per_label.entries()) {
        const { averagePrecision } = rankingMeasures(ranking(score.map((row) => row[label]!)), Y.map((row) => row[label]!), 1)
        expect(Math.abs(averagePrecision - value)).toBeLessThan(1e-12)
      }
    })
  }
  for (const { name, prob, roc_auc_ovr_macro, y } of expected?.multiclass ?? []) {
    it.skipIf(roc_auc_ovr_macro === null)(`one against the rest, ${name}`, () => {
      const aucs = prob[0]!.map((_, c) => rankingMeasures(ranking(prob.map((row) => row[c]!)), y, c).auc)
      expect(Math.abs(aucs.reduce((sum, auc) => sum + auc, 0) / aucs.length - roc_auc_ovr_macro!)).toBeLessThan(1e-12)
    })
  }
})

describe("rankingMeasures", () => {
  const rows = array(tuple(integer({ min: 0, max: 6 }), boolean(), integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 25 })
  it("has as AUC the share of pairs in order, ties as half, whatever the weights", () => {
    assert(property(rows, (rows) => {
      let won = 0, pairs = 0
      for (const [s, positive, weight] of rows) {
        if (!positive) continue
        for (const [other, alsoPositive, weight2] of rows) {
          if (alsoPositive) continue
          pairs += weight * weight2
          won += weight * weight2 * (s > other ? 1 : s === other ? 0.5 : 0)
        }
      }
      const { auc } = rankingMeasures(ranking(rows.map(([s]) => s)), rows.map(([, positive]) => positive ? 1 : 0), 1, rows.map(([, , weight]) => weight))
      return pairs === 0 ? Number.isNaN(auc) : Math.abs(auc - won / pairs) < 1e-12
    }))
  })
  it("counts a row of weight w as w rows, in average precision too", () => {
    assert(property(rows, (rows) => {
      const often = rows.flatMap(([s, positive, weight]) => Array.from({ length: weight }, () => [s, positive] as const))
      const weighted = rankingMeasures(ranking(rows.map(([s]) => s)), rows.map(([, positive]) => positive ? 1 : 0), 1, rows.map(([, , weight]) => weight))
      const repeated = rankingMeasures(ranking(often.map(([s]) => s)), often.map(([, positive]) => positive ? 1 : 0), 1)
      return Math.abs(weighted.averagePrecision - repeated.averagePrecision) < 1e-12
    }))
  })
  it("lays the order out once for average precision under many counts, several of one row too", () => {
    assert(property(rows, (rows) => {
      const scores = rows.map(([s]) => s), truth = rows.map(([, positive]) => Number(positive)), weights = Float64Array.from(rows, ([, , weight]) => weight)
      const same = (a: number, b: number, positives: number) => positives === 0 ? Number.isNaN(a) : Math.abs(a - b) < 1e-12
      const each = averagePrecisions(ranking(scores), truth), { averagePrecision } = rankingMeasures(ranking(scores), truth, 1, weights)
      // In pairs: two neighbours are of one row, and counted alike.
      const pairs = averagePrecisions(ranking(scores), truth, (ranked) => Math.floor(ranked / 2)), spread = weights.map((_, i) => weights[Math.floor(i / 2)]!)
      const positivesOf = (weights: Float64Array) => truth.reduce((sum, has, i) => sum + has * weights[i]!, 0)
      return same(each(weights), averagePrecision, positivesOf(weights)) && same(pairs(weights), rankingMeasures(ranking(scores), truth, 1, spread).averagePrecision, positivesOf(spread))
    }))
  })
})
