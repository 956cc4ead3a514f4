/** Sets of cells in few words: `method=dtl,matl fold=0` instead of a line a cell. */
import type { Cells } from "../../engine/axes.ts"

export type Boxes = (cells: ReadonlySet<number>) => ReadonlyArray<string>

/** Sets of cells of a grid as picks for the command line, each a choice of values along the axes; an axis of which all values are meant is left out. */
export const boxesOf = ({ codes, columns, count }: Cells): Boxes => (cells) => {
  if (cells.size === count) return [count === 1 ? "the only cell" : `all ${count} cells`]
  const width = columns.length
  // boxes that differ along one axis only are one box; replicates, which come last, are joined first
  const joined = (boxes: ReadonlyArray<ReadonlyArray<ReadonlyArray<number>>>) => {
    let left = boxes
    for (let axis = width - 1; axis >= 0; axis--) {
      left = [...Map.groupBy(left, (box) => JSON.stringify(box.with(axis, []))).values()].map((alike) => alike[0]!.with(axis, alike.some((box) => box[axis]!.length === 0) ? [] : [...new Set(alike.flatMap((box) => box[axis]!))]))
    }
    return left
  }
  const single = [...cells].toSorted((a, b) => a - b).map((cell) => Array.from(codes.subarray(cell * width, (cell + 1) * width), (code) => [code]))
  // all values of an axis, and the want of one, are no choice
  const chosen = (boxes: ReadonlyArray<ReadonlyArray<ReadonlyArray<number>>>) => boxes.map((box) => box.map((own, axis) => {
    const there = own.filter((code) => code >= 0)
    return there.length === columns[axis]!.labels.length ? [] : there
  }))
  return chosen(joined(chosen(joined(single)))).map((box) => columns.flatMap(({ labels, name }, axis) => box[axis]!.length === 0 ? [] : [`${name}=${box[axis]!.map((code) => labels[code]).join(",")}`]).join(" "))
}
