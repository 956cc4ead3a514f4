import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import sharp from "sharp"
import { stream, vectorAt } from "outcrop"
import { beforeAll, describe, expect, it } from "vitest"
import patches from "../../../stages/embed/rcf-patches.ts"
import rcf from "../../../stages/embed/rcf.ts"
import { embed, fit, picture } from "./services.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-rcf-"))
const side = 12
const noise = (label: string, bands: number) => Uint8Array.from({ length: side * side * bands }, ((random) => () => random.integer(256))(stream(1, label)))
const names = Array.from({ length: 9 }, (_, i) => `n${i}.png`)
const rows = names.map((name) => ({ id: name, assets: [picture(root, name)] }))
/** Twelve filters of 3 px on images as they are. */
const small = { features: 24, size: side }

beforeAll(async () => {
  const write = async (name: string, bands: 1 | 3) =>
    writeFileSync(join(root, name), await sharp(noise(name, bands), { raw: { width: side, height: side, channels: bands } }).png().toBuffer())
  for (const name of names) await write(name, 3)
  writeFileSync(join(root, "deep.png"), await sharp(new Uint16Array(side * side).fill(3912), { raw: { width: side, height: side, channels: 1 } }).toColourspace("grey16").png().toBuffer())
  for (const row of rows) Object.assign(row, { assets: [picture(root, row.id)] })
})

describe("embed/rcf", () => {
  it("is ReLU of both signs of filter * image + bias, averaged", async () => {
    const { values, width } = await embed(rcf, { root, rows: rows.slice(0, 1), with: { ...small, bias: -0.5, seed: 3 } })
    expect(width).toBe(24)
    const image = noise("n0.png", 3)
    const places = side - 2
    for (let f = 0; f < 12; f++) {
      const filter = Array.from({ length: 3 }, (_, b) => ((random) => Array.from({ length: 9 }, random.normal))(stream(3, "filter", f, b)))
      let above = 0, below = 0
      for (let y = 0; y < places; y++) {
        for (let x = 0; x < places; x++) {
          let answer = -0.5
          for (let b = 0; b < 3; b++) {
            for (let i = 0; i < 9; i++) answer += filter[b]![i]! * image[((y + Math.floor(i / 3)) * side + x + i % 3) * 3 + b]! / 255
          }
          above += Math.max(0, answer)
          below += Math.max(0, -answer)
        }
      }
      expect(values[f]).toBeCloseTo(above / places ** 2, 5)
      expect(values[12 + f]).toBeCloseTo(below / places ** 2, 5)
    }
  })

  it("gives a sample the same bits whoever stands beside it", async () => {
    const all = await embed(rcf, { root, rows, with: small })
    for (const [i, row] of rows.entries()) {
      const alone = await embed(rcf, { root, rows: [row], with: small })
      expect(alone.values).toEqual(vectorAt(all, i))
    }
  })

  it("takes derived bands, brought to 0..255 by a range", async () => {
    const bands = [{ difference: ["R", "G"] }, "B"], stretch = { range: [-255, 255] }
    for (const stage of [rcf, patches]) {
      const parameters = { ...small, bands, stretch, bias: -0.1 }
      const learned = stage.fit === undefined ? {} : await fit(stage, { root, rows, with: parameters })
      const made = await embed(stage, { root, rows, learned, with: parameters })
      expect(made.width).toBe(24)
      expect(vectorAt(made, 0)).not.toEqual(vectorAt(made, 1))
      await expect(embed(stage, { root, rows, learned, with: { ...small, bands } })).rejects.toThrow(/sample n0.png is not 8-bit; say how its values become 0..255/)
      await expect(embed(stage, { root, rows, learned, with: { ...small, bands, stretch: { sigma: 2 } } })).rejects.toThrow(/R - G is derived from them; give its bounds/)
    }
    // what differs from nothing is grey everywhere
    const flat = await embed(rcf, { root, rows, with: { ...small, bands: [{ difference: ["R", "R"] }], stretch } })
    expect(vectorAt(flat, 0)).toEqual(vectorAt(flat, 1))
  })

  it("draws other filters from another seed", async () => {
    const one = await embed(rcf, { root, rows: rows.slice(0, 1), with: { ...small, seed: 1 } })
    const two = await embed(rcf, { root, rows: rows.slice(0, 1), with: { ...small, seed: 2 } })
    expect(one.values).not.toEqual(two.values)
  })

  it("wants 8-bit values and says what to do", async () => {
    const deep = [{ id: "deep", assets: [picture(root, "deep.png")] }]
    await expect(embed(rcf, { root, rows: deep, with: small })).rejects.toThrow(/sample deep is not 8-bit.*stretch: \{ sigma: 2 \}/)
    const { values } = await embed(rcf, { root, rows: deep, with: { ...small, stretch: { range: [0, 7824] } } })
    expect(values.every(Number.isFinite)).toBe(true)
  })

  it("refuses a filter larger than the image, and an odd number of features", async () => {
    await expect(embed(rcf, { root, rows, with: { size: 4, kernel: 5 } })).rejects.toThrow(/kernel 5 px does not fit into images of size 4 px/)
    await expect(embed(rcf, { root, rows, with: { features: 7 } })).rejects.toThrow(/multiple of 2/)
  })
})

describe("embed/rcf-patches", () => {
  it("learns standardised patches of the training images, all from rows it was given", async () => {
    const learned = await fit(patches, { root, rows: rows.slice(0, 2), with: small })
    const { shape, values } = learned["filters"] as unknown as { shape: [Float64Array]; values: [Float64Array] }
    expect(Array.from(shape[0])).toEqual([12, 3, 3, 3])
    const standard = (patch: ReadonlyArray<number>) => {
      const mean = patch.reduce((a, b) => a + b) / 27, deviation = Math.sqrt(patch.reduce((a, b) => a + (b - mean) ** 2, 0) / 27)
      return patch.map((value) => (value - mean) / deviation)
    }
    const possible = ["n0.png", "n1.png"].map((name) => noise(name, 3)).flatMap((image) =>
      Array.from({ length: (side - 2) ** 2 }, (_, place) => {
        const left = place % (side - 2), top = Math.floor(place / (side - 2))
        return standard(Array.from({ length: 27 }, (_, i) => image[((top + Math.floor(i / 3) % 3) * side + left + i % 3) * 3 + Math.floor(i / 9)]!))
      }))
    for (let f = 0; f < 12; f++) {
      const filter = values[0].subarray(f * 27, (f + 1) * 27)
      const nearest = Math.min(...possible.map((patch) => Math.max(...patch.map((value, i) => Math.abs(value - filter[i]!)))))
      expect(nearest).toBeLessThan(1e-5)
    }
  })

  it("embeds with what it learned", async () => {
    const learned = await fit(patches, { root, rows: rows.slice(0, 4), with: small })
    const all = await embed(patches, { root, rows, with: small, learned })
    expect(all.width).toBe(24)
    const alone = await embed(patches, { root, rows: rows.slice(8), with: small, learned })
    expect(alone.values).toEqual(vectorAt(all, 8))
    const others = await embed(patches, { root, rows: rows.slice(8), with: small, learned: await fit(patches, { root, rows: rows.slice(4, 8), with: small }) })
    expect(others.values).not.toEqual(alone.values)
  })
})
