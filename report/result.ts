/**
 * The results of a grid: one row a choice of the axes that are compared, task and metric, over the replicates (folds, seeds). Two variances
 * are kept apart: `sd` and its interval are over replicates, the bootstrap interval of a single replicate is over test samples.
 */
import type { Output } from "../cache/action.ts"
import { assignment } from "../engine/axes.ts"
import type { Grid, Node } from "../engine/expand.ts"
import { LostOutput, type Tables } from "../engine/tables.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"

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
  /** Keys of the results behind it. */
  readonly keys: ReadonlyArray<string>
}

/** 97.5% quantiles of Student's t for 1 to 30 degrees of freedom (then the normal's). */
const student = [
  12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281, 2.201, 2.1788, 2.1604, 2.1448, 2.1314,
  2.1199, 2.1098, 2.1009, 2.093, 2.086, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423
]

/** What is needed of a run or a plan to read its results. */
export interface Finished {
  readonly grid: Grid
  readonly tables: Tables
  readonly keys: ReadonlyArray<string | undefined>
  readonly outputs: ReadonlyArray<{ readonly outputs: Readonly<Record<string, Output>> } | undefined>
}

/** The replicates of each choice of the compared axes, for the stages that give a table of this kind. */
export const groups = ({ grid, outputs }: Finished, table: string): Array<{ readonly axes: Record<string, string>; readonly stage: string; readonly nodes: ReadonlyArray<Node>; readonly output: string }> => {
  const replicate = new Set(grid.cells.columns.filter((column) => column.replicate).map((column) => column.name))
  const found = new Map<string, { axes: Record<string, string>; stage: string; nodes: Set<Node>; output: string }>()
  for (const stage of grid.stages) {
    if (grid.cells.count === 0) continue
    const { implementation } = grid.nodeOf(stage, 0)
    const output = Object.entries(implementation.stage.gives).find(([, schema]) => schema.name === table)?.[0]
    if (output === undefined) continue
    for (let cell = 0; cell < grid.cells.count; cell++) {
      const axes = Object.fromEntries(Object.entries(assignment(grid.cells, cell)).filter(([name]) => !replicate.has(name)))
      const id = `${stage}\0${JSON.stringify(axes)}`
      let group = found.get(id)
      if (group === undefined) {
        group = { axes, stage, nodes: new Set(), output }
        found.set(id, group)
      }
      const node = grid.nodeOf(stage, cell)
      if (outputs[node.index] !== undefined) group.nodes.add(node)
    }
  }
  return [...found.values()].filter(({ nodes }) => nodes.size > 0).map((group) => ({ ...group, nodes: [...group.nodes] }))
}

/** A finished node's table; `undefined` where it is lost and a run has to make it again. */
export const tableOf = ({ keys, outputs, tables }: Finished, node: Node, output: string): Table | undefined => {
  try {
    return tables.table(keys[node.index]!, outputs[node.index]!.outputs[output]!)
  } catch (cause) {
    if (cause instanceof LostOutput) return undefined
    throw cause
  }
}

const summary = (values: ReadonlyArray<number>) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const sd = values.length < 2 ? Number.NaN : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
  return { mean, sd }
}

/** Every metric of a grid that is not of one class, on one split. */
export const results = (finished: Finished, split: string): Array<Result> =>
  groups(finished, "metrics").flatMap(({ axes, nodes, output, stage }) => {
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
        keys
      }
    })
  })
