/** The report of a pipeline as its YAML asks for it: results, pooled metrics, comparison, heatmap. */
import type { Pipeline } from "../schemas/pipeline.ts"
import { comparison } from "./comparison.ts"
import { heatmap } from "./heatmap.ts"
import { pooled } from "./pooled.ts"
import { type Finished, type Result, results } from "./result.ts"

/** Every result of a pipeline, the pooled ones last. */
export const allResults = (finished: Finished, report: Pipeline["report"]): Array<Result> => [
  ...results(finished, report.split),
  ...(report.pooled === undefined ? [] : pooled(finished, report.split, report.pooled))
]

/** The text of the report; `metrics` replaces those the YAML names. Empty where there is no result. */
export const reportText = (all: ReadonlyArray<Result>, report: Pipeline["report"], metrics: ReadonlyArray<string> = []): string => {
  const columns = metrics.length > 0 ? metrics : report.metrics === undefined && report.pooled === undefined ? [] : [...report.metrics ?? [], ...(report.pooled ?? []).map((name) => `${name} (pooled)`)]
  const parts = [
    comparison(all, { metrics: columns, baseline: report.baseline }),
    metrics.length > 0 || report.heatmap === undefined ? "" : heatmap(all, report.heatmap)
  ]
  return parts.filter((part) => part !== "").join("\n\n")
}
