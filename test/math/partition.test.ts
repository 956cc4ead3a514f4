import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { byTime, contradiction, divide, type Division } from "../../math/partition.ts"

const rowsOf = (n: number) => ({
  classes: Int32Array.from({ length: n }, (_, i) => i % 3),
  groups: undefined,
  names: [],
  time: Float64Array.from({ length: n }, (_, i) => i % 5 === 4 ? Number.NaN : Date.UTC(2021, i % 24, 15))
})

describe("divide", () => {
  it("gives every row one part; test does not depend on what validates", () => {
    const test = fc.constantFrom<Division["test"]>(0, 0.3, { from: "2022-01-01" }, { months: [12, 1, 2] }), val = fc.constantFrom<Division["val"]>(0, 0.2, { from: "2021-11-01" }, { months: [6] })
    fc.assert(fc.property(fc.integer({ min: 24, max: 80 }), test, val, fc.nat(5), (n, test, val, seed) => {
      const rows = rowsOf(n), { asked, split } = divide(rows, { test, ...val !== undefined && { val }, seed })
      expect(split).toHaveLength(n)
      expect(asked).toEqual(["train", ...val === 0 ? [] : ["val"], ...test === 0 ? [] : ["test"]])
      const timed = byTime({ test, seed, ...val !== undefined && { val } })
      for (const [row, part] of split.entries()) expect(part === "unused").toBe(timed && Number.isNaN(rows.time[row]))
      if (!timed || typeof test === "object") {
        const alone = divide(rows, { test, seed }).split
        expect(split.map((part) => part === "test")).toEqual(alone.map((part) => part === "test"))
      }
    }))
  })
  it("puts a row by its own time, and nothing before the day into test", () => {
    const rows = rowsOf(48), { split } = divide(rows, { test: { from: "2021-07-15" }, seed: 0 })
    for (const [row, time] of rows.time.entries()) expect(split[row]).toBe(Number.isNaN(time) ? "unused" : time >= Date.UTC(2021, 6, 15) ? "test" : "train")
  })
})

describe("contradiction", () => {
  it("finds none in what can be divided", () => {
    expect(contradiction({ test: { from: "2022-01-01" }, val: 0.1, seed: 0 }, [])).toBeUndefined()
    expect(contradiction({ test: "fold", folds: 3, fold: 2, seed: 0 }, [])).toBeUndefined()
    expect(contradiction({ test: { groups: ["a"] }, group: "location", seed: 0 }, ["a", "b"])).toBeUndefined()
  })
  it("says that whole places and a division by time exclude each other", () => {
    expect(contradiction({ test: 0.1, val: { months: [1] }, group: "h3", seed: 0 }, [])).toContain("leave one of them out")
  })
})
