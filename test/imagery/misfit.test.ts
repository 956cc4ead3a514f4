import { describe, expect, it } from "vitest"
import { misfit } from "../../imagery/misfit.ts"

const size = { width: 100, height: 80 }

describe("misfit", () => {
  it("is nothing for a box inside its image, to a pixel of rounding", () => {
    for (const box of [[0, 0, 100, 80], [10, 20, 30, 40], [-0.9, -1, 101, 80.5]] as const) expect(misfit(box, size)).toBeUndefined()
  })
  it("is said of a box beyond its image, without area, or with a corner that is no number", () => {
    expect(misfit([-1.5, 0, 10, 10], size)).toBe("the box -1.5, 0, 10, 10 (xmin, ymin, xmax, ymax) does not lie inside the image, which is 100 x 80 px")
    expect(misfit([0, 0, 80, 100], size)).toContain("does not lie inside the image")
    expect(misfit([10, 0, 10, 5], size)).toBe("the box 10, 0, 10, 5 (xmin, ymin, xmax, ymax) has no area")
    expect(misfit([10, Number.NaN, 20, 5], size)).toContain("has no area")
  })
})
