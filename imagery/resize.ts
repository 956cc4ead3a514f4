/**
 * Resizes bands as Pillow does (`Image.resize`, Resample.c): separable, antialiased (the filter's support grows with the factor when
 * making smaller), edges by renormalised weights. Frozen encoders were trained on images resized this way, and other resamplers are far
 * from it (sharp's bicubic is up to 4 grey levels off when enlarging, unfiltered ones up to 164 when making smaller). In and out are
 * float32 without rounding, where Pillow rounds 8-bit images after each of the two passes: so the two agree within one grey level.
 * On float images they agree to float32 rounding. The horizontal pass comes first, as in every Pillow that published encoders were
 * trained with (Pillow 13 begins with the axis that shrinks more, which shows only where rounding or clipping between passes does).
 */

export type Filter = "bilinear" | "bicubic"

export interface Options {
  readonly filter: Filter
  /** The part of the source that is mapped onto the whole result; default: all of it. */
  readonly region?: Region
  /** Values are kept to this range after each pass, as Pillow keeps 8-bit images to 0..255 (bicubic overshoots at edges). */
  readonly clip?: readonly [low: number, high: number]
}

/** [left, top, right, bottom] in px of the source; may be fractional. */
export type Region = readonly [left: number, top: number, right: number, bottom: number]

const filters: Readonly<Record<Filter, { readonly support: number; readonly weight: (x: number) => number }>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys' cubic with a = -0.5, as in Pillow (OpenCV and torch take -0.75)
  bicubic: {
    support: 2,
    weight: (x) => {
      const t = Math.abs(x)
      if (t < 1) return (1.5 * t - 2.5) * t * t + 1
      return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0
    }
  }
}

interface Taps {
  /** First source index of each output. */
  readonly first: Int32Array
  /** How many source values each output mixes. */
  readonly count: Int32Array
  readonly most: number
  /** `most` weights an output; they sum to 1. */
  readonly weights: Float64Array
}

/** The weights that make `size` outputs of the source range [from, to) of a line of `length` values. */
const tapsOf = (length: number, from: number, to: number, size: number, filter: Filter): Taps => {
  const { support, weight } = filters[filter]
  const scale = (to - from) / size
  const stretch = Math.max(scale, 1)
  const reach = support * stretch
  const most = Math.ceil(reach) * 2 + 1
  const first = new Int32Array(size), count = new Int32Array(size), weights = new Float64Array(size * most)
  for (let i = 0; i < size; i++) {
    const centre = from + (i + 0.5) * scale
    const low = Math.max(0, Math.trunc(centre - reach + 0.5))
    const high = Math.min(length, Math.trunc(centre + reach + 0.5))
    let sum = 0
    for (let j = low; j < high; j++) sum += weights[i * most + j - low] = weight((j - centre + 0.5) / stretch)
    for (let j = low; j < high; j++) weights[i * most + j - low]! /= sum
    first[i] = low
    count[i] = high - low
  }
  return { first, count, most, weights }
}

/**
 * Resizes `bands` bands of `height` x `width` values (band-major) to `size`. Pixels beside the region take part where the filter
 * reaches them, as with Pillow's `box`.
 */
export const resize = (
  image: { readonly values: ArrayLike<number>; readonly bands: number; readonly height: number; readonly width: number },
  size: { readonly height: number; readonly width: number },
  { clip = [-Infinity, Infinity], filter, region = [0, 0, image.width, image.height] }: Options
): Float32Array => {
  const { bands, height, values, width } = image
  const [left, top, right, bottom] = region
  const [low, high] = clip
  const across = tapsOf(width, left, right, size.width, filter), down = tapsOf(height, top, bottom, size.height, filter)
  const above = down.first[0]!, below = down.first[size.height - 1]! + down.count[size.height - 1]!
  const passed = new Float32Array((below - above) * size.width)
  const out = new Float32Array(bands * size.height * size.width)
  const sums = new Float64Array(size.width)
  for (let b = 0; b < bands; b++) {
    // four lines at once: a sum waits for its last addition, four of them side by side take half the time; at the end one line stands for several
    for (let y = above; y < below; y += 4) {
      const y1 = Math.min(y + 1, below - 1), y2 = Math.min(y + 2, below - 1), y3 = Math.min(y + 3, below - 1)
      const row = (b * height + y) * width, row1 = (b * height + y1) * width, row2 = (b * height + y2) * width, row3 = (b * height + y3) * width
      for (let x = 0; x < size.width; x++) {
        const from = across.first[x]!, n = across.count[x]!, w = x * across.most
        let sum = 0, sum1 = 0, sum2 = 0, sum3 = 0
        for (let k = 0, i = from; k < n; k++, i++) {
          const weight = across.weights[w + k]!
          sum += weight * values[row + i]!
          sum1 += weight * values[row1 + i]!
          sum2 += weight * values[row2 + i]!
          sum3 += weight * values[row3 + i]!
        }
        passed[(y - above) * size.width + x] = Math.min(high, Math.max(low, sum))
        passed[(y1 - above) * size.width + x] = Math.min(high, Math.max(low, sum1))
        passed[(y2 - above) * size.width + x] = Math.min(high, Math.max(low, sum2))
        passed[(y3 - above) * size.width + x] = Math.min(high, Math.max(low, sum3))
      }
    }
    for (let y = 0; y < size.height; y++) {
      const from = down.first[y]! - above, n = down.count[y]!, w = y * down.most
      sums.fill(0)
      for (let k = 0; k < n; k++) {
        const weight = down.weights[w + k]!, row = (from + k) * size.width
        for (let x = 0; x < size.width; x++) sums[x]! += weight * passed[row + x]!
      }
      const row = (b * size.height + y) * size.width
      for (let x = 0; x < size.width; x++) out[row + x] = Math.min(high, Math.max(low, sums[x]!))
    }
  }
  return out
}
