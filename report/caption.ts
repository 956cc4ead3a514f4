/** What the numbers of a table are, in a line each: which of the two variances is shown, which test was made and why. */
import { leastOfSigns } from "../math/permutation.ts"
import { type Comparison, type Family, leastP, level, type Marked } from "./compare.ts"
import type { Sampled } from "./interval.ts"
import type { Result } from "./result.ts"

const percent = (share: number) => `${Math.round(100 * share)}%`
const significant = (p: number) => String(Number(p.toPrecision(3)))
const distinct = <A>(values: Iterable<A>) => [...new Set(values)]

/** The axes that results are averaged over: of "fold=0 seed=1", fold and seed. */
export const averagedOver = (results: ReadonlyArray<Result>): string =>
  distinct(results.flatMap(({ each }) => each.slice(0, 1)).flatMap(({ name }) => name.split(" ").map((part) => part.split("=")[0]!))).filter((axis) => axis !== "").join(" and ")

export interface Shown {
  /** Intervals over test samples stand beside the means. */
  readonly sampled?: Sampled | undefined
  readonly iqm?: boolean | undefined
  /** Axes that a grouping averages over within a block. */
  readonly averaged?: ReadonlyArray<string> | undefined
}

/** What stands beside each mean. */
export const spreadNote = (results: ReadonlyArray<Result>, { averaged = [], iqm, sampled }: Shown): ReadonlyArray<string> => {
  const over = averagedOver(results), [blocks] = results.flatMap(({ blocks }) => blocks === undefined ? [] : [blocks])
  const within = averaged.length === 0 ? [] : [`averaged first: ${averaged.join(", ")}`]
  const units = { label: "drawn within their labels", location: "drawn by whole locations", sample: "drawn one by one" }
  if (iqm === true) return [`interquartile mean of n runs [95% bootstrap over runs, within each ${blocks?.join(" and ") ?? "row"}; test samples stay]`, ...within]
  if (sampled !== undefined) {
    return [
      `mean${over === "" ? "" : ` over ${over}`} [95% bootstrap over ${sampled.samples} test samples, ${units[sampled.units]}, the same for all rows${over === "" ? "" : `; the spread over ${over} is not in it`}]`,
      ...within
    ]
  }
  if (blocks !== undefined) return [`mean ± sd over ${blocks.join(" and ")}, n of them, each the mean of its own replicates`, ...within]
  return [...(results.some(({ sd }) => !Number.isNaN(sd)) ? [`mean ± sd over ${over}, n of them; how much rests on the test samples is not in it`] : []), ...within]
}

/** Which test, and why that one. */
const testOf = ({ design, n }: Comparison): string => {
  const few = n < 6 ? `; n = ${n}: it leans on normal differences` : ""
  switch (design.kind) {
    case "seeds":
      return "sign-flip test: replicates are seeds of one split"
    case "apart":
      return "sign-flip test: replicates share no test rows"
    case "unknown":
      return "sign-flip test: replicates, which have no split to read, are taken as independent"
    case "one test":
      return `corrected resampled t-test: ${n} training sets share ${percent(design.shared)} of their rows and have one test set${few}`
    case "redrawn":
      return `corrected resampled t-test: ${n} splits share rows (${Math.round(design.train)} train, ${Math.round(design.test)} tested on)${few}`
    case "blocks":
      return `Wilcoxon signed-rank test over ${n} blocks`
    case "other samples":
      return "not tested where test samples differ"
  }
}
const tests = ({ comparisons }: Family) => distinct(comparisons.filter(({ design, p }) => !Number.isNaN(p) || design.kind === "other samples").map(testOf)).join("; ")
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
  return [`${legend.join(", ")} (${below(family)})`, tests(family)]
}

/** What stands beside differences from a reference. */
export const againstNote = (family: Family, reference: string, over: string, samples: boolean): ReadonlyArray<string> => {
  const nothing = inconclusive(family), effects = distinct(family.comparisons.map(({ design }) => design.kind === "blocks" ? "rank-biserial: share of ranks above less below" : "dz: mean difference / its sd"))
  return [
    `difference: row less ${reference}, paired over ${over} [95% over ${samples ? "the test samples, paired" : over}]; ${effects.join("; ")}`,
    ...(nothing === undefined ? [`* ${below(family)}`, tests(family)] : [`nothing can be concluded: ${nothing}`])
  ]
}
