import * as fs from "node:fs"
import { stripVTControlCharacters } from "node:util"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { finishedOf } from "../../cli/finished.ts"
import { tableCommand } from "../../cli/table.ts"
import { resampledT } from "../../math/corrected-t.ts"
import { holm } from "../../math/holm.ts"
import { signFlip } from "../../math/permutation.ts"
import { document } from "../../report/formats.ts"
import { nameOf } from "../../report/layout.ts"
import { allResults, plainView, reportOf, type View } from "../../report/report.ts"
import { withSession } from "../opened.ts"
import { Folder, removeFolders } from "../pipeline.ts"
import { reads } from "../reading.ts"

afterAll(removeFolders)

/** 80 samples of two classes at 20 places; splits that are repeated, crossed, or disjoint; and a probe that is right as often as its skill, on samples that are easy for all. */
const preamble = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metrics, Predictions, Samples, Split, Stage, stream } from "outcrop"
const rows = Array.from({ length: 80 }, (_, i) => i), id = (i) => String(i).padStart(2, "0")
`
const files = {
  "list.ts": `${preamble}export default Stage.make({
  name: "ingest/list", version: 1, summary: "samples", with: Schema.Struct({ places: Schema.Boolean }), needs: {}, gives: { samples: Samples },
  run: (_, { places }) => Effect.succeed({ samples: { sample_id: rows.map(id), assets: rows.map(() => []), label: rows.map((i) => i % 2 === 0 ? "a" : "b"), location: rows.map((i) => places ? "p" + i % 20 : null) } })
})`,
  "deal.ts": `${preamble}const parts = {
  seeds: (i) => i < 40 ? "test" : "train",
  folds: (i, turn) => i < 40 ? "test" : i % 8 === turn ? "val" : "train",
  crossed: (i, turn) => i % 8 === turn ? "test" : "train",
  apart: (i, turn) => i % 8 !== turn ? "unused" : i < 40 ? "test" : "train"
}
export default Stage.make({
  name: "ingest/deal", version: 1, summary: "a split", with: Schema.Struct({ kind: Schema.String, turn: Schema.Int }), needs: { samples: Stage.needs(Samples, "sample_id") }, gives: { split: Split },
  run: ({ samples }, { kind, turn }) => Effect.succeed({ split: { sample_id: samples.sample_id, split: rows.map((i) => parts[kind](i, turn)) } })
})`,
  "guess.ts": `${preamble}export default Stage.make({
  name: "probe/guess", version: 1, summary: "predictions", with: Schema.Struct({ skill: Schema.Finite, turn: Schema.Int }), needs: { samples: Stage.needs(Samples, "label"), split: Stage.needs(Split) }, gives: { predictions: Predictions, metrics: Metrics },
  run: ({ samples, split }, { skill, turn }) => {
    const truth = rows.map((i) => samples.label[i] === "a" ? 0 : 1)
    const right = rows.map((i) => 0.8 * stream(0, i).uniform() + 0.2 * stream(0, i, turn, skill).uniform() < skill)
    const predicted = rows.map((i) => right[i] ? truth[i] : 1 - truth[i]), tested = rows.filter((i) => split.split[i] === "test")
    const share = tested.filter((i) => right[i]).length / tested.length
    return Effect.succeed({
      predictions: { sample_id: samples.sample_id, split: split.split, task: rows.map(() => "class"), truth: truth.map((y) => Float64Array.of(y)), predicted: predicted.map((y) => Float64Array.of(y)), scores: predicted.map((y) => y === 0 ? Float32Array.of(0.8, 0.2) : Float32Array.of(0.2, 0.8)), metadata: { class: '["a","b"]' } },
      metrics: { task: ["class", "class"], metric: ["accuracy", "luck"], class: ["", ""], split: ["test", "test"], value: Float64Array.of(share, stream(1, skill, turn).uniform()), n: Int32Array.of(tested.length, tested.length), ci_low: Float64Array.of(NaN, NaN), ci_high: Float64Array.of(NaN, NaN) }
    })
  }
})`
}
const pipeline = `name: p
axes: { skill: [0.4, 0.5, 0.75] }
replicates: { turn: [0, 1, 2, 3, 4, 5, 6, 7] }
stages:
  samples: { uses: ./list.ts, with: { places: true } }
  split: { uses: ./deal.ts, needs: samples, with: { kind: seeds, turn: $turn } }
  probe: { uses: ./guess.ts, needs: { samples, split }, with: { skill: $skill, turn: $turn } }
