/** Crops around boxes: the samples of TG-MATL, one box each. */
import type { Random } from "../math/random.ts"
import type { Size, Window } from "./window.ts"

/** [xmin, ymin, xmax, ymax] in px; maxima are exclusive. */
export type Box = readonly [xmin: number, ymin: number, xmax: number, ymax: number]

/** Why a box gave no crop. */
export type Refusal = "empty" | "larger than the crop" | "of an image smaller than the crop" | "crossed by another box"

export const areaOf = ([xmin, ymin, xmax, ymax]: Box): number => Math.max(0, xmax - xmin) * Math.max(0, ymax - ymin)

/** The part of a box inside a window, in px of the window. */
export const boxIn = ([xmin, ymin, xmax, ymax]: Box, [x, y, width, height]: Window): Box => [
  Math.min(width, Math.max(0, xmin - x)),
  Math.min(height, Math.max(0, ymin - y)),
  Math.min(width, Math.max(0, xmax - x)),
  Math.min(height, Math.max(0, ymax - y))
]

/**
 * A square of `side` px around a box, placed at random: among the whole-pixel places inside the image where the square holds all of the
 * box, each is as likely. It is refused where any other box reaches into it (TG-MATL, released code: one draw a box, no second try).
 */
export const cropAround = (size: Size, boxes: ReadonlyArray<Box>, index: number, side: number, random: Random): Window | Refusal => {
  const box = boxIn(boxes[index]!, [0, 0, size.width, size.height])
  if (areaOf(box) === 0) return "empty"
  if (size.width < side || size.height < side) return "of an image smaller than the crop"
  const place = (low: number, high: number, extent: number): number | undefined => {
    const first = Math.max(0, Math.ceil(high) - side), last = Math.min(extent - side, Math.floor(low))
    return first > last ? undefined : first + random.integer(last - first + 1)
  }
  const x = place(box[0], box[2], size.width), y = place(box[1], box[3], size.height)
  if (x === undefined || y === undefined) return "larger than the crop"
  const window: Window = [x, y, side, side]
  return boxes.some((other, i) => i !== index && areaOf(boxIn(other, window)) > 0) ? "crossed by another box" : window
}
