import { describe, expect, it } from "vitest"
import classes from "../../../stages/mine/classes.ts"
import { runStage, tablesOf } from "../probe/run.ts"

const labelled = (...labels: ReadonlyArray<string | null>) => ({ samples: tablesOf(labels.map((label, i) => ({ id: String(i), split: "train", label }))).samples })

describe("mine/classes", () => {
  it("numbers labels in byte order, -1 where there is none, with a notice", async () => {
    const run = await runStage(classes, labelled("horse", "cow", null, "horse"))
    expect(run.columns("annotations").open).toEqual({ class: Int32Array.of(1, 0, -1, 1) })
    expect(run.tables["annotations"]!.metadata).toEqual({ class: "[\"cow\",\"horse\"]" })
    expect(run.notices).toEqual(["1 of 4 samples have no label; their class is -1"])
  })
  it("is an error where no sample has a label", async () => {
    await expect(runStage(classes, labelled(null, null))).rejects.toThrow("no sample has a label")
  })
})
