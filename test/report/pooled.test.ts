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
