import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import { drawRows, positivesOf, viewed } from "../../tensor/drawing.ts"

// rows 0..6: a has three views, b and c two
const table = { sample_id: ["a", "a", "a", "b", "b", "c", "c"], view: ["augmented", "full", "masked", "full", "masked", "full", "masked"] }
const samples = viewed(table), view = (name: string) => samples.views.get(name)!
const all = Int32Array.of(0, 1, 2)
const random = (seed = 0) => {
  const draw = stream(seed, "drawing")
  return () => draw
}

describe("rows of a table of views", () => {
  it("are found by sample and view; a view that a sample lacks is -1", () => {
    expect(samples.ids).toEqual(["a", "b", "c"])
    expect([...view("full")]).toEqual([1, 3, 5])
    expect([...view("augmented")]).toEqual([0, -1, -1])
  })
})

describe("anchors and their positives", () => {
  it("one view and no positives: the row of the view", () => expect(drawRows({ queries: [view("full")], keys: undefined }, all, random())).toEqual({ anchors: Int32Array.of(1, 3, 5), positives: new Int32Array(), samples: new Int32Array() }))
  it("another view of the sample", () => {
    const { anchors, positives } = drawRows({ queries: [view("masked")], keys: { views: [view("full")], positives: new Map() } }, all, random())
    expect([...anchors]).toEqual([2, 4, 6])
    expect([...positives]).toEqual([1, 3, 5])
  })
  it("where both sides may be any view, never twice the same", () => {
    const views = [view("full"), view("masked")], seen = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const { anchors, positives } = drawRows({ queries: views, keys: { views, positives: new Map() } }, all, random(seed))
      for (const i of all.keys()) expect(positives[i]).not.toBe(anchors[i])
      seen.add([...anchors].join(" "))
    }
    expect(seen.size).toBeGreaterThan(3)
  })
  it("another sample by the pairs, drawn by weight; itself where it has none; a mixture with views", () => {
    const positives = positivesOf({ anchor: ["a", "a", "b"], positive: ["b", "c", "a"], weight: Float32Array.of(3, 1, 1) }, samples.ids, () => "train")
    let often = 0
    for (let seed = 0; seed < 400; seed++) {
      const drawn = drawRows({ queries: [view("full")], keys: { views: [view("masked")], positives } }, all, random(seed))
      expect([4, 6]).toContain(drawn.positives[0])
      expect([...drawn.positives.subarray(1)]).toEqual([2, 6])
      expect([...drawn.samples]).toEqual([drawn.positives[0] === 4 ? 1 : 2, 0, 2])
      if (drawn.positives[0] === 4) often++
    }
    expect(often).toBeGreaterThan(260)
    expect(often).toBeLessThan(340)
  })
  it("pairs of samples that are not here, or of another role, are passed over", () => {
    const role = (sample: number) => sample === 2 ? "val" : "train"
    const positives = positivesOf({ anchor: ["a", "a", "x", "b"], positive: ["c", "b", "a", "x"], weight: Float32Array.of(1, 1, 1, 1) }, samples.ids, role)
    expect([...positives.keys()]).toEqual([0])
    expect(positives.get(0)!.samples).toEqual([1])
  })
})
