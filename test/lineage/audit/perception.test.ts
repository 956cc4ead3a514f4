import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { differenceHash, distance } from "../../../lineage/audit/perception.ts"

const picture = (width: number, height: number, value: (x: number, y: number) => number) =>
  ({ bands: 1, width, height, bytes: true, nodata: [Number.NaN], values: Float32Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))) })
const bits = ([high, low]: readonly [number, number]) => high.toString(2).padStart(32, "0") + low.toString(2).padStart(32, "0")

describe("dHash", () => {
  it("has a bit a pair of neighbours: 1 where it grows brighter to the right, row by row", () => {
    expect(differenceHash(picture(9, 8, (x) => x))).toEqual([0xffffffff, 0xffffffff])
    expect(differenceHash(picture(9, 8, (x) => -x))).toEqual([0, 0])
    expect(bits(differenceHash(picture(9, 8, (x, y) => y < 4 ? x : -x))!)).toBe("1".repeat(32) + "0".repeat(32))
    expect(bits(differenceHash(picture(9, 8, (x, y) => x === 3 && y === 1 ? 1 : 0))!)).toBe(`${"0".repeat(8)}00100000${"0".repeat(48)}`)
  })

  it("does not see size, brightness and contrast; a picture without structure has none", () => {
    const wave = (scale: number) => (x: number, y: number) => Math.sin(x / scale / 5) + Math.cos((x + 2 * y) / scale / 7)
    const small = differenceHash(picture(36, 32, wave(1)))!, large = differenceHash(picture(72, 64, wave(2)))!
    expect(distance(small, large)).toBeLessThanOrEqual(4)
    expect(differenceHash(picture(36, 32, (x, y) => 40 + 20 * wave(1)(x, y)))).toEqual(small)
    expect(differenceHash(picture(36, 32, () => 7))).toBeUndefined()
  })

  it("distances count the bits that differ", () => {
    const word = fc.nat(0xffffffff)
    fc.assert(fc.property(fc.tuple(word, word), fc.tuple(word, word), (a, b) => {
      const [x, y] = [bits(a), bits(b)]
      expect(distance(a, b)).toBe([...x].filter((bit, i) => bit !== y[i]).length)
    }))
  })
})
