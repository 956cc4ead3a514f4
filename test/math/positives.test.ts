import { describe, expect, it } from "vitest"
import { pairsOf } from "../../math/positives.ts"

describe("pairsOf", () => {
  it("weighs the positives of an anchor evenly; who has none is its own", () => {
    const positives = [[1, 2], [0], []]
    expect(pairsOf(["a", "b", "c"], (row) => positives[row]!)).toEqual({
      alone: 1,
      pairs: { anchor: ["a", "a", "b", "c"], positive: ["b", "c", "a", "c"], weight: Float32Array.of(0.5, 0.5, 1, 1) }
    })
    expect(pairsOf([], () => []).pairs.anchor).toEqual([])
  })
})
