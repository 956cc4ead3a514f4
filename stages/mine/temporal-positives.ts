import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Pairs, Samples, Stage } from "outcrop"
import { pairsOf } from "../../math/positives.ts"
import { within } from "../../math/proximity.ts"
import { offEarth, unitVectors } from "../../math/sphere.ts"

const day = 86_400_000
const Days = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/**
 * Temporal positives (Geography-aware self-supervised learning, Ayush et al., ICCV 2021, arXiv 2011.09980; SeCo): the positive of an image is
 * another of the same place on another date. Gives `pairs`, both directions of each, sorted by anchor and positive. As in the authors' code any
 * date serves, all alike, and a sample without another date is its own positive, with a count.
 *
 * The same place: the same `location`; samples without one belong together where both have coordinates that lie within `radius` metres of each
 * other (great circle). That is asked of each pair by itself: A near B and B near C does not make A and C a pair. A sample with a location and one
 * without never are.
 *
 * Dates are days of UTC, and their gap the difference in days: `minGapDays` 1 means another day, 0 also images of the same one; `maxGapDays` is
 * ours, for those who want the same season. A sample without a time has no other date. The weight of a pair is 1 / (positives of the anchor), so
 * that the weights of each anchor add up to 1; who draws a positive by weight draws evenly.
 *
 * Learns nothing: pairs follow from place and time, never from labels. They may cross a split; a training pairs rows of the same part only.
 */
export default Stage.make({
  name: "mine/temporal-positives",
  version: 1,
  summary: "pairs of the same place on different dates",
  paper: "Geography-aware SSL (arXiv 2011.09980)",
  with: Schema.Struct({
    radius: Schema.optionalKey(
      Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description: "metres within which samples without a location are of the same place; without, they have no other date" })
    ),
    minGapDays: Stage.withDefault(Days.annotate({ description: "days between two dates at least; 0: images of one day too" }), 1),
    maxGapDays: Schema.optionalKey(Days.annotate({ description: "days between two dates at most" }))
  }),
  needs: { samples: Stage.needs(Samples, "lat", "lon", "location", "time") },
  gives: { pairs: Pairs },
  run: Effect.fn("mine/temporal-positives")(function*({ samples }, { maxGapDays = Infinity, minGapDays, radius }) {
    const { lat, location, lon, rows, sample_id, time } = samples
    if (minGapDays > maxGapDays) return yield* fail(`\`minGapDays: ${minGapDays}\` is above \`maxGapDays: ${maxGapDays}\`: no two dates are both`)
    const off = offEarth(samples)
    if (off !== undefined) return yield* fail(off)
    const all = Array.from({ length: rows }, (_, row) => row)
    const dated = all.filter((row) => !Number.isNaN(time[row]))
    if (rows > 0 && dated.length === 0) return yield* fail(`none of the ${rows} samples has a time, so there are no other dates; a reader takes times from a column or from file names`)
    const placed = (row: number) => location[row] === null && Number.isFinite(lat[row]) && Number.isFinite(lon[row])
    if (rows > 0 && location.every((name) => name === null) && (radius === undefined || !all.some(placed))) {
      return yield* fail(
        radius === undefined
          ? "no sample has a location; `radius: 100` takes samples within 100 m of each other for the same place"
          : `none of the ${rows} samples has a location or coordinates, so nothing says which are of the same place`
      )
    }

    const days = time.map((milliseconds) => Math.floor(milliseconds / day))
    const serves = (anchor: number, other: number) => {
      const gap = Math.abs(days[anchor]! - days[other]!)
      return other !== anchor && gap >= minGapDays && gap <= maxGapDays
    }
    const visits = Map.groupBy(dated.filter((row) => location[row] !== null), (row) => location[row])
    const reach = radius === undefined ? undefined : within(unitVectors(lat, lon), dated.filter(placed), radius)
    const { alone, pairs } = pairsOf(sample_id, (anchor) => {
      if (location[anchor] !== null) return (visits.get(location[anchor]!) ?? []).filter((other) => serves(anchor, other))
      const found: Array<number> = []
      reach?.(anchor, (other) => {
        if (serves(anchor, other)) found.push(other)
        return false
      })
      return found
    })
    if (alone > 0) {
      const nowhere = all.filter((row) => location[row] === null && (radius === undefined || !placed(row))).length
      const causes = [...dated.length < rows ? [`${rows - dated.length} without a time`] : [], ...nowhere > 0 ? [`${nowhere} without a ${radius === undefined ? "location" : "location or coordinates"}`] : []]
      yield* Stage.notice(`${alone} of ${rows} samples have no other date and are their own positive${causes.length > 0 ? ` (${causes.join(", ")})` : ""}`)
    }
    return { pairs }
  })
})
