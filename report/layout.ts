/**
 * How results fall into a table: a row a method, a column a metric. Stages that measure different things share a row. The values of one axis
 * may stand side by side, a column each under every metric.
 */
import type { Result } from "./result.ts"

export interface LayoutColumn {
  /** `task.metric`. */
  readonly metric: string
  /** The value of the axis that stands side by side. */
  readonly value: string | undefined
}
export interface LayoutRow {
  readonly axes: Result["axes"]
  readonly stage: string
  /** By column. */
  readonly cells: ReadonlyArray<Result | undefined>
}
export interface Layout {
  readonly columns: ReadonlyArray<LayoutColumn>
  readonly rows: ReadonlyArray<LayoutRow>
  readonly across: string | undefined
  /** Axes in which rows differ: those with one value say nothing. */
  readonly varying: ReadonlyArray<string>
  /** Whether stages measure the same, so that each has rows of its own. */
  readonly apart: boolean
}

export const nameOf = ({ metric, task }: Result): string => `${task}.${metric}`

/** Lays results out. `metrics`: in the order of the columns, all where empty; `across`: the axis whose values stand side by side. */
export const layoutOf = (results: ReadonlyArray<Result>, metrics: ReadonlyArray<string>, across: string | undefined): Layout => {
  const available = [...new Set(results.map(nameOf))]
  const valueOf = ({ axes }: Result) => across === undefined ? undefined : axes[across]
  const values = [...new Set(results.map(valueOf))], there = new Set(results.map((result) => `${nameOf(result)}\0${valueOf(result)}`))
  const columns = (metrics.length > 0 ? metrics.filter((name) => available.includes(name)) : available)
    .flatMap((metric) => values.filter((value) => there.has(`${metric}\0${value}`)).map((value) => ({ metric, value })))
  const places = new Map(columns.map(({ metric, value }, i) => [`${metric}\0${value}`, i])), shown = results.filter((result) => places.has(`${nameOf(result)}\0${valueOf(result)}`))
  const stageOf = new Map(shown.map((result) => [nameOf(result), result.stage])), apart = shown.some((result) => stageOf.get(nameOf(result)) !== result.stage)
  const rows = new Map<string, { readonly axes: Result["axes"]; readonly stage: string; readonly cells: Array<Result | undefined> }>()
  for (const result of shown) {
    const axes = Object.fromEntries(Object.entries(result.axes).filter(([axis]) => axis !== across)), id = `${apart ? result.stage : ""}\0${JSON.stringify(axes)}`
    let row = rows.get(id)
    if (row === undefined) {
      row = { axes, stage: result.stage, cells: columns.map(() => undefined) }
      rows.set(id, row)
    }
    row.cells[places.get(`${nameOf(result)}\0${valueOf(result)}`)!] = result
  }
  const names = [...new Set(results.flatMap(({ axes }) => Object.keys(axes)))].filter((axis) => axis !== across)
  return { across, columns, rows: [...rows.values()], varying: names.filter((axis) => new Set(results.map(({ axes }) => axes[axis])).size > 1), apart }
}
