import { describe, expect, it } from "vitest"
import { oneView } from "../../math/views.ts"

const table = (...rows: ReadonlyArray<readonly [string, string, number]>) => ({
  sample_id: rows.map(([id]) => id),
  view: rows.map(([, view]) => view),
  embedding: { width: 1, values: Float32Array.from(rows, ([, , value]) => value) }
})

describe("oneView", () => {
  it("is the only view, without a copy", () => {
    const embeddings = table(["a", "masked", 1], ["b", "masked", 2])
    expect(oneView(embeddings, ["a", "b"]).values).toBe(embeddings.embedding.values)
  })
  it("is the full view among several", () => {
    expect(oneView(table(["a", "full", 1], ["a", "masked", 2], ["b", "full", 3], ["b", "masked", 4]), ["a", "b"])).toEqual({ rows: 2, columns: 1, values: Float32Array.of(1, 3) })
  })
  it("is an error that names the views where none is full, and the sample that lacks one", () => {
    expect(() => oneView(table(["a", "left", 1], ["a", "right", 2]), ["a"])).toThrow("the views left, right and none is \"full\"")
    expect(() => oneView(table(["a", "full", 1], ["b", "masked", 2]), ["a", "b"])).toThrow("sample b has no embedding of the view full")
  })
})
