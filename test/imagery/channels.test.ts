import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Channels, inWords, mixed } from "../../imagery/channels.ts"

/** Weights [out, channels, 3, 3] as timm's `adapt_input_conv` makes them for `bands`: tiled, cut, scaled; one band takes their sum. */
const adapted = (weights: Float64Array, out: number, channels: number, bands: number, how: Channels): Float64Array => {
  const at = (f: number, channel: number, tap: number) => weights[(f * channels + channel) * 9 + tap]!
  const sum = (f: number, tap: number) => Array.from({ length: channels }, (_, o) => at(f, o, tap)).reduce((a, b) => a + b)
  return Float64Array.from({ length: out * bands * 9 }, (_, i) => {
    const tap = i % 9, c = Math.floor(i / 9) % bands, f = Math.floor(i / 9 / bands)
    if (how === "average") return sum(f, tap) / channels * (channels / bands)
    return bands === 1 ? sum(f, tap) : at(f, c % channels, tap) * (channels / bands)
  })
}

/** A 3 x 3 convolution with a border of zeros, stride 2 and a bias, by plain loops. */
const convolve = (image: Float32Array, bands: number, side: number, weights: Float64Array, out: number): Array<number> => {
  const answers: Array<number> = []
  for (let f = 0; f < out; f++) {
    for (let y = 0; y < side; y += 2) {
      for (let x = 0; x < side; x += 2) {
        let sum = f - 0.5
        for (let c = 0; c < bands; c++) {
          for (let tap = 0; tap < 9; tap++) {
            const row = y + Math.floor(tap / 3) - 1, column = x + tap % 3 - 1
            if (row >= 0 && row < side && column >= 0 && column < side) sum += weights[(f * bands + c) * 9 + tap]! * image[(c * side + row) * side + column]!
          }
        }
        answers.push(sum)
      }
    }
  }
  return answers
}

const value = fc.integer({ min: -1000, max: 1000 }).map((n) => n / 64)
const conv = fc.record({ channels: fc.integer({ min: 1, max: 5 }), bands: fc.integer({ min: 1, max: 14 }), how: fc.constantFrom<Channels>("repeat", "average") })
  .chain(({ bands, channels, how }) =>
    fc.record({
      bands: fc.constant(bands),
      channels: fc.constant(channels),
      how: fc.constant(how),
      image: fc.array(value, { minLength: bands * 16, maxLength: bands * 16 }).map((values) => Float32Array.from(values)),
      weights: fc.array(value, { minLength: 2 * channels * 9, maxLength: 2 * channels * 9 }).map((values) => Float64Array.from(values))
    })
  )

describe("channels", () => {
  it("mixed give a convolution what its adapted weights make of the bands", () => {
    fc.assert(fc.property(conv, ({ bands, channels, how, image, weights }) => {
      const expected = convolve(image, bands, 4, adapted(weights, 2, channels, bands, how), 2)
      const given = convolve(mixed(image, bands, channels, how), channels, 4, weights, 2)
      for (const [i, answer] of given.entries()) expect(Math.abs(answer - expected[i]!)).toBeLessThan(0.01)
    }), { numRuns: 60 })
  })

  it("are these planes, by hand", () => {
    const bands = Float32Array.of(1, 2, 10, 20, 100, 200, 1000, 2000)
    expect(Array.from(mixed(bands, 4, 3, "repeat"))).toEqual([750.75, 1501.5, 7.5, 15, 75, 150])
    expect(Array.from(mixed(bands, 4, 2, "repeat"))).toEqual([50.5, 101, 505, 1010])
    expect(Array.from(mixed(bands, 4, 2, "average"))).toEqual([277.75, 555.5, 277.75, 555.5])
    // two bands for three channels: the third channel sees nothing, the others half as much again
    expect(Array.from(mixed(Float32Array.of(2, 4), 2, 3, "repeat"))).toEqual([3, 6, 0])
    for (const how of ["repeat", "average"] as const) expect(Array.from(mixed(Float32Array.of(5, 7), 1, 3, how))).toEqual([5, 7, 5, 7, 5, 7])
  })

  it("keep a constant image as it is where shares sum to 1: with average, and with repeat of a multiple", () => {
    const flat = (bands: number) => new Float32Array(bands * 4).fill(3)
    for (const bands of [1, 2, 5, 12]) expect(Array.from(mixed(flat(bands), bands, 3, "average"))).toEqual(Array.from({ length: 12 }, () => 3))
    for (const bands of [3, 6, 12]) expect(Array.from(mixed(flat(bands), bands, 3, "repeat"))).toEqual(Array.from({ length: 12 }, () => 3))
    expect(Array.from(mixed(flat(2), 2, 3, "repeat"))).not.toEqual(Array.from({ length: 12 }, () => 3))
  })

  it("say what was done", () => {
    expect(inWords(12, 3, "repeat")).toBe("channels: repeat: 12 bands for the model's 3 channels: band c (from 0) takes the weights of channel c mod 3, times 3 / 12")
    expect(inWords(2, 3, "average")).toBe("channels: average: 2 bands for the model's 3 channels: each takes the mean of their weights, times 3 / 2")
    expect(inWords(1, 3, "repeat")).toBe("channels: repeat: the one band goes to each of the model's 3 channels")
    expect(inWords(3, 3, "average")).toBe("channels: average changes nothing: the model takes 3 channels, and 3 bands are given")
    expect(inWords(undefined, 3, "repeat")).toMatch(/all bands of a picture for the model's 3 channels.*times 3 \/ their number/)
  })
})
