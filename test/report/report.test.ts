import { stripVTControlCharacters } from "node:util"
import { describe, expect, it } from "vitest"
import { better } from "../../report/better.ts"
import { comparer } from "../../report/compare.ts"
import { comparison, type ComparisonOptions, showResult } from "../../report/comparison.ts"
import { heatmap } from "../../report/heatmap.ts"
import { layoutOf } from "../../report/layout.ts"
import { unknownColumns, unknownMetrics } from "../../report/report.ts"
import type { Result } from "../../report/result.ts"
import { sheetText } from "../../report/sheet.ts"
import { textTable } from "../../report/terminal.ts"
import { result as resultOf } from "./result.ts"

const result = (axes: Result["axes"], metric: string, mean: number, replicates = 4): Result =>
  ({ ...resultOf(axes, metric, Array.from({ length: replicates }, () => mean)), sd: replicates > 1 ? 0.01 : Number.NaN })
const lines = (text: string) => stripVTControlCharacters(text).split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, " | "))
const plain: ComparisonOptions = { marks: new Map(), notes: [] }
const show = (results: ReadonlyArray<Result>, metrics: ReadonlyArray<string> = [], options: Partial<ComparisonOptions> = {}, across?: string) =>
  sheetText(comparison(layoutOf(results, metrics, across), { ...plain, ...options }))

describe("the comparison", () => {
  const rows = [
    result({ encoder: "rcf", method: "dtl" }, "accuracy", 0.6),
    result({ encoder: "rcf", method: "matl" }, "accuracy", 0.7),
    result({ encoder: "rcf", method: "dtl" }, "log_loss", 0.9),
    result({ encoder: "rcf", method: "matl" }, "log_loss", 1.1, 1)
  ]

  it("has a row a method, a column a metric, only the axes that vary, and marks what it is told to: best, and sharing the top", () => {
    expect(lines(show(rows, [], { baseline: { method: "dtl" }, marks: new Map([[rows[1]!, "best"], [rows[2]!, "shared"]]), notes: ["what it is"] }))).toEqual([
      "method | class.accuracy | class.log_loss | n",
      expect.stringMatching(/^─/),
      "dtl | 0.600 ± 0.010 | 0.900 ± 0.010 = | 4 | baseline",
      "matl | 0.700 ± 0.010 * | 1.100 | 4/1",
      "what it is"
    ])
  })

  it("shows the metrics asked for, in that order", () => {
    expect(lines(show(rows, ["class.log_loss", "class.accuracy"]))[0]).toBe("method | class.log_loss | class.accuracy | n")
  })

  it("has intervals in the place of sds where they are asked for, and says where there is none", () => {
    expect(lines(show(rows.slice(0, 2), [], { interval: (of) => of === rows[0] ? { low: 0.5, high: 0.7 } : undefined })).slice(2)).toEqual(["dtl | 0.600 [0.500, 0.700] | 4", "matl | 0.700 [–] | 4"])
  })

  it("has a rank beside each mean where there are ranks", () => {
    expect(lines(show(rows.slice(0, 2), [], { ranks: new Map([[rows[0]!, 1.5], [rows[1]!, 1]]) }))).toEqual([
      expect.stringMatching(/^class.accuracy ─+$/),
      "method | mean | rank | n",
      expect.stringMatching(/^─/),
      "dtl | 0.600 ± 0.010 | 1.50 | 4",
      "matl | 0.700 ± 0.010 | 1.00 | 4"
    ])
  })

  it("shows the epochs run where trainings may stop early, beside those asked for where some were stopped", () => {
    const stopping = [{ ...rows[0]!, epochs: { low: 37, high: 80, asked: 100 } }, { ...rows[1]!, epochs: { low: 100, high: 100, asked: undefined } }, result({ encoder: "rcf", method: "base" }, "accuracy", 0.5)]
    expect(lines(show(stopping))).toEqual([
      "method | class.accuracy | n | epochs",
      expect.stringMatching(/^─/),
      "dtl | 0.600 ± 0.010 | 4 | 37–80 of 100",
      "matl | 0.700 ± 0.010 | 4 | 100",
      "base | 0.500 ± 0.010 | 4"
    ])
  })

  it("knows which metrics are better when lower, pooled ones too", () => {
    expect([better("class.accuracy", 2, 1), better("box.mse", 2, 1), better("class.ece", 1, 2)]).toEqual([true, false, true])
    expect([better("geo.median_km", 1, 2), better("geo.within_25km", 2, 1), better("class.log_loss (pooled)", 1, 2)]).toEqual([true, true, true])
  })
})

