import * as fc from "fast-check"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { momentsOf, spread, Stretch, stretchInPlace } from "../../imagery/stretch.ts"

const nodata = Number.NaN

describe("Stretch", () => {
  it("takes none, a range or a number of deviations, of each band unless told otherwise", () => {
    const decode = Schema.decodeUnknownSync(Stretch)
    expect(decode("none")).toBe("none")
    expect(decode({ range: [0, 3000] })).toEqual({ range: [0, 3000] })
    expect(decode({ sigma: 2 })).toEqual({ sigma: 2, over: "band" })
    expect(decode({ sigma: 2, over: "scene" })).toEqual({ sigma: 2, over: "scene" })
    for (const wrong of [{ range: [10, 10] }, { sigma: 0 }, { sigma: 1, over: "file" }, "sigma"]) expect(() => decode(wrong)).toThrow()
  })
})

describe("spread", () => {
  it("is mean +- k population deviations", () => {
    expect(spread(2, [momentsOf(Uint16Array.of(2, 4, 4, 4, 5, 5, 7, 9), nodata)])).toEqual([1, 9])
  })

  it("leaves out no-data and NaN", () => {
    expect(spread(1, [momentsOf(Float32Array.of(-9999, 1, Number.NaN, 3), -9999)])).toEqual([1, 3])
  })

  it("leaves out infinities, and no-data in the precision of the pixels", () => {
    expect(spread(1, [momentsOf(Float32Array.of(0.1, 1, Infinity, 3, -Infinity), 0.1)])).toEqual([1, 3])
  })

  it("of bands together is that of all their values", () => {
    const band = fc.uint16Array({ minLength: 1, maxLength: 20 })
    fc.assert(fc.property(band, band, (a, b) => {
      const [low, high] = spread(2, [momentsOf(a, nodata), momentsOf(b, nodata)])
      const all = spread(2, [momentsOf(Uint16Array.of(...a, ...b), nodata)])
      expect(low).toBeCloseTo(all[0], 6)
      expect(high).toBeCloseTo(all[1], 6)
    }))
  })
})

describe("stretchInPlace", () => {
  const stretched = (values: ReadonlyArray<number>, bounds: readonly [number, number]) => {
    const out = Float32Array.from(values)
    stretchInPlace(out, bounds)
    return Array.from(out)
  }

  it("makes the bounds 0 and 255 and clips beyond", () => {
    expect(stretched([900, 1000, 1500, 2000, 9000], [1000, 2000])).toEqual([0, 0, 127.5, 255, 255])
  })

  it("makes holes 0 and a flat band 127.5", () => {
    expect(stretched([Number.NaN, 1], [0, 2])).toEqual([0, 127.5])
    expect(stretched([7, 7], spread(2, [momentsOf(Uint8Array.of(7, 7), nodata)]))).toEqual([127.5, 127.5])
    expect(stretched([0, 0], spread(2, [momentsOf(Uint8Array.of(0, 0), 0)]))).toEqual([0, 0])
  })
})
