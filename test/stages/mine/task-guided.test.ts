import { Annotations } from "outcrop"
import { describe, expect, it } from "vitest"
import { stream } from "../../../math/random.ts"
import { make } from "../../../schemas/table.ts"
import taskGuided from "../../../stages/mine/task-guided.ts"
import { oracle, type Rows } from "../../math/oracle.ts"
import { type Row, runStage, tablesOf } from "../probe/run.ts"

const window = [0, 0, 100, 100]
/** Boxes whose width tells the class, whose place and height tell nothing. */
const rows: ReadonlyArray<Row> = Array.from({ length: 120 }, (_, i): Row => {
  const random = stream(0, "box", i), width = 10 + 15 * (i % 3) + 4 * random.uniform(), height = 10 + 10 * random.uniform(), x = 40 * random.uniform(), y = 60 * random.uniform()
  return { id: String(i).padStart(3, "0"), split: i % 2 === 0 ? "train" : i % 4 === 1 ? "val" : "test", label: ["cow", "deer", "horse"][i % 3]!, box: [x, y, x + width, y + height], window }
})
const tables = (given: ReadonlyArray<Row>) => {
  const { samples, split } = tablesOf(given)
  return { samples, split }
}
type Run = Awaited<ReturnType<typeof runStage>>
const informationOf = (run: Run) => {
  const { layer, values } = run.columns("information") as unknown as { readonly layer: ReadonlyArray<string>; readonly values: ReadonlyArray<Float64Array> }
  return Object.fromEntries(layer.map((name, i) => [name, values[i]![0]!]))
}
const open = (run: Run) => run.columns("annotations").open

interface Oracle {
  readonly score: { readonly cwh: Rows; readonly y: ReadonlyArray<number>; readonly mi: ReadonlyArray<number>; readonly score: ReadonlyArray<number> }
}
const expected = oracle<Oracle>("tg_selection")

describe("mine/task-guided", () => {
  it.skipIf(expected === undefined)("scores as scikit-learn and numpy do, but for another jitter and float32 boxes (skipped without the oracles)", async () => {
    const { cwh, mi, score, y } = expected!.score
    // Boxes as shares of a window of one pixel.
    const given = cwh.map(([xc, yc, w, h], i): Row => ({ id: String(i).padStart(3, "0"), split: "train", label: `class ${y[i]}`, window: [0, 0, 1, 1], box: [xc! - w! / 2, yc! - h! / 2, xc! + w! / 2, yc! + h! / 2] }))
    const run = await runStage(taskGuided, tables(given))
    for (const [f, name] of ["xc", "yc", "w", "h"].entries()) expect(Math.abs(informationOf(run)[name]! - mi[f]!)).toBeLessThan(1e-3)
    for (const [i, value] of (open(run)["score"] as Float32Array).entries()) expect(Math.abs(value - score[i]!)).toBeLessThan(2e-3)
  })
  it("finds the feature that tells the classes, and scores samples by it", async () => {
    const run = await runStage(taskGuided, tables(rows))
    const { h, w, xc, yc } = informationOf(run)
    expect(w).toBeGreaterThan(0.9)
    for (const other of [h, xc, yc]) expect(other).toBeLessThan(0.3)
    const score = open(run)["score"] as Float32Array
    expect(score[2]!).toBeGreaterThan(score[0]!)
    expect((open(run)["class"] as Int32Array).subarray(0, 4)).toEqual(Int32Array.of(0, 1, 2, 0))
    expect(run.tables["annotations"]!.metadata).toEqual({ class: "[\"cow\",\"deer\",\"horse\"]" })
  })
  it("learns from training rows only, unless the protocol is the released one", async () => {
    const changed = rows.map((row) => row.split === "train" ? row : { ...row, label: "goat", box: [0, 0, 90, 90] })
    const information = async (given: ReadonlyArray<Row>, parameters = {}) => informationOf(await runStage(taskGuided, tables(given), parameters))
    expect(await information(changed)).toEqual(await information(rows))
    expect(await information(changed, { protocol: "released" })).not.toEqual(await information(rows, { protocol: "released" }))
  })
  it("passes other annotations on, with their class names, and refuses to overwrite", async () => {
    const annotations = (open: Record<string, Int32Array>) => make(Annotations, { sample_id: rows.map(({ id }) => id), open, metadata: { box: "[\"small\",\"large\"]" } })
    const box = Int32Array.from(rows, (_, i) => i % 2)
    const run = await runStage(taskGuided, { ...tables(rows), annotations: annotations({ box }) })
    expect(Object.keys(open(run))).toEqual(["box", "class", "score"])
    expect(open(run)["box"]).toEqual(box)
    expect(run.tables["annotations"]!.metadata["box"]).toBe("[\"small\",\"large\"]")
    await expect(runStage(taskGuided, { ...tables(rows), annotations: annotations({ score: box }) })).rejects.toThrow("have a column \"score\" already")
  })
  it("gives -1 and NaN where label or box is missing, and says so", async () => {
    const run = await runStage(taskGuided, tables(rows.map((row, i) => i < 3 ? { ...row, label: null } : i < 5 ? { ...row, box: [NaN, NaN, NaN, NaN] } : row)))
    expect([...(open(run)["class"] as Int32Array).subarray(0, 5)]).toEqual([-1, -1, -1, 0, 1])
    expect([...(open(run)["score"] as Float32Array).subarray(0, 6)].map(Number.isNaN)).toEqual([false, false, false, true, true, false])
    expect(run.notices).toEqual(["3 of 120 samples have no label; their class is -1", "2 of 120 samples have no box in a window of known size; their score is NaN"])
  })
  it("is an error where no sample has both, and a notice where boxes tell nothing", async () => {
    await expect(runStage(taskGuided, tables(rows.map((row) => ({ ...row, window: [NaN, NaN, NaN, NaN] }))))).rejects.toThrow("none of the 60 samples to fit on has a label and a box in a window of known size")
    const one = await runStage(taskGuided, tables(rows.map((row) => ({ ...row, label: "cow" }))))
    expect(one.notices).toEqual(["no box feature tells the classes apart (every mutual information is 0): the scores mean nothing"])
  })
})
