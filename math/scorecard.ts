/** What probes report, gathered task by task: the tables of predictions and of metrics. */
import { bootstrap } from "./bootstrap.ts"
import { type Measure, measureClasses, measureLabels, measurePlaces, measureTargets, type Resampling } from "./measure.ts"
import { type Matrix, takeRows } from "./matrix.ts"
import { mostProbable } from "./classification.ts"
import { stream } from "./random.ts"
import { greatCircle } from "./sphere.ts"

type Row = Measure & { readonly task: string; readonly split: string }

/** How test metrics get their intervals: bootstrap replicates (0: none), and the seed of their draws. */
export interface Intervals {
  readonly bootstrap: number
  readonly seed: number
}

/**
 * Gathers tasks over samples `ids` [n] of `splits` [n]. Metrics are measured on each of `measured` that has rows; those of the test split
 * come with intervals. Predictions are kept for all rows handed in.
 */
export class Scorecard {
  readonly #metrics: Array<Row> = []
  readonly #predictions: Array<{ readonly row: number; readonly task: string; readonly truth: Float64Array; readonly predicted: Float64Array; readonly scores: Float32Array }> = []
  readonly #vocabularies: Record<string, string> = {}
  readonly #ids: ReadonlyArray<string>
  readonly #splits: ReadonlyArray<string>
  readonly #intervals: Intervals
  readonly #measured: ReadonlyArray<string>

  constructor(ids: ReadonlyArray<string>, splits: ReadonlyArray<string>, intervals: Intervals, measured: ReadonlyArray<string> = ["train", "val", "test"]) {
    this.#ids = ids
    this.#splits = splits
    this.#intervals = intervals
    this.#measured = measured
  }

  /** Adds a task of classes: probabilities [rows, classes] of the samples `rows`, and their class ids [rows]. */
  classes(task: string, rows: Int32Array, truth: Int32Array, probabilities: Matrix["values"], classes: ReadonlyArray<string>): void {
    const k = classes.length, predicted = mostProbable(probabilities, k)
    this.#vocabularies[task] = JSON.stringify(classes)
    for (const [i, row] of rows.entries()) {
      const scores = Float32Array.from(probabilities.subarray(i * k, (i + 1) * k))
      this.#predictions.push({ row, task, truth: Float64Array.of(truth[i]!), predicted: Float64Array.of(predicted[i]!), scores })
    }
    this.#measure(task, rows, (places, resampling) =>
      measureClasses(Int32Array.from(places, (i) => truth[i]!), takeRows({ rows: rows.length, columns: k, values: probabilities }, places).values, classes, resampling))
  }

  /** Adds a task of several labels a sample: truth, scores and predictions [rows, classes] of the samples `rows`, truth and predictions multi-hot. */
  labels(task: string, rows: Int32Array, truth: Uint8Array, scores: Float64Array, predicted: Uint8Array, classes: ReadonlyArray<string>): void {
    const k = classes.length
    this.#vocabularies[task] = JSON.stringify(classes)
    const part = <A extends Uint8Array | Float64Array>(values: A, i: number) => values.subarray(i * k, (i + 1) * k)
    for (const [i, row] of rows.entries()) {
      this.#predictions.push({ row, task, truth: Float64Array.from(part(truth, i)), predicted: Float64Array.from(part(predicted, i)), scores: Float32Array.from(part(scores, i)) })
    }
    this.#measure(task, rows, (places, resampling) => {
      const of = (values: Uint8Array) => Uint8Array.from({ length: places.length * k }, (_, at) => values[places[Math.floor(at / k)]! * k + at % k]!)
      return measureLabels(of(truth), takeRows({ rows: rows.length, columns: k, values: scores }, places).values, of(predicted), classes, resampling)
    })
  }

  /**
   * Adds a regression of places: predictions [rows, 2] of the samples `rows` against the truth [rows, 2], degrees of latitude and longitude,
   * and the place [lat, lon] that answers for all of them by way of comparison.
   */
  places(task: string, rows: Int32Array, truth: Matrix, predicted: Matrix, baseline: { readonly lat: number; readonly lon: number }): void {
    this.#keep(task, rows, truth, predicted)
    const km = (i: number, lat: number, lon: number) => greatCircle(truth.values[2 * i]!, truth.values[2 * i + 1]!, lat, lon) / 1000
    this.#measure(task, rows, (places, resampling) => measurePlaces(
      Float64Array.from(places, (i) => km(i, predicted.values[2 * i]!, predicted.values[2 * i + 1]!)),
      Float64Array.from(places, (i) => km(i, baseline.lat, baseline.lon)),
      resampling
    ))
  }

  /** Adds a regression: predictions [rows, targets] of the samples `rows` against the truth [rows, targets]. */
  targets(task: string, rows: Int32Array, truth: Matrix, predicted: Matrix, targets: ReadonlyArray<string>): void {
    this.#keep(task, rows, truth, predicted)
    this.#measure(task, rows, (places, resampling) => measureTargets(takeRows(truth, places), takeRows(predicted, places), targets, resampling))
  }

  #keep(task: string, rows: Int32Array, truth: Matrix, predicted: Matrix): void {
    const none = new Float32Array(), k = truth.columns
    for (const [i, row] of rows.entries()) {
      const of = ({ values }: Matrix) => Float64Array.from(values.subarray(i * k, (i + 1) * k))
      this.#predictions.push({ row, task, truth: of(truth), predicted: of(predicted), scores: none })
    }
  }

  #measure(task: string, rows: Int32Array, measure: (places: Int32Array, resampling?: Resampling) => ReadonlyArray<Measure>): void {
    for (const split of this.#measured) {
      const places = Int32Array.from(rows.keys()).filter((i) => this.#splits[rows[i]!] === split)
      if (places.length === 0) continue
      const { bootstrap: replicates, seed } = this.#intervals
      const resampling: Resampling | undefined = split === "test" && replicates > 0 ? (n, statistics) => bootstrap(n, replicates, stream(seed, "bootstrap", task), statistics) : undefined
      this.#metrics.push(...measure(places, resampling).map((measured) => ({ ...measured, task, split })))
    }
  }

  /** The tables, as a stage gives them. */
  tables() {
    const metrics = this.#metrics, predictions = this.#predictions
    return {
      predictions: {
        sample_id: predictions.map(({ row }) => this.#ids[row]!),
        split: predictions.map(({ row }) => this.#splits[row]!),
        task: predictions.map(({ task }) => task),
        truth: predictions.map(({ truth }) => truth),
        predicted: predictions.map(({ predicted }) => predicted),
        scores: predictions.map(({ scores }) => scores),
        metadata: this.#vocabularies
      },
      metrics: {
        task: metrics.map(({ task }) => task),
        metric: metrics.map(({ metric }) => metric),
        class: metrics.map(({ of }) => of),
        split: metrics.map(({ split }) => split),
        value: Float64Array.from(metrics, ({ value }) => value),
        n: Int32Array.from(metrics, ({ n }) => n),
        ci_low: Float64Array.from(metrics, ({ low }) => low),
        ci_high: Float64Array.from(metrics, ({ high }) => high)
      }
    }
  }
}
