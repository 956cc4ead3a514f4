/** What the numbers of a table are, in a line each: which of the two variances is shown, which test was made and why. */
import { leastOfSigns } from "../math/permutation.ts"
import { lessIsBetter } from "./better.ts"
import { type Comparison, type Family, leastP, level, type Marked } from "./compare.ts"
import type { Design } from "./design.ts"
import type { Sampled } from "./interval.ts"
import { nameOf } from "./layout.ts"
import type { Result } from "./result.ts"

/** The least and the greatest of values, rounded: `19 to 186`. */
const span = (values: ReadonlyArray<number>): string => distinct([Math.min(...values), Math.max(...values)].map(Math.round)).join(" to ")
const significant = (p: number) => String(Number(p.toPrecision(3)))
const distinct = <A>(values: Iterable<A>) => [...new Set(values)]

/** The axes that results are averaged over: of "fold=0 seed=1", fold and seed. */
export const averagedOver = (results: ReadonlyArray<Result>): string =>
  distinct(results.flatMap(({ each }) => each.slice(0, 1)).flatMap(({ name }) => name.split(" ").map((part) => part.split("=")[0]!))).filter((axis) => axis !== "").join(" and ")

/** Figures that no replicate moves: their deviation of 0 is no mistake, and tells nothing of other samples. */
const unmovedNote = (results: ReadonlyArray<Result>, over: string): ReadonlyArray<string> => {
  const [first, ...more] = results.filter(({ each }) => each.length > 1 && new Set(each.map(({ value }) => value)).size === 1)
  if (first === undefined) return []
  const what = more.length === 0 ? `${nameOf(first)}${Object.entries(first.axes).map(([axis, label]) => ` ${axis}=${label}`).join("")} is` : `${more.length + 1} of ${results.length} figures are`
  return [`± 0: ${what} the same for every ${over}`]
}

export interface Shown {
  /** Intervals over test samples stand beside the means. */
  readonly sampled?: Sampled | undefined
  readonly iqm?: boolean | undefined
  /** Axes that a grouping averages over within a block. */
  readonly averaged?: ReadonlyArray<string> | undefined
}

/** What stands beside each mean. */
export const spreadNote = (results: ReadonlyArray<Result>, { averaged = [], iqm, sampled }: Shown): ReadonlyArray<string> => {
  const [blocks] = results.flatMap(({ blocks }) => blocks === undefined ? [] : [blocks]), over = blocks?.join(" and ") ?? averagedOver(results)
  const sets = results.flatMap(({ each }) => each.length === 0 ? [] : [JSON.stringify(each.map(({ name }) => name).toSorted())])
  const within = [
    ...(averaged.length === 0 ? [] : [`averaged first: ${averaged.join(", ")}`]),
    ...(distinct(sets).length > 1 ? [`not every row has every ${over}: each mean is over those that its row has; --against pairs those that both have`] : [])
  ]
  const units = { label: "drawn within their labels", location: "drawn by whole locations", sample: "drawn one by one" }
  if (iqm === true) return [`interquartile mean of n runs [95% bootstrap over runs, within each ${blocks?.join(" and ") ?? "row"}; test samples stay]`, ...within]
  if (sampled !== undefined && sampled.lost > 0) within.push(`[–]: predictions of ${sampled.lost === 1 ? "a result" : `${sampled.lost} results`} are lost from the cache; outcrop run makes them again`)
  if (sampled?.samples === 0) return [`mean${over === "" ? "" : ` over ${over}`} [–: there are no predictions that these metrics could be taken of anew]`, ...within]
  if (sampled !== undefined) {
    return [
      `mean${over === "" ? "" : ` over ${over}`} [95% bootstrap over ${sampled.samples} test samples, ${units[sampled.units]}, the same for all rows${over === "" ? "" : `; the spread over ${over} is not in it`}]`,
      ...within
    ]
  }
  if (blocks !== undefined) return [`mean ± sd over ${over}, n of them, each the mean of its own replicates`, ...within]
  return [...(results.some(({ sd }) => !Number.isNaN(sd)) ? [`mean ± sd over ${over}, n of them; how much rests on the test samples is not in it`] : []), ...unmovedNote(results, over), ...within]
}

/** Why a test of its kind; of those that differ in numbers one line is made. */
const testOf = ({ design }: Comparison): string | undefined => {
  switch (design.kind) {
    case "seeds":
      return "sign-flip test: replicates are seeds of one split"
    case "apart":
      return "sign-flip test: replicates share no test rows"
    case "unknown":
      return "sign-flip test: replicates, which have no split to read, are taken as independent"
    case "other samples":
      return "not tested where test samples differ"
    case "blocks":
    case "one test":
    case "redrawn":
      return undefined
  }
}

