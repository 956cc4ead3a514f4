import { readFileSync } from "node:fs"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Filter, type Region, resize } from "../../imagery/resize.ts"

interface Case {
  readonly filter: Filter
  readonly width: number
  readonly height: number
  readonly values: ReadonlyArray<number>
  readonly box: Region | null
  readonly size: { readonly width: number; readonly height: number }
  readonly bytes: ReadonlyArray<number>
  readonly floats: ReadonlyArray<number>
}
const golden: { readonly cases: ReadonlyArray<Case> } = JSON.parse(readFileSync(new URL("pillow-resize.json", import.meta.url), "utf8"))

describe("resize", () => {
  for (const { filter, width, height, values, box, size, bytes, floats } of golden.cases) {
    const from = box === null ? `${width}x${height}` : `[${box.join(", ")}] of ${width}x${height}`
    it(`agrees with Pillow: ${filter}, ${from} to ${size.width}x${size.height}`, () => {
      const image = { values, bands: 1, height, width }, options = { filter, ...(box === null ? {} : { region: box }) }
      const out = resize(image, size, options)
      expect(out.length).toBe(floats.length)
      for (const [i, value] of out.entries()) expect(Math.abs(value - floats[i]!)).toBeLessThan(1e-3)
      const clipped = resize(image, size, { ...options, clip: [0, 255] })
      for (const [i, value] of clipped.entries()) expect(Math.abs(Math.round(value) - bytes[i]!)).toBeLessThanOrEqual(1)
    })
  }

  const image = fc.record({ width: fc.integer({ min: 1, max: 20 }), height: fc.integer({ min: 1, max: 20 }), bands: fc.integer({ min: 1, max: 3 }) })
    .chain((shape) => fc.array(fc.integer({ min: 0, max: 65535 }), { minLength: shape.width * shape.height * shape.bands, maxLength: shape.width * shape.height * shape.bands })
      .map((values) => ({ ...shape, values })))
  const filter = fc.constantFrom<Filter>("bilinear", "bicubic")

  it("at the same size changes nothing", () => {
    fc.assert(fc.property(image, filter, (image, filter) => {
      expect(Array.from(resize(image, image, { filter }))).toEqual(image.values)
    }))
  })

  it("keeps a flat image flat", () => {
    fc.assert(fc.property(image, filter, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (image, filter, width, height) => {
      const flat = resize({ ...image, values: image.values.map(() => 1000) }, { width, height }, { filter })
      for (const value of flat) expect(value).toBeCloseTo(1000, 2)
    }))
  })

  it("treats each band by itself", () => {
    fc.assert(fc.property(image, filter, (image, filter) => {
      const size = { width: 5, height: 4 }
      const all = resize(image, size, { filter })
      const pixels = image.width * image.height
      for (let b = 0; b < image.bands; b++) {
        const one = resize({ ...image, bands: 1, values: image.values.slice(b * pixels, (b + 1) * pixels) }, size, { filter })
        expect(all.slice(b * 20, (b + 1) * 20)).toEqual(one)
      }
    }))
  })
})
