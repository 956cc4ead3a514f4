import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import type { Asset } from "outcrop"
import { describe, expect, it } from "vitest"
import type { Located, Pixels } from "../../imagery/pixels.ts"
import { change, cropped, parameters, seen, type View, viewsOf } from "../../imagery/view.ts"

const asset = (digest: string): Asset => ({ band: "image", path: `${digest}.png`, digest, index: -1, gsd: Number.NaN })
/** Samples of the given contents; a window of NaN is the whole picture. */
const samplesOf = (digests: ReadonlyArray<string>, windows?: ReadonlyArray<ReadonlyArray<number>>): Located => ({
  rows: digests.length,
  sample_id: digests.map((_, i) => `s${i}`),
  assets: digests.map((digest) => [asset(digest)]),
  window: { width: 4, values: Float32Array.from(digests.flatMap((_, i) => windows?.[i] ?? Array.from({ length: 4 }, () => Number.NaN))) }
})
const many = samplesOf(Array.from({ length: 400 }, (_, i) => `d${i}`))
/** No two values of a band are alike, so where each went can be told. */
const picture = (bands: number, height: number, width: number, bytes = false): Pixels => ({
  bands,
  height,
  width,
  nodata: Array.from({ length: bands }, () => Number.NaN),
  values: Float32Array.from({ length: bands * height * width }, (_, i) => (i + 1) * (bytes ? 1 / 64 : 1)),
  bytes
})
const changed = (view: View, image: Pixels, samples: Located = many, row = 0): Pixels => {
  const copy = { ...image, values: image.values.slice() }
  const result = Effect.runSync(Effect.result(change(view, samples, row, copy)))
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  return copy
}
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length

const viewName = fc.stringMatching(/^[a-z]{1,6}$/)
const size = fc.integer({ min: 1, max: 40 })
const share = fc.double({ min: 0.01, max: 1, noNaN: true })

describe("the views asked for", () => {
  const With = Schema.Struct(parameters)
  const asked = (views: unknown) => viewsOf(Schema.decodeUnknownSync(With)({ views }))

  it("are the full one by default; one that changes nothing is its name alone, so that its rows are those of a pipeline without views", () => {
    expect(viewsOf(Schema.decodeUnknownSync(With)({}))).toEqual([{ name: "full" }])
    expect(asked([{ name: "full", flip: false, jitter: 0, seed: 0 }, { name: "again", seed: 3 }])).toEqual([{ name: "full" }, { name: "again" }])
  })

  it("hold what makes them, defaults written out", () => {
    expect(asked([{ name: "masked", mask: { ratio: 0.6, patch: 16 } }])).toEqual([{ name: "masked", mask: { ratio: 0.6, patch: 16 }, flip: false, jitter: 0, seed: 0 }])
  })

  it.each([
    [[], /length of at least 1/],
    [[{ name: "" }], /length/],
    [[{ name: "a" }, { name: "b", flip: true }, { name: "a", flip: true }], /two views are called "a"; each needs a name of its own/],
    [[{ name: "full", flip: true }], /the view "full" is the sample as it is, which probes read: call one that changes it otherwise/],
    [[{ name: "a", crop: [0.8, 0.5] }], /the least share 0.8 is above the greatest 0.5/],
    [[{ name: "a", crop: [0, 0.5] }], /greater than 0/],
    [[{ name: "a", crop: [0.5, 1.1] }], /less than or equal to 1/],
    [[{ name: "a", crop: [0.5] }], /Missing key/],
    [[{ name: "a", jitter: 1.5 }], /between 0 and 1/],
    [[{ name: "a", mask: { ratio: 0, patch: 4 } }], /greater than 0/],
    [[{ name: "a", mask: { ratio: 1, patch: 4 } }], /less than 1/],
    [[{ name: "a", mask: { ratio: 0.5, patch: 0 } }], /greater than 0/],
    [[{ name: "a", mask: { ratio: 0.5, patch: 1.5 } }], /integer/]
  ])("may not be %j", (views, message) => {
    expect(() => asked(views)).toThrow(message)
  })
})

