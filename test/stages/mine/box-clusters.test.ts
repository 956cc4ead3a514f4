import { describe, expect, it } from "vitest"
import { stream } from "../../../math/random.ts"
import boxClusters from "../../../stages/mine/box-clusters.ts"
import { type Row, runStage, tablesOf } from "../probe/run.ts"

/** Narrow and high, square, and wide boxes, in turn. */
const rows: ReadonlyArray<Row> = Array.from({ length: 60 }, (_, i): Row => {
  const random = stream(0, "box", i), [width, height] = [[10, 60], [30, 30], [90, 20]][i % 3]!
  return { id: String(i).padStart(3, "0"), split: i % 5 < 3 ? "test" : i % 5 === 3 ? "train" : "val", box: [5, 5, 5 + width! + 3 * random.uniform(), 5 + height! + 3 * random.uniform()] }
})
const without = ["embeddings"]
const tables = (given: ReadonlyArray<Row>) => Object.fromEntries(Object.entries(tablesOf(given)).filter(([port]) => !without.includes(port)))
const idsOf = (run: Awaited<ReturnType<typeof runStage>>) => run.columns("annotations").open["box"] as Int32Array

describe("mine/box-clusters", () => {
  it("finds the shapes, numbered from the narrowest", async () => {
    const run = await runStage(boxClusters, tables(rows))
    expect(idsOf(run)).toEqual(Int32Array.from(rows, (_, i) => i % 3))
    expect(run.notices).toEqual([])
  })
  it("gives -1 where there is no box, and says how often", async () => {
    const run = await runStage(boxClusters, tables(rows.map((row, i) => i < 6 ? { id: row.id, split: row.split } : row)))
    expect([...idsOf(run).subarray(0, 7)]).toEqual([-1, -1, -1, -1, -1, -1, 0])
    expect(run.notices).toEqual(["6 of 60 samples have no box; their cluster is -1"])
  })
  it("learns from training rows only, unless the protocol is the released one or no split is bound", async () => {
    const changed = rows.map((row) => row.split === "train" ? row : { ...row, box: [0, 0, 290, 290] })
    const centres = async (given: ReadonlyArray<Row>, parameters = {}) => (await runStage(boxClusters, tables(given), parameters)).columns("centres")
    expect(await centres(changed)).toEqual(await centres(rows))
    expect(await centres(changed, { protocol: "released" })).not.toEqual(await centres(rows, { protocol: "released" }))
    const { samples } = tables(rows)
    expect((await runStage(boxClusters, { samples: samples! })).columns("centres")).toEqual(await centres(rows, { protocol: "released" }))
  })
  it("names clusters the same from any seed", async () => {
    const runs = await Promise.all([0, 1, 2].map((seed) => runStage(boxClusters, tables(rows), { seed })))
    for (const run of runs) expect(idsOf(run)).toEqual(idsOf(runs[0]!))
  })
  it("is an error where there are fewer shapes than clusters", async () => {
    const equal = rows.map((row, i) => ({ ...row, box: [0, 0, 10 + i % 2, 10] }))
    await expect(runStage(boxClusters, tables(equal))).rejects.toThrow("3 clusters need as many boxes of different shape, and the 12 samples to fit on have 2")
    await expect(runStage(boxClusters, tables(rows.map(({ id, split }) => ({ id, split }))))).rejects.toThrow("have 0; ask for fewer clusters, or leave mine/box-clusters out")
  })
})
