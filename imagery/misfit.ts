/** Boxes of lists, checked against the image that they are of. */
import type { Size } from "./window.ts"
import { areaOf, type Box } from "./crop.ts"

/** A box may reach this far beyond its image, for the rounding of coordinates; cutting clips it. */
const tolerance = 1

/** What is wrong with a box in px of an image, in words; undefined: nothing. */
export const misfit = (box: Box, { height, width }: Size): string | undefined => {
  const [xmin, ymin, xmax, ymax] = box
  if (!(areaOf(box) > 0)) return `the box ${box.join(", ")} (xmin, ymin, xmax, ymax) has no area`
  if (xmin >= -tolerance && ymin >= -tolerance && xmax <= width + tolerance && ymax <= height + tolerance) return undefined
  return `the box ${box.join(", ")} (xmin, ymin, xmax, ymax) does not lie inside the image, which is ${width} x ${height} px`
}
