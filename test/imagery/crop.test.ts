import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { areaOf, type Box, boxIn, cropAround } from "../../imagery/crop.ts"
import { stream } from "../../math/random.ts"

const size = { width: 1000, height: 800 }
const crop = (boxes: ReadonlyArray<Box>, seed = 0, side = 300) => cropAround(size, boxes, 0, side, stream(seed))

describe("cropAround", () => {
  it("holds its box, lies in the image, and meets no other box, or says why not", () => {
    const box = fc.tuple(fc.integer({ min: 0, max: 950 }), fc.integer({ min: 0, max: 750 }), fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 }))
      .map(([x, y, w, h]): Box => [x, y, Math.min(1000, x + w), Math.min(800, y + h)])
    fc.assert(fc.property(fc.array(box, { minLength: 1, maxLength: 5 }), fc.integer(), (boxes, seed) => {
      const window = crop(boxes, seed)
      if (typeof window === "string") {
        expect(window).toBe("crossed by another box")
        return
      }
      const [x, y, width, height] = window
      expect([width, height]).toEqual([300, 300])
      expect(Math.min(x, y, 1000 - x - 300, 800 - y - 300)).toBeGreaterThanOrEqual(0)
      expect(areaOf(boxIn(boxes[0]!, window))).toBe(areaOf(boxes[0]!))
      for (const other of boxes.slice(1)) expect(areaOf(boxIn(other, window))).toBe(0)
    }))
  })

  it("takes every place that holds the box, each as likely", () => {
    const counts = new Map<number, number>()
    for (let seed = 0; seed < 4000; seed++) {
      const window = crop([[500, 400, 796, 696]], seed)
      if (typeof window !== "string") counts.set(window[0], (counts.get(window[0]) ?? 0) + 1)
    }
    expect([...counts.keys()].toSorted()).toEqual([496, 497, 498, 499, 500])
    for (const count of counts.values()) expect(Math.abs(count - 800)).toBeLessThan(120)
  })

  it.each([
    [[[10, 10, 10, 20]], "empty"],
    [[[1200, 10, 1300, 20]], "empty"],
    [[[100, 100, 401, 120]], "larger than the crop"],
    [[[100, 100, 380, 380], [390, 100, 395, 380], [90, 90, 99, 400], [100, 90, 380, 99]], "crossed by another box"]
  ] as ReadonlyArray<readonly [ReadonlyArray<Box>, string]>)("refuses %j: %s", (boxes, why) => expect(crop(boxes)).toBe(why))

  it("refuses images smaller than the crop", () => expect(cropAround({ width: 299, height: 400 }, [[1, 1, 2, 2]], 0, 300, stream(0))).toBe("of an image smaller than the crop"))

  it("does not mind a box that touches the crop's edge", () => {
    expect(cropAround({ width: 300, height: 600 }, [[10, 0, 20, 300], [10, 300, 20, 310]], 0, 300, stream(0))).toEqual([0, 0, 300, 300])
  })
})
