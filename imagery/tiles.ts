/** Tiles: a scene cut into windows on a grid. */
import type { Box } from "./crop.ts"
import type { Size, Window } from "./window.ts"

/** Square windows of `side` px at every `stride` px, row by row, that lie wholly inside the scene; what is left at the edges is not covered. */
export const tilesOf = ({ height, width }: Size, side: number, stride: number): ReadonlyArray<Window> => {
  const tiles: Array<Window> = []
  for (let y = 0; y + side <= height; y += stride) {
    for (let x = 0; x + side <= width; x += stride) tiles.push([x, y, side, side])
  }
  return tiles
}

/** Whether the centre of a box lies in a window: on its left and upper edge it does, on the others not, so tiles share no box. */
export const holdsCentre = ([x, y, width, height]: Window, [xmin, ymin, xmax, ymax]: Box): boolean => {
  const centreX = (xmin + xmax) / 2, centreY = (ymin + ymax) / 2
  return centreX >= x && centreX < x + width && centreY >= y && centreY < y + height
}
