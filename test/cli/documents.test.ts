/** The JSON documents that other programs read, exactly. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { removeFolders, study, type Summary } from "../pipeline.ts"

const folder = study()
let first: Summary
beforeAll(async () => void (first = await folder.json("run", "pipeline.yaml")))
afterAll(removeFolders)

const key = expect.stringMatching(/^[0-9a-f]{64}$/) as string
const number = expect.any(Number) as number

describe("documents", () => {
  it("run --json", async () => {
    const stages = (run: boolean) => ([["samples", 1], ["split", 2], ["embed", 1], ["classes", 1], ["train", 6], ["probe", 6]] as const).map(([stage, total]) => ({ stage, total, run: run ? total : 0, cached: run ? 0 : total }))
    const byName = (list: Summary["stages"]) => list.toSorted((a, b) => a.stage < b.stage ? -1 : 1)
    expect({ ...first, stages: byName(first.stages) }).toStrictEqual({
      version: 1,
      cells: 6,
      nodes: { total: 17, run: 17, cached: 0, restored: 0, maybe: 0, failed: 0, skipped: 0 },
      rows: { embedded: 9, cached: 0 },
      seconds: number,
      bytes: number,
      stages: byName(stages(true))
    })
    expect(first.bytes).toBeGreaterThan(1000)
    const second = await folder.json("run")
    expect({ ...second, stages: byName(second.stages) }).toStrictEqual({
      version: 1,
      cells: 6,
      nodes: { total: 17, run: 0, cached: 17, restored: 0, maybe: 0, failed: 0, skipped: 0 },
      rows: { embedded: 0, cached: 9 },
      seconds: number,
      bytes: 0,
      stages: byName(stages(false))
    })
  })

  it("plan --json is the same document, before the run", async () => {
    const planned = await folder.json("plan", "--set", "rate=9")
    expect(Object.keys(planned)).toEqual(Object.keys(first))
    expect(planned.nodes).toStrictEqual({ total: 9, run: 4, cached: 5, restored: 0, maybe: 0, failed: 0, skipped: 0 })
    expect(planned.cells).toBe(2)
  })

  it("table --json", async () => {
    const { notes, rows, ...rest } = await folder.json<{ readonly version: number; readonly notes: ReadonlyArray<string>; readonly rows: ReadonlyArray<Record<string, unknown>> }>("table")
    expect(rest).toStrictEqual({ version: 1 })
    expect(notes[0]).toBe("mean ± sd over fold, n of them; how much rests on the test samples is not in it")
    expect(rows).toHaveLength(6)
    // fold 0 tests samples 1, 4, 7 (mean of the training rows 3, 6, 9 is 6), fold 1 tests 2, 5, 8 (trained on 1, 4, 7: mean 4)
    expect(rows.find(({ axes, task }) => task === "value" && (axes as { readonly rate: string }).rate === "2")).toStrictEqual({
      axes: { rate: "2" },
      task: "value",
      metric: "sum",
      split: "test",
      mean: (2 * (12 - 18) + 2 * (15 - 12)) / 2,
      sd: Math.sqrt(162),
      replicates: 2,
      samples: 6,
      ci: { low: expect.closeTo(-3 - 12.7062047364 * 9, 6) as number, high: expect.closeTo(-3 + 12.7062047364 * 9, 6) as number, over: "replicates" },
      keys: [key, key],
      each: { "fold=0": 2 * (12 - 18), "fold=1": 2 * (15 - 12) }
    })
    const { rows: chosen } = await folder.json<{ readonly rows: ReadonlyArray<Record<string, unknown>> }>("table", "class.sum")
    expect(chosen.map(({ task }) => task)).toEqual(["class", "class", "class"])
  })

  it("table --json of a single replicate has the interval over samples and no sd", async () => {
    const { rows } = await folder.json<{ readonly rows: ReadonlyArray<Record<string, unknown>> }>("table", "fold=0", "rate=1")
    expect(rows[0]).toMatchObject({ replicates: 1, sd: null, samples: 3, ci: { over: "samples" } })
  })

  it("why --json", async () => {
    const twin = folder.copy()
    twin.edit("pipeline.yaml", "rate: $rate }", "rate: $rate, margin: 1 }")
    expect(await twin.json("why", "train", "rate=1", "fold=0")).toStrictEqual({
      version: 1,
      nodes: [{ node: "train rate=1 fold=0", state: "run", key, previous: key, causes: [{ kind: "parameter", part: "margin", before: 0, after: 1 }] }]
    })
    expect((await twin.json<{ readonly nodes: ReadonlyArray<unknown> }>("why", "train")).nodes).toHaveLength(6)
  })

  it("run --events: a line of JSON for each thing that happens", async () => {
    const { out } = await study().outcrop("run", "--events")
    const events = out.trim().split("\n").map((line) => JSON.parse(line) as { readonly version: number; readonly type: string; readonly nodes: ReadonlyArray<string>; readonly state?: string })
    expect(new Set(events.map(({ version }) => version))).toEqual(new Set([1]))
    expect(events.filter(({ state, type }) => type === "finished" && state === "run").flatMap(({ nodes }) => nodes)).toHaveLength(17)
    expect(events.filter(({ type }) => type === "started").flatMap(({ nodes }) => nodes)).toContain("train rate=3 fold=1")
  })

  it("stages --json", async () => {
    const { stages, version } = await folder.json<{ readonly version: number; readonly stages: ReadonlyArray<Record<string, unknown>> }>("stages", "train/none")
    expect(version).toBe(1)
    expect(stages).toMatchObject([{ name: "train/none", needs: { embeddings: { table: "embeddings", optional: false, conditional: false } }, gives: { embeddings: "embeddings" } }])
  })
})
