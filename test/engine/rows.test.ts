import { describe, expect, it } from "vitest"
import { columnsOf, fittingRows, inputsOf, join } from "../../engine/rows.ts"
import { Embeddings } from "../../schemas/embeddings.ts"
import { History } from "../../schemas/history.ts"
import { Pairs } from "../../schemas/pairs.ts"
import { Samples } from "../../schemas/samples.ts"
import { Split } from "../../schemas/split.ts"
import { make, type Table } from "../../schemas/table.ts"

const samples = (...ids: ReadonlyArray<string>) => make(Samples, { sample_id: ids, assets: ids.map(() => []), label: ids.map((id) => `of ${id}`) })
const split = (roles: Readonly<Record<string, string>>) => make(Split, { sample_id: Object.keys(roles), split: Object.values(roles) })
const views = (rows: ReadonlyArray<readonly [string, string]>) => make(Embeddings, { sample_id: rows.map(([id]) => id), view: rows.map(([, view]) => view), embedding: { width: 1, values: Float32Array.from(rows.keys()) } })
const ids = (table: Table | undefined) => table!.columns.get("sample_id")!.column

describe("a table is cut before its rows are", () => {
  it("to the columns that are read, the ids and the split's parts; others are never decoded", () => {
    const whole = samples("a", "b"), decoded: Array<string> = []
    const columns = new Map(Array.from(whole.columns, ([name, { column, kind }]) => [name, {
      kind,
      get column() {
        decoded.push(name)
        return column
      }
    }]))
    const cut = columnsOf({ ...whole, columns }, ["label"])
    expect([...cut.columns.keys()].toSorted()).toEqual(["label", "sample_id"])
    expect(decoded).toEqual([])
    expect(join({ samples: cut, split: split({ b: "train" }) }).tables["samples"]!.columns.get("label")!.column).toEqual(["of b"])
    expect(new Set(decoded)).toEqual(new Set(["sample_id", "label"]))
    expect([...columnsOf(split({ a: "train" }), []).columns.keys()].toSorted()).toEqual(["sample_id", "split"])
  })
})

describe("ports are joined on sample_id", () => {
  it("row i of every port is the same sample, whatever else they hold; who drops out is counted", () => {
    const { dropped, tables } = join({ samples: samples("a", "b", "c", "d"), split: split({ b: "train", c: "test", d: "val", e: "test" }) })
    expect(ids(tables["samples"])).toEqual(["b", "c", "d"])
    expect(ids(tables["split"])).toEqual(["b", "c", "d"])
    expect(dropped).toEqual([
      "1 of 4 samples of \"samples\" have no row in another port and were left out",
      "1 of 4 samples of \"split\" have no row in another port and were left out"
    ])
  })

  it("tables of the same samples are handed on as they are", () => {
    const given = { samples: samples("a", "b"), split: split({ a: "train", b: "test" }) }
    expect(join(given)).toEqual({ tables: given, dropped: [] })
  })

  it("several views of a sample stay, and count once", () => {
    const { dropped, tables } = join({ embeddings: views([["a", "full"], ["a", "masked"], ["b", "full"], ["b", "masked"]]), split: split({ b: "train" }) })
    expect(ids(tables["embeddings"])).toEqual(["b", "b"])
    expect(tables["embeddings"]!.columns.get("embedding")!.column).toEqual({ width: 1, values: Float32Array.of(2, 3) })
    expect(dropped).toEqual(["1 of 2 samples of \"embeddings\" have no row in another port and were left out"])
  })

  it("tables without samples take no part", () => {
    const history = make(History, { epoch: Int32Array.of(1), step: Int32Array.of(1), train_loss: Float64Array.of(1), val_loss: Float64Array.of(1) })
    expect(join({ history, samples: samples("a") }).tables["history"]).toBe(history)
  })
})

describe("fit is handed", () => {
  const roles = split({ a: "train", b: "val", c: "test", d: "unused", e: "train" })
  const tables = { embeddings: views([["a", "full"], ["b", "full"], ["c", "full"], ["d", "full"], ["e", "full"]]), split: roles }
  it("the training rows", () => {
    const rows = fittingRows(tables, false)
    expect(ids(rows["embeddings"])).toEqual(["a", "e"])
    expect(ids(rows["split"])).toEqual(["a", "e"])
  })

  it("and the validation rows where the stage selects on them; never test rows", () => {
    expect(ids(fittingRows(tables, true)["embeddings"])).toEqual(["a", "b", "e"])
  })

  it("all views of each", () => {
    const embeddings = views([["a", "full"], ["a", "masked"], ["c", "full"], ["c", "masked"], ["e", "full"], ["e", "masked"]])
    const rows = fittingRows({ embeddings, split: roles }, true)["embeddings"]!
    expect(ids(rows)).toEqual(["a", "a", "e", "e"])
    expect(rows.columns.get("view")!.column).toEqual(["full", "masked", "full", "masked"])
  })

  it("pairs of which both samples go to fit in one role, so that nothing is fitted across the split", () => {
    const every = ["a", "b", "c", "d", "e", "elsewhere"], both = every.flatMap((anchor) => every.map((positive) => [anchor, positive] as const))
    const pairs = make(Pairs, { anchor: both.map(([anchor]) => anchor), positive: both.map(([, positive]) => positive), weight: new Float32Array(both.length).fill(1) })
    const left = (validates: boolean) => {
      const { columns } = fittingRows({ ...tables, pairs }, validates)["pairs"]!
      const anchor = columns.get("anchor")!.column as ReadonlyArray<string>, positive = columns.get("positive")!.column as ReadonlyArray<string>
      return anchor.map((id, row) => `${id}${positive[row]}`)
    }
    expect(left(false)).toEqual(["aa", "ae", "ea", "ee"])
    expect(left(true)).toEqual(["aa", "ae", "bb", "ea", "ee"])
    expect(fittingRows({ pairs }, true)["pairs"]).toBe(pairs)
  })

  it("all rows where no split is bound", () => {
    expect(ids(fittingRows({ embeddings: tables.embeddings }, false)["embeddings"])).toEqual(["a", "b", "c", "d", "e"])
  })
})

describe("a stage sees", () => {
  it("the columns it reads, and no others", () => {
    const seen = inputsOf({ samples: samples("a") }, { samples: ["sample_id"] })["samples"]!
    expect(Object.keys(seen)).not.toContain("label")
    expect(seen.rows).toBe(1)
  })
})
