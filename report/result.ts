/**
 * The results of a grid: one row a choice of the axes that are compared, task and metric, over the replicates (folds, seeds). Two variances
 * are kept apart: `sd` and its interval are over replicates, the bootstrap interval of a single replicate is over test samples.
 */
import type { Node } from "../engine/expand.ts"
import { studentReach } from "../math/student.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import { type Epochs, epochsBehind } from "./epochs.ts"
import { type Finished, groups, tableOf } from "./finished.ts"

export interface Replicate {
  /** "fold=0 seed=1". */
  readonly name: string
  readonly value: number
  /** The node of the grid that measured it; -1 where the replicate is a block of several. */
  readonly node: number
}

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
  /** Its value in each replicate: what differences are paired over. */
  readonly each: ReadonlyArray<Replicate>
  /** Samples measured on, over all replicates. */
  readonly samples: number
  /** 95%: over replicates (Student's t; a report corrects it for rows that they share, see `spread.ts`) where there are several, else over samples (bootstrap). */
  readonly ci: { readonly low: number; readonly high: number; readonly over: "replicates" | "samples" | "blocks" }
  /** Of a group: the axes whose values are its replicates, where those are blocks; and the results that it is of, block by block. */
  readonly blocks?: ReadonlyArray<string>
  readonly members?: ReadonlyArray<ReadonlyArray<Result>>
  /** Epochs of the trainings behind it, where trainings of the grid may stop early. */
  readonly epochs?: Epochs
  /** Keys of the results behind it. */
  readonly keys: ReadonlyArray<string>
}

/** Mean and sample standard deviation; NaN for the deviation of one. */
export const summary = (values: ReadonlyArray<number>) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const sd = values.length < 2 ? Number.NaN : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
  return { mean, sd }
}

/** Every metric of a grid that is not of one class, on one split. */
export const results = (finished: Finished, split: string): Array<Result> => {
  const epochsOf = epochsBehind(finished)
  return groups(finished, "metrics").flatMap(({ axes, nodes, output, replicates, stage }) => {
    interface Cell {
      readonly task: string
      readonly metric: string
      readonly values: Map<Node, number>
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
          cell = { task, metric, values: new Map(), keys: [], samples: 0, low: Number.NaN, high: Number.NaN }
          cells.set(`${task}.${metric}`, cell)
        }
        cell.values.set(node, number("value")[row]!)
        cell.keys.push(finished.keys[node.index]!)
        cell.samples += number("n")[row]!
        cell.low = number("ci_low")[row]!
        cell.high = number("ci_high")[row]!
      }
    }
    const epochs = epochsOf(nodes)
    return [...cells.values()].map(({ high, keys, low, metric, samples, task, values }): Result => {
      const n = values.size, { mean, sd } = summary([...values.values()])
      const half = n < 2 ? Number.NaN : studentReach(0.95, n - 1) * sd / Math.sqrt(n)
      return {
        axes,
        stage,
        task,
        metric,
        split,
        mean,
        sd,
        replicates: n,
        each: [...replicates].flatMap(([name, node]) => values.has(node) ? [{ name, value: values.get(node)!, node: node.index }] : []),
        samples,
        ci: n < 2 ? { low, high, over: "samples" } : { low: mean - half, high: mean + half, over: "replicates" },
        ...(epochs === undefined ? {} : { epochs }),
        keys
      }
    })
  })
}
