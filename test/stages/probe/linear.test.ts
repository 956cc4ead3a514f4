import { describe, expect, it } from "vitest"
import { boxFeatureNames } from "../../../math/box-features.ts"
import { stream } from "../../../math/random.ts"
import linear from "../../../stages/probe/linear.ts"
import { f1Micro, layerOf, measure, multiLabelStudy, predictions } from "./labels.ts"
import { type Row, runStage, tablesOf } from "./run.ts"

const animals = ["cow", "deer", "horse"] as const
/** Embeddings from which class, box and centre can be read, with noise; 70% test, the rest 7 to 1 training and validation. */
const study = (n: number, d: number, noise = 0.5): ReadonlyArray<Row> =>
  Array.from({ length: n }, (_, i): Row => {
    const random = stream(0, "study", i), kind = i % 3
    const width = 20 + 20 * kind + 10 * random.uniform(), height = 20 + 30 * random.uniform(), x = 200 * random.uniform(), y = 200 * random.uniform()
    const told = [kind === 0 ? 1 : 0, kind === 1 ? 1 : 0, width / 50, height / 50, x / 100, y / 100]
    return {
      id: String(i).padStart(6, "0"),
      split: i % 10 < 7 ? "test" : i % 80 === 9 ? "val" : "train",
      label: animals[kind]!,
      box: [x, y, x + width, y + height],
      window: [17, 23, 300, 300],
      embedding: Array.from({ length: d }, (_, j) => told[j % 6]! + noise * random.normal())
    }
  })

type Run = Awaited<ReturnType<typeof runStage>>
const metric = (run: Run, task: string, name: string, { of = "", split = "test" } = {}) => {
  const { ci_high, ci_low, n, value, ...m } = run.columns("metrics") as unknown as { readonly [name: string]: ReadonlyArray<string> } & Record<"value" | "n" | "ci_low" | "ci_high", Float64Array>
  const at = m["task"]!.findIndex((_, i) => m["task"]![i] === task && m["metric"]![i] === name && m["class"]![i] === of && m["split"]![i] === split)
  return at < 0 ? undefined : { value: value[at]!, n: n[at]!, low: ci_low[at]!, high: ci_high[at]! }
}
const learned = (run: Run, layer: string) => {
  const { layer: layers, values } = run.columns("weights") as unknown as { readonly layer: ReadonlyArray<string>; readonly values: ReadonlyArray<Float64Array> }
  return values[layers.indexOf(layer)]
}

