import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { distanceKept } from "../../../lineage/audit/distance.ts"
import { greatCircle } from "../../../math/sphere.ts"
import { partitionOf, type Row } from "./partition.ts"

const place = fc.record({ role: fc.constantFrom("train" as const, "test" as const), lat: fc.double({ min: 50, max: 50.02, noNaN: true }), lon: fc.double({ min: 6, max: 6.02, noNaN: true }) })

describe("metres between test and training", () => {
  it("counts the test samples near a training sample as asking all pairs does", () => {
    fc.assert(fc.property(fc.array(place, { minLength: 2, maxLength: 30 }), fc.integer({ min: 1, max: 3000 }), (rows, metres) => {
      const near = rows.filter(({ role, lat, lon }) => role === "test" && rows.some((other) => other.role === "train" && greatCircle(lat, lon, other.lat, other.lon) <= metres)).length
      const outcome = distanceKept({ partitions: [partitionOf(rows)] }, metres)
      expect("found" in outcome ? outcome.found.reduce((sum, { count }) => sum + count, 0) : 0).toBe(near)
    }))
  })

  it("says how far the nearest is, however far, across the date line too", () => {
    const at = (test: Row, train: Row) => distanceKept({ partitions: [partitionOf([test, train])] }, 1000)
    expect(at({ role: "test", lat: 0, lon: 179.995 }, { role: "train", lat: 0, lon: -179.995 })).toMatchObject({ looked: "1 split; the nearest training sample is 1.1 km from a test sample", found: [] })
    expect(at({ role: "test", lat: 89.99, lon: 0 }, { role: "train", lat: -89.99, lon: 0 })).toMatchObject({ looked: "1 split; the nearest training sample is 20013 km from a test sample" })
    expect(at({ role: "test", lat: 0, lon: 0 }, { role: "train" })).toEqual({ inapplicable: "no test sample, or no training sample, has coordinates" })
  })
})
