import { describe, expect, it } from "vitest"
import { stream } from "../../../math/random.ts"
import knn from "../../../stages/probe/knn.ts"
import { f1Micro, layerOf, measure, multiLabelStudy, predictions } from "./labels.ts"
import { type Row, runStage, tablesOf } from "./run.ts"

const study = (n: number, noise: number): ReadonlyArray<Row> =>
  Array.from({ length: n }, (_, i) => {
    const random = stream(0, "study", i)
    return {
      id: String(i).padStart(4, "0"),
      split: i % 10 < 5 ? "test" : i % 10 < 7 ? "val" : "train",
      label: ["a", "b", "c"][i % 3]!,
      embedding: Array.from({ length: 6 }, (_, j) => (j % 3 === i % 3 ? 1 : 0) + noise * random.normal())
    }
  })
type Run = Awaited<ReturnType<typeof runStage>>
const accuracyOf = (run: Run, split = "test") => {
  const { metric, split: splits, value } = run.columns("metrics") as unknown as Record<"metric" | "split", ReadonlyArray<string>> & { readonly value: Float64Array }
  return value[metric.findIndex((name, i) => name === "accuracy" && splits[i] === split)]
}
const learnedK = (run: Run) => {
  const { layer, values } = run.columns("weights") as unknown as { readonly layer: ReadonlyArray<string>; readonly values: ReadonlyArray<Float64Array> }
  return values[layer.indexOf("k")]![0]
}

describe("probe/knn", () => {
  it("finds classes that are near each other in angle", async () => {
    const run = await runStage(knn, tablesOf(study(300, 0.3)))
    expect(accuracyOf(run)).toBeGreaterThan(0.95)
    expect(run.notices).toEqual([])
  })
  it("reports rows that do not vote, whose predictions and metrics a voter's own vote would flatter", async () => {
    const run = await runStage(knn, tablesOf(study(300, 0.3)), { bootstrap: 0 })
    expect(accuracyOf(run, "train")).toBeUndefined()
    expect(run.tables["predictions"]!.rows).toBe(150)
  })
  it("does not care how long vectors are", async () => {
    const rows = study(200, 0.5), longer = rows.map((row, i) => ({ ...row, embedding: row.embedding!.map((x) => x * 2 ** (i % 5)) }))
    const [run, other] = [await runStage(knn, tablesOf(rows)), await runStage(knn, tablesOf(longer))]
    expect(other.tables["metrics"]).toEqual(run.tables["metrics"])
  })
  it("chooses k by accuracy on the validation rows, the smallest of equals", async () => {
    const easy = await runStage(knn, tablesOf(study(300, 0.05)), { k: [50, 1, 10], bootstrap: 0 })
    expect(learnedK(easy)).toBe(1)
    // Fitted on training rows alone, the validation rows stand in as the test.
    const rows = study(600, 1), ks = [1, 10, 50]
    const alone = rows.filter(({ split }) => split !== "test").map((row) => row.split === "val" ? { ...row, split: "test" as const } : row)
    const accuracies = await Promise.all(ks.map(async (k) => accuracyOf(await runStage(knn, tablesOf(alone), { k: [k], bootstrap: 0 }))!))
    const best = ks[accuracies.indexOf(Math.max(...accuracies))]
    expect(best).not.toBe(1)
    expect(learnedK(await runStage(knn, tablesOf(rows), { k: ks, bootstrap: 0 }))).toBe(best)
  })
  it("lets all vote where k is beyond them, and refuses to choose without validation rows", async () => {
    const rows = study(60, 0.3).map((row) => row.split === "val" ? { ...row, split: "unused" as const } : row)
    expect(accuracyOf(await runStage(knn, tablesOf(rows), { k: [1000], bootstrap: 0 }))).toBeGreaterThan(0.9)
    await expect(runStage(knn, tablesOf(rows))).rejects.toThrow("k has 4 values to choose from on validation rows")
  })
  it("leaves unlabelled samples out, and says so; without a labelled training sample it is an error", async () => {
    const rows = study(100, 0.3)
    const run = await runStage(knn, tablesOf(rows.map((row, i) => i < 20 ? { ...row, label: null } : row)), { bootstrap: 0 })
    expect(run.notices).toEqual(["20 of 100 samples have no label and are left out"])
    await expect(runStage(knn, tablesOf(rows.map((row) => row.split === "train" ? { ...row, label: null } : row)))).rejects.toThrow("no training sample has a label")
  })
})