report: { baseline: { skill: 0.5 }, metrics: [class.accuracy] }
`
/** The same of samples without places, for every kind of split. */
const kinds = pipeline.replace("skill: [", "kind: [seeds, apart, folds, crossed], skill: [").replace("places: true", "places: false").replace("kind: seeds", "kind: $kind")
interface Document {
  readonly notes: ReadonlyArray<string>
  readonly rows: ReadonlyArray<{
    readonly axes: Readonly<Record<string, string>>
    readonly metric: string
    readonly mean: number
    readonly each: Readonly<Record<string, number>>
    readonly over_samples?: { readonly low: number; readonly high: number }
    readonly against?: Readonly<Record<"difference" | "low" | "high" | "p" | "p_holm" | "n", number>> & { readonly replicates: Readonly<Record<string, number>> & { readonly kind: string }; readonly sampled?: { readonly low: number; readonly high: number } }
  }>
}
const folder = new Folder({ ...files, "pipeline.yaml": pipeline, "kinds.yaml": kinds })
beforeAll(async () => {
  await folder.ran()
  await folder.ran("kinds.yaml")
})

/** `table --json`. */
const documentOf = (words: ReadonlyArray<string>, metrics: ReadonlyArray<string>, view: Partial<View>): Promise<Document> => withSession(folder, words, (session) => {
  const finished = finishedOf(session), { report } = session.file.pipeline, made = reportOf(finished, allResults(finished, report), report, { ...plainView, metrics, ...view })
  return JSON.parse(JSON.stringify(document(made, (result) => metrics.includes(nameOf(result))))) as Document
})
const lines = (text: string) => stripVTControlCharacters(text).trim().split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, " | "))
const rowOf = ({ rows }: Document, skill: string, metric = "accuracy") => rows.find((row) => row.metric === metric && row.axes["skill"] === skill)!

describe("the test of a difference follows from the rows that replicates share", () => {
  const cases = [
    ["seeds", { kind: "seeds" }, "sign-flip test: replicates are seeds of one split", 0],
    ["apart", { kind: "apart" }, "sign-flip test: replicates share no test rows", 0],
    ["folds", { kind: "one test", shared: 30 / 35 }, "corrected resampled t-test: 8 training sets share 86% of their rows and have one test set", 30 / 35],
    ["crossed", { kind: "redrawn", test: 10, train: 70 }, "corrected resampled t-test: 8 splits share rows (70 train, 10 tested on)", 10 / 80]
  ] as const
  it.each(cases)("%s", async (kind, replicates, note, correlation) => {
    const made = await documentOf(["kinds.yaml", `kind=${kind}`], ["class.accuracy"], { against: { skill: "0.5" } })
    const reference = rowOf(made, "0.5")
    expect(reference.against).toBeUndefined()
    const others = ["0.4", "0.75"].map((skill) => rowOf(made, skill)), differences = others.map(({ each }) => Object.entries(each).map(([turn, value]) => value - reference.each[turn]!))
    const ps = differences.map((of) => correlation > 0 ? resampledT(of, correlation).p : signFlip(of))
    others.forEach(({ against }, i) => {
      expect(against!.n).toBe(8)
      for (const [name, value] of Object.entries(replicates)) expect(against!.replicates[name]).toEqual(typeof value === "number" ? expect.closeTo(value, 12) : value)
      expect(against!.difference).toBeCloseTo(differences[i]!.reduce((a, b) => a + b) / 8, 12)
      expect(against!.p).toBeCloseTo(ps[i]!, 12)
      expect(against!.p_holm).toBeCloseTo(holm(ps)[i]!, 12)
      expect(against!.high).toBeCloseTo(resampledT(differences[i]!, correlation).high, 12)
    })
    expect(made.notes.at(-1)).toBe(note)
  })
})

describe("the table", () => {
  it("marks what is better than all others, and says by which test; the run ends with the same table", async () => {
    const { out } = await folder.outcrop("table")
    expect(lines(out)).toEqual([
      "skill | class.accuracy | n",
      expect.stringMatching(/^─/),
      expect.stringMatching(/^0\.4 \| 0\.\d+ ± 0\.\d+ \| 8$/),
      expect.stringMatching(/^0\.5 \| 0\.\d+ ± 0\.\d+ \| 8 \| baseline$/),
      expect.stringMatching(/^0\.75 \| 0\.\d+ ± 0\.\d+ \* \| 8$/),
      expect.stringContaining("mean ± sd over turn"),
      "rows that differ only in skill: whoever takes the best of them takes the best of 3 on test; outcrop audit says how to choose",
      "* better than all others (p < 0.05 after Holm's correction for 2 comparisons)",
      "sign-flip test: replicates are seeds of one split",
      "audit: not made of these results yet (outcrop audit pipeline.yaml)"
    ])
    expect((await folder.outcrop("run")).out).toContain(out.slice(0, out.indexOf("audit:")).trimEnd())
  })

  it("concludes nothing from four seeds", async () => {
    const { out } = await reads(folder, "table", "turn=0,1,2,3")
    expect(out).not.toMatch(/[*=]$/m)
    expect(out).toContain("nothing can be concluded on which is best: no sign-flip test of 4 replicates comes below p = 0.125, or 0.25 after Holm's correction for 2 comparisons")
  })

  it("has intervals over test samples on request, paired across rows, by whole places where there are places; none where a metric is not one of predictions", async () => {
    const made = await documentOf([], ["class.accuracy", "class.luck"], { interval: true, against: { skill: "0.5" } })
    const own = rowOf(made, "0.75").over_samples!, middle = rowOf(made, "0.75").mean
    expect(own.low).toBeLessThan(middle)
    expect(own.high).toBeGreaterThan(middle)
    const { against } = rowOf(made, "0.75"), difference = against!.sampled!
    expect(difference.low).toBeLessThan(against!.difference)
    expect(difference.high).toBeGreaterThan(against!.difference)
    // What is hard is hard for both: the difference is known better than if their errors were their own.
    const other = rowOf(made, "0.5").over_samples!
    expect(difference.high - difference.low).toBeLessThan(Math.hypot(own.high - own.low, other.high - other.low))
    expect(rowOf(made, "0.75", "luck").over_samples).toBeUndefined()
    expect(made.notes[0]).toBe("mean over turn [95% bootstrap over 40 test samples, drawn by whole locations, the same for all rows; the spread over turn is not in it]")
    const { out } = await reads(folder, "table", "--interval")
    expect(out).toMatch(/0\.75 +0\.\d+ \[0\.\d+, 0\.\d+\]/)
    expect(out).not.toContain("±")
    expect(await folder.json<Document>("table", "--interval", "--against", "skill=0.5", "class.accuracy", "class.luck"), "the whole command, in another process").toEqual(made)
  })

  it("has the width that theory gives to an interval over single samples", async () => {
    const made = await documentOf(["kinds.yaml", "kind=seeds", "turn=0"], ["class.accuracy"], { interval: true })
    const { mean, over_samples: interval } = rowOf(made, "0.5")
    expect((interval!.high - interval!.low) / (2 * 1.96 * Math.sqrt(mean * (1 - mean) / 40))).toBeCloseTo(1, 0.5)
    expect(made.notes[0]).toBe("mean over turn [95% bootstrap over 40 test samples, drawn within their labels, the same for all rows; the spread over turn is not in it]")
  })

  it("is ordered by a metric, the best first; interquartile means have intervals over runs", async () => {
    expect(lines((await reads(folder, "table", "--sort", "class.accuracy")).out).slice(2, 5).map((line) => line.split(" ")[0])).toEqual(["0.75", "0.5", "0.4"])
    const { out } = await reads(folder, "table", "--iqm")
    expect(lines(out)[2]).toMatch(/^0\.4 \| 0\.\d+ \[0\.\d+, 0\.\d+\] \| 8$/)
    expect(out).toContain("interquartile mean of n runs [95% bootstrap over runs, within each row; test samples stay]")
  })

  it("is written in the format that the file's ending or --format tells", async () => {
    const { code, err, out } = await folder.outcrop("table", "-o", folder.at("t.tex"))
    expect([code, out, err.trim()]).toEqual([0, "", `${folder.at("t.tex")}: 1 metrics as latex`])
    expect(fs.readFileSync(folder.at("t.tex"), "utf8")).toContain("\\toprule")
    expect((await reads(folder, "table", "--format", "csv")).out.split("\n")[0]).toBe("skill,task,metric,measured_on,mean,sd,n,low,high,interval_over,samples,mark")
    expect((await reads(folder, "table", "--format", "md")).out).toMatch(/^\| skill \| class.accuracy \| n \|/)
    await reads(folder, "table", "--output", folder.at("t.parquet"))
    expect(fs.readFileSync(folder.at("t.parquet")).subarray(0, 4).toString()).toBe("PAR1")
  })

  const wrong = [
    ["--against skil=0.5", { against: ["skil=0.5"] }, "--against skil=0.5: results have no axis \"skil\" (did you mean \"skill\"?); axes are skill"],
    ["--against skill=0.6", { against: ["skill=0.6"] }, "--against skill=0.6: no result has that (did you mean \"0.4\"?); skill is 0.4, 0.5, 0.75"],
    ["--against skill", { against: ["skill"] }, "--against names a row by axis=value, as in --against method=matl; got \"skill\""],
    ["--sort class.acuracy", { sort: "class.acuracy" }, "there is no metric \"class.acuracy\" (did you mean \"class.accuracy\"?); there are class.accuracy, class.luck"],
    ["--by method", { by: "method" }, "no results are told apart by an axis \"method\", so there is nothing to group by; axes are skill (replicates are averaged over)"],
    ["--format markdown", { format: "markdown" }, "there is no format \"markdown\"; there are md, csv, latex, json, parquet"],
    ["-o t.doc", { output: "t.doc" }, "-o ends in .md, .csv, .tex, .json or .parquet, got t.doc; or say --format"],
    ["--format parquet", { format: "parquet" }, "--format parquet writes a file: name it with -o"],
    ["--iqm --interval", { iqm: true, interval: true }, "--iqm and --interval exclude each other: the one is about runs, the other about test samples"]
  ] as const
  const plain = { words: [], cache: undefined, data: undefined, set: [], backend: undefined, json: false, columns: undefined, interval: false, against: [], by: undefined, iqm: false, sort: undefined, format: undefined, output: undefined, run: undefined }
  it.each(wrong)("says what is wrong with %s", async (_, flags, message) => {
    expect(await Effect.runPromise(Effect.flip(tableCommand({ ...plain, words: [folder.at("pipeline.yaml")], ...flags })))).toMatchObject({ code: 2, message })
  })
})
