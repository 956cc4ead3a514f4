/** The report of a pipeline as its YAML asks for it, or as `outcrop table` does: results, comparison, heatmap. */
import type { Pipeline } from "../schemas/pipeline.ts"
import { suggest } from "../schemas/spelling.ts"
import { type Against, against, againstSheet } from "./against.ts"
import { better } from "./better.ts"
import { groupBy, meanRanks } from "./by.ts"
import { marksNote, spreadNote } from "./caption.ts"
import { choicesNote, choicesOf } from "./choices.ts"
import { comparer, type Mark, marks } from "./compare.ts"
import { comparison } from "./comparison.ts"
import { Designs } from "./design.ts"
import type { Finished } from "./finished.ts"
import { heatmap } from "./heatmap.ts"
import { type Sampled, sampled } from "./interval.ts"
import { iqmOf } from "./iqm.ts"
import { layoutOf, nameOf } from "./layout.ts"
import { pooled } from "./pooled.ts"
import { type Result, results } from "./result.ts"
import { type Sheet, sheetText } from "./sheet.ts"
import { withSpread } from "./spread.ts"

/** Every result of a pipeline, the pooled ones last. */
export const allResults = (finished: Finished, report: Pipeline["report"]): Array<Result> => [
  ...results(finished, report.split),
  ...(report.pooled === undefined ? [] : pooled(finished, report.split, report.pooled))
]

/** What is asked for and does not exist among the results, in words; nothing where there are no results yet. */
export const unknownMetrics = (all: ReadonlyArray<Result>, asked: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = [...new Set(all.map(nameOf))]
  return known.length === 0 ? [] : asked.filter((name) => !known.includes(name)).map((name) => `there is no metric "${name}"${suggest(name, known)}; there are ${known.join(", ")}`)
}

/** An axis that is asked for and by which no result is told apart, in words; nothing where there are no results yet. */
export const unknownAxis = (all: ReadonlyArray<Result>, axis: string | undefined, purpose: string): ReadonlyArray<string> => {
  const known = [...new Set(all.flatMap(({ axes }) => Object.keys(axes)))]
  if (axis === undefined || all.length === 0 || known.includes(axis)) return []
  return [`no results are told apart by an axis "${axis}", so there is nothing to ${purpose}${suggest(axis, known)}; ${known.length === 0 ? "there are no axes" : `axes are ${known.join(", ")}`} (replicates are averaged over)`]
}
export const unknownColumns = (all: ReadonlyArray<Result>, axis: string | undefined) => unknownAxis(all, axis, "put side by side")

/** The metrics that a report asks for, as results name them. */
export const askedMetrics = ({ heatmap, metrics, pooled }: Pipeline["report"]): ReadonlyArray<string> =>
  [...metrics ?? [], ...(pooled ?? []).map((name) => `${name} (pooled)`), ...(heatmap === undefined ? [] : [heatmap.metric])]

/** How results are looked at. */
export interface View {
  /** `task.metric`; those of the report where empty. */
  readonly metrics: ReadonlyArray<string>
  /** Intervals over test samples, in the place of the sd over replicates. */
  readonly interval: boolean
  /** Axis values of the row that others are compared with. */
  readonly against: Readonly<Record<string, string>> | undefined
  /** Axes to group by; none where empty. */
  readonly by: ReadonlyArray<string>
  /** Interquartile means over all runs, in the place of means. */
  readonly iqm: boolean
  /** The metric that rows are ordered by, the best first. */
  readonly sort: string | undefined
}
export const plainView: View = { metrics: [], interval: false, against: undefined, by: [], iqm: false, sort: undefined }

/** A report worked out. */
export interface Report {
  /** Of all metrics, as viewed. */
  readonly results: ReadonlyArray<Result>
  /** `task.metric` of those that are shown. */
  readonly metrics: ReadonlyArray<string>
  readonly sheets: ReadonlyArray<Sheet>
  readonly marks: ReadonlyMap<Result, Mark>
  readonly against: Against | undefined
  readonly sampled: Sampled | undefined
}

