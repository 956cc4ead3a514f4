/** Every row of a table against a reference: paired differences with interval, corrected p and effect size, one line a metric and row. */
import { suggest } from "../schemas/spelling.ts"
import { againstNote, averagedOver } from "./caption.ts"
import { type Compare, type Comparison, type Family, family, level } from "./compare.ts"
import { show, showInterval, showResult } from "./comparison.ts"
import type { Sampled } from "./interval.ts"
import { nameOf } from "./layout.ts"
import type { Result } from "./result.ts"
import type { Field, Sheet } from "./sheet.ts"

type Reference = Readonly<Record<string, string>>

/** A result beside its reference; the reference itself has none. */
export interface Row {
  readonly result: Result
  readonly reference?: Result
  readonly comparison?: Comparison
  /** p, corrected over all comparisons of the table. */
  readonly adjusted?: number
}

export interface Against {
  readonly rows: ReadonlyArray<Row>
  /** Figures that are left out for want of a reference: no result is like them in all else. */
  readonly alone: ReadonlyArray<Result>
  readonly family: Family
}

const isReference = ({ axes }: Result, reference: Reference) => Object.entries(reference).every(([axis, value]) => axes[axis] === value)

/** What of a reference names nothing, or more than one row, in words. */
export const unknownReference = (results: ReadonlyArray<Result>, reference: Reference): ReadonlyArray<string> => {
  if (results.every(({ each }) => each.length === 0)) return ["--against compares over replicates, and pooled metrics have none: name others"]
  const axes = [...new Set(results.flatMap((result) => Object.keys(result.axes)))]
  for (const [axis, value] of Object.entries(reference)) {
    const values = [...new Set(results.flatMap((result) => result.axes[axis] ?? []))]
    if (!axes.includes(axis)) return [`--against ${axis}=${value}: results have no axis "${axis}"${suggest(axis, axes)}; axes are ${axes.join(", ")}`]
    if (!values.includes(value)) return [`--against ${axis}=${value}: no result has that${suggest(value, values)}; ${axis} is ${values.join(", ")}`]
  }
  const found = results.filter((result) => isReference(result, reference)), [first] = found
  if (first === undefined) return [`--against: no result has ${Object.entries(reference).map(([axis, value]) => `${axis}=${value}`).join(" and ")} together`]
  // Axes that only the reference has leave open which of its values is meant.
  const open = Object.keys(first.axes).filter((axis) => !(axis in reference) && new Set(found.map((result) => result.axes[axis])).size > 1 && results.some((result) => !isReference(result, reference) && result.axes[axis] === undefined))
  return open.length === 0 ? [] : [`--against names several rows that differ in ${open.join(", ")}: name one, as in ${open.map((axis) => `--against ${axis}=${first.axes[axis]}`).join(" ")}`]
}

/** Whether a result stands against a reference: equal in all axes that both have, but those that name the reference and the axes of one's own. */
const fits = (result: Result, candidate: Result, reference: Reference) =>
  nameOf(result) === nameOf(candidate) && result.stage === candidate.stage && Object.entries(result.axes).every(([axis, value]) => axis in reference || candidate.axes[axis] === undefined || candidate.axes[axis] === value)

/** Compares results with their references; those that have none, and pooled ones, which have no replicates, are left out. Metric by metric in the order given. */
export const against = (results: ReadonlyArray<Result>, metrics: ReadonlyArray<string>, reference: Reference, compare: Compare): Against => {
  const candidates = results.filter((result) => isReference(result, reference))
  const alone: Array<Result> = []
  const pairs = metrics.flatMap((metric) => results.filter((result) => nameOf(result) === metric && result.each.length > 0).flatMap((result): ReadonlyArray<Row> => {
    if (candidates.includes(result)) return [{ result }]
    const found = candidates.find((candidate) => fits(result, candidate, reference))
    if (found === undefined) alone.push(result)
    return found === undefined ? [] : [{ result, reference: found, comparison: compare(result, found) }]
  }))
  const tested = family(pairs.flatMap(({ comparison }) => comparison ?? []))
  let at = 0
  return { rows: pairs.map((row) => row.comparison === undefined ? row : { ...row, adjusted: tested.adjusted[at++]! }), alone, family: tested }
}

const showP = (p: number) => Number.isNaN(p) ? "–" : p < 0.001 ? "<0.001" : p.toFixed(3)
const signed = (value: number, beside: number) => `${value > 0 ? "+" : ""}${show(value, beside)}`

/** The sheet of comparisons with a reference. */
export const againstSheet = ({ alone, family, rows }: Against, reference: Reference, sampled: Sampled | undefined, spread: ReadonlyArray<string>): Sheet => {
  const results = rows.map(({ result }) => result), axes = [...new Set(results.flatMap((result) => Object.keys(result.axes)))]
  const varying = axes.filter((axis) => new Set(results.map((result) => result.axes[axis])).size > 1)
  const several = new Set(results.map(nameOf)).size > 1, blocks = results.some((result) => result.blocks !== undefined)
  const interval = sampled === undefined ? undefined : (result: Result) => sampled.interval(result)
  const fields = ({ adjusted, comparison, reference: other, result }: Row): ReadonlyArray<Field> => {
    const range = comparison === undefined ? undefined : sampled === undefined ? comparison : sampled.interval(result, other)
    const compared = comparison === undefined ? [{ text: "reference" }, { text: "" }, { text: "" }, { text: "" }, { text: "" }] : [
      { text: signed(comparison.difference, result.mean) },
      { text: range === undefined || Number.isNaN(range.low) ? "–" : showInterval(range, result.mean) },
      { text: showP(comparison.p) },
      { text: showP(adjusted!), mark: adjusted! < level ? "best" as const : undefined },
      { text: show(comparison.effect) }
    ]
    return [...(several ? [{ text: nameOf(result) }] : []), ...varying.map((axis) => ({ text: result.axes[axis] ?? "" })), { text: showResult(result, interval) }, ...compared, { text: String(comparison?.n ?? "") }]
  }
  const number = true, first = results[0], named = Object.entries(reference).map(([axis, value]) => `${axis}=${value}`).join(" ")
  return {
    columns: [
      ...(several ? [{ name: "metric" }] : []),
      ...varying.map((name) => ({ name })),
      { name: several || first === undefined ? "mean" : nameOf(first), number },
      { name: "difference", number },
      { name: "95%", number },
      { name: "p", number },
      { name: "p (Holm)", number },
      { name: blocks ? "rank-biserial" : "dz", number },
      { name: "n", number }
    ],
    rows: rows.map(fields),
    notes: [
      ...spread,
      ...againstNote(family, named, results.find((result) => result.blocks !== undefined)?.blocks?.join(" and ") ?? averagedOver(results), sampled !== undefined),
      ...(alone.length === 0 ? [] : [`left out, as ${named} has nothing to hold against them: ${alone.length} figure${alone.length > 1 ? "s" : ""} (${Object.entries(alone[0]!.axes).map(([axis, value]) => `${axis}=${value}`).join(" ")}${alone.length > 1 ? ", ..." : ""})`])
    ]
  }
}
