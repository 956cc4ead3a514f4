/**
 * Which places lie within so many metres of each other, without asking all pairs: points of the unit sphere are kept by cells of a cubic
 * grid as wide as the distance, so that only a cell and those around it are asked. In three dimensions neither the date line nor a pole is
 * an edge.
 */
import { chordOf } from "./sphere.ts"

/** Cells along an edge of the cube at most (97 m each), so that three of their numbers make one exact integer. */
const most = 2 ** 17
/** One more cell at either end: the neighbours of the outermost. */
const stride = most + 3

/** The cells themselves come first: there is what is nearest. */
const neighbours = [0, -1, 1].flatMap((x) => [0, -1, 1].flatMap((y) => [0, -1, 1].map((z) => (x * stride + y) * stride + z)))

/**
 * Finds rows of `points` ([n, 3] of the unit sphere; those of NaN are nowhere) within `metres` of one of them, itself included.
 * @param rows the rows that are found; others are asked from only
 * @returns asks rows within reach of `from` in a fixed order until one is accepted; whether one was
 */
export const within = (points: Float64Array, rows: Iterable<number>, metres: number): (from: number, accept: (row: number) => boolean) => boolean => {
  const reach = chordOf(metres), side = Math.max(reach, 2 / most)
  const cell = (row: number) =>
    ((Math.floor((points[row * 3]! + 1) / side) + 1) * stride + Math.floor((points[row * 3 + 1]! + 1) / side) + 1) * stride + Math.floor((points[row * 3 + 2]! + 1) / side) + 1
  const cells = new Map<number, Array<number>>()
  for (const row of rows) {
    const at = cell(row)
    if (Number.isNaN(at)) continue
    const held = cells.get(at)
    if (held === undefined) cells.set(at, [row])
    else held.push(row)
  }
  return (from, accept) => {
    const at = cell(from)
    for (const step of neighbours) {
      for (const row of cells.get(at + step) ?? []) {
        const x = points[row * 3]! - points[from * 3]!, y = points[row * 3 + 1]! - points[from * 3 + 1]!, z = points[row * 3 + 2]! - points[from * 3 + 2]!
        if (x * x + y * y + z * z <= reach * reach && accept(row)) return true
      }
    }
    return false
  }
}