describe("the comparison side by side", () => {
  const side = (split: string, method: string, accuracy: number, loss: number) =>
    [result({ split, method }, "accuracy", accuracy), result({ split, method }, "log_loss", loss)]
  const rows = [...side("random", "moco", 0.9, 0.3), ...side("spatial", "moco", 0.6, 0.9), ...side("random", "none", 0.8, 0.4), ...side("spatial", "none", 0.7, 0.8)]

  it("has a column for each value of an axis, under the metric's name written once, not a row", () => {
    expect(lines(show(rows, ["class.accuracy", "class.log_loss"], { baseline: { method: "none", split: "random" } }, "split"))).toEqual([
      expect.stringMatching(/^class.accuracy ─+ \| class.log_loss ─+$/),
      "method | random | spatial | random | spatial | n",
      expect.stringMatching(/^─/),
      "moco | 0.900 ± 0.010 | 0.600 ± 0.010 | 0.300 ± 0.010 | 0.900 ± 0.010 | 4",
      "none | 0.800 ± 0.010 | 0.700 ± 0.010 | 0.400 ± 0.010 | 0.800 ± 0.010 | 4 | baseline"
    ])
  })

  it("has the metrics below each other where they do not fit beside each other, the notes once at the end", () => {
    const sheet = comparison(layoutOf(rows, ["class.accuracy", "class.log_loss"], "split"), { ...plain, notes: ["what it is"] })
    const narrow = lines(sheetText(sheet, 60)), head = "method | random | spatial | n"
    expect(narrow).toEqual([
      expect.stringMatching(/^class.accuracy ─+$/), head, expect.stringMatching(/^─/), "moco | 0.900 ± 0.010 | 0.600 ± 0.010 | 4", "none | 0.800 ± 0.010 | 0.700 ± 0.010 | 4",
      "",
      expect.stringMatching(/^class.log_loss ─+$/), head, expect.stringMatching(/^─/), "moco | 0.300 ± 0.010 | 0.900 ± 0.010 | 4", "none | 0.400 ± 0.010 | 0.800 ± 0.010 | 4",
      "what it is"
    ])
    expect(lines(sheetText(sheet, 10))).toEqual(narrow)
    expect(lines(sheetText(sheet, 120))).toHaveLength(6)
  })

  it("leaves a field empty where there is no result, and a column out that nobody has", () => {
    const partial = [...rows.slice(0, 4), rows[4]!, result({ split: "random", method: "none" }, "auc", 0.5)]
    expect(lines(show(partial, [], {}, "split")).slice(0, 2)).toEqual([expect.stringMatching(/^class.accuracy ─+ \| class.log_loss ─+ \| class.auc$/), "method | random | spatial | random | spatial | random | n"])
    expect(stripVTControlCharacters(show(partial, ["class.accuracy"], {}, "split")).split("\n").at(-1)).toMatch(/^none +0\.800 ± 0\.010 {17}4$/)
  })

  it("puts two probes into one row where they measure different things, and apart where they measure the same", () => {
    const geo = (method: string, mean: number): Result => ({ ...result({ split: "random", method }, "median_km", mean), task: "geo", stage: "place" })
    const both = [...rows.slice(0, 2), geo("moco", 120)]
    expect(show(both).split("\n")).toHaveLength(3)
    const twice = show([...rows.slice(0, 2), { ...rows[0]!, stage: "knn", mean: 0.95 }], ["class.accuracy"])
    expect(lines(twice)).toEqual(["stage | class.accuracy | n", expect.stringMatching(/^─/), "probe | 0.900 ± 0.010 | 4", "knn | 0.950 ± 0.010 | 4"])
  })

  it("says where an axis is none that results differ in, with the near one and all there are", () => {
    expect(unknownColumns(rows, "split")).toEqual([])
    expect(unknownColumns([], "split")).toEqual([])
    expect(unknownColumns(rows, "spilt")).toEqual([
      "no results are told apart by an axis \"spilt\", so there is nothing to put side by side (did you mean \"split\"?); axes are split, method (replicates are averaged over)"
    ])
  })
})

