import { describe, expect, it } from "vitest"
import { against, againstSheet, unknownReference } from "../../report/against.ts"
import { comparer } from "../../report/compare.ts"
import { result } from "./result.ts"

const compare = comparer({ of: () => "one", sameTest: () => true, design: () => ({ kind: "seeds" }) })
const up = (base: number) => Array.from({ length: 8 }, (_, i) => base + i / 100)
const rows = ["rcf", "vit"].flatMap((encoder, e) => [
  result({ encoder, method: "matl" }, "accuracy", up(0.5 + e / 10), 0),
  result({ encoder, method: "dtl" }, "accuracy", up(0.4), 100),
  result({ encoder, method: "tg", top: "0.3" }, "accuracy", up(0.55 + e / 10), 200),
  result({ encoder, method: "tg", top: "0.5" }, "accuracy", up(0.6 + e / 10), 300)
])
const told = (reference: Readonly<Record<string, string>>) => against(rows, ["class.accuracy"], reference, compare).rows
  .map(({ comparison, reference, result }) => [result.axes["encoder"], result.axes["method"], reference?.axes["encoder"], comparison === undefined ? undefined : Number(comparison.difference.toFixed(3))])

describe("rows against a reference", () => {
  it("are compared with the one that equals them in all else; a method's own axes have no counterpart", () => {
    expect(told({ method: "matl" })).toEqual([
      ["rcf", "matl", undefined, undefined], ["rcf", "dtl", "rcf", -0.1], ["rcf", "tg", "rcf", 0.05], ["rcf", "tg", "rcf", 0.1],
      ["vit", "matl", undefined, undefined], ["vit", "dtl", "vit", -0.2], ["vit", "tg", "vit", 0.05], ["vit", "tg", "vit", 0.1]
    ])
    expect(told({ encoder: "rcf" }).map(([encoder, method, , difference]) => [encoder, method, difference])).toEqual([
      ["rcf", "matl", undefined], ["rcf", "dtl", undefined], ["rcf", "tg", undefined], ["rcf", "tg", undefined], ["vit", "matl", 0.1], ["vit", "dtl", 0], ["vit", "tg", 0.1], ["vit", "tg", 0.1]
    ])
  })
  it("are corrected over all comparisons of the table", () => {
    const { rows: compared } = against(rows, ["class.accuracy"], { method: "matl" }, compare)
    for (const { adjusted, comparison } of compared.slice(1, 4)) expect([comparison!.p, adjusted]).toEqual([2 / 2 ** 8, 6 * 2 / 2 ** 8])
  })
  it("are left out where nothing stands against them, and the note says so", () => {
    const lone = result({ encoder: "resnet", method: "dtl" }, "accuracy", up(0.3), 400), compared = against([...rows, lone], ["class.accuracy"], { method: "matl" }, compare)
    expect(compared.rows).toHaveLength(8)
    expect(againstSheet(compared, { method: "matl" }, undefined, []).notes.at(-1)).toBe("left out, as method=matl has nothing to hold against them: 1 figure (encoder=resnet method=dtl)")
  })
  it("leave out pooled metrics, which have no replicates", () => {
    const pooled = [result({ method: "matl" }, "auc (pooled)", []), result({ method: "dtl" }, "auc (pooled)", [])]
    expect(against(pooled, ["class.auc (pooled)"], { method: "matl" }, compare).rows).toEqual([])
    expect(unknownReference(pooled, { method: "matl" })).toEqual(["--against compares over replicates, and pooled metrics have none: name others"])
  })
  it("have a note that says what each number is", () => {
    const { notes } = againstSheet(against(rows, ["class.accuracy"], { method: "matl" }, compare), { method: "matl" }, undefined, ["spread"])
    expect(notes).toEqual([
      "spread", "difference: row less method=matl, paired over seed [95% over seed]; dz: mean difference / its sd", "* p < 0.05 after Holm's correction for 6 comparisons", "sign-flip test: replicates are seeds of one split"
    ])
  })
})

describe("a reference", () => {
  it("has to be one row for each: what is open is asked for", () => {
    expect(unknownReference(rows, { method: "tg" })).toEqual(["--against names several rows that differ in top: name one, as in --against top=0.3"])
    expect(unknownReference(rows, { method: "tg", top: "0.5" })).toEqual([])
    expect(unknownReference(rows, { method: "dtl", top: "0.5" })).toEqual(["--against: no result has method=dtl and top=0.5 together"])
  })
})
