import { afterAll, describe, expect, it } from "vitest"
import { Folder, removeFolders } from "../pipeline.ts"

afterAll(removeFolders)

/** Two folds of three samples: in each the scores rank perfectly, but the scores of fold 1 are all lower, so that together they do not. */
const probe = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metrics, Predictions, Stage } from "outcrop"
const scores = [[0.9, 0.7, 0.8], [0.4, 0.1, 0.2]]
const truth = [[1, 0, 1], [1, 0, 0]]
export default Stage.make({
  name: "probe/fixed", version: 1, summary: "fixed predictions", with: Schema.Struct({ fold: Schema.Int }), needs: {}, gives: { predictions: Predictions, metrics: Metrics },
  run: Effect.fn(function*(_, { fold }) {
    const s = scores[fold], t = truth[fold]
    return {
      predictions: {
        sample_id: t.map((_, i) => fold + "/" + i), split: t.map(() => "test"), task: t.map(() => "class"), truth: t.map((y) => Float64Array.of(y)),
        predicted: s.map((p) => Float64Array.of(p > 0.5 ? 1 : 0)), scores: s.map((p) => Float32Array.of(1 - p, p)), metadata: { class: '["no","yes"]' }
      },
      metrics: { task: ["class"], metric: ["auc"], class: [""], split: ["test"], value: Float64Array.of(1), n: Int32Array.of(3), ci_low: Float64Array.of(1), ci_high: Float64Array.of(1) }
    }
  })
})
`
interface TableDocument {
  readonly rows: ReadonlyArray<{ readonly metric: string; readonly mean: number; readonly sd: number | null; readonly replicates: number; readonly samples: number; readonly ci: { readonly low: number; readonly high: number; readonly over: string } }>
}

describe("pooled metrics", () => {
  it("are computed once over the test predictions of all replicates, not averaged, with a bootstrap interval over samples", async () => {
    const folder = new Folder({
      "probe.ts": probe,
      "pipeline.yaml": "name: p\nreplicates: { fold: [0, 1] }\nstages:\n  probe: { uses: ./probe.ts, with: { fold: $fold } }\nreport: { metrics: [class.auc], pooled: [class.auc] }\n"
    })
    await folder.ran()
    const { rows } = await folder.json<TableDocument>("table")
    expect(rows[0]).toMatchObject({ metric: "auc", mean: 1, replicates: 2, samples: 6 })
    // positives 0.9 0.8 0.4, negatives 0.7 0.1 0.2: 8 of the 9 pairs are in order
    expect(rows[1]).toMatchObject({ metric: "auc (pooled)", sd: null, replicates: 2, samples: 6, ci: { over: "samples" } })
    expect(rows[1]!.mean).toBeCloseTo(8 / 9, 12)
    expect(rows[1]!.ci.low).toBeLessThan(rows[1]!.ci.high)
    expect((await folder.outcrop("run")).out).toMatch(/class\.auc +class\.auc \(pooled\)/)
  })
})

/** Two folds of two samples with two labels each; the labels of fold 1 are predicted the wrong way round. */
const multiLabel = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metrics, Predictions, Stage } from "outcrop"
const truth = [[[1, 0], [0, 1]], [[1, 1], [0, 1]]]
const scores = [[[0.9, 0.2], [0.1, 0.8]], [[0.3, 0.7], [0.6, 0.4]]]
export default Stage.make({
  name: "probe/fixed", version: 1, summary: "fixed predictions", with: Schema.Struct({ fold: Schema.Int }), needs: {}, gives: { predictions: Predictions, metrics: Metrics },
  run: Effect.fn(function*(_, { fold }) {
    const t = truth[fold], s = scores[fold]
    return {
      predictions: {
        sample_id: t.map((_, i) => fold + "/" + i), split: t.map(() => "test"), task: t.map(() => "labels"), truth: t.map((y) => Float64Array.from(y)),
        predicted: s.map((p) => Float64Array.from(p, (q) => q > 0.5 ? 1 : 0)), scores: s.map((p) => Float32Array.from(p)), metadata: { labels: '["crops","water"]' }
      },
      metrics: { task: ["labels"], metric: ["map_micro"], class: [""], split: ["test"], value: Float64Array.of(1), n: Int32Array.of(2), ci_low: Float64Array.of(1), ci_high: Float64Array.of(1) }
    }
  })
})
`

describe("pooled metrics of several labels", () => {
  it("rank and count over all replicates, predictions as the probe made them", async () => {
    const folder = new Folder({
      "probe.ts": multiLabel,
      "pipeline.yaml": "name: p\nreplicates: { fold: [0, 1] }\nstages:\n  probe: { uses: ./probe.ts, with: { fold: $fold } }\nreport: { metrics: [labels.map_micro], pooled: [labels.map_macro, labels.f1_micro] }\n"
    })
    await folder.ran()
    const { rows } = await folder.json<TableDocument>("table")
    const valueOf = (metric: string) => rows.find((row) => row.metric === metric)!.mean
    // crops: true at 0.9 and 0.3, false at 0.6 and 0.1: 1/2 (1 + 2/3). water: true at 0.8, 0.7 and 0.4, false at 0.2: 1.
    expect(valueOf("map_macro (pooled)")).toBeCloseTo((5 / 6 + 1) / 2, 12)
    // predicted: crops of 0/0 and 1/1, water of 0/1 and 1/0; three of the four are true, and five are.
    expect(valueOf("f1_micro (pooled)")).toBeCloseTo(6 / 9, 12)
  })
})
