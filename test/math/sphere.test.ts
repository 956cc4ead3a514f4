import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { chordOf, earthRadius, greatCircle, offEarth, placed, placeOf, unitVectors } from "../../math/sphere.ts"

const latitude = fc.double({ min: -90, max: 90, noNaN: true }), longitude = fc.double({ min: -180, max: 180, noNaN: true })

describe("greatCircle", () => {
  it("is what is known in closed form", () => {
    const quarter = earthRadius * Math.PI / 2
    expect(greatCircle(0, 0, 0, 90)).toBeCloseTo(quarter, 6)
    expect(greatCircle(0, 0, 90, 123)).toBeCloseTo(quarter, 6)
    expect(greatCircle(-90, 0, 90, 50)).toBeCloseTo(2 * quarter, 6)
    expect(greatCircle(30, 0, -30, 180)).toBeCloseTo(2 * quarter, 1)
    expect(greatCircle(0, 0, 0, 1)).toBeCloseTo(111_195.08, 1)
    // cos d = sin^2 60 + cos^2 60 cos 90
    expect(greatCircle(60, 10, 60, 100)).toBeCloseTo(earthRadius * Math.acos(0.75), 6)
  })
  it("crosses the date line and keeps small distances", () => {
    expect(greatCircle(0, 179.9995, 0, -179.9995)).toBeCloseTo(111.195, 3)
    expect(greatCircle(45, 7, 45 + 1e-8, 7)).toBeCloseTo(earthRadius * 1e-8 * Math.PI / 180, 9)
    expect(greatCircle(45, 7, 45, 367)).toBeCloseTo(0, 6)
  })
  it("is symmetric, and NaN where a coordinate is", () => {
    fc.assert(fc.property(latitude, longitude, latitude, longitude, (a, b, c, d) => {
      expect(greatCircle(a, b, c, d)).toBeCloseTo(greatCircle(c, d, a, b), 6)
    }))
    expect(greatCircle(Number.NaN, 0, 0, 0)).toBeNaN()
  })
})

describe("unitVectors", () => {
  it("are of length 1, as far apart as the places, and lead back to them", () => {
    fc.assert(fc.property(latitude, longitude, latitude, longitude, (a, b, c, d) => {
      const [x, y, z, u, v, w] = unitVectors([a, c], [b, d])
      expect(Math.hypot(x!, y!, z!)).toBeCloseTo(1, 14)
      expect(Math.hypot(x! - u!, y! - v!, z! - w!)).toBeCloseTo(chordOf(greatCircle(a, b, c, d)), 12)
      const place = placeOf(x!, y!, z!)
      expect(greatCircle(a, b, place.lat, place.lon)).toBeLessThan(1e-6)
    }))
  })
  it("are NaN where a coordinate is missing", () => {
    expect([...unitVectors([Number.NaN, 1], [1, Number.NaN])]).toEqual(Array.from({ length: 6 }, () => Number.NaN))
    expect(() => unitVectors([1], [])).toThrow("got 1 and 0 of them")
  })
})

describe("places of samples", () => {
  const places = (lat: ReadonlyArray<number>, lon: ReadonlyArray<number>) => ({ sample_id: lat.map((_, row) => `s${row}`), lat: Float64Array.from(lat), lon: Float64Array.from(lon) })

  it("that are not on earth are said; missing ones pass", () => {
    expect(offEarth(places([90, Number.NaN, -90], [180, Number.NaN, 359]))).toBeUndefined()
    expect(offEarth(places([0, 139.7, 35.7], [0, 35.7, 139.7]))).toBe("sample s1 lies at latitude 139.7, longitude 35.7, which is not on earth; are the two swapped, or not in degrees?")
    expect(offEarth(places([0, 0], [0, -361]))).toContain("sample s1 lies at latitude 0, longitude -361")
  })

  it("are there where both coordinates are", () => {
    expect([...placed(places([1, Number.NaN, 3, 4], [1, 2, Number.NaN, 4]))]).toEqual([0, 3])
  })
})
