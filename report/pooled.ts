/**
 * Metrics over the test predictions of all replicates together: with a split that leaves one group out at a time, every sample is tested
 * once, and the AUC of all of them is not the mean of the groups' AUCs (which a group without positives does not even have).
 * The interval is a bootstrap over samples.
 */
import type { ColumnTypes } from "../schemas/column.ts"
import { measureClasses, measureLabels, measureTargets } from "../math/measure.ts"
import { stream } from "../math/random.ts"
import { epochsBehind } from "./epochs.ts"
import { type Finished, groups, tableOf } from "./finished.ts"
import type { Result } from "./result.ts"

interface Rows {
  readonly classes: ReadonlyArray<string>
  readonly truth: Array<ArrayLike<number>>
  readonly predicted: Array<ArrayLike<number>>
  readonly scores: Array<ArrayLike<number>>
}

const flat = (rows: ReadonlyArray<ArrayLike<number>>): { readonly rows: number; readonly columns: number; readonly values: Float64Array } => {
  const columns = rows[0]?.length ?? 0
  const values = new Float64Array(rows.length * columns)
  rows.forEach((row, i) => values.set(Array.from(row), i * columns))
  return { rows: rows.length, columns, values }
}

/** The metrics named (`task.metric`), pooled over replicates, on one split. */
export const pooled = (finished: Finished, split: string, names: ReadonlyArray<string>): Array<Result> => {
  const epochsOf = epochsBehind(finished)
  const tasks = new Set(names.map((name) => name.split(".")[0]!))
  return groups(finished, "predictions").flatMap(({ axes, nodes, output, stage }) => {
    const byTask = new Map<string, Rows>()
    for (const node of nodes) {
      const table = tableOf(finished, node, output)
      if (table === undefined) continue
      const column = <K extends keyof ColumnTypes>(name: string, _: K) => table.columns.get(name)!.column as ColumnTypes[K]
      const roles = column("split", "text"), task = column("task", "text"), truth = column("truth", "numbers"), predicted = column("predicted", "numbers"), scores = column("scores", "floats")
      for (let row = 0; row < table.rows; row++) {
        if (roles[row] !== split || !tasks.has(task[row]!)) continue
        let rows = byTask.get(task[row]!)
        if (rows === undefined) {
          rows = { classes: JSON.parse(table.metadata[task[row]!] ?? "[]") as Array<string>, truth: [], predicted: [], scores: [] }
          byTask.set(task[row]!, rows)
        }
        rows.truth.push(truth[row]!)
        rows.predicted.push(predicted[row]!)
        rows.scores.push(scores[row]!)
      }
    }
    const epochs = epochsOf(nodes)
    return [...byTask].flatMap(([task, { classes, predicted, scores, truth }]) => {
      const resampling = { replicates: 1000, random: stream(0, "pooled", task) }
      const severalLabels = truth[0]!.length > 1 && truth[0]!.length === classes.length
      const measures = scores[0]!.length === 0 ?
        measureTargets(flat(truth), flat(predicted), Array.from({ length: truth[0]!.length }, (_, i) => String(i)), resampling) :
        severalLabels ?
        measureLabels(Uint8Array.from(flat(truth).values), flat(scores).values, Uint8Array.from(flat(predicted).values), classes, resampling) :
        measureClasses(Int32Array.from(truth, (row) => row[0]!), flat(scores).values, classes, resampling)
      return measures.filter(({ metric, of }) => of === "" && names.includes(`${task}.${metric}`)).map(({ high, low, metric, n, value }): Result => ({
        axes,
        stage,
        task,
        metric: `${metric} (pooled)`,
        split,
        mean: value,
        sd: Number.NaN,
        replicates: nodes.length,
        samples: n,
        ci: { low, high, over: "samples" },
        ...(epochs === undefined ? {} : { epochs }),
        keys: nodes.map((node) => finished.keys[node.index]!)
      }))
    })
  })
}
