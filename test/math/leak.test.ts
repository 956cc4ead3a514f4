import { describe, expect, it } from "vitest"
import { leakNotice, leakOf } from "../../math/leak.ts"

const nan = Number.NaN
const placed = (rows: ReadonlyArray<readonly [lat: number, lon: number, location: string | null]>) => ({
  lat: Float64Array.from(rows, ([lat]) => lat),
  lon: Float64Array.from(rows, ([, lon]) => lon),
  location: rows.map(([, , location]) => location)
})

describe("leakOf", () => {
  it("counts across the date line and at a pole, test against train only", () => {
    const rows = placed([[0, 179.999, "a"], [0, -179.999, "b"], [90, 10, "c"], [89.9999, -170, "a"], [0.5, 0, "d"], [0.5, 0.001, "d"], [0.5, 0.002, "d"]])
    expect(leakOf(rows, ["train", "test", "train", "test", "val", "test", "unused"], 1000)).toEqual({ test: 3, near: 2, same: 1 })
  })
  it("does not say of coordinates or locations what nobody knows", () => {
    expect(leakOf(placed([[nan, nan, "a"], [nan, nan, "a"]]), ["train", "test"], 1000)).toEqual({ test: 1, near: undefined, same: 1 })
    expect(leakOf(placed([[1, 1, null], [1, 1, null], [nan, 1, null]]), ["train", "test", "test"], 1000)).toEqual({ test: 2, near: 1, same: undefined })
  })
})

describe("leakNotice", () => {
  it.each([
    [{ test: 10, near: 8, same: 6 }, "spatial leak: 8 of 10 test samples lie within 1 km of a training sample, 6 in the same place as one; `group: location` or `group: h3` keeps places apart"],
    [{ test: 10, near: 8, same: 0 }, "spatial leak: 8 of 10 test samples lie within 1 km of a training sample, 0 in the same place as one; `group: h3` keeps places apart"],
    [{ test: 10, near: undefined, same: 6 }, "spatial leak: 6 of 10 test samples are in the same place as a training sample; `group: location` keeps places apart"],
    [{ test: 10, near: 0, same: undefined }, "no spatial leak: 0 of 10 test samples lie within 1 km of a training sample"],
    [{ test: 10, near: undefined, same: undefined }, undefined]
  ])("%j", (leak, text) => expect(leakNotice(leak, "1 km")).toBe(text))
})
