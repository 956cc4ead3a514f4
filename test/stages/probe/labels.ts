/** Samples of several labels that the embedding holds: 60% test, the rest 3 to 1 training and validation; and what a run says of them. */
import { stream } from "../../../math/random.ts"
import type { Row, runStage } from "./run.ts"

const covers = ["crops", "trees", "water"] as const

export const multiLabelStudy = (n: number, noise: number): ReadonlyArray<Row & { readonly labels: ReadonlyArray<string> }> =>
  Array.from({ length: n }, (_, i) => {
    const random = stream(0, "study", i)
    const labels = covers.filter((_, c) => c === i % 3 || random.uniform() < 0.3)
    return {
      id: String(i).padStart(4, "0"),
      split: i % 10 < 6 ? "test" : i % 10 < 9 ? "train" : "val",
      labels,
      embedding: Array.from({ length: 8 }, (_, j) => (labels.some((name) => name === covers[j % 4]) ? 1 : 0) + noise * random.normal())
    }
  })

type Run = Awaited<ReturnType<typeof runStage>>
/** A measure of the test rows. */
export const measure = (run: Run, task: string, metric: string, of = "", split = "test") => {
  const { ci_high, ci_low, n, value, ...m } = run.columns("metrics") as unknown as { readonly [name: string]: ReadonlyArray<string> } & Record<"value" | "n" | "ci_low" | "ci_high", Float64Array>
  const at = m["task"]!.findIndex((_, i) => m["task"]![i] === task && m["metric"]![i] === metric && m["class"]![i] === of && m["split"]![i] === split)
  return at < 0 ? undefined : { value: value[at]!, n: n[at]!, low: ci_low[at]!, high: ci_high[at]! }
}
/** A layer of what was learned. */
export const layerOf = (run: Run, layer: string) => {
  const { layer: layers, values } = run.columns("weights") as unknown as { readonly layer: ReadonlyArray<string>; readonly values: ReadonlyArray<Float64Array> }
  return values[layers.indexOf(layer)]
}
/** The test rows of the predictions. */
export const predictions = (run: Run) => {
  const { predicted, scores, split, truth } = run.columns("predictions") as unknown as Record<"split", ReadonlyArray<string>> & Record<"truth" | "predicted" | "scores", ReadonlyArray<ArrayLike<number>>>
  return split.flatMap((role, i) => role === "test" ? [{ truth: Array.from(truth[i]!), predicted: Array.from(predicted[i]!), scores: Array.from(scores[i]!) }] : [])
}
/** F1 over all pairs of a row and a class, counted by hand. */
export const f1Micro = (rows: ReturnType<typeof predictions>) => {
  const pairs = rows.flatMap(({ predicted, truth }) => truth.map((has, c) => [has, predicted[c]!] as const)), sum = (of: (pair: readonly [number, number]) => number) => pairs.reduce((total, pair) => total + of(pair), 0)
  return 2 * sum(([has, given]) => has * given) / sum(([has, given]) => has + given)
}
