import { describe, expect, it } from "vitest"
import { knows, locator } from "../../imagery/georeference.ts"

/** EPSG:3857 of a longitude and latitude, by the formula. */
const mercator = (lon: number, lat: number): readonly [number, number] => {
  const radius = 6378137, radians = Math.PI / 180
  return [radius * lon * radians, radius * Math.log(Math.tan(Math.PI / 4 + lat * radians / 2))]
}

describe("locator", () => {
  it("counts pixels from the outer corner of the first", async () => {
    const at = await locator({ epsg: 4326, origin: [10, 50], resolution: [0.5, -0.25] })
    expect(at(0, 0)).toEqual({ lat: 50, lon: 10 })
    expect(at(2, 2)).toEqual({ lat: 49.5, lon: 11 })
  })

  it("knows web Mercator", async () => {
    const at = await locator({ epsg: 3857, origin: mercator(129.04, 35.1), resolution: [10, -10] })
    expect(at(0, 0).lat).toBeCloseTo(35.1, 9)
    expect(at(0, 0).lon).toBeCloseTo(129.04, 9)
  })

  it("knows the UTM zones of both hemispheres", async () => {
    // the central meridian of zone 33 is 15 east, and 500 km of easting; the equator is 0 and 10,000 km of northing
    for (const [epsg, northing] of [[32633, 0], [32733, 10_000_000], [25833, 0]] as const) {
      const at = await locator({ epsg, origin: [500_000, northing], resolution: [10, -10] })
      expect(at(0, 0).lon).toBeCloseTo(15, 9)
      expect(at(0, 0).lat).toBeCloseTo(0, 9)
      expect(at(0, 100).lat).toBeCloseTo(-1000 / 110_574 * 1.0004, 5)
    }
  })

  it("says NaN where it does not know the reference system", async () => {
    expect(knows(2056)).toBe(false)
    const at = await locator({ epsg: 2056, origin: [0, 0], resolution: [1, -1] })
    expect(at(0, 0)).toEqual({ lat: Number.NaN, lon: Number.NaN })
    expect((await locator({ epsg: Number.NaN, origin: [0, 0], resolution: [1, -1] }))(0, 0).lat).toBeNaN()
  })
})
