import { afterAll, describe, expect, it } from "vitest"
import { Folder, removeFolders } from "../pipeline.ts"

afterAll(removeFolders)

/** Each fold tests on rows of its own, so each training is handed other rows. */
const pipeline = `name: siblings
axes: { margin: [0.1, 0.4] }
replicates: { fold: [0, 1, 2, 3] }
stages:
  samples: { uses: ingest/synthetic, with: { samples: 48 } }
  embed:   { uses: embed/statistics, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  split:   { uses: ingest/split, needs: samples, with: { by: [label], test: fold, val: 0.25, folds: 4, fold: $fold } }
  train:   { uses: train/triplet, needs: { embeddings: embed, annotations: classes, split }, with: { tasks: { class: 1 }, out: 4, epochs: 5, margin: $margin } }
`

describe("trainings in one call", () => {
  it.each(["wasm", "onnx"])("on %s, give what each gives alone", async (backend) => {
    const all = new Folder({ "pipeline.yaml": pipeline }), alone = new Folder({ "pipeline.yaml": pipeline })
    await all.outcrop("run", "--backend", backend)
    for (const cell of [["margin=0.4", "fold=2"], ["margin=0.1", "fold=3"]]) {
      await alone.outcrop("run", "--backend", backend, ...cell)
      for (const table of ["train.weights", "train.history", "train.embeddings"]) {
        const [together, single] = [await all.outcrop("get", "--backend", backend, table, ...cell), await alone.outcrop("get", "--backend", backend, table, ...cell)]
        expect(single.code).toBe(0)
        expect(together.out).toBe(single.out)
      }
    }
  })
})
