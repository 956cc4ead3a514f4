/** What a bounding box says of the object in it: the regression targets of TG-MATL's box probe (its released code). */
import type { Matrix } from "./matrix.ts"

/** Names of the features, in order. The first four are those that the box label clusters. */
export const boxFeatureNames = [
  "width", "height", "area", "elongation", "perimeter", "diagonal", "aspect", "log_aspect", "compactness", "log_inertia_ratio", "inertia_per_area", "log_area", "angle"
] as const

const tiny = 1e-12

/**
 * The 13 features of each box [xmin, ymin, xmax, ymax] px, unscaled, [n, 13] float64: w, h, w h, 1 - min(w/h, h/w), 2 (w + h), sqrt(w^2 + h^2),
 * w/h, log(w/h), 4 pi w h / (2 (w + h))^2, log(Ixx / Iyy) and (Ixx + Iyy) / (w h) with Ixx = w h^3 / 12 and Iyy = h w^3 / 12, log(w h),
 * atan2(h, w). 1e-12 guards denominators and logarithms as in the released code; a box of negative size counts as 0 wide or high.
 */
export const boxFeatures = (boxes: ArrayLike<number>): Matrix => {
  const rows = boxes.length / 4, columns = boxFeatureNames.length
  const values = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    const w = Math.max(boxes[i * 4 + 2]! - boxes[i * 4]!, 0), h = Math.max(boxes[i * 4 + 3]! - boxes[i * 4 + 1]!, 0)
    const area = w * h, perimeter = 2 * (w + h), ixx = (w * h ** 3) / 12, iyy = (h * w ** 3) / 12
    values.set([
      w,
      h,
      area,
      1 - Math.min(w / (h + tiny), h / (w + tiny)),
      perimeter,
      Math.hypot(w, h),
      w / (h + tiny),
      Math.log(w / (h + tiny) + tiny),
      (4 * Math.PI * area) / (perimeter ** 2 + tiny),
      Math.log((ixx + tiny) / (iyy + tiny) + tiny),
      (ixx + iyy) / (area + tiny),
      Math.log(area + tiny),
      Math.atan2(h, w + tiny)
    ], i * columns)
  }
  return { rows, columns, values }
}

/** Names of the features of a box in its window, in order. */
export const boxPlacementNames = ["xc", "yc", "w", "h"] as const

/**
 * Centre and size of each box [xmin, ymin, xmax, ymax] as shares of its window [x, y, width, height] px: (xc, yc, w, h) [n, 4] float64,
 * what TG-MATL scores samples by (it divides by 300, its crops' size). NaN where box or window is.
 */
export const boxPlacement = (boxes: ArrayLike<number>, windows: ArrayLike<number>): Matrix => {
  const rows = boxes.length / 4
  const values = new Float64Array(boxes.length)
  for (let i = 0; i < boxes.length; i += 4) {
    const width = windows[i + 2]!, height = windows[i + 3]!
    values[i] = (boxes[i]! + boxes[i + 2]!) / 2 / width
    values[i + 1] = (boxes[i + 1]! + boxes[i + 3]!) / 2 / height
    values[i + 2] = (boxes[i + 2]! - boxes[i]!) / width
    values[i + 3] = (boxes[i + 3]! - boxes[i + 1]!) / height
  }
  return { rows, columns: 4, values }
}
