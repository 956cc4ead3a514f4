import { describe, expect, it } from "vitest"
import { cosines, meanOf } from "../../math/parity.ts"

const vectors = (...rows: ReadonlyArray<ReadonlyArray<number>>) => ({ width: rows[0]!.length, values: Float32Array.from(rows.flat()) })
const origin = new Float64Array(2)

describe("parity", () => {
  it("is the cosine of the two vectors of a row, whatever their lengths", () => {
    const near = cosines(vectors([1, 0], [0, 2], [3, 4]), vectors([5, 0], [-1, 0], [4, 3]), origin)
    expect(Array.from(near)).toEqual([1, 0, 24 / 25])
  })

  it("around the mean shows what a common part hides", () => {
    const reference = vectors([100, 1], [100, -1]), other = vectors([100, -1], [100, 1])
    expect(Array.from(cosines(other, reference, origin)).every((cosine) => cosine > 0.999)).toBe(true)
    expect(Array.from(meanOf(reference))).toEqual([100, 0])
    expect(Array.from(cosines(other, reference, meanOf(reference)))).toEqual([-1, -1])
  })

  it("is NaN for a vector that is the centre itself", () => {
    expect(Array.from(cosines(vectors([1, 1]), vectors([2, 3]), Float64Array.of(2, 3)))).toEqual([Number.NaN])
  })
})