describe("a table with heads above its columns", () => {
  it("shows a deviation with the decimals of its mean", () => {
    expect(showResult(resultOf({}, "median_km", [6400, 6500, 6600]), undefined)).toBe("6500.0 ± 100.0")
    expect(showResult(resultOf({}, "median_km", [6470, 6471, 6472]), () => ({ low: 99.5, high: 6500 }))).toBe("6471.0 [99.5, 6500.0]")
    expect(showResult(resultOf({}, "accuracy", [0.5, 0.6, 0.7]), undefined)).toBe("0.600 ± 0.100")
  })

  it("shows control characters of data as such: a label moves no cursor and breaks no line", () => {
    expect(textTable(["label"], [["deer\u001b[2J\u001b]0;title\u0007\nboar"], ["\u001b[2mdim\u001b[22m"]]).split("\n").slice(2)).toEqual(["deer\ufffd[2J\ufffd]0;title\ufffd\ufffdboar", "\u001b[2mdim\u001b[22m"])
  })

  it("has each above the columns that share it, which are widened where it is longer", () => {
    expect(stripVTControlCharacters(textTable([">n", ">a", ">b", ">c"], [["1", "22", "3", "4"]], ["", "one", "one", "something"])).split("\n")).toEqual([
      "   one ─  something",
      "n   a  b          c",
      "─  ──  ─  ─────────",
      "1  22  3          4"
    ])
  })
})

describe("the heatmap", () => {
  const grid = [0.3, 0.4].flatMap((top) => [0.1, 0.2].map((more) => resultOf({ method: "tg-matl", top: String(top), more: String(more) }, "accuracy", Array.from({ length: 8 }, (_, i) => top + more + i / 2000), top * 100 + more * 1000)))
  const compare = comparer({ of: () => "one", sameTest: () => true, design: () => ({ kind: "seeds" }) })

  it("has one axis across, one down, and marks the best where it holds", () => {
    const sheet = heatmap([...grid, result({ method: "dtl" }, "accuracy", 0.99)], { x: "top", y: "more", metric: "class.accuracy", where: { method: "tg-matl" } }, compare)
    expect(lines(sheetText(sheet!))).toEqual([
      "class.accuracy: more (down) x top (across), method=tg-matl", "more | 0.3 | 0.4", expect.stringMatching(/^─/), "0.1 | 0.402 | 0.502", "0.2 | 0.502 | 0.602 *",
      "* better than all others (p < 0.05 after Holm's correction for 3 comparisons)", "sign-flip test: replicates are seeds of one split"
    ])
  })

  it("says where several results fall into one field, and nothing where none fits", () => {
    expect(sheetText(heatmap([...grid, ...grid], { x: "top", y: "more", metric: "class.accuracy" }, compare)!)).toContain("several")
    expect(heatmap(grid, { x: "top", y: "more", metric: "class.auc" }, compare)).toBeUndefined()
  })
})

describe("a metric that does not exist", () => {
  it("is told with the near one and all there are, once there are results", () => {
    const all = [result({}, "accuracy", 1), result({}, "auc", 1)]
    expect(unknownMetrics(all, ["class.acuracy", "class.auc"])).toEqual(["there is no metric \"class.acuracy\" (did you mean \"class.accuracy\"?); there are class.accuracy, class.auc"])
    expect(unknownMetrics([], ["class.acuracy"])).toEqual([])
  })
})
