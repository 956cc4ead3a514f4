/**
 * The results of a grid: one row a choice of the axes that are compared, task and metric, over the replicates (folds, seeds). Two variances
 * are kept apart: `sd` and its interval are over replicates, the bootstrap interval of a single replicate is over test samples.
 */
import type { ColumnTypes } from "../schemas/column.ts"
import { type Epochs, epochsBehind } from "./epochs.ts"
import { type Finished, groups, tableOf } from "./finished.ts"

export interface Result {
  /** Labels of the axes compared along; those of nested axes only where they apply. */
  readonly axes: Readonly<Record<string, string>>
  /** The probe stage; told apart only where a pipeline has several. */
  readonly stage: string
  readonly task: string
  readonly metric: string
  readonly split: string
  readonly mean: number
  /** Sample standard deviation over replicates; NaN for one. */
  readonly sd: number
  readonly replicates: number
  /** Samples measured on, over all replicates. */
  readonly samples: number
  /** 95%: over replicates (Student's t) where there are several, else over samples (bootstrap). */
  readonly ci: { readonly low: number; readonly high: number; readonly over: "replicates" | "samples" }
  /** Epochs of the trainings behind it, where trainings of the grid may stop early. */
  readonly epochs?: Epochs
  /** Keys of the results behind it. */
  readonly keys: ReadonlyArray<string>
}

/** 97.5% quantiles of Student's t for 1 to 30 degrees of freedom (then the normal's). */
const student = [
  12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281, 2.201, 2.1788, 2.1604, 2.1448, 2.1314,
  2.1199, 2.1098, 2.1009, 2.093, 2.086, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423
]

const summary = (values: ReadonlyArray<number>) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const sd = values.length < 2 ? Number.NaN : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
  return { mean, sd }
}

/** Every metric of a grid that is not of one class, on one split. */
export const results = (finished: Finished, split: string): Array<Result> => {
  const epochsOf = epochsBehind(finished)
  return groups(finished, "metrics").flatMap(({ axes, nodes, output, stage }) => {
    interface Cell {
      readonly task: string
      readonly metric: string
      readonly values: Array<number>
      readonly keys: Array<string>
      samples: number
      low: number
      high: number
    }
    const cells = new Map<string, Cell>()
    for (const node of nodes) {
      const table = tableOf(finished, node, output)
      if (table === undefined) continue
      const text = (name: string) => table.columns.get(name)!.column as ColumnTypes["text"]
      const number = (name: string) => table.columns.get(name)!.column as Float64Array
      for (let row = 0; row < table.rows; row++) {
        if (text("split")[row] !== split || text("class")[row] !== "") continue
        const task = text("task")[row]!, metric = text("metric")[row]!
        let cell = cells.get(`${task}.${metric}`)
        if (cell === undefined) {
          cell = { task, metric, values: [], keys: [], samples: 0, low: Number.NaN, high: Number.NaN }
          cells.set(`${task}.${metric}`, cell)
        }
        cell.values.push(number("value")[row]!)
        cell.keys.push(finished.keys[node.index]!)
        cell.samples += number("n")[row]!
        cell.low = number("ci_low")[row]!
        cell.high = number("ci_high")[row]!
      }
    }
    const epochs = epochsOf(nodes)
    return [...cells.values()].map(({ high, keys, low, metric, samples, task, values }): Result => {
      const { mean, sd } = summary(values)
      const half = values.length < 2 ? Number.NaN : (student[values.length - 2] ?? 1.96) * sd / Math.sqrt(values.length)
      return {
        axes,
        stage,
        task,
        metric,
        split,
        mean,
        sd,
        replicates: values.length,
        samples,
        ci: values.length < 2 ? { low, high, over: "samples" } : { low: mean - half, high: mean + half, over: "replicates" },
        ...(epochs === undefined ? {} : { epochs }),
        keys
      }
    })
  })
}
