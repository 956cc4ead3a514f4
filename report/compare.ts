/**
 * Whether two results differ by more than chance. Differences are paired over replicates; the test is the one that is valid for what the
 * replicates are (`design.ts`), and p-values are corrected for how many comparisons a table makes.
 */
import { resampledT } from "../math/corrected-t.ts"
import { cohensDz } from "../math/effect.ts"
import { holm } from "../math/holm.ts"
import { leastOfSigns, signFlip } from "../math/permutation.ts"
import { signedRanks } from "../math/wilcoxon.ts"
import { better } from "./better.ts"
import { correlationOf, type Design, type Designs as Splits } from "./design.ts"
import { nameOf } from "./layout.ts"
import type { Result } from "./result.ts"

/** Below it a corrected p tells two results apart. */
export const level = 0.05

export interface Comparison {
  /** Paired differences that are independent of one another but for what the test allows for. */
  readonly n: number
  /** Their mean: the one result less the other. */
  readonly difference: number
  /** 95% interval of the mean (Student's t, widened as the test is). */
  readonly low: number
  readonly high: number
  /** Two-sided, uncorrected; NaN where it cannot be tested. */
  readonly p: number
  /** Cohen's dz; over blocks the rank-biserial correlation. */
  readonly effect: number
  readonly design: Design | { readonly kind: "blocks" } | { readonly kind: "other samples" }
}

/** What is asked of the splits behind results. */
type Designs = Pick<Splits, "of" | "sameTest" | "design">

/** What compares two results. */
export type Compare = (a: Result, b: Result) => Comparison

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

interface Pair {
  readonly difference: number
  readonly a: string | undefined
  readonly b: string | undefined
}

/**
 * The differences of two results in the replicates that both have, one for each pair of nodes: where several replicates share their nodes, one
 * says no more than the others.
 */
const pairsOf = (a: Result, b: Result, designs: Designs): ReadonlyArray<Pair> => {
  const splitOf = (node: number) => node < 0 ? undefined : designs.of(node)
  const other = new Map(b.each.map((replicate) => [replicate.name, replicate])), pairs = new Map<string, Pair>()
  for (const { name, node, value } of a.each) {
    const found = other.get(name)
    if (found === undefined || Number.isNaN(value - found.value)) continue
    const difference = value - found.value, rounding = 1e-12 * Math.max(Math.abs(value), Math.abs(found.value))
    pairs.set(node < 0 ? name : `${node} ${found.node}`, { difference: Math.abs(difference) <= rounding ? 0 : difference, a: splitOf(node), b: splitOf(found.node) })
  }
  return [...pairs.values()]
}

const untested = (design: Comparison["design"], differences: ReadonlyArray<number>): Comparison =>
  ({ n: differences.length, difference: mean(differences), low: Number.NaN, high: Number.NaN, p: Number.NaN, effect: Number.NaN, design })

/** Compares results by their differences; `designs` tells what their replicates are. */
export const comparer = (designs: Designs): Compare => (a, b) => {
  const pairs = pairsOf(a, b, designs), all = pairs.map(({ difference }) => difference)
  if (a.blocks !== undefined) {
    if (all.length < 2) return untested({ kind: "blocks" }, all)
    const { high, low } = resampledT(all, 0), { p, rankBiserial } = signedRanks(all)
    return { n: all.length, difference: mean(all), low, high, p: all.every((difference) => difference === 0) ? 1 : p, effect: rankBiserial, design: { kind: "blocks" } }
  }
  if (pairs.some(({ a, b }) => !designs.sameTest(a, b))) return untested({ kind: "other samples" }, all)
  // Several seeds of one split are one replicate of it: they share all of its rows.
  const bySplit = Map.groupBy(pairs, (pair) => `${pair.a}\n${pair.b}`)
  const differences = bySplit.size > 1 ? Array.from(bySplit.values(), (of) => mean(of.map(({ difference }) => difference))) : all
  const [ours, theirs] = [designs.design([...bySplit.values()].map(([pair]) => pair!.a)), designs.design([...bySplit.values()].map(([pair]) => pair!.b))]
  const design = correlationOf(theirs) > correlationOf(ours) ? theirs : ours, correlation = correlationOf(design)
  if (differences.length < 2) return untested(design, differences)
  const { high, low, p } = resampledT(differences, correlation)
  return { n: differences.length, difference: mean(differences), low, high, p: correlation > 0 ? p : signFlip(differences), effect: cohensDz(differences), design }
}

/** The comparisons of a table with their p-values corrected over all of them (Holm). */
export interface Family {
  readonly comparisons: ReadonlyArray<Comparison>
  readonly adjusted: ReadonlyArray<number>
}
export const family = (comparisons: ReadonlyArray<Comparison>): Family => ({ comparisons, adjusted: holm(comparisons.map(({ p }) => p)) })

/**
 * The smallest corrected p that any comparison of the family could come to, whatever the numbers: above the level, so few replicates can
 * conclude nothing. 0 where a test has no such bound; NaN where nothing was tested.
 */
export const leastP = ({ comparisons }: Family): number => {
  const tested = comparisons.filter(({ p }) => !Number.isNaN(p))
  if (tested.length === 0) return Number.NaN
  return Math.min(1, tested.length * Math.min(...tested.map(({ design, n }) => "correlation" in design ? 0 : leastOfSigns(n))))
}

/** `best`: better than every other of its column; `shared`: the best mean, and those that are not told apart from it. */
export type Mark = "best" | "shared"
export interface Marked {
  readonly marks: ReadonlyMap<Result, Mark>
  readonly family: Family
}

/**
 * Marks what is best in each column of results. The best mean is compared with all others of its column; the comparisons of all columns are one
 * family. No mark where a column has one result or results over different samples, where nothing can be concluded, or where the best mean is
 * behind in the replicates that both have: it owes its place to those that others lack.
 */
export const marks = (columns: ReadonlyArray<ReadonlyArray<Result>>, compare: Compare): Marked => {
  const contests = columns.flatMap((column) => {
    const results = column.filter(({ each, mean }) => each.length > 0 && !Number.isNaN(mean))
    if (results.length < 2) return []
    const name = nameOf(results[0]!), top = results.reduce((a, b) => better(name, b.mean, a.mean) ? b : a)
    const behind = ({ difference }: Comparison) => Math.abs(difference) > 1e-9 * Math.abs(top.mean) && better(name, 0, difference)
    const others = results.filter((result) => result !== top).map((other) => ({ top, other, comparison: compare(top, other) }))
    return others.some(({ comparison }) => comparison.design.kind === "other samples" || behind(comparison)) ? [] : others
  })
  const tested = family(contests.map(({ comparison }) => comparison)), marked = new Map<Result, Mark>()
  if (leastP(tested) < level) {
    contests.forEach(({ other, top }, i) => {
      const below = tested.adjusted[i]! < level
      if (!below) marked.set(other, "shared")
      marked.set(top, below && marked.get(top) !== "shared" ? "best" : "shared")
    })
  }
  return { marks: marked, family: tested }
}
