/** A metric over two axes, as a grid of numbers with the best one marked: TG-MATL's figure of top x more. */
import type { Pipeline } from "../schemas/pipeline.ts"
import { better } from "./comparison.ts"
import type { Result } from "./result.ts"
import { style, textTable } from "./terminal.ts"

type Heatmap = NonNullable<Pipeline["report"]["heatmap"]>

/** Text of the heatmap; empty where no result fits. */
export const heatmap = (results: ReadonlyArray<Result>, { metric, where, x, y }: Heatmap): string => {
  const fits = results.filter((result) =>
    `${result.task}.${result.metric}` === metric && result.axes[x] !== undefined && result.axes[y] !== undefined &&
    Object.entries(where ?? {}).every(([axis, value]) => (Array.isArray(value) ? value.map(String) : [String(value)]).includes(result.axes[axis] ?? "")))
  if (fits.length === 0) return ""
  const values = (axis: string) => [...new Set(fits.map(({ axes }) => axes[axis]!))]
  const best = fits.reduce((a, b) => better(metric, b.mean, a.mean) ? b : a)
  const rows = values(y).map((row) => [row, ...values(x).map((column) => {
    const found = fits.filter(({ axes }) => axes[x] === column && axes[y] === row)
    const [only] = found
    return only === undefined ? "" : found.length > 1 ? "several" : only === best ? style("green", `${only.mean.toFixed(3)} *`) : `${only.mean.toFixed(3)}  `
  })])
  return `${metric}: ${y} (down) x ${x} (across)${where === undefined ? "" : `, ${Object.entries(where).map(([axis, value]) => `${axis}=${String(value)}`).join(" ")}`}\n${textTable([y, ...values(x).map((value) => `>${value}  `)], rows)}`
}
