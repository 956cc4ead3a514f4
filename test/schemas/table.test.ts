import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Annotations } from "../../schemas/annotations.ts"
import type { ColumnTypes } from "../../schemas/column.ts"
import { Embeddings } from "../../schemas/embeddings.ts"
import { Samples } from "../../schemas/samples.ts"
import { Split } from "../../schemas/split.ts"
import { compareText, InvalidTable, make, type TableInput, take, view } from "../../schemas/table.ts"
import { tableSchemas } from "../../schemas/tables.ts"
import { contentOf, tablesOf } from "./tables.ts"

const violation = (body: () => unknown): InvalidTable => {
  try {
    body()
  } catch (cause) {
    if (cause instanceof InvalidTable) return cause
    throw cause
  }
  throw new Error("it was taken as valid")
}

describe("a table that breaks its schema is refused, with column, row and value", () => {
  it("a missing column", () => {
    // @ts-expect-error -- the split column is left out
    expect(violation(() => make(Split, { sample_id: ["a"] }))).toMatchObject({ table: "split", column: "split", row: -1 })
  })

  it("a value that is not among the allowed ones", () => {
    const error = violation(() => make(Split, { sample_id: ["a", "b"], split: ["train", "tset"] }))
    expect(error).toMatchObject({ column: "split", row: 1 })
    expect(error.message).toContain("\"tset\" is none of train, val, test, unused")
  })

  it("a key that stands in two rows; several columns make a key together", () => {
    const vectors = { width: 1, values: Float32Array.of(1, 2) }
    expect(violation(() => make(Embeddings, { sample_id: ["a", "a"], view: ["full", "full"], embedding: vectors }))).toMatchObject({ column: "sample_id", row: 1 })
    expect(make(Embeddings, { sample_id: ["a", "a"], view: ["full", "masked"], embedding: vectors }).rows).toBe(2)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("%d in an embedding, with its row", (bad) => {
    const error = violation(() => make(Embeddings, { sample_id: ["a", "b"], view: ["full", "full"], embedding: { width: 2, values: Float32Array.of(1, 2, 3, bad) } }))
    expect(error).toMatchObject({ column: "embedding", row: 1 })
    expect(error.message).toContain(String(bad))
  })

  it("boxes of a width that is not 4", () => {
    const error = violation(() => make(Samples, { sample_id: ["a"], assets: [[]], box: { width: 3, values: Float32Array.of(1, 2, 3) } }))
    expect(error).toMatchObject({ column: "box" })
    expect(error.message).toContain("width 3 where 4 is expected")
  })

  it("values that do not fill their rows", () => {
    expect(violation(() => make(Embeddings, { sample_id: ["a"], view: ["full"], embedding: { width: 2, values: Float32Array.of(1, 2, 3) } })).column).toBe("embedding")
  })

  it("columns of unequal length", () => {
    const error = violation(() => make(Split, { sample_id: ["a", "b"], split: ["train"] }))
    expect(error.column).toBe("split")
    expect(error.message).toContain("1 rows where the table has 2")
  })

  it("a column under a name that the table does not have", () => {
    expect(violation(() => make(Split, { sample_id: ["a"], split: ["train"], open: { extra: Int32Array.of(1) } })).column).toBe("extra")
    expect(violation(() => make(Annotations, { sample_id: ["a"], open: { sample_id: Int32Array.of(1) } })).column).toBe("sample_id")
  })

  it("columns beside those of the table, which would be lost: they are named, with the near name or where they go", () => {
    const more: unknown = { sample_id: ["a"], split: ["train"], spilt: ["train"], fold: Int32Array.of(1), rows: 1, other: undefined }
    expect(violation(() => make(Split, more as TableInput<typeof Split.columns>))).toMatchObject({ column: "spilt", row: -1, message: 'split has no column "spilt" (did you mean "split"?), "fold"; it has sample_id, split' })
    const flat: unknown = { sample_id: ["a"], class: Int32Array.of(1), score: Float32Array.of(1) }
    expect(violation(() => make(Annotations, flat as TableInput<typeof Annotations.columns>))).toMatchObject({ column: "class", message: 'annotations has no column "class", "score"; columns of your own go into open: { class, score }' })
  })

  it.each([["Array", ["x"]], ["Float64Array", Float64Array.of(1)], ["null", null], ["String", "x"], ["Object", { width: 1 }]])("an open column that is of no kind: %s", (is, column: unknown) => {
    expect(violation(() => make(Annotations, { sample_id: ["a"], open: { class: column as Int32Array } }))).toMatchObject({ column: "class", message: `an open column is an Int32Array or a Float32Array or { width, values: Float32Array }, got ${is}` })
  })

  it.each([["null", null], ["String", "x"], ["Number", 7]])("a declared column that is %s", (is, column: unknown) => {
    expect(violation(() => make(Split, { sample_id: column as ReadonlyArray<string>, split: ["train"] }))).toMatchObject({ column: "sample_id", message: `a text column is an array of strings, got ${is}` })
  })

  it("text that is none", () => {
    const ids: ReadonlyArray<unknown> = ["a", 7]
    expect(violation(() => make(Split, { sample_id: ids as ReadonlyArray<string>, split: ["train", "test"] }))).toMatchObject({ column: "sample_id", row: 1 })
  })

  it("a plain list where a typed array belongs (nobody type-checks a user's stage)", () => {
    const list: unknown = [1.5, 2]
    expect(violation(() => make(Samples, { sample_id: ["a", "b"], assets: [[], []], lat: list as Float64Array })).column).toBe("lat")
    expect(violation(() => make(Annotations, { sample_id: ["a", "b"], open: { score: list as Float32Array } })).column).toBe("score")
  })

  it("a label that is undefined or no text", () => {
    const labels: unknown = ["x", undefined]
    expect(violation(() => make(Samples, { sample_id: ["a", "b"], assets: [[], []], label: labels as ReadonlyArray<string> }))).toMatchObject({ column: "label", row: 1 })
  })
})

describe("rows", () => {
  it("text is ordered by its UTF-8 bytes, on every machine", () => {
    const whole = fc.string({ unit: "binary", maxLength: 6 })
    fc.assert(fc.property(whole, whole, (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }))
    expect(["\u{1F600}", "\uFB01", "z", "é", "Z"].toSorted(compareText)).toEqual(["Z", "z", "é", "\uFB01", "\u{1F600}"])
  })

  it.each(Object.values(tableSchemas).filter(({ key }) => key.length > 0).map((schema) => [schema.name, schema] as const))("%s: the order a stage gives its rows in does not matter", (_, schema) => {
    fc.assert(fc.property(tablesOf(schema), fc.infiniteStream(fc.nat()), (table, numbers) => {
      const order = Array.from({ length: table.rows }, (_, i) => [[...numbers.take(1)][0]!, i] as const).toSorted(([a], [b]) => a - b).map(([, i]) => i)
      const shuffled = take(table, order)
      const given = Object.fromEntries(Array.from(shuffled.columns).filter(([name]) => name in schema.columns).map(([name, { column }]) => [name, column]))
      const open = Object.fromEntries(Array.from(shuffled.columns).filter(([name]) => !(name in schema.columns)).map(([name, { column }]) => [name, column]))
      expect(contentOf(make(schema, { ...given, open, metadata: table.metadata } as never))).toEqual(contentOf(table))
    }), { numRuns: 25 })
  })

  it("a stage sees the columns it declares and no others", () => {
    const seen = view(make(Samples, { sample_id: ["a"], assets: [[]], label: ["x"], lat: Float64Array.of(1) }), ["sample_id", "label"])
    expect(Object.keys(seen).toSorted()).toEqual(["label", "metadata", "open", "rows", "sample_id"])
    expect(seen["label"] as ColumnTypes["optionalText"]).toEqual(["x"])
  })
})
