/**
 * The comparison that a run ends with: a row a method, a column a metric, mean and sd over replicates, the best of each column marked, and the
 * epochs run where trainings may stop early. Stages that measure different things share a row. The values of one axis may stand side by side, a
 * column each for every metric.
 */
import { showEpochs } from "./epochs.ts"
import type { Result } from "./result.ts"
import { style, textTable } from "./terminal.ts"

/** Metrics where less is better. */
const lower = new Set(["mse", "log_loss", "ece", "mae", "median_km", "baseline_median_km"])
export const better = (metric: string, a: number, b: number): boolean => lower.has(metric.split(".").at(-1)!.replace(" (pooled)", "")) ? a < b : a > b

const show = (value: number) => Number.isNaN(value) ? "–" : Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(3)

export interface ComparisonOptions {
  /** `task.metric` in the order of the columns; all, where empty. */
  readonly metrics: ReadonlyArray<string>
  readonly baseline: Readonly<Record<string, unknown>> | undefined
  /** The axis whose values stand side by side; none where absent. */
  readonly columns?: string | undefined
}

interface Row {
  readonly axes: Result["axes"]
  readonly stage: string
  /** By metric and, where values of an axis stand side by side, value. */
  readonly cells: Map<string, Result>
}

/** Text of the comparison; empty where there is nothing to compare. */
export const comparison = (results: ReadonlyArray<Result>, { baseline, columns: across, metrics }: ComparisonOptions): string => {
  if (results.length === 0) return ""
  const named = results.map((result) => ({ ...result, name: `${result.task}.${result.metric}`, value: across === undefined ? undefined : result.axes[across] }))
  const available = [...new Set(named.map(({ name }) => name))], values = [...new Set(named.map(({ value }) => value))]
  const headed = (name: string, value: string | undefined) => value === undefined ? name : `${name} ${value}`
  const columns = (metrics.length > 0 ? metrics.filter((name) => available.includes(name)) : available).flatMap((name) =>
    values.filter((value) => named.some((result) => result.name === name && result.value === value)).map((value) => ({ name, header: headed(name, value) })))
  if (columns.length === 0) return ""
  const axisNames = [...new Set(results.flatMap(({ axes }) => Object.keys(axes)))].filter((axis) => axis !== across)
  const varying = axisNames.filter((axis) => new Set(results.map(({ axes }) => axes[axis])).size > 1)
  const shown = new Set(columns.map(({ name }) => name)), stageOf = new Map<string, string>()
  // Probes that measure different things share a row; those of which two measure the same have rows of their own.
  const apart = named.some(({ name, stage }) => {
    if (!stageOf.has(name)) stageOf.set(name, stage)
    return shown.has(name) && stageOf.get(name) !== stage
  })
  const rows = new Map<string, Row>()
  for (const result of named) {
    if (!shown.has(result.name)) continue
    const axes = Object.fromEntries(Object.entries(result.axes).filter(([axis]) => axis !== across)), id = `${apart ? result.stage : ""}\0${JSON.stringify(axes)}`
    let row = rows.get(id)
    if (row === undefined) {
      row = { axes, stage: result.stage, cells: new Map() }
      rows.set(id, row)
    }
    row.cells.set(headed(result.name, result.value), result)
  }
  const best = new Map<string, number>()
  for (const { header, name } of columns) {
    const values = [...rows.values()].map(({ cells }) => cells.get(header)?.mean ?? Number.NaN).filter((value) => !Number.isNaN(value))
    if (values.length > 0) best.set(header, values.reduce((a, b) => better(name, b, a) ? b : a))
  }
  const stopped = results.some(({ epochs }) => epochs !== undefined)
  const isBaseline = (axes: Result["axes"]) => baseline !== undefined && Object.entries(baseline).every(([axis, value]) => axis === across || axes[axis] === String(value))
  const text = [...rows.values()].map(({ axes, cells, stage }) => {
    const distinct = (of: (cell: Result) => string) => [...new Set([...cells.values()].map(of))].join("/")
    return [
      ...(apart ? [stage] : []),
      ...varying.map((axis) => axes[axis] ?? ""),
      ...columns.map(({ header }) => {
        const cell = cells.get(header)
        if (cell === undefined) return ""
        const value = `${show(cell.mean)}${cell.replicates > 1 ? ` ± ${show(cell.sd)}` : ""}`
        return cell.mean === best.get(header) && rows.size > 1 ? style("green", `${value} *`) : `${value}  `
      }),
      distinct(({ replicates }) => String(replicates)),
      ...(stopped ? [distinct(({ epochs }) => epochs === undefined ? "" : showEpochs(epochs))] : []),
      isBaseline(axes) ? style("dim", "baseline") : ""
    ]
  })
  const headers = [...(apart ? ["stage"] : []), ...varying, ...columns.map(({ header }) => `>${header}  `), ">n", ...(stopped ? [">epochs"] : []), ""]
  return textTable(headers, text)
}
