import { describe, expect, it } from "vitest"
import { boxFeatureNames, boxFeatures, boxPlacement } from "../../math/box-features.ts"
import { kmeans, lloyd } from "../../math/kmeans.ts"
import type { Matrix } from "../../math/matrix.ts"
import { stream } from "../../math/random.ts"
import { minMax, scaled } from "../../math/scaling.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

interface Oracle {
  /** [xmin, xmax, ymin, ymax] */
  readonly boxes: Rows
  readonly features: Rows
  readonly kmeans: { readonly init: Rows; readonly labels: ReadonlyArray<number>; readonly inertia: number }
  readonly best_inertia_20_restarts: number
  readonly best_labels_up_to_permutation: ReadonlyArray<number>
}
const expected = oracle<Oracle>("box_features")
const partition = (labels: ArrayLike<number>) => {
  const first = new Map<number, number>()
  return Array.from(labels, (label) => first.get(label) ?? (first.set(label, first.size), first.size - 1))
}

describe.skipIf(expected === undefined)("the released code's box features (skipped without the oracles)", () => {
  const unscaled = boxFeatures((expected?.boxes ?? []).flatMap(([x0, x1, y0, y1]) => [x0!, y0!, x1!, y1!]))
  const features = scaled(unscaled, minMax(unscaled))
  const shapes: Matrix = { rows: features.rows, columns: 4, values: features.values.filter((_, i) => i % 13 < 4) }
  it("are equal to 1e-10, min-max scaled", () => {
    for (const [i, value] of (expected?.features ?? []).flat().entries()) expect(Math.abs(features.values[i]! - value)).toBeLessThan(1e-10)
  })
  it("make the same box label from the same start, and the best of 20 restarts", () => {
    const { best_inertia_20_restarts, best_labels_up_to_permutation, kmeans: { inertia, init, labels } } = expected!
    const given = lloyd(shapes, matrix(init))
    expect(given.inertia).toBeCloseTo(inertia, 9)
    expect(partition(given.labels)).toEqual(partition(labels))
    const best = kmeans(shapes, 3, 20, stream(0, "k-means"))
    expect(best.inertia).toBeCloseTo(best_inertia_20_restarts, 9)
    expect(partition(best.labels)).toEqual(partition(best_labels_up_to_permutation))
  })
})

describe("boxFeatures", () => {
  const of = (...box: ReadonlyArray<number>) => Object.fromEntries(boxFeatureNames.map((name, f) => [name, boxFeatures(box).values[f]]))
  it("says of a box 40 wide and 10 high what geometry says", () => {
    const { angle, area, aspect, compactness, diagonal, elongation, inertia_per_area, log_inertia_ratio, perimeter } = of(5, 7, 45, 17)
    expect(area).toBe(400)
    expect(elongation).toBeCloseTo(0.75, 10)
    expect(perimeter).toBe(100)
    expect(diagonal).toBeCloseTo(Math.sqrt(1700), 10)
    expect(aspect).toBeCloseTo(4, 10)
    expect(compactness).toBeCloseTo((4 * Math.PI * 400) / 10_000, 10)
    expect(log_inertia_ratio).toBeCloseTo(2 * Math.log(10 / 40), 10)
    expect(inertia_per_area).toBeCloseTo((100 + 1600) / 12, 9)
    expect(angle).toBeCloseTo(Math.atan2(10, 40), 10)
  })
  it("is finite for a box of no size", () => {
    for (const value of boxFeatures([3, 3, 3, 3]).values) expect(value).toSatisfy(Number.isFinite)
  })
  it("is not a number where there is no box", () => {
    for (const value of boxFeatures([NaN, NaN, NaN, NaN]).values) expect(value).toBeNaN()
  })
})

describe("boxPlacement", () => {
  it("is centre and size as shares of the window", () => {
    expect([...boxPlacement([10, 20, 30, 60], [500, 700, 200, 100]).values]).toEqual([0.1, 0.4, 0.1, 0.4])
  })
  it("is not a number without a window", () => {
    expect([...boxPlacement([10, 20, 30, 60], [NaN, NaN, NaN, NaN]).values].every(Number.isNaN)).toBe(true)
  })
})
