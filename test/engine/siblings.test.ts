import { afterAll, describe, expect, it } from "vitest"
import { openCache } from "../../cache/cache.ts"
import { Folder, removeFolders } from "../pipeline.ts"

afterAll(removeFolders)

/** Each fold tests on rows of its own, so each training is handed other rows. */
const pipeline = `name: siblings
axes: { margin: [0.1, 0.4] }
replicates: { fold: [0, 1, 2, 3] }
stages:
  samples: { uses: ingest/synthetic, with: { samples: 32, size: 16 } }
  embed:   { uses: embed/statistics, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  split:   { uses: ingest/split, needs: samples, with: { by: [label], test: fold, val: 0.25, folds: 4, fold: $fold } }
  train:   { uses: train/triplet, needs: { embeddings: embed, annotations: classes, split }, with: { tasks: { class: 1 }, out: 4, epochs: 3, margin: $margin } }
`
/** Digests of every column of the trainings in a cache, by key. */
const trainings = (folder: Folder) => {
  const { close, index, store } = openCache(folder.at(".outcrop"))
  const actions = store.documents("actions").map((key) => index.action(key)!).filter(({ uses }) => uses === "train/triplet")
  close()
  return new Map(actions.map(({ key, outputs }) => [key, Object.fromEntries(Object.entries(outputs).map(([port, { columns, rows }]) => [port, { rows, columns }]))]))
}

describe("trainings in one call", () => {
  it.each(["wasm", "onnx"])("on %s, give what each gives alone", async (backend) => {
    const all = new Folder({ "pipeline.yaml": pipeline }), alone = new Folder({ "pipeline.yaml": pipeline })
    expect(await all.ran("--backend", backend)).toMatchObject({ train: 8 })
    for (const cell of [["margin=0.4", "fold=2"], ["margin=0.1", "fold=3"]]) expect(await alone.ran("--backend", backend, ...cell)).toMatchObject({ train: 1 })
    const together = trainings(all), single = trainings(alone)
    expect([together.size, single.size]).toEqual([8, 2])
    for (const [key, tables] of single) {
      expect(Object.keys(tables).toSorted()).toEqual(expect.arrayContaining(["embeddings", "history", "weights"]))
      expect(together.get(key)).toEqual(tables)
    }
  })
})