/** Rows by their value of a metric, the best of those that stand side by side, the best row first; those without it last. */
const sorted = (all: ReadonlyArray<Result>, metric: string | undefined, across: string | undefined): ReadonlyArray<Result> => {
  if (metric === undefined) return all
  const values = new Map<string, number>(), idOf = ({ axes }: Result) => JSON.stringify(Object.entries(axes).filter(([axis]) => axis !== across))
  for (const result of all) {
    const id = idOf(result), known = values.get(id)
    if (nameOf(result) === metric && !Number.isNaN(result.mean) && (known === undefined || better(metric, result.mean, known))) values.set(id, result.mean)
  }
  return all.toSorted((a, b) => {
    const one = values.get(idOf(a)), other = values.get(idOf(b))
    return one === other ? 0 : one === undefined ? 1 : other === undefined || better(metric, one, other) ? -1 : 1
  })
}

/** Works out the report of results. */
export const reportOf = (finished: Finished, all: ReadonlyArray<Result>, report: Pipeline["report"], view: View = plainView): Report => {
  const grouping = view.by.length === 0 ? { results: all, averaged: [] } : groupBy(all.filter(({ each }) => each.length > 0), view.by)
  const across = view.against === undefined && (view.by.length === 0 || view.by.includes(report.columns ?? "")) ? report.columns : undefined
  const designs = new Designs(finished, report.split), compare = comparer(designs)
  const viewed = sorted(view.iqm ? iqmOf(grouping.results) : grouping.results.map((result) => withSpread(result, designs)), view.sort, across), known = new Set(viewed.map(nameOf))
  const asked = view.metrics.length > 0 ? view.metrics : [...report.metrics ?? [], ...(report.pooled ?? []).map((name) => `${name} (pooled)`)]
  const metrics = asked.length > 0 ? asked.filter((name) => known.has(name)) : [...known], shown = viewed.filter((result) => metrics.includes(nameOf(result)))
  const resampled = view.interval ? sampled(finished, report.split, shown) : undefined
  const spread = [...spreadNote(shown, { sampled: resampled, iqm: view.iqm, averaged: grouping.averaged }), ...choicesNote(choicesOf(finished, (node) => designs.of(node)), report.split, shown)]
  const base = { results: viewed, metrics, sampled: resampled }
  if (shown.length === 0) return { ...base, sheets: [], marks: new Map(), against: undefined }
  if (view.against !== undefined) {
    const compared = against(shown, metrics, view.against, compare)
    return { ...base, sheets: [againstSheet(compared, view.against, resampled, spread)], marks: new Map(), against: compared }
  }
  const layout = layoutOf(shown, metrics, across)
  const columns = layout.columns.map((_, c) => layout.rows.flatMap(({ cells }) => cells[c] ?? []))
  // Marks are of differences of means over replicates: beside other intervals they would seem to be of those.
  const marked = view.iqm || view.interval ? undefined : marks(columns, compare)
  const figure = report.heatmap !== undefined && view.metrics.length === 0 && view.by.length === 0 && !view.iqm ? heatmap(all, report.heatmap, compare) : undefined
  const ranks = new Map(columns.flatMap((column) => column.some(({ blocks }) => blocks !== undefined) ? [...meanRanks(column)] : []))
  const sheet = comparison(layout, {
    marks: marked?.marks ?? new Map(),
    notes: [...spread, ...(ranks.size === 0 ? [] : [`rank: 1 for the best, mean over each ${shown.find(({ blocks }) => blocks !== undefined)!.blocks!.join(" and ")} that all rows have`]), ...(marked === undefined ? [] : marksNote(marked))],
    baseline: report.baseline,
    interval: resampled !== undefined ? (result) => result.each.length === 0 ? result.ci : resampled.interval(result) : view.iqm ? ({ ci }) => ci : undefined,
    ranks
  })
  return { ...base, sheets: [sheet, ...(figure === undefined ? [] : [figure])], marks: marked?.marks ?? new Map(), against: undefined }
}

/** The text of a report for a terminal; empty where there is no result. */
export const reportText = ({ sheets }: Report): string => sheets.map((sheet) => sheetText(sheet)).join("\n\n")
