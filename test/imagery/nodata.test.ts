import { describe, expect, it } from "vitest"
import { isHole } from "../../imagery/nodata.ts"

describe("isHole", () => {
  it("is what the file declares, in its own precision or that of float32, and what is not finite", () => {
    expect([-9999, 0, 1].map((value) => isHole(value, -9999))).toEqual([true, false, false])
    expect([0.1, Math.fround(0.1), 0.2].map((value) => isHole(value, 0.1))).toEqual([true, true, false])
    expect([Number.NaN, Infinity, -Infinity, 0].map((value) => isHole(value, Number.NaN))).toEqual([true, true, true, false])
  })
})