describe("what a view draws", () => {
  const view: View = { name: "augmented", crop: [0.2, 0.9], flip: true, jitter: 0.4, mask: { ratio: 0.5, patch: 2 } }
  const image = picture(2, 8, 8)
  const of = (samples: Located, row: number, drawn: View = view) => Effect.runSync(seen(drawn, samples, row, { ...image, values: image.values.slice() }, { width: 6, height: 6 }, { filter: "bilinear" }))

  it("is a function of the sample's content: not of its row, its id or its company", () => {
    for (const row of [0, 7, 399]) expect(of(samplesOf([`d${row}`]), 0)).toEqual(of(many, row))
    expect(of({ ...many, sample_id: many.sample_id.map((id) => `other ${id}`) }, 7)).toEqual(of(many, 7))
  })

  it("differs from sample to sample, from window to window, by name and by seed", () => {
    const windows = samplesOf(["d0", "d0", "d0"], [[0, 0, 8, 8], [8, 0, 8, 8], [0, 0, 8, 8]])
    const drawn = [of(many, 0), of(many, 1), of(windows, 0), of(windows, 1), of(many, 0, { ...view, name: "augmented2" }), of(many, 0, { ...view, seed: 1 })]
    expect(new Set(drawn.map(String)).size).toBe(drawn.length)
    expect(of(windows, 2)).toEqual(of(windows, 0))
    expect(of(many, 0, { ...view, seed: 0 })).toEqual(of(many, 0))
  })

  it("of one step does not depend on the others", () => {
    expect(cropped({ name: "a", crop: [0.2, 0.9] }, many, 3, [0, 0, 8, 8])).toEqual(cropped({ name: "a", crop: [0.2, 0.9], flip: true, jitter: 0.4 }, many, 3, [0, 0, 8, 8]))
  })
})

describe("crop", () => {
  it("keeps a share of the area within its bounds and the shape, inside the region, at the same relative place whatever the resolution", () => {
    fc.assert(fc.property(viewName, share, share, fc.nat(399), size, size, (name, a, b, row, width, height) => {
      const least = Math.min(a, b), most = Math.max(a, b), view = { name, crop: [least, most] as const }
      const [left, top, right, bottom] = cropped(view, many, row, [3, 5, 3 + width, 5 + height])
      expect(left).toBeGreaterThanOrEqual(3)
      expect(top).toBeGreaterThanOrEqual(5)
      expect(right).toBeLessThanOrEqual(3 + width)
      expect(bottom).toBeLessThanOrEqual(5 + height)
      const kept = (right - left) * (bottom - top) / (width * height)
      expect(kept).toBeGreaterThan(least - 1e-9)
      expect(kept).toBeLessThan(most + 1e-9)
      expect((right - left) / (bottom - top)).toBeCloseTo(width / height, 9)
      const ten = cropped(view, many, row, [30, 50, 30 + 10 * width, 50 + 10 * height])
      for (const [i, edge] of [left, top, right, bottom].entries()) expect(ten[i]).toBeCloseTo(10 * edge, 9)
    }))
  })

  it("draws the share uniformly: quarters of 400 samples within four standard deviations of 100", () => {
    const quarters = [0, 0, 0, 0]
    for (let row = 0; row < 400; row++) {
      const [left, top, right, bottom] = cropped({ name: "a", crop: [0.2, 0.6] }, many, row, [0, 0, 1, 1])
      quarters[Math.min(3, Math.floor(((right - left) * (bottom - top) - 0.2) / 0.1))]!++
    }
    for (const count of quarters) expect(Math.abs(count - 100)).toBeLessThan(4 * Math.sqrt(75))
  })

  it("brings what it keeps back to the size of the input", () => {
    const flat = { ...picture(1, 9, 5), values: new Float32Array(45).fill(7) }
    expect(Effect.runSync(seen({ name: "a", crop: [0.3, 0.3] }, many, 0, flat, flat, { filter: "bilinear" }))).toEqual(flat.values)
    const ramp = { ...picture(1, 8, 8), values: Float32Array.from({ length: 64 }, (_, i) => i % 8) }
    const [left, , right] = cropped({ name: "a", crop: [0.25, 0.25] }, many, 0, [0, 0, 8, 8])
    const line = Effect.runSync(seen({ name: "a", crop: [0.25, 0.25] }, many, 0, ramp, ramp, { filter: "bilinear" })).subarray(8, 16)
    // on a ramp the middle of the result is the middle of what was kept, half a pixel less
    expect((line[3]! + line[4]!) / 2).toBeCloseTo((left + right) / 2 - 0.5, 5)
  })
})

describe("flip", () => {
  it("reverses the columns of every band for half of the samples, and leaves the others", () => {
    const image = picture(2, 3, 4)
    const mirrored = Float32Array.from(image.values, (_, i) => image.values[i - i % 4 + 3 - i % 4]!)
    let flips = 0
    for (let row = 0; row < 400; row++) {
      const { values } = changed({ name: "a", flip: true }, image, many, row)
      const flipped = values[0] !== image.values[0]
      expect(values).toEqual(flipped ? mirrored : image.values)
      if (flipped) flips++
    }
    expect(Math.abs(flips - 200)).toBeLessThan(4 * 10)
  })
})

