/** Predictions read back, and the measures taken of them anew: of several replicates together, and of resampled test samples. */
import { type Measure, measureClasses, measureLabels, measurePlaces, measureTargets, type Resampling } from "../math/measure.ts"
import { greatCircle } from "../math/sphere.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"

/** The predictions of one task, row after row. */
export interface Predictions {
  readonly ids: Array<string>
  readonly classes: ReadonlyArray<string>
  readonly truth: Array<Float64Array>
  readonly predicted: Array<Float64Array>
  readonly scores: Array<Float32Array>
}

/** Adds the rows of one split to the predictions gathered so far, by task. */
export const gather = (table: Table, split: string, into: Map<string, Predictions>): void => {
  const column = <K extends keyof ColumnTypes>(name: string, _: K) => table.columns.get(name)!.column as ColumnTypes[K]
  const ids = column("sample_id", "text"), parts = column("split", "text"), tasks = column("task", "text")
  const truth = column("truth", "numbers"), predicted = column("predicted", "numbers"), scores = column("scores", "floats")
  for (let row = 0; row < table.rows; row++) {
    if (parts[row] !== split) continue
    const task = tasks[row]!
    let rows = into.get(task)
    if (rows === undefined) {
      rows = { ids: [], classes: JSON.parse(table.metadata[task] ?? "[]") as Array<string>, truth: [], predicted: [], scores: [] }
      into.set(task, rows)
    }
    rows.ids.push(ids[row]!)
    rows.truth.push(truth[row]!)
    rows.predicted.push(predicted[row]!)
    rows.scores.push(scores[row]!)
  }
}

const flat = (rows: ReadonlyArray<ArrayLike<number>>): { readonly rows: number; readonly columns: number; readonly values: Float64Array } => {
  const columns = rows[0]?.length ?? 0, values = new Float64Array(rows.length * columns)
  rows.forEach((row, i) => values.set(row, i * columns))
  return { rows: rows.length, columns, values }
}

/** The measures of a task that its predictions give; `asked` tells places, which are measured in kilometres, from other pairs of numbers. */
export const measured = ({ classes, predicted, scores, truth }: Predictions, asked: ReadonlyArray<string>, resampling: Resampling): ReadonlyArray<Measure> => {
  const width = truth[0]?.length ?? 0
  if (width === 2 && classes.length === 0 && asked.some((metric) => /^median_km$|^within_\d+km$/.test(metric))) {
    const distances = Float64Array.from(truth, (place, i) => greatCircle(place[0]!, place[1]!, predicted[i]![0]!, predicted[i]![1]!) / 1000)
    return measurePlaces(distances, distances, resampling).filter(({ metric }) => metric !== "baseline_median_km")
  }
  if ((scores[0]?.length ?? 0) === 0) return measureTargets(flat(truth), flat(predicted), Array.from({ length: width }, (_, i) => String(i)), resampling)
  return width > 1 && width === classes.length ?
    measureLabels(Uint8Array.from(flat(truth).values), flat(scores).values, Uint8Array.from(flat(predicted).values), classes, resampling) :
    measureClasses(Int32Array.from(truth, (row) => row[0]!), flat(scores).values, classes, resampling)
}
