import { describe, expect, it } from "vitest"
import { readWindow, type Size, type Window } from "../../imagery/window.ts"

const read = (values: ReadonlyArray<number>, from: Size, nodata: number, window: Window, size: Size) => {
  const out = new Float32Array(size.width * size.height)
  readWindow({ ...from, bands: 1, names: [], nodata, geo: undefined, values: Float32Array.from(values) }, 0, window, size, out)
  return Array.from(out)
}
const nan = Number.NaN

describe("readWindow", () => {
  it("copies a window of whole edges, holes as they are", () => {
    expect(read([1, -9999, 3, 4, 5, 6], { width: 3, height: 2 }, -9999, [1, 0, 2, 2], { width: 2, height: 2 })).toEqual([-9999, 3, 5, 6])
  })

  it("lets no pixel mix a value with a hole: what a hole has a share in is a hole", () => {
    // at 3 times the resolution the centre of each triple is the coarse pixel alone, the others lie between two
    expect(read([7, 7, -9999, -9999, 7, 7], { width: 6, height: 1 }, -9999, [0, 0, 6, 1], { width: 18, height: 1 }))
      .toEqual([7, 7, 7, 7, 7, nan, nan, nan, nan, nan, nan, nan, nan, 7, 7, 7, 7, 7])
    expect(read([7, 7, -9999, 7, 7, 7, 7, 7], { width: 8, height: 1 }, -9999, [0, 0, 8, 1], { width: 4, height: 1 })).toEqual([nan, nan, 7, 7])
  })

  it("looks at the window only, and at the values of both directions", () => {
    const values = Array.from({ length: 400 }, (_, i) => i === 21 ? -3.4028234663852886e38 : 5)
    expect(read(values, { width: 20, height: 20 }, -3.4028234663852886e38, [10, 10, 4, 4], { width: 8, height: 8 })).toEqual(Array.from({ length: 64 }, () => 5))
    expect(read(values, { width: 20, height: 20 }, -3.4028234663852886e38, [0, 0, 4, 4], { width: 8, height: 8 }).map((value, i) => Number.isNaN(value) ? i : -1).filter((i) => i >= 0))
      .toEqual([1, 2, 3, 4].flatMap((y) => [1, 2, 3, 4].map((x) => y * 8 + x)))
  })

  it("mixes values where nothing is declared", () => {
    expect(read([0, 4], { width: 2, height: 1 }, nan, [0, 0, 2, 1], { width: 4, height: 1 })).toEqual([0, 1, 3, 4])
  })
})