describe("jitter", () => {
  it("multiplies brightness, then the distance from each band's mean, by factors of its range that all bands share", () => {
    fc.assert(fc.property(fc.double({ min: 0.01, max: 0.9, noNaN: true }), fc.nat(399), (jitter, row) => {
      const image = picture(3, 4, 5)
      const { values } = changed({ name: "a", jitter }, image, many, row)
      const factors = [0, 1, 2].map((b) => {
        const before = image.values.subarray(b * 20, (b + 1) * 20), after = values.subarray(b * 20, (b + 1) * 20)
        const brightness = mean(after) / mean(before)
        return [brightness, (after[19]! - after[0]!) / (before[19]! - before[0]!) / brightness] as const
      })
      for (const [brightness, contrast] of factors) {
        expect(Math.abs(brightness - 1)).toBeLessThan(jitter + 1e-5)
        expect(Math.abs(contrast - 1)).toBeLessThan(jitter + 1e-5)
        expect(brightness).toBeCloseTo(factors[0]![0], 4)
        expect(contrast).toBeCloseTo(factors[0]![1], 4)
      }
    }))
  })

  it("keeps 8-bit values in 0..255, and others as they come", () => {
    const bright = picture(1, 130, 128, true)
    const clipped = Array.from({ length: 20 }, (_, row) => changed({ name: "a", jitter: 1 }, bright, many, row).values)
    expect(clipped.some((values) => values.includes(255))).toBe(true)
    for (const values of clipped) expect(values.every((value) => value >= 0 && value <= 255)).toBe(true)
    expect(Array.from({ length: 20 }, (_, row) => changed({ name: "a", jitter: 1 }, { ...bright, bytes: false }, many, row).values).some((values) => values.some((value) => value > 255))).toBe(true)
  })
})

describe("mask", () => {
  /** Which values of a band differ from before, as a map of patches; fails where a patch is masked in part. */
  const patchesMasked = (before: Pixels, after: Pixels, patch: number, b: number) => {
    const { height, width } = before, across = Math.ceil(width / patch)
    const masked = new Map<number, boolean>()
    const fill = Math.fround(mean(before.values.subarray(b * height * width, (b + 1) * height * width)))
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const i = (b * height + y) * width + x, at = Math.floor(y / patch) * across + Math.floor(x / patch)
        const filled = after.values[i] === fill
        if (!filled) expect(after.values[i]).toBe(before.values[i])
        // a pixel that has the mean itself tells nothing
        if (before.values[i] === fill) continue
        expect(masked.get(at) ?? filled).toBe(filled)
        masked.set(at, filled)
      }
    }
    return [...masked].flatMap(([at, filled]) => filled ? [at] : []).toSorted((a, b) => a - b)
  }

  it("fills floor(ratio n) of the n whole patches with each band's mean, the same in all bands, and leaves the rest alone", () => {
    fc.assert(fc.property(viewName, fc.integer({ min: 1, max: 99 }), fc.integer({ min: 2, max: 9 }), fc.integer({ min: 4, max: 40 }), fc.integer({ min: 4, max: 40 }), (name, percent, patch, height, width) => {
      const n = Math.ceil(height / patch) * Math.ceil(width / patch), expected = Math.floor(percent * n / 100)
      fc.pre(expected > 0)
      const image = picture(2, height, width)
      const after = changed({ name, mask: { ratio: percent / 100, patch } }, image)
      const first = patchesMasked(image, after, patch, 0)
      expect(first).toHaveLength(expected)
      expect(patchesMasked(image, after, patch, 1)).toEqual(first)
    }))
  })

  it("takes every patch alike often: 400 samples, half of 16 patches, within four standard deviations of 200", () => {
    const image = picture(1, 16, 16), counts = Array.from({ length: 16 }, () => 0)
    for (let row = 0; row < 400; row++) for (const at of patchesMasked(image, changed({ name: "a", mask: { ratio: 0.5, patch: 4 } }, image, many, row), 4, 0)) counts[at]!++
    for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(4 * 10)
  })

  it("says so where it would mask nothing", () => {
    expect(() => changed({ name: "masked", mask: { ratio: 0.6, patch: 64 } }, picture(1, 10, 12)))
      .toThrow(/the view "masked" masks nothing of sample s0: 0.6 of 1 patch of 64 px \(the input is 12 x 10 px\) is less than one; give a smaller "patch" or a larger "ratio"/)
  })
})
