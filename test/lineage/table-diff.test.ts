import { describe, expect, it } from "vitest"
import { diffTables } from "../../lineage/table-diff.ts"
import { Annotations } from "../../schemas/annotations.ts"
import { Embeddings } from "../../schemas/embeddings.ts"
import { History } from "../../schemas/history.ts"
import { Metrics } from "../../schemas/metrics.ts"
import { Samples } from "../../schemas/samples.ts"
import { make } from "../../schemas/table.ts"

const embeddings = (rows: Readonly<Record<string, ReadonlyArray<number>>>) => make(Embeddings, {
  sample_id: Object.keys(rows),
  view: Object.keys(rows).map(() => "full"),
  embedding: { width: Object.values(rows)[0]!.length, values: Float32Array.from(Object.values(rows).flat()) }
})
const asset = (path: string, digest: string) => [{ band: "image", path, digest, index: -1, gsd: Number.NaN }]

describe("diffTables", () => {
  it("matches rows by their key, whatever their order", () => {
    const { columns, examples, rows } = diffTables(embeddings({ b: [1, 0], a: [3, 4] }), embeddings({ a: [3, 4], b: [1, 0] }))
    expect({ columns, rows }).toEqual({ columns: [], rows: { a: 2, b: 2, onlyA: 0, onlyB: 0, changed: 0 } })
    expect(examples).toEqual({ onlyA: [], onlyB: [], changed: [] })
  })

  it("vectors: greatest and mean absolute difference, least and mean cosine, over the rows in both", () => {
    const { columns, examples, rows } = diffTables(embeddings({ a: [3, 4], b: [1, 0], gone: [9, 9] }), embeddings({ a: [4, 3], b: [1, 0], new: [5, 5] }))
    expect(rows).toEqual({ a: 3, b: 3, onlyA: 1, onlyB: 1, changed: 1 })
    expect(columns).toMatchObject([{ name: "embedding", kind: "vectors", changed: 1, max: 1, mean: 0.5 }])
    expect(columns[0]!.cosine!.least).toBeCloseTo(24 / 25, 12)
    expect(columns[0]!.cosine!.mean).toBeCloseTo((24 / 25 + 1) / 2, 12)
    expect(examples).toEqual({ onlyA: ["gone full"], onlyB: ["new full"], changed: [{ row: "a full", values: [{ column: "embedding", a: "[3, 4]", b: "[4, 3]" }] }] })
  })

  it("vectors of another width: every row changed, and no number of it", () => {
    const { columns } = diffTables(embeddings({ a: [3, 4], b: [1, 0] }), embeddings({ a: [3, 4, 0], b: [1, 0, 0] }))
    expect(columns).toEqual([{ name: "embedding", kind: "vectors", widths: [2, 3], changed: 2 }])
  })

  it("text, absent values and times as they read; where files lie is no difference, what they hold is", () => {
    const samples = (folder: string, digest: string, label: string | null, time: number) => make(Samples, {
      sample_id: ["x", "y"], assets: [asset(`${folder}/x.png`, digest), asset(`${folder}/y.png`, "e".repeat(64))], label: [label, "deer"], time: Float64Array.of(time, Number.NaN)
    })
    const a = samples("old", "1".repeat(64), null, Date.UTC(2020, 0, 1)), moved = samples("new", "1".repeat(64), null, Date.UTC(2020, 0, 1))
    expect(diffTables(a, moved).columns).toEqual([])
    const { columns, examples } = diffTables(a, samples("old", "2".repeat(64), "boar", Date.UTC(2021, 0, 1)))
    expect(columns).toEqual([{ name: "assets", kind: "assets", changed: 1 }, { name: "label", kind: "optionalText", changed: 1 }, { name: "time", kind: "time", changed: 1 }])
    expect(examples.changed).toEqual([{
      row: "x",
      values: [
        { column: "assets", a: "image 111111111111", b: "image 222222222222" },
        { column: "label", a: "absent", b: "boar" },
        { column: "time", a: "2020-01-01T00:00:00.000Z", b: "2021-01-01T00:00:00.000Z" }
      ]
    }])
  })

  it("class ids by their names: another order of the vocabulary changes no class", () => {
    const annotations = (ids: ReadonlyArray<number>, names: ReadonlyArray<string>, score?: ReadonlyArray<number>) => make(Annotations, {
      sample_id: ["x", "y", "z"], open: { class: Int32Array.from(ids), ...(score === undefined ? {} : { score: Float32Array.from(score) }) }, metadata: { class: JSON.stringify(names) }
    })
    const a = annotations([0, 1, -1], ["boar", "deer"])
    expect(diffTables(a, annotations([1, 0, -1], ["deer", "boar"]))).toMatchObject({ columns: [], metadata: ["class"] })
    const { columns, examples } = diffTables(a, annotations([0, 2, -1], ["boar", "deer", "lynx"], [1, 2, 3]))
    expect(columns).toEqual([{ name: "class", kind: "integer", changed: 1 }, { name: "score", kind: "float", only: "b", changed: 0 }])
    expect(examples.changed).toEqual([{ row: "y", values: [{ column: "class", a: "deer", b: "lynx" }] }])
  })

  it("numbers that are absent on one side count as changed, and in no mean", () => {
    const metrics = (values: ReadonlyArray<number>) => make(Metrics, {
      task: ["t", "t", "t"], metric: ["a", "b", "c"], class: ["", "", ""], split: ["test", "test", "test"], value: Float64Array.from(values), n: Int32Array.of(5, 5, 5),
      ci_low: new Float64Array(3).fill(Number.NaN), ci_high: new Float64Array(3).fill(Number.NaN)
    })
    const { columns, examples } = diffTables(metrics([1, 2, Number.NaN]), metrics([1.5, Number.NaN, Number.NaN]))
    expect(columns).toEqual([{ name: "value", kind: "number", changed: 2, max: 0.5, mean: 0.5 }])
    expect(examples.changed).toEqual([{ row: "t a test", values: [{ column: "value", a: "1", b: "1.5" }] }, { row: "t b test", values: [{ column: "value", a: "2", b: "absent" }] }])
  })

  it("a table whose order is its content by position; of many rows, five are shown", () => {
    const history = (epochs: number, loss: number) => make(History, {
      epoch: Int32Array.from({ length: epochs }, (_, i) => i + 1), step: new Int32Array(epochs), train_loss: new Float64Array(epochs).fill(loss), val_loss: new Float64Array(epochs).fill(Number.NaN)
    })
    const { examples, rows } = diffTables(history(20, 1), history(28, 2))
    expect(rows).toEqual({ a: 20, b: 28, onlyA: 0, onlyB: 8, changed: 20 })
    expect(examples.onlyB).toEqual(["row 20", "row 21", "row 22", "row 23", "row 24"])
    expect(examples.changed.map(({ row }) => row)).toEqual(["row 0", "row 1", "row 2", "row 3", "row 4"])
  })
})
