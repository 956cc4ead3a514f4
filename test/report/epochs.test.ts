import * as fs from "node:fs"
import { afterAll, describe, expect, it } from "vitest"
import { showEpochs } from "../../report/epochs.ts"
import { Folder, removeFolders } from "../pipeline.ts"

afterAll(removeFolders)

const rows = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
export default Stage.make({
  name: "ingest/rows", version: 1, summary: "40 samples of two classes", with: Schema.Struct({}), needs: {}, gives: { samples: Samples },
  run: Effect.fn(function*() {
    const sample_id = Array.from({ length: 40 }, (_, i) => String(i).padStart(2, "0"))
    return { samples: { sample_id, assets: sample_id.map(() => []), label: sample_id.map((_, i) => i % 2 === 0 ? "a" : "b") } }
  })
})
`
/** Noise: a projection that fits the training rows soon does worse on the others. */
const vectors = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage, stream } from "outcrop"
export default Stage.make({
  name: "embed/noise", version: 1, summary: "noise", with: Schema.Struct({}), needs: { samples: Stage.needs(Samples, "sample_id") }, gives: { embeddings: Embeddings },
  run: Effect.fn(function*({ samples: { sample_id } }) {
    const { normal } = stream(0, "noise")
    return { embeddings: { sample_id, view: sample_id.map(() => "full"), embedding: { width: 8, values: Float32Array.from({ length: sample_id.length * 8 }, normal) } } }
  })
})
`
const pipeline = (patience: number) => `name: early
axes:
  method:
    base: { uses: train/none }
    whole: { uses: train/triplet, with: { tasks: { class: 1 }, epochs: 30, rate: 0.01 } }
    patient: { uses: train/triplet, with: { tasks: { class: 1 }, epochs: 31, rate: 0.01, patience: ${patience} } }
replicates: { fold: [0, 1, 2] }
stages:
  samples: { uses: ./rows.ts }
  split: { uses: ingest/split, needs: samples, with: { by: [label], test: 0.5, folds: 3, fold: $fold } }
  embed: { uses: ./vectors.ts, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  train: { uses: $method.uses, needs: { embeddings: embed, annotations: classes, split }, with: $method.with }
  probe: { uses: probe/linear, needs: { embeddings: train, samples, split }, with: { tasks: [class], C: [1], bootstrap: 0 } }
report: { metrics: [class.accuracy] }
`
interface TableDocument {
  readonly rows: ReadonlyArray<{ readonly axes: Readonly<Record<string, string>>; readonly epochs?: { readonly low: number; readonly high: number; readonly asked: number } }>
}
/** Of the comparison: a method's last column, the epochs. */
const shown = (out: string) => Object.fromEntries([...out.matchAll(/^(base|whole|patient) .*?  3 *(.*)$/gm)].map(([, method, epochs]) => [method!, epochs!.trim()]))

describe("epochs run", () => {
  it("stand in the comparison as soon as a training of the grid may stop early, as its history has them", async () => {
    const folder = new Folder({ "rows.ts": rows, "vectors.ts": vectors, "pipeline.yaml": pipeline(2) })
    await folder.ran()
    const lengths = await Promise.all([0, 1, 2].map(async (fold) => {
      await folder.outcrop("get", "train.history", "method=patient", `fold=${fold}`, "-o", `${fold}.csv`)
      return fs.readFileSync(folder.at(`${fold}.csv`), "utf8").trim().split("\n").length - 1
    }))
    const low = Math.min(...lengths), high = Math.max(...lengths)
    expect(high).toBeLessThan(31)
    const { out } = await folder.outcrop("table")
    expect(out).toMatch(/ n +epochs$/m)
    expect(shown(out)).toEqual({ base: "", whole: "30", patient: showEpochs({ low, high, asked: 31 }) })
    const { rows: all } = await folder.json<TableDocument>("table")
    expect(all.find(({ axes }) => axes["method"] === "patient")?.epochs).toEqual({ low, high, asked: 31 })
    expect((await folder.outcrop("run")).out).toMatch(/ n +epochs$/m)
  })

  it("are not told where none may", async () => {
    const folder = new Folder({ "rows.ts": rows, "vectors.ts": vectors, "pipeline.yaml": pipeline(0) })
    await folder.ran()
    expect((await folder.outcrop("table")).out).not.toContain("epochs")
  })

  it("name those asked for only where some were not run: two trainings in a row may have been asked for different ones", () => {
    expect([{ low: 100, high: 100, asked: undefined }, { low: 50, high: 100, asked: undefined }, { low: 12, high: 12, asked: 100 }, { low: 12, high: 40, asked: 100 }, { low: 12, high: 100, asked: 100 }].map(showEpochs))
      .toEqual(["100", "50–100", "12 of 100", "12–40 of 100", "12–100 of 100"])
  })
})
