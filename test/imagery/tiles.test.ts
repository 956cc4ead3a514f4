import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { holdsCentre, tilesOf } from "../../imagery/tiles.ts"

describe("tilesOf", () => {
  it("covers what fits, row by row", () => {
    expect(tilesOf({ width: 130, height: 64 }, 64, 64)).toEqual([[0, 0, 64, 64], [64, 0, 64, 64]])
    expect(tilesOf({ width: 130, height: 64 }, 64, 33)).toEqual([[0, 0, 64, 64], [33, 0, 64, 64], [66, 0, 64, 64]])
    expect(tilesOf({ width: 63, height: 100 }, 64, 64)).toEqual([])
  })
})

describe("holdsCentre", () => {
  it("gives a box to one tile exactly, where tiles cover its centre", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 120 }), fc.integer({ min: 1, max: 8 }), (x, y, side) => {
      const holders = tilesOf({ width: 128, height: 128 }, 32, 32).filter((tile) => holdsCentre(tile, [x, y, x + side, y + side]))
      expect(holders.length).toBe(x + side / 2 < 128 && y + side / 2 < 128 ? 1 : 0)
    }))
  })
})
