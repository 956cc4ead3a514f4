import { describe, expect, it } from "vitest"
import { groupBy, meanRanks } from "../../report/by.ts"
import { iqmOf } from "../../report/iqm.ts"
import { result } from "./result.ts"

const encoders = { rcf: 0.5, resnet: 0.7, vit: 0.6 }
/** matl is best with every encoder but vit; tg-matl has an axis of its own. */
const results = Object.entries(encoders).flatMap(([encoder, base]) => [
  result({ encoder, method: "dtl" }, "accuracy", [base, base + 0.02]),
  result({ encoder, method: "matl" }, "accuracy", [base + 0.1, base + 0.12]),
  result({ encoder, method: "tg-matl", top: "0.3" }, "accuracy", [base + 0.06]),
  result({ encoder, method: "tg-matl", top: "0.5" }, "accuracy", [base + (encoder === "vit" ? 0.2 : 0.08)])
])
const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b) / values.length

describe("results grouped by an axis", () => {
  const { averaged, blocks, results: grouped } = groupBy(results, ["method"])
  it("are means over the blocks that all have, each block once however many results it holds", () => {
    expect([blocks, averaged]).toEqual([["encoder"], ["top"]])
    expect(grouped.map(({ axes }) => axes)).toEqual([{ method: "dtl" }, { method: "matl" }, { method: "tg-matl" }])
    const [dtl, , tg] = grouped
    expect(dtl!.mean).toBeCloseTo(mean([0.51, 0.71, 0.61]), 12)
    expect(dtl!.each.map(({ name }) => name)).toEqual(["encoder=rcf", "encoder=resnet", "encoder=vit"])
    expect(tg!.mean).toBeCloseTo(mean([0.57, 0.77, 0.73]), 12)
    expect(tg!.sd).toBeCloseTo(Math.sqrt(((0.57 - 0.69) ** 2 + (0.77 - 0.69) ** 2 + (0.73 - 0.69) ** 2) / 2), 12)
    expect(tg!.ci.over).toBe("blocks")
  })
  it("are ranked in each block, 1 for the best", () => {
    // matl, tg-matl, dtl with rcf and resnet; tg-matl, matl, dtl with vit
    expect([...meanRanks(grouped).values()].map((rank) => Number(rank.toFixed(6)))).toEqual([3, 1.333333, 1.666667])
    const losses = grouped.map((each) => ({ ...each, metric: "log_loss" }))
    expect([...meanRanks(losses).values()].map((rank) => Number(rank.toFixed(6)))).toEqual([1, 2.666667, 2.333333])
    expect(meanRanks([]).size).toBe(0)
  })
  it("keep their replicates where no axis is left to make blocks of", () => {
    const { blocks, results: alone } = groupBy(results.filter(({ axes }) => axes["encoder"] === "rcf"), ["method"])
    expect(blocks).toEqual([])
    expect(alone[2]!.each.map(({ name, value }) => [name, Number(value.toFixed(12))])).toEqual([["seed=0", 0.57]])
    expect(alone[0]!.blocks).toBeUndefined()
  })
  it("have the interquartile mean of all runs, with the encoders as strata of the bootstrap", () => {
    const [, matl] = iqmOf(grouped)
    // 0.6 0.62 | 0.7 0.72 | 0.8 0.82: one is cut from either end
    expect(matl!.mean).toBeCloseTo(mean([0.62, 0.7, 0.72, 0.8]), 12)
    expect(matl!.replicates).toBe(6)
    // Between encoders lie 0.1, within 0.02: drawn within encoders, the interval stays narrow.
    expect(matl!.ci.high - matl!.ci.low).toBeLessThan(0.03)
  })
})