describe("probe/linear", () => {
  const rows = study(240, 12)

  it("reads class, box and position from embeddings that hold them", async () => {
    const run = await runStage(linear, tablesOf(rows))
    expect(run.notices).toEqual([])
    expect(metric(run, "class", "accuracy")!.value).toBeGreaterThan(0.8)
    expect(metric(run, "class", "accuracy")!.n).toBe(168)
    expect(metric(run, "box", "r2", { of: "width" })!.value).toBeGreaterThan(0.5)
    expect(metric(run, "position", "r2")!.value).toBeGreaterThan(0.6)
    for (const of of boxFeatureNames) expect(metric(run, "box", "r2", { of })).toBeDefined()
    for (const name of ["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "auc", "average_precision", "log_loss"]) {
      const { high, low, value } = metric(run, "class", name)!
      expect(low).toBeLessThan(value)
      expect(high).toBeGreaterThan(value)
      expect(metric(run, "class", name, { split: "val" })!.low).toBeNaN()
      expect(metric(run, "class", name, { split: "train" })!.value).toSatisfy(Number.isFinite)
    }
  })

  it("keeps a prediction of every sample and task, from which the metrics follow", async () => {
    const run = await runStage(linear, tablesOf(rows), { bootstrap: 0 })
    const { predicted, scores, split, task, truth } = run.columns("predictions") as unknown as Record<"split" | "task", ReadonlyArray<string>> & Record<"truth" | "predicted" | "scores", ReadonlyArray<Float64Array>>
    expect(task.length).toBe(3 * 240)
    const tests = [...task.keys()].filter((i) => task[i] === "class" && split[i] === "test")
    expect(tests.filter((i) => truth[i]![0] === predicted[i]![0]).length / tests.length).toBe(metric(run, "class", "accuracy")!.value)
    for (const i of tests) expect(scores[i]!.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5)
    const positions = [...task.keys()].filter((i) => task[i] === "position" && split[i] === "test")
    const errors = positions.flatMap((i) => [0, 1].map((t) => (truth[i]![t]! - predicted[i]![t]!) ** 2))
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeCloseTo(metric(run, "position", "mse")!.value, 12)
    expect(run.tables["predictions"]!.metadata).toEqual({ class: JSON.stringify(animals) })
    expect(metric(run, "class", "accuracy")!.low).toBeNaN()
  })

  it("learns nothing from test rows", async () => {
    const changed = rows.map((row) => row.split === "test" ? { ...row, label: "goat", box: [1, 2, 3, 4], embedding: row.embedding!.map((x) => x * 100) } : row)
    const [run, other] = [await runStage(linear, tablesOf(rows), { bootstrap: 0 }), await runStage(linear, tablesOf(changed), { bootstrap: 0 })]
    expect(other.columns("weights")).toEqual(run.columns("weights"))
  })

  it("gives the same bits twice", async () => {
    const [run, again] = [await runStage(linear, tablesOf(rows)), await runStage(linear, tablesOf(rows))]
    expect(again.tables).toEqual(run.tables)
  })

  it("chooses C and alpha where the validation rows say, whatever the order they are given in", async () => {
    const noisy = study(240, 60, 3)
    const losses = await Promise.all([1e-4, 0.01, 1, 100].map(async (C) => {
      // Fitted on training rows alone: the validation rows stand in as the test.
      const alone = noisy.filter(({ split }) => split !== "test").map((row) => row.split === "val" ? { ...row, split: "test" as const } : row)
      return metric(await runStage(linear, tablesOf(alone), { C: [C], alpha: [1], tasks: ["class"], bootstrap: 0 }), "class", "log_loss")!.value
    }))
    const chosen = await runStage(linear, tablesOf(noisy), { C: [100, 0.01, 1e-4, 1], bootstrap: 0 })
    expect(learned(chosen, "class.C")![0]).toBe([1e-4, 0.01, 1, 100][losses.indexOf(Math.min(...losses))])
    expect(learned(chosen, "box.alpha")![0]).toBeGreaterThanOrEqual(10)
  })

  it("without validation rows takes a single value, and refuses to choose", async () => {
    const without = rows.map((row) => row.split === "val" ? { ...row, split: "unused" as const } : row)
    const run = await runStage(linear, tablesOf(without), { C: [1], alpha: [1], bootstrap: 0 })
    expect(metric(run, "class", "accuracy")!.value).toBeGreaterThan(0.8)
    expect(metric(run, "class", "accuracy", { split: "unused" })).toBeUndefined()
    await expect(runStage(linear, tablesOf(without), { alpha: [1] })).rejects.toThrow("C has 6 values to choose from on validation rows")
    await expect(runStage(linear, tablesOf(without), { C: [1] })).rejects.toThrow("give one value (alpha: [0.01]) or a split with validation rows")
  })

  it("standardizes, so that the scale of a column does not matter", async () => {
    const stretched = rows.map((row) => ({ ...row, embedding: row.embedding!.map((x, j) => 2 ** j * x + 8 * j) }))
    const value = async (rows: ReadonlyArray<Row>, standardize: boolean) =>
      metric(await runStage(linear, tablesOf(rows), { standardize, C: [0.01], alpha: [100], bootstrap: 0 }), "class", "log_loss")!.value
    expect(await value(stretched, true)).toBeCloseTo(await value(rows, true), 4)
    expect(Math.abs(await value(stretched, false) - await value(rows, false))).toBeGreaterThan(0.01)
  })

  it("weighs classes where asked, so that a rare one is found more often", async () => {
    const rare = study(600, 6, 1.5).filter((row, i) => row.label !== "deer" || i % 4 === 0)
    const recall = async (balanced: boolean) => metric(await runStage(linear, tablesOf(rare), { balanced, tasks: ["class"], C: [1], bootstrap: 0 }), "class", "balanced_accuracy")!.value
    expect(await recall(true)).toBeGreaterThan(await recall(false))
  })

  it("ends the fit of the class after the iterations that it is given, and says that it fell short", async () => {
    const given = { tasks: ["class"], C: [10], bootstrap: 0 }
    const short = await runStage(linear, tablesOf(rows), { ...given, iterations: 2 }), whole = await runStage(linear, tablesOf(rows), given)
    expect(short.notices).toEqual(["class: fits were ended after 2 iterations, short of their optimum"])
    expect(whole.notices).toEqual([])
    expect(learned(short, "class.coefficients")).not.toEqual(learned(whole, "class.coefficients"))
  })

  it("leaves out what has no truth, and says so", async () => {
    const partial = rows.map((row, i) => ({ ...row, label: i % 2 === 0 ? row.label! : null, box: i < 40 ? [NaN, NaN, NaN, NaN] : row.box!, window: [NaN, NaN, NaN, NaN] }))
    const run = await runStage(linear, tablesOf(partial), { C: [1], alpha: [1], bootstrap: 0 })
    expect(run.notices).toEqual([
      "120 of 240 samples have no label and are left out of the task class",
      "40 of 240 samples have no box and are left out of the task box",
      "no training sample has a box in a window of known size: the task position is left out"
    ])
    expect(metric(run, "class", "accuracy")!.n).toBe(rows.filter(({ split }, i) => split === "test" && i % 2 === 0).length)
    expect(metric(run, "position", "r2")).toBeUndefined()
    const bare = rows.map(({ embedding, id, split }) => ({ embedding: embedding!, id, split }))
    await expect(runStage(linear, tablesOf(bare))).rejects.toThrow("no training sample has the truth of any task (class, box, position)")
  })

  it("never predicts a class that only test samples have, and counts it as wrong", async () => {
    const run = await runStage(linear, tablesOf(rows.map((row, i) => i % 10 === 0 ? { ...row, label: "bison" } : row)), { tasks: ["class"], bootstrap: 0 })
    expect(run.notices).toEqual(["no training sample is of the class \"bison\", which 24 other samples are of: it is never predicted"])
    expect(run.tables["predictions"]!.metadata).toEqual({ class: JSON.stringify(["bison", ...animals]) })
    expect(metric(run, "class", "f1", { of: "bison" })!.value).toBe(0)
  })

  it("bears a class of one sample: its measures are defined, and it is n = 1", async () => {
    const first = rows.findIndex(({ split }) => split === "train"), tested = rows.findIndex(({ split }) => split === "test")
    const lone = rows.map((row, i) => i === first || i === tested ? { ...row, label: "bison" } : row)
    const run = await runStage(linear, tablesOf(lone), { tasks: ["class"], bootstrap: 100 })
    expect(metric(run, "class", "f1", { of: "bison" })).toMatchObject({ n: 1 })
    expect(Number.isFinite(metric(run, "class", "auc")!.value)).toBe(true)
    expect(run.tables["predictions"]!.metadata).toEqual({ class: JSON.stringify(["bison", ...animals]) })
  })

  it("is an error where the training samples are of one class", async () => {
    await expect(runStage(linear, tablesOf(rows.map((row) => row.split === "test" ? row : { ...row, label: "cow" })))).rejects.toThrow("are of the class \"cow\", and a probe of classes needs two")
  })

  it("has metrics of training alone where nothing is tested, with a notice", async () => {
    const run = await runStage(linear, tablesOf(rows.map((row) => row.split === "test" ? { ...row, split: "unused" as const } : row)))
    expect(run.notices).toEqual(["the split has no test samples: there are no test metrics"])
    expect(metric(run, "class", "accuracy")).toBeUndefined()
  })
})

describe("probe/linear of several labels a sample", () => {
  const rows = multiLabelStudy(300, 0.5), given = { tasks: ["labels"] }

  it("is a task only where asked for", async () => {
    await expect(runStage(linear, tablesOf(rows))).rejects.toThrow("no training sample has the truth of any task (class, box, position): class needs a label, box and position a box, and labels, which has to be asked for (tasks: [labels])")
    const both = await runStage(linear, tablesOf(rows.map((row) => ({ ...row, label: row.labels[0]! }))), { tasks: ["class", "labels"], bootstrap: 0 })
    expect([measure(both, "class", "accuracy"), measure(both, "labels", "map_micro")].every((found) => found !== undefined)).toBe(true)
    expect(Object.keys(both.tables["predictions"]!.metadata)).toEqual(["class", "labels"])
  })

  it("ranks and predicts each class by itself: micro and macro mAP and F1, with intervals, and of each class with its positives", async () => {
    const run = await runStage(linear, tablesOf(rows), given)
    expect(run.notices).toEqual([])
    for (const name of ["map_micro", "map_macro", "f1_micro", "f1_macro"]) {
      const { high, low, n, value } = measure(run, "labels", name)!
      expect(value).toBeGreaterThan(0.85)
      expect(n).toBe(180)
      expect(low).toBeLessThan(value)
      expect(high).toBeGreaterThan(value)
      expect(measure(run, "labels", name, "", "val")!.low).toBeNaN()
    }
    const tested = rows.filter(({ split }) => split === "test")
    for (const of of ["crops", "trees", "water"]) {
      expect(measure(run, "labels", "average_precision", of)!.n).toBe(tested.filter(({ labels }) => labels.includes(of)).length)
      expect(measure(run, "labels", "f1", of)!.value).toBeGreaterThan(0.7)
    }
    expect(f1Micro(predictions(run))).toBeCloseTo(measure(run, "labels", "f1_micro")!.value, 12)
  })

  it("predicts a class from its own threshold on, calibrated on validation rows; 0.5 without any, with a notice", async () => {
    const run = await runStage(linear, tablesOf(rows), { ...given, bootstrap: 0 }), thresholds = layerOf(run, "labels.thresholds")!
    expect(thresholds.length).toBe(3)
    for (const { predicted, scores } of predictions(run)) expect(predicted).toEqual(scores.map((score, c) => score >= thresholds[c]! ? 1 : 0))
    const without = await runStage(linear, tablesOf(rows.map((row) => row.split === "val" ? { ...row, split: "unused" as const } : row)), { ...given, C: [1], bootstrap: 0 })
    expect(layerOf(without, "labels.thresholds")).toEqual(Float64Array.of(0.5, 0.5, 0.5))
    expect(without.notices).toEqual(["labels: no validation sample has labels, so every class is predicted from a probability of 0.5 on"])
  })

  it("learns nothing from test rows", async () => {
    const changed = rows.map((row) => row.split === "test" ? { ...row, labels: ["sea"], embedding: row.embedding!.map((x) => -x) } : row)
    const [run, other] = [await runStage(linear, tablesOf(rows), { ...given, bootstrap: 0 }), await runStage(linear, tablesOf(changed), { ...given, bootstrap: 0 })]
    expect(other.columns("weights")).toEqual(run.columns("weights"))
  })

  it("leaves samples without any label out, with a count; without labelled training samples the task", async () => {
    const run = await runStage(linear, tablesOf(rows.map((row, i) => i < 20 ? { ...row, labels: [] } : row)), { ...given, bootstrap: 0 })
    expect(run.notices).toEqual(["20 of 300 samples have no labels and are left out of the task labels"])
    expect(predictions(run)).toHaveLength(180 - 12)
    const bare = await runStage(linear, tablesOf(rows.map((row) => ({ ...row, label: row.labels[0]!, labels: row.split === "test" ? row.labels : [] }))), { tasks: ["class", "labels"], bootstrap: 0 })
    expect(bare.notices).toEqual(["no training sample has labels: the task labels is left out"])
  })

  it("never predicts a class that only test samples have, says so, and counts it in the macro means", async () => {
    const run = await runStage(linear, tablesOf(rows.map((row, i) => i % 20 === 0 ? { ...row, labels: [...row.labels, "snow"] } : row)), { ...given, bootstrap: 0 })
    expect(run.notices).toEqual(["no training sample has the label \"snow\", which 15 other samples have: it is never predicted"])
    expect(predictions(run).every(({ predicted, scores }) => predicted[1] === 0 && scores[1] === 0)).toBe(true)
    expect(measure(run, "labels", "f1", "snow")).toMatchObject({ value: 0, n: 15 })
    expect(measure(run, "labels", "average_precision", "snow")!.value).toBeCloseTo(15 / 180, 12)
  })

  it("has no average precision of a class that no test sample has, and leaves it out of the mean", async () => {
    const scarce = rows.map((row) => row.split === "test" ? { ...row, labels: row.labels.filter((name) => name !== "water") } : row)
    const run = await runStage(linear, tablesOf(scarce), { ...given, bootstrap: 100 })
    expect(measure(run, "labels", "average_precision", "water")).toMatchObject({ value: NaN, n: 0 })
    const of = (name: string) => measure(run, "labels", "average_precision", name)!.value
    expect(measure(run, "labels", "map_macro")!.value).toBeCloseTo((of("crops") + of("trees")) / 2, 12)
  })

  it("is an error where all fitted samples have the same labels", async () => {
    await expect(runStage(linear, tablesOf(rows.map((row) => ({ ...row, labels: ["land"] }))), given)).rejects.toThrow("have the same labels (land), and a probe of labels needs some that differ")
  })
})
