import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { windowsApart } from "../../../lineage/audit/duplicates.ts"
import { partitionOf, type Row } from "./partition.ts"

const window = fc.tuple(fc.nat(40), fc.nat(40), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }))
const row = fc.record({ role: fc.constantFrom("train" as const, "test" as const), scene: fc.constantFrom("a", "b"), window, lat: fc.constant(1) })

const overlap = (a: Row, b: Row) => {
  const [x, y, w, h] = a.window!, [left, top, width, height] = b.window!
  return a.scene === b.scene && `${a.window}` !== `${b.window}` && Math.min(x + w, left + width) > Math.max(x, left) && Math.min(y + h, top + height) > Math.max(y, top)
}

describe("windows of one scene", () => {
  it("are found to overlap as asking all pairs does", () => {
    fc.assert(fc.property(fc.array(row, { minLength: 2, maxLength: 30 }), (rows) => {
      const outcome = windowsApart({ partitions: [partitionOf(rows)] })
      const expected = rows.filter((one) => one.role === "test" && rows.some((other) => other.role === "train" && overlap(one, other))).length
      expect("found" in outcome ? outcome.found.reduce((sum, { count }) => sum + count, 0) : 0).toBe(expected)
    }))
  })

  it("overlap with a sample that is all of the scene", () => {
    const whole: Row = { role: "train", scene: "a" }, window: Row = { role: "test", scene: "a", window: [3, 3, 5, 5] }
    expect(windowsApart({ partitions: [partitionOf([whole, window])] })).toMatchObject({ found: [{ level: "failed", count: 1, examples: ["s1: 100% of it in s0"] }] })
    expect(windowsApart({ partitions: [partitionOf([{ ...window, role: "train" }, { ...whole, role: "test" }])] })).toMatchObject({
      found: [{ level: "failed", what: "1 of 1 test samples share pixels with a training sample: windows of one scene overlap", examples: ["s0 is a window of s1"] }]
    })
  })

  it("that touch do not overlap; the share of the test window is told", () => {
    const train: Row = { role: "train", scene: "a", window: [0, 0, 10, 10] }
    expect(windowsApart({ partitions: [partitionOf([train, { ...train, role: "test", lat: 1, window: [10, 0, 10, 10] }])] })).toEqual({ looked: "1 split", found: [] })
    expect(windowsApart({ partitions: [partitionOf([train, { ...train, role: "test", window: [10, 0, 10, 10] }])] })).toMatchObject({ found: [{ level: "warning", kind: "scene", count: 1, examples: ["s1 and s0"] }] })
    expect(windowsApart({ partitions: [partitionOf([train, { ...train, role: "test", window: [5, 0, 10, 10] }])] })).toMatchObject({ found: [{ level: "failed", count: 1, examples: ["s1: 50% of it in s0"] }] })
    expect(windowsApart({ partitions: [partitionOf([{ role: "train", scene: "a" }, { role: "test", scene: "a" }])] })).toMatchObject({ inapplicable: "no two samples are windows of one scene" })
    expect(windowsApart({ partitions: [partitionOf([{ role: "train" }, { role: "test" }])] })).toEqual({ inapplicable: "no two samples are windows of one scene" })
  })
})
