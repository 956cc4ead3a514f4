import { array, assert, constantFrom, double, oneof, property } from "fast-check"
import { describe, expect, it } from "vitest"
import { ascending } from "../../math/order.ts"
import { stream } from "../../math/random.ts"

const plain = (values: ReadonlyArray<number>) => Int32Array.from(values.keys()).toSorted((a, b) => values[a]! - values[b]! || a - b)
const value = oneof(double({ noNaN: true, noDefaultInfinity: true }), constantFrom(0, -0, 1, -1, 1e-320, -1e-320, Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE))

describe("ascending", () => {
  it("is a stable sort by a - b, below the size for buckets and above it", () => {
    for (const minLength of [0, 600]) {
      assert(property(array(value, { minLength, maxLength: minLength + 60, size: "max" }), (values) => {
        expect(ascending(values)).toEqual(plain(values))
      }), { numRuns: 40 })
    }
  })
  it("takes infinities, and leaves equal values in their order", () => {
    const random = stream(0, "order")
    const values = Array.from({ length: 3000 }, () => [Infinity, -Infinity, random.integer(5), -random.integer(5), random.normal()][random.integer(5)]!)
    const order = ascending(values)
    for (let i = 1; i < order.length; i++) {
      const [a, b] = [values[order[i - 1]!]!, values[order[i]!]!]
      expect(a < b || (a === b && order[i - 1]! < order[i]!)).toBe(true)
    }
  })
})
