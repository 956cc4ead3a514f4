import { describe, expect, it } from "vitest"
import { type GeoReference, knows, locator, pixelAt, projector, wrongDegrees } from "../../imagery/georeference.ts"

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

  it("goes on across the date line in degrees, and says NaN of what is not finite", async () => {
    const at = await locator({ epsg: 4326, origin: [170, 10], resolution: [1, -1] })
    expect([at(5, 0).lon, at(10, 0).lon, at(15, 0).lon]).toEqual([175, 180, -175])
    expect((await locator({ epsg: 4326, origin: [404_000, 10], resolution: [1, -1] }))(0, 0).lon).toBe(404_000)
    for (const epsg of [4326, 32633]) expect((await locator({ epsg, origin: [Number.NaN, 0], resolution: [1, -1] }))(0, Infinity)).toEqual({ lat: Number.NaN, lon: Number.NaN })
  })

  it("says NaN where it does not know the reference system", async () => {
    expect(knows(2056)).toBe(false)
    const at = await locator({ epsg: 2056, origin: [0, 0], resolution: [1, -1] })
    expect(at(0, 0)).toEqual({ lat: Number.NaN, lon: Number.NaN })
    expect((await locator({ epsg: Number.NaN, origin: [0, 0], resolution: [1, -1] }))(0, 0).lat).toBeNaN()
  })
})

describe("projector and pixelAt", () => {
  const grids: ReadonlyArray<GeoReference> = [
    { epsg: 32617, origin: [404211.9, 3285142.9], resolution: [0.1, -0.1] },
    { epsg: 32733, origin: [500_000, 6_000_000], resolution: [10, -10] },
    { epsg: 3857, origin: mercator(129.04, 35.1), resolution: [10, -10] },
    { epsg: 4326, origin: [10, 50], resolution: [0.001, -0.002] },
    // south up
    { epsg: 3395, origin: [13_467_532, 1_632_019.875], resolution: [0.1, 0.1] }
  ]
  it.each(grids)("are the way back from degrees to pixels: %j", async (geo) => {
    const locate = await locator(geo), project = (await projector(geo.epsg))!
    for (const [x, y] of [[0, 0], [123.25, 77.5], [4000, 3999]] as const) {
      const { lat, lon } = locate(x, y), [back, down] = pixelAt(geo, project(lat, lon))
      expect(back).toBeCloseTo(x, 4)
      expect(down).toBeCloseTo(y, 4)
    }
  })

  it("say nothing finite for a place that the projection cannot show, and nothing for a system that is not known", async () => {
    const project = (await projector(32617))!
    expect(project(0, 0).some(Number.isFinite)).toBe(false)
    expect(Number.isFinite((await projector(3857))!(90, 0)[1])).toBe(false)
    // half the earth away: far from any image, not in it
    expect(Math.abs(project(29.7, 98)[1])).toBeGreaterThan(10_000_000)
    expect(await projector(2056)).toBeUndefined()
  })
})

describe("wrongDegrees", () => {
  it.each([
    [90, -180, undefined],
    [-33.9, 151.2, undefined],
    [Number.NaN, Number.NaN, undefined],
    [151.2, -33.9, "latitude 151.2 and longitude -33.9: latitudes lie within -90 and 90; are the two swapped?"],
    [10, 200, "latitude 10 and longitude 200: degrees of WGS84 lie within -90 and 90, -180 and 180; are these metres of a map?"],
    [3_285_000, 404_000, "latitude 3285000 and longitude 404000: degrees of WGS84 lie within -90 and 90, -180 and 180; are these metres of a map?"]
  ])("of %d, %d", (lat, lon, expected) => {
    expect(wrongDegrees(lat, lon)).toBe(expected)
  })
})
