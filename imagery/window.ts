/** Windows: the part of a file that a sample is, and the same part in a file of another resolution. */
import { isHole } from "./nodata.ts"
import { type Region, resize } from "./resize.ts"
import type { Raster } from "./raster.ts"

/** [x, y, width, height] in px; all NaN: the whole image. */
export type Window = readonly [x: number, y: number, width: number, height: number]

/** Size of an image in px. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** The window in px of `from`, in px of `to`, an image of the same ground at another resolution; may be fractional. */
export const rescale = ([x, y, width, height]: Window, from: Size, to: Size): Window => {
  const across = to.width / from.width, down = to.height / from.height
  return [x * across, y * down, width * across, height * down]
}

/** The window with whole edges, at least one pixel wide and high. */
export const whole = ([x, y, width, height]: Window): Window => {
  const left = Math.round(x), top = Math.round(y)
  return [left, top, Math.max(1, Math.round(x + width) - left), Math.max(1, Math.round(y + height) - top)]
}

/** Whether a window has an area and lies inside an image; a tolerance of 1/1000 px is for scaled windows. */
export const inside = ([x, y, width, height]: Window, size: Size): boolean =>
  width > 0 && height > 0 && x >= -1e-3 && y >= -1e-3 && x + width <= size.width + 1e-3 && y + height <= size.height + 1e-3

/** The part of an image that a window resampled to `size` takes up: where it is not a copy, the filter reaches beyond the window's edges. */
export const reachOf = (window: Window, size: Size, image: Size): Window => {
  const [x, y, width, height] = window
  if (width === size.width && height === size.height && window.every(Number.isInteger)) return window
  const margin = 2 + Math.ceil(Math.max(width / size.width, height / size.height, 1))
  const left = Math.max(0, Math.floor(x) - margin), top = Math.max(0, Math.floor(y) - margin)
  return [left, top, Math.min(image.width, Math.ceil(x + width) + margin) - left, Math.min(image.height, Math.ceil(y + height) + margin) - top]
}

/** A smaller share of a hole in a resampled pixel is the rounding of a position. */
const trace = 1e-6

/**
 * Reads a window of one band into `out` (`size.height` rows of `size.width`): copied where the window has that size and whole edges,
 * otherwise resampled (bilinear, antialiased). What a file declares as no data stays as it is in a copy; resampled, it is no value to be
 * mixed with others, so every pixel that a hole has a share in is NaN.
 */
export const readWindow = (raster: Raster, band: number, window: Window, size: Size, out: Float32Array): void => {
  const [x, y, width, height] = window
  const pixels = raster.width * raster.height
  const values = raster.values.subarray(band * pixels, (band + 1) * pixels)
  if (width === size.width && height === size.height && Number.isInteger(x) && Number.isInteger(y)) {
    for (let row = 0; row < height; row++) {
      const from = (y + row) * raster.width + x
      out.set(values.subarray(from, from + width), row * width)
    }
    return
  }
  const region: Region = [x, y, x + width, y + height]
  out.set(resize({ values, bands: 1, height: raster.height, width: raster.width }, size, { filter: "bilinear", region }))
  if (Number.isNaN(raster.nodata)) return
  const [left, top, across, down] = reachOf(window, size, raster)
  const holes = new Float32Array(across * down)
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) holes[row * across + column] = isHole(values[(top + row) * raster.width + left + column]!, raster.nodata) ? 1 : 0
  }
  if (!holes.includes(1)) return
  const shares = resize({ values: holes, bands: 1, height: down, width: across }, size, { filter: "bilinear", region: [x - left, y - top, x + width - left, y + height - top] })
  for (let i = 0; i < out.length; i++) if (shares[i]! > trace) out[i] = Number.NaN
}
