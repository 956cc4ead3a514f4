import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { within } from "../../math/proximity.ts"
import { stream } from "../../math/random.ts"
import { greatCircle, unitVectors } from "../../math/sphere.ts"

const found = (lat: ReadonlyArray<number>, lon: ReadonlyArray<number>, metres: number, rows: Iterable<number> = lat.keys()) => {
  const reach = within(unitVectors(lat, lon), rows, metres)
  return lat.map((_, from) => {
    const list: Array<number> = []
    reach(from, (row) => {
      list.push(row)
      return false
    })
    return list.toSorted((a, b) => a - b)
  })
}

describe("within", () => {
  it("finds what comparing all pairs finds, anywhere on earth, at any distance", () => {
    const place = fc.constantFrom([0, 0], [0, 180], [89.999, 20], [-90, 0], [51.5, -0.1]), offset = fc.double({ min: -1, max: 1, noNaN: true })
    fc.assert(fc.property(fc.array(fc.tuple(place, offset, offset), { maxLength: 30 }), fc.constantFrom(1, 80, 1000, 20_000, 3e6, 3e7), (points, metres) => {
      const spread = Math.min(1, metres / 1e5)
      const lat = points.map(([[lat], offset]) => Math.max(-90, Math.min(90, lat! + spread * offset))), lon = points.map(([[, lon], , offset]) => lon! + spread * offset)
      const expected = lat.map((_, a) => [...lat.keys()].filter((b) => greatCircle(lat[a]!, lon[a]!, lat[b]!, lon[b]!) <= metres))
      expect(found(lat, lon, metres)).toEqual(expected)
    }))
  })
  it("finds only the rows that it is given, and none without coordinates", () => {
    expect(found([0, 0, 0, Number.NaN], [0, 0.001, 0.002, 0], 1000, [1, 3])).toEqual([[1], [1], [1], []])
  })
  it("stops at the first that is accepted", () => {
    const asked: Array<number> = [], reach = within(unitVectors([0, 0, 0], [0, 0, 0]), [0, 1, 2], 10)
    expect(reach(0, (row) => asked.push(row) === 2)).toBe(true)
    expect(asked).toEqual([0, 1])
  })
  it("does not ask all pairs: 100,000 places in a country and 100,000 in one spot", () => {
    const random = stream(0, "places"), n = 100_000
    const lat = Float64Array.from({ length: n }, () => 47 + 3 * random.uniform()), lon = Float64Array.from({ length: n }, () => 8 + 5 * random.uniform())
    let asked = 0
    const reach = within(unitVectors(lat, lon), lat.keys(), 1000)
    for (let row = 0; row < n; row++) reach(row, () => ++asked < 0)
    // 100,000 in 333 km x 371 km or so are 2.5 in a circle of 1 km
    expect(asked / n).toBeGreaterThan(2)
    expect(asked / n).toBeLessThan(5)
    const spot = within(unitVectors(new Float64Array(n), new Float64Array(n)), lat.keys(), 1000)
    asked = 0
    for (let row = 0; row < n; row++) spot(row, () => ++asked > 0)
    expect(asked).toBe(n)
  })
})
