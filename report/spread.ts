/** The interval of a mean over replicates, as wide as the rows that these share make it. */
import { resampledT } from "../math/corrected-t.ts"
import { correlationOf, type Designs } from "./design.ts"
import { type Result, summary } from "./result.ts"

/**
 * The result with its 95% interval over replicates corrected as the tests of differences are: splits that share training rows vary less than
 * independent ones would, and several seeds of one split are one replicate of it. NaN where replicates that are all equal leave no spread.
 */
export const withSpread = (result: Result, designs: Pick<Designs, "of" | "design">): Result => {
  if (result.ci.over !== "replicates" || result.each.some(({ node }) => node < 0)) return result
  const bySplit = Map.groupBy(result.each, ({ node }) => designs.of(node))
  const values = bySplit.size > 1 ? Array.from(bySplit.values(), (seeds) => summary(seeds.map(({ value }) => value)).mean) : result.each.map(({ value }) => value)
  const { high, low } = resampledT(values, correlationOf(designs.design([...bySplit.keys()])))
  return { ...result, ci: { low, high, over: "replicates" } }
}
