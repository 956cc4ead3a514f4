/** A metric over two axes, as a grid of numbers: TG-MATL's figure of top x more. What is best is marked where that holds. */
import type { Pipeline } from "../schemas/pipeline.ts"
import { marksNote } from "./caption.ts"
import { type Compare, marks } from "./compare.ts"
import { nameOf } from "./layout.ts"
import { show } from "./comparison.ts"
import type { Result } from "./result.ts"
import type { Sheet } from "./sheet.ts"

type Heatmap = NonNullable<Pipeline["report"]["heatmap"]>

/** The sheet of a heatmap; undefined where no result fits. */
export const heatmap = (results: ReadonlyArray<Result>, { metric, where, x, y }: Heatmap, compare: Compare): Sheet | undefined => {
  const fits = results.filter((result) =>
    nameOf(result) === metric && result.axes[x] !== undefined && result.axes[y] !== undefined &&
    Object.entries(where ?? {}).every(([axis, value]) => (Array.isArray(value) ? value.map(String) : [String(value)]).includes(result.axes[axis] ?? "")))
  if (fits.length === 0) return undefined
  const values = (axis: string) => [...new Set(fits.map(({ axes }) => axes[axis]!))]
  const marked = marks([fits], compare)
  return {
    title: `${metric}: ${y} (down) x ${x} (across)${where === undefined ? "" : `, ${Object.entries(where).map(([axis, value]) => `${axis}=${String(value)}`).join(" ")}`}`,
    columns: [{ name: y }, ...values(x).map((name) => ({ name, number: true }))],
    rows: values(y).map((row) => [{ text: row }, ...values(x).map((column) => {
      const found = fits.filter(({ axes }) => axes[x] === column && axes[y] === row), [only] = found
      return only === undefined ? { text: "" } : found.length > 1 ? { text: "several" } : { text: show(only.mean), mark: marked.marks.get(only) }
    })]),
    notes: marksNote(marked)
  }
}