/** The corrected resampled t-tests of a family, as one. */
const resampled = (comparisons: ReadonlyArray<Comparison>): ReadonlyArray<string> => {
  const of = <K extends Design["kind"]>(kind: K) => comparisons.flatMap(({ design, n }) => design.kind === kind ? [{ n, design: design as Extract<Design, { readonly kind: K }> }] : [])
  const one = of("one test"), redrawn = of("redrawn"), counts = [...redrawn, ...one].map(({ n }) => n), few = counts.filter((n) => n < 6)
  if (counts.length === 0) return []
  const sets = redrawn.length === 0 ? [] : [`${span(redrawn.map(({ n }) => n))} splits share rows (${span(redrawn.map(({ design }) => design.train))} train, ${span(redrawn.map(({ design }) => design.test))} tested on)`]
  if (one.length > 0) sets.push(`${span(one.map(({ n }) => n))} training sets share ${span(one.map(({ design }) => 100 * design.shared))}% of their rows and have one test set`)
  return [`corrected resampled t-test: ${sets.join(", or ")}${few.length === 0 ? "" : `; n = ${span(few)}: it leans on normal differences`}`]
}

/** Which tests, and why those. */
const tests = ({ comparisons }: Family): string => {
  const made = comparisons.filter(({ design, p }) => !Number.isNaN(p) || design.kind === "other samples")
  const flat = comparisons.some(({ design, n, p }) => n > 1 && Number.isNaN(p) && design.kind !== "other samples")
  const blocks = made.flatMap(({ design, n }) => design.kind === "blocks" ? [n] : [])
  const ranked = blocks.length === 0 ? [] : [`Wilcoxon signed-rank test over ${span(blocks)} blocks`]
  return [...distinct(made.flatMap((one) => testOf(one) ?? [])), ...ranked, ...resampled(made), ...(flat ? ["not tested where differences are all equal: they have no spread to judge by"] : [])].join("; ")
}
const tested = ({ adjusted }: Family) => adjusted.filter((p) => !Number.isNaN(p)).length
const below = (family: Family) => `p < ${level}${tested(family) > 1 ? ` after Holm's correction for ${tested(family)} comparisons` : ""}`

/** Why nothing can be concluded; undefined where something can. */
const inconclusive = (family: Family): string | undefined => {
  const least = leastP(family)
  if (Number.isNaN(least)) return family.comparisons.some(({ n }) => n > 1) ? tests(family) : "one replicate each; outcrop table --interval shows what the test samples say"
  if (least < level) return undefined
  const blocks = family.comparisons.some(({ design }) => design.kind === "blocks"), most = Math.max(...family.comparisons.map(({ n }) => n)), smallest = leastOfSigns(most)
  const holm = least > smallest ? `, or ${significant(least)} after Holm's correction for ${tested(family)} comparisons` : ""
  return `no ${blocks ? "signed-rank" : "sign-flip"} test of ${most} ${blocks ? "blocks" : "replicates"} comes below p = ${significant(smallest)}${holm}`
}

/** What the marks mean. */
export const marksNote = ({ family, marks }: Marked): ReadonlyArray<string> => {
  if (family.comparisons.length === 0) return []
  const nothing = inconclusive(family), there = new Set(marks.values())
  if (nothing !== undefined) return [`nothing can be concluded on which is best: ${nothing}`]
  const legend = [...(there.has("best") ? ["* better than all others"] : []), ...(there.has("shared") ? ["= not told apart from the best"] : [])]
  const lower = distinct(Array.from(marks.keys(), nameOf)).filter(lessIsBetter)
  return [`${legend.join(", ")} (${below(family)})${lower.length === 0 ? "" : `; less is better: ${lower.join(", ")}`}`, tests(family)]
}

/** What stands beside differences from a reference. */
export const againstNote = (family: Family, reference: string, over: string, samples: boolean): ReadonlyArray<string> => {
  const nothing = inconclusive(family), effects = distinct(family.comparisons.map(({ design }) => design.kind === "blocks" ? "rank-biserial: share of ranks above less below" : "dz: mean difference / its sd"))
  return [
    `difference: row less ${reference}, paired over ${over} [95% over ${samples ? "the test samples, paired" : over}]; ${effects.join("; ")}`,
    ...(nothing === undefined ? [`* ${below(family)}`, tests(family)] : [`nothing can be concluded: ${nothing}`])
  ]
}
