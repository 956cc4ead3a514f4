import { describe, expect, it } from "vitest"
import { stream } from "../../../math/random.ts"
import linear from "../../../stages/probe/linear.ts"
import sgd from "../../../stages/probe/linear-sgd.ts"
import { layerOf, measure } from "./labels.ts"
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
const rows = study(300, 0.5), short = { epochs: 20, drops: [12, 16], bootstrap: 0 }

describe("probe/linear-sgd", () => {
  it("has the paper's plan as its defaults, and reads classes nearly as well as the optimum does", async () => {
    const run = await runStage(sgd, tablesOf(rows), { bootstrap: 0 }), optimum = await runStage(linear, tablesOf(rows), { tasks: ["class"], bootstrap: 0 })
    expect(run.notices).toEqual([])
    expect(layerOf(run, "train_loss")).toHaveLength(100)
    expect(measure(run, "class", "accuracy")!.value).toBeGreaterThan(measure(optimum, "class", "accuracy")!.value - 0.03)
    expect(measure(run, "class", "accuracy")!.n).toBe(150)
  })

  it("keeps the epoch of highest validation accuracy, the first of equals", async () => {
    const run = await runStage(sgd, tablesOf(study(300, 2)), { ...short, batch: 8 }), accuracies = layerOf(run, "val_accuracy")!, [epoch] = layerOf(run, "epoch")!
    expect(epoch).toBe(accuracies.indexOf(Math.max(...accuracies)) + 1)
    expect(epoch).toBeLessThan(20)
    expect(measure(run, "class", "accuracy", "", "val")!.value).toBeCloseTo(Math.max(...accuracies), 12)
    // What it keeps is what it had then: a training of so many epochs ends there.
    const ended = await runStage(sgd, tablesOf(study(300, 2)), { ...short, batch: 8, epochs: epoch })
    expect(layerOf(ended, "class.coefficients")).toEqual(layerOf(run, "class.coefficients"))
  })

  it("chooses and learns nothing by test rows: were they the other way round, it would be the same", async () => {
    const turned = rows.map((row) => row.split === "test" ? { ...row, label: "b", embedding: row.embedding!.map((x) => -5 * x) } : row)
    const [run, other] = [await runStage(sgd, tablesOf(rows), short), await runStage(sgd, tablesOf(turned), short)]
    expect(other.columns("weights")).toEqual(run.columns("weights"))
  })

  it("gives the same bits twice, and others with another seed", async () => {
    const [run, again, other] = [await runStage(sgd, tablesOf(rows), short), await runStage(sgd, tablesOf(rows), short), await runStage(sgd, tablesOf(rows), { ...short, seed: 1 })]
    expect(again.tables).toEqual(run.tables)
    expect(layerOf(other, "class.coefficients")).not.toEqual(layerOf(run, "class.coefficients"))
  })

  it("keeps the last epoch where no validation row can choose, with a notice", async () => {
    const run = await runStage(sgd, tablesOf(rows.map((row) => row.split === "val" ? { ...row, split: "unused" as const } : row)), short)
    expect(run.notices).toEqual(["no validation sample has a label that training samples have: the last of 20 epochs is kept"])
    expect(layerOf(run, "epoch")).toEqual(Float64Array.of(20))
    expect(layerOf(run, "val_accuracy")!.every(Number.isNaN)).toBe(true)
  })

  it("tells two classes apart as well, leaves unlabelled samples out, and never predicts a class that only test samples have", async () => {
    const run = await runStage(sgd, tablesOf(rows.map((row, i) => i < 10 ? { ...row, label: null } : row.label === "c" ? { ...row, label: row.split === "test" ? "new" : "b" } : row)), short)
    expect(run.notices).toEqual(["10 of 300 samples have no label and are left out", "no training sample is of the class \"new\", which 49 other samples are of: it is never predicted"])
    expect(measure(run, "class", "f1", "new")!.value).toBe(0)
    expect(measure(run, "class", "f1", "a")!.value).toBeGreaterThan(0.8)
  })

  it("is an error where there are no two classes, and where the rate is too high", async () => {
    await expect(runStage(sgd, tablesOf(rows.map((row) => ({ ...row, label: "a" }))))).rejects.toThrow("all 90 labelled training samples are of the class \"a\", and a probe of classes needs two")
    await expect(runStage(sgd, tablesOf(rows.map((row) => ({ ...row, label: null }))))).rejects.toThrow("no training sample has a label")
    await expect(runStage(sgd, tablesOf(rows.map((row) => ({ ...row, embedding: row.embedding!.map((x) => x * 1e30) }))), { rate: 1e300 })).rejects.toThrow("is too high for embeddings of this size; lower rate")
  })
})
