/**
 * Resamples of test samples that all methods share, so that differences between methods are resampled too: what makes a sample hard makes it
 * hard for all of them, and does not widen the interval of their difference.
 */
import type { Random } from "./random.ts"

/** How samples are drawn: whole clusters (samples of one place are alike), or single samples within strata (classes), whose sizes then stay. */
export type Units = { readonly clusters: ReadonlyArray<string> } | { readonly strata: ReadonlyArray<string> }

const rowsOf = (names: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<number>> => [...Map.groupBy(names.keys(), (row) => names[row]!).values()]

/**
 * How often each of n samples was drawn, [n], a resample a turn; the array is reused from turn to turn. Clusters: as many clusters as there are
 * are drawn with replacement, each with all of its samples (Davison & Hinkley, Bootstrap Methods, section 3.8, strategy 1).
 */
export function* resamples(units: Units, replicates: number, random: Random): Generator<Float64Array> {
  const clustered = "clusters" in units
  const names = clustered ? units.clusters : units.strata, groups = rowsOf(names)
  const counts = new Float64Array(names.length)
  for (let b = 0; b < replicates; b++) {
    counts.fill(0)
    if (clustered) for (let i = 0; i < groups.length; i++) for (const row of groups[random.integer(groups.length)]!) counts[row]!++
    else for (const rows of groups) for (let i = 0; i < rows.length; i++) counts[rows[random.integer(rows.length)]!]!++
    yield counts
  }
}
