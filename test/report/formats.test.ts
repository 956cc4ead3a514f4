import { parquetReadObjects } from "hyparquet"
import { describe, expect, it } from "vitest"
import { against } from "../../report/against.ts"
import { comparer, type Mark } from "../../report/compare.ts"
import { type Format, formatted } from "../../report/formats.ts"
import type { Report } from "../../report/report.ts"
import type { Result } from "../../report/result.ts"
import { sheetText } from "../../report/sheet.ts"
import { result } from "./result.ts"

const matl = result({ method: "matl" }, "accuracy", [0.5, 0.6, 0.7]), odd = result({ method: "a_b | \"c\", 50%" }, "accuracy", [0.6, 0.75, 0.9], 100)
const results = [matl, odd, result({ method: "matl" }, "auc", [Number.NaN])]
const compare = comparer({ of: () => "one", sameTest: () => true, design: () => ({ kind: "seeds" }) })
const report: Report = {
  results,
  metrics: ["class.accuracy"],
  sheets: [{
    columns: [{ name: "method" }, { name: "random", over: "class.accuracy", number: true }, { name: "spatial", over: "class.accuracy", number: true }, { name: "n", number: true }],
    rows: [[{ text: "matl" }, { text: "0.600 ± 0.100", mark: "shared" }, { text: "0.5" }, { text: "3" }], [{ text: "a_b | 50%" }, { text: "0.750 ± 0.150", mark: "best" }, { text: "" }, { text: "3" }]],
    notes: ["* best_of (p < 0.05)"]
  }],
  marks: new Map<Result, Mark>([[odd, "best"]]),
  against: undefined,
  sampled: undefined
}
const compared: Report = { ...report, marks: new Map(), against: against(results, ["class.accuracy"], { method: "matl" }, compare) }
const text = async (of: Report, format: Format) => {
  const content = await formatted(of, format, () => true)
  if (typeof content !== "string") throw new Error("bytes")
  return content
}

describe("a report", () => {
  it("as Markdown is a table that no name breaks, the notes below", async () => {
    expect(await text(report, "md")).toBe([
      "| method | class.accuracy random | class.accuracy spatial | n |",
      "| --- | ---: | ---: | ---: |",
      "| matl | 0.600 ± 0.100 = | 0.5 | 3 |",
      "| a\\_b \\| 50% | **0.750 ± 0.150** \\* |  | 3 |",
      "",
      "\\* best\\_of (p \\< 0.05)\n"
    ].join("\n"))
  })
  it("as LaTeX is a booktabs table, heads above their columns, every special sign escaped", async () => {
    const lines = (await text(report, "latex")).split("\n")
    expect(lines.slice(3, 9)).toEqual([
      "\\toprule",
      " & \\multicolumn{2}{c}{class.accuracy} &  \\\\",
      "\\cmidrule(lr){2-3}",
      "method & random & spatial & n \\\\",
      "\\midrule",
      "matl & 0.600 $\\pm$ 0.100$^{=}$ & 0.5 & 3 \\\\"
    ])
    expect(lines[9]).toBe("a\\_b $|$ 50\\% & \\textbf{0.750 $\\pm$ 0.150}$^{\\ast}$ &  & 3 \\\\")
    expect(lines).toContain("\\caption{$\\ast$ best\\_of (p $<$ 0.05).}")
  })
  it("keeps every axis, whatever its name: one that is called as a column is has axis_ before it", async () => {
    const named = { ...report, results: [result({ mean: "geometric", n: "10", p: "0.1", method: "a" }, "accuracy", [0.5, 0.6])] }
    const [head, row] = (await text(named, "csv")).split("\n")
    expect(head).toMatch(/^axis_mean,axis_n,p,method,task,metric,measured_on,mean,sd,n,/)
    expect(row).toMatch(/^geometric,10,0.1,a,class,accuracy,test,0.55,/)
    const bytes = await formatted(named, "parquet", () => true) as Uint8Array<ArrayBuffer>
    expect(await parquetReadObjects({ file: bytes.buffer })).toMatchObject([{ axis_mean: "geometric", axis_n: "10", mean: 0.55, n: 2 }])
  })
  it("stays a table where names hold line breaks, and a name is no link", async () => {
    const [sheet] = report.sheets, broken: Report = { ...report, sheets: [{ ...sheet!, rows: [[{ text: "two\n\nlines" }, { text: "" }, { text: "" }, { text: "[a](b)" }]] }] }
    expect((await text(broken, "md")).split("\n")[2]).toBe("| two lines |  |  | [a\\](b) |")
    expect((await text(broken, "latex")).split("\n")[8]).toBe("two lines &  &  & {[}a{]}(b) \\\\")
    expect(sheetText(broken.sheets[0]!)).toContain("two lines")
  })
  it("as CSV has a row a figure that is shown, full precision, empty where there is no number", async () => {
    const lines = (await text(report, "csv")).trim().split("\n")
    expect(lines[0]).toBe("method,task,metric,measured_on,mean,sd,n,low,high,interval_over,samples,mark")
    expect(lines).toHaveLength(3)
    expect(lines[2]).toBe(`"a_b | ""c"", 50%",class,accuracy,test,${odd.mean},${odd.sd},3,,,replicates,100,best`)
  })
  it("has the comparison beside each figure where there is a reference, the reference's own empty", async () => {
    const [head, reference, other] = (await text(compared, "csv")).trim().split("\n").map((line) => line.split(","))
    expect(head!.slice(11)).toEqual(["difference", "difference_low", "difference_high", "pairs", "test", "p", "p_holm", "effect", "effect_is"])
    expect(reference!.slice(11)).toEqual(["", "", "", "", "", "", "", "", ""])
    const [difference, , , pairs, test, p, holm, , effectIs] = other!.slice(-9)
    expect([pairs, test, p, holm, effectIs]).toEqual(["3", "sign-flip", "0.25", "0.25", "dz"])
    expect(Number(difference)).toBeCloseTo(0.15, 12)
  })
  it("as JSON has every result with its value in each replicate, nothing of the inside of the program", async () => {
    const { rows, version } = JSON.parse(await text(compared, "json"))
    expect(version).toBe(1)
    expect(rows).toHaveLength(3)
    expect(rows[1].each).toEqual({ "seed=0": 0.6, "seed=1": 0.75, "seed=2": 0.9 })
    expect(rows[1].against).toMatchObject({ axes: { method: "matl" }, n: 3, p: 0.25, significant: false, effect_is: "dz" })
    expect(Object.keys(rows[0]).toSorted()).toEqual(["axes", "ci", "each", "keys", "mean", "metric", "replicates", "samples", "sd", "split", "task"])
    expect(rows[2].mean).toBeNull()
  })
  it("as Parquet reads back as the CSV's rows, numbers as numbers", async () => {
    const bytes = await formatted(compared, "parquet", () => true)
    if (typeof bytes === "string") throw new Error("text")
    const rows = await parquetReadObjects({ file: bytes.slice().buffer })
    expect(rows).toHaveLength(2)
    expect(rows[1]).toMatchObject({ method: odd.axes["method"], mean: odd.mean, n: 3, pairs: 3, p: 0.25, test: "sign-flip" })
    expect(rows[0]).toMatchObject({ method: "matl", p: null, test: null })
  })
  it("keeps an axis that is called as one of its own columns", async () => {
    const split = { ...report, results: [result({ task: "x" }, "accuracy", [0.5])] }
    expect((await text(split, "csv")).split("\n")[0]).toMatch(/^axis_task,task,/)
  })
})
