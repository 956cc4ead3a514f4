/** Interquartile means in the place of means, with intervals over seeds: what a few lucky or failed runs do not move. */
import { stratifiedIqm } from "../math/iqm.ts"
import { stream } from "../math/random.ts"
import type { Result } from "./result.ts"

/** The runs behind a result, those of one choice of the axes together: the strata that a bootstrap keeps. */
const strataOf = (result: Result): ReadonlyArray<ReadonlyArray<number>> =>
  result.members?.flatMap((block) => block.flatMap(strataOf)) ?? [[...new Map(result.each.map(({ node, value }) => [node, value])).values()].filter((value) => !Number.isNaN(value))]

/** Results whose mean is the interquartile mean over all of their runs, whose interval is over seeds (2,000 resamples), and which have no sd. */
export const iqmOf = (results: ReadonlyArray<Result>): Array<Result> => results.filter(({ each }) => each.length > 0).map((result) => {
  const strata = strataOf(result), { high, low, value } = stratifiedIqm(strata, 2000, stream(0, "iqm"))
  return { ...result, mean: value, sd: Number.NaN, replicates: strata.flat().length, ci: { low, high, over: "replicates" } }
})