describe("probe/knn of several labels a sample", () => {
  const rows = multiLabelStudy(300, 0.4), given = { task: "labels", k: [1, 10, 40] }

  it("scores a class by its share of the votes and predicts as many as reach their threshold", async () => {
    const run = await runStage(knn, tablesOf(rows), given), thresholds = layerOf(run, "thresholds")!, tested = predictions(run)
    expect(run.notices).toEqual([])
    expect(measure(run, "labels", "map_micro")!.value).toBeGreaterThan(0.9)
    expect(measure(run, "labels", "map_micro")!.n).toBe(180)
    expect(new Set(tested.map(({ predicted }) => predicted.reduce((sum, has) => sum + has, 0))).size).toBeGreaterThan(2)
    for (const { predicted, scores } of tested) {
      expect(predicted).toEqual(scores.map((score, c) => score >= Math.fround(thresholds[c]!) ? 1 : 0))
      for (const score of scores) expect(score >= 0 && score <= 1 + 1e-6).toBe(true)
    }
    expect(f1Micro(tested)).toBeCloseTo(measure(run, "labels", "f1_micro")!.value, 12)
  })
  it("chooses k by micro mAP on the validation rows, with votes of the training rows", async () => {
    const noisy = multiLabelStudy(600, 1.5)
    // Fitted on training rows alone, the validation rows stand in as the test.
    const alone = noisy.filter(({ split }) => split !== "test").map((row) => row.split === "val" ? { ...row, split: "test" as const } : row)
    const found = await Promise.all(given.k.map(async (k) => measure(await runStage(knn, tablesOf(alone), { ...given, k: [k], bootstrap: 0 }), "labels", "map_micro")!.value))
    const best = given.k[found.indexOf(Math.max(...found))]
    expect(best).not.toBe(1)
    expect(layerOf(await runStage(knn, tablesOf(noisy), { ...given, bootstrap: 0 }), "k")).toEqual(Float64Array.of(best!))
  })
  it("calibrates where k is given, and predicts from half the votes on without validation rows, with a notice", async () => {
    const one = await runStage(knn, tablesOf(rows), { ...given, k: [10], bootstrap: 0 })
    expect(layerOf(one, "thresholds")).not.toEqual(Float64Array.of(0.5, 0.5, 0.5))
    const without = await runStage(knn, tablesOf(rows.map((row) => row.split === "val" ? { ...row, split: "unused" as const } : row)), { ...given, k: [10], bootstrap: 0 })
    expect(layerOf(without, "thresholds")).toEqual(Float64Array.of(0.5, 0.5, 0.5))
    expect(without.notices).toEqual(["no validation sample has labels, so every class is predicted from a share of 0.5 of the votes on"])
  })
  it("leaves samples without labels out, and never predicts what no voter has", async () => {
    const run = await runStage(knn, tablesOf(rows.map((row, i) => i < 20 ? { ...row, labels: [] } : i % 20 === 0 ? { ...row, labels: [...row.labels, "snow"] } : row)), { ...given, bootstrap: 0 })
    expect(run.notices).toEqual([
      "20 of 300 samples have no labels and are left out",
      "no training sample has the label \"snow\", which 14 other samples have: it is never predicted"
    ])
    expect(predictions(run).every(({ predicted }) => predicted[1] === 0)).toBe(true)
    await expect(runStage(knn, tablesOf(rows))).rejects.toThrow("or set task: labels where samples have several")
    await expect(runStage(knn, tablesOf(study(60, 0.3)), given)).rejects.toThrow("no training sample has labels")
  })
})
