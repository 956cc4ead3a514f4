/**
 * The comparison that a run ends with: a row a method, a column a metric, mean and sd over replicates, the best of each column marked, and the
 * epochs run where trainings may stop early.
 */
import { showEpochs } from "./epochs.ts"
import type { Result } from "./result.ts"
import { style, textTable } from "./terminal.ts"

/** Metrics where less is better. */
const lower = new Set(["mse", "log_loss", "ece", "mae"])
export const better = (metric: string, a: number, b: number): boolean => lower.has(metric.split(".").at(-1)!) ? a < b : a > b

const show = (value: number) => Number.isNaN(value) ? "–" : Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(3)

export interface ComparisonOptions {
  /** `task.metric` in the order of the columns; all, where empty. */
  readonly metrics: ReadonlyArray<string>
  readonly baseline: Readonly<Record<string, unknown>> | undefined
}

/** Text of the comparison; empty where there is nothing to compare. */
export const comparison = (results: ReadonlyArray<Result>, { baseline, metrics }: ComparisonOptions): string => {
  if (results.length === 0) return ""
  const named = results.map((result) => ({ ...result, name: `${result.task}.${result.metric}` }))
  const available = [...new Set(named.map(({ name }) => name))]
  const columns = metrics.length > 0 ? metrics.filter((name) => available.includes(name)) : available
  const axisNames = [...new Set(results.flatMap(({ axes }) => Object.keys(axes)))]
  const varying = axisNames.filter((axis) => new Set(results.map(({ axes }) => axes[axis])).size > 1)
  const stages = new Set(results.map(({ stage }) => stage))
  const rows = new Map<string, { readonly axes: Result["axes"]; readonly stage: string; readonly cells: Map<string, Result> }>()
  for (const result of named) {
    const id = `${result.stage}\0${JSON.stringify(result.axes)}`
    let row = rows.get(id)
    if (row === undefined) {
      row = { axes: result.axes, stage: result.stage, cells: new Map() }
      rows.set(id, row)
    }
    row.cells.set(result.name, result)
  }
  const best = new Map<string, number>()
  for (const name of columns) {
    const values = [...rows.values()].map(({ cells }) => cells.get(name)?.mean ?? Number.NaN).filter((value) => !Number.isNaN(value))
    if (values.length > 0) best.set(name, values.reduce((a, b) => better(name, b, a) ? b : a))
  }
  const stopped = results.some(({ epochs }) => epochs !== undefined)
  const isBaseline = (axes: Result["axes"]) => baseline !== undefined && Object.entries(baseline).every(([axis, value]) => axes[axis] === String(value))
  const text = [...rows.values()].map(({ axes, cells, stage }) => {
    const epochs = [...cells.values()][0]?.epochs
    const replicates = [...new Set([...cells.values()].map((cell) => cell.replicates))]
    return [
      ...(stages.size > 1 ? [stage] : []),
      ...varying.map((axis) => axes[axis] ?? ""),
      ...columns.map((name) => {
        const cell = cells.get(name)
        if (cell === undefined) return ""
        const value = `${show(cell.mean)}${cell.replicates > 1 ? ` ± ${show(cell.sd)}` : ""}`
        return cell.mean === best.get(name) && rows.size > 1 ? style("green", `${value} *`) : `${value}  `
      }),
      replicates.join("/"),
      ...(stopped ? [epochs === undefined ? "" : showEpochs(epochs)] : []),
      isBaseline(axes) ? style("dim", "baseline") : ""
    ]
  })
  const headers = [...(stages.size > 1 ? ["stage"] : []), ...varying, ...columns.map((name) => `>${name}  `), ">n", ...(stopped ? [">epochs"] : []), ""]
  return textTable(headers, text)
}
