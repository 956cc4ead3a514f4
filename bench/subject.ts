/**
 * The contract of a subject of the bench: one file in `bench/subjects/`, whose default export is a subject, the file's name its name.
 *
 * ```ts
 * import { interleaved } from "../figures.ts"
 * import type { Subject } from "../subject.ts"
 *
 * export default {
 *   title: "Probes",
 *   about: "Seconds of one call on one thread, data in memory.",
 *   run: async (bench) => {
 *     const sklearn = await bench.peer("numerics.py", ["numpy", "sklearn"])
 *     const { ours, peer } = await interleaved({
 *       ours: () => secondsOf(() => kmeans(x, 100)),
 *       peer: sklearn && (() => sklearn.seconds("kmeans", { file, clusters: 100 }))
 *     }, 5)
 *     bench.row({ what: "k-means, 100k x 2, k = 100", unit: "s", better: "lower", ours, peers: { "scikit-learn": peer }, target: { ratio: 1 } })
 *   }
 * } satisfies Subject
 * ```
 *
 * A subject runs in a process of its own, pinned to one core where `taskset` exists, so that neither compiled code nor memory of another
 * shows in its figures. What it throws becomes a remark; the rows before it stay.
 */
import type { Measured } from "./figures.ts"
import type { Peer } from "./python.ts"

export interface Row {
  /** What was measured, with its size: "k-means, 100k x 2, k = 100". */
  readonly what: string
  /** "s", "GB", "fold-steps/s", or "" for a bare number. */
  readonly unit: string
  readonly better: "lower" | "higher"
  readonly ours: Measured
  /** The same work by others, by name, the one to beat first; `undefined`: it is not there. Their ratios (above 1: outcrop is better) are worked out from the medians. */
  readonly peers?: Readonly<Record<string, Measured | undefined>>
  /** The ratio to the first peer, or the value, that is to be reached. */
  readonly target?: { readonly ratio: number } | { readonly value: number }
}

export interface Bench {
  /** Fewer rounds and sizes, no peers: all subjects together take about a minute. */
  readonly quick: boolean
  /** An empty folder, removed afterwards. */
  readonly folder: string
  /** Shows a row; it stands in the report from now on. */
  readonly row: (row: Row) => void
  /** A line below the table: what was left out and why, what limits a figure, how sides differ. */
  readonly remark: (text: string) => void
  /**
   * Starts `bench/peers/<script>` in the Python of the bench and keeps it running until the subject ends. `undefined`, with a remark that says so,
   * where there is no Python or it lacks a module; `undefined` in a quick run.
   */
  readonly peer: (script: string, modules: ReadonlyArray<string>) => Promise<Peer | undefined>
}

export interface Subject {
  readonly title: string
  /** What is measured and how, above the table. */
  readonly about: string
  readonly run: (bench: Bench) => Promise<void>
}
