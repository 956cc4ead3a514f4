/**
 * The comparison that a run ends with: mean and spread of each metric and method, what is best where that holds, and the epochs run where
 * trainings may stop early.
 */
import type { Interval } from "../math/bootstrap.ts"
import type { Mark } from "./compare.ts"
import { showEpochs } from "./epochs.ts"
import type { Layout } from "./layout.ts"
import type { Result } from "./result.ts"
import type { Field, Sheet, SheetColumn } from "./sheet.ts"

/** A number with the decimals of another that it stands beside. */
export const show = (value: number, beside = value) => Number.isNaN(value) ? "–" : value.toFixed(Math.abs(beside) >= 100 ? 1 : 3)
export const showInterval = ({ high, low }: Interval, beside?: number) => Number.isNaN(low) ? "[–]" : `[${show(low, beside)}, ${show(high, beside)}]`

export interface ComparisonOptions {
  readonly marks: ReadonlyMap<Result, Mark>
  readonly notes: ReadonlyArray<string>
  readonly baseline?: Readonly<Record<string, unknown>> | undefined
  /** What stands beside each mean in the place of its sd. */
  readonly interval?: ((result: Result) => Interval | undefined) | undefined
  /** Mean rank over blocks. */
  readonly ranks?: ReadonlyMap<Result, number> | undefined
}

/** A mean with its sd, or with an interval in its place. */
export const showResult = (result: Result, interval: ComparisonOptions["interval"]): string => {
  const range = interval?.(result)
  return `${show(result.mean)}${interval !== undefined ? ` ${range === undefined ? "[–]" : showInterval(range, result.mean)}` : Number.isNaN(result.sd) ? "" : ` ± ${show(result.sd, result.mean)}`}`
}

/** The sheet of a layout. */
export const comparison = ({ across, apart, columns, rows, varying }: Layout, { baseline, interval, marks, notes, ranks = new Map() }: ComparisonOptions): Sheet => {
  const stopped = rows.some(({ cells }) => cells.some((cell) => cell?.epochs !== undefined)), ranked = ranks.size > 0
  const isBaseline = (axes: Result["axes"]) => baseline !== undefined && Object.entries(baseline).every(([axis, value]) => axis === across || axes[axis] === String(value))
  const based = rows.some(({ axes }) => isBaseline(axes))
  const fields = (row: (typeof rows)[number]): ReadonlyArray<Field> => {
    const distinct = (of: (cell: Result) => string) => ({ text: [...new Set(row.cells.flatMap((cell) => cell === undefined ? [] : [of(cell)]))].join("/") })
    return [
      ...(apart ? [{ text: row.stage }] : []),
      ...varying.map((axis) => ({ text: row.axes[axis] ?? "" })),
      ...row.cells.flatMap((cell): ReadonlyArray<Field> => {
        const rank = cell === undefined ? undefined : ranks.get(cell)
        return [cell === undefined ? { text: "" } : { text: showResult(cell, interval), mark: marks.get(cell) }, ...(ranked ? [{ text: rank === undefined ? "" : rank.toFixed(2) }] : [])]
      }),
      distinct(({ replicates }) => String(replicates)),
      ...(stopped ? [distinct(({ epochs }) => epochs === undefined ? "" : showEpochs(epochs))] : []),
      ...(based ? [{ text: isBaseline(row.axes) ? "baseline" : "" }] : [])
    ]
  }
  const heads = columns.flatMap(({ metric, value }): ReadonlyArray<SheetColumn> => [
    value === undefined && !ranked ? { name: metric, number: true } : { name: value ?? (interval === undefined ? "mean" : "mean, 95%"), over: metric, number: true },
    ...(ranked ? [{ name: "rank", over: metric, number: true }] : [])
  ])
  return {
    columns: [
      ...(apart ? [{ name: "stage" }] : []),
      ...varying.map((name) => ({ name })),
      ...heads,
      { name: "n", number: true },
      ...(stopped ? [{ name: "epochs", number: true }] : []),
      ...(based ? [{ name: "" }] : [])
    ],
    rows: rows.map(fields),
    notes
  }
}
