/** The report of a pipeline as its YAML asks for it: results, pooled metrics, comparison, heatmap. */
import type { Pipeline } from "../schemas/pipeline.ts"
import { comparison } from "./comparison.ts"
import { suggest } from "../schemas/diagnostic.ts"
import { heatmap } from "./heatmap.ts"
import { pooled } from "./pooled.ts"
import type { Finished } from "./finished.ts"
import { type Result, results } from "./result.ts"

/** Every result of a pipeline, the pooled ones last. */
export const allResults = (finished: Finished, report: Pipeline["report"]): Array<Result> => [
  ...results(finished, report.split),
  ...(report.pooled === undefined ? [] : pooled(finished, report.split, report.pooled))
]

/** What is asked for and does not exist among the results, in words; nothing where there are no results yet. */
export const unknownMetrics = (all: ReadonlyArray<Result>, asked: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = [...new Set(all.map(({ metric, task }) => `${task}.${metric}`))]
  return known.length === 0 ? [] : asked.filter((name) => !known.includes(name)).map((name) => `there is no metric "${name}"${suggest(name, known)}; there are ${known.join(", ")}`)
}

/** An axis whose values are asked for side by side and by which no result is told apart, in words; nothing where there are no results yet. */
export const unknownColumns = (all: ReadonlyArray<Result>, axis: string | undefined): ReadonlyArray<string> => {
  const known = [...new Set(all.flatMap(({ axes }) => Object.keys(axes)))]
  if (axis === undefined || all.length === 0 || known.includes(axis)) return []
  return [`no results are told apart by an axis "${axis}", so there is nothing to put side by side${suggest(axis, known)}; ${known.length === 0 ? "there are no axes" : `axes are ${known.join(", ")}`} (replicates are averaged over)`]
}

/** The metrics that a report asks for, as results name them. */
export const askedMetrics = ({ heatmap, metrics, pooled }: Pipeline["report"]): ReadonlyArray<string> =>
  [...metrics ?? [], ...(pooled ?? []).map((name) => `${name} (pooled)`), ...(heatmap === undefined ? [] : [heatmap.metric])]

/** The text of the report; `metrics` replaces those the YAML names. Empty where there is no result. */
export const reportText = (all: ReadonlyArray<Result>, report: Pipeline["report"], metrics: ReadonlyArray<string> = []): string => {
  const columns = metrics.length > 0 ? metrics : report.metrics === undefined && report.pooled === undefined ? [] : [...report.metrics ?? [], ...(report.pooled ?? []).map((name) => `${name} (pooled)`)]
  const parts = [
    comparison(all, { metrics: columns, baseline: report.baseline, columns: report.columns }),
    metrics.length > 0 || report.heatmap === undefined ? "" : heatmap(all, report.heatmap)
  ]
  return parts.filter((part) => part !== "").join("\n\n")
}
