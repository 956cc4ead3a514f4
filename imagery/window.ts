/** Windows: the part of a file that a sample is, and the same part in a file of another resolution. */
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

/**
 * Reads a window of one band into `out` (`size.height` rows of `size.width`): copied where the window has that size and whole edges,
 * otherwise resampled (bilinear, antialiased).
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
}
