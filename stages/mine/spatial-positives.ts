import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Pairs, Samples, Stage } from "outcrop"
import { pairsOf } from "../../math/positives.ts"
import { within } from "../../math/proximity.ts"
import { offEarth, placed, unitVectors } from "../../math/sphere.ts"

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/**
 * Spatial positives: the positive of an image is one whose centre lies within `radius` metres of its own, as the near tiles of Tile2Vec (Jean
 * et al., AAAI 2019, arXiv 1805.02855). Gives `pairs`, both directions of each; a sample without a neighbour is its own positive, with a
 * count. The weight of a pair is 1 / (positives of the anchor).
 *
 * Ours: neighbours are those of the collection, all alike; the paper draws them around the anchor, and a distant tile against both.
 * Windows that overlap share pixels; a `radius` below their side makes such pairs, and they are easy.
 */
export default Stage.make({
  name: "mine/spatial-positives",
  version: 1,
  summary: "pairs of images that lie near each other",
  paper: "Tile2Vec (arXiv 1805.02855)",
  with: Schema.Struct({
    radius: Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "metres between two centres at most" })
  }),
  needs: { samples: Stage.needs(Samples, "lat", "lon") },
  gives: { pairs: Pairs },
  run: Effect.fn("mine/spatial-positives")(function*({ samples }, { radius }) {
    const off = offEarth(samples), { rows } = samples, there = placed(samples)
    if (off !== undefined) return yield* fail(off)
    if (rows > 0 && there.length === 0) return yield* fail(`none of the ${rows} samples has coordinates, so nothing says which are near`)
    const near = within(unitVectors(samples.lat, samples.lon), there, radius)
    const { alone, pairs } = pairsOf(samples.sample_id, (row) => {
      const found: Array<number> = []
      near(row, (other) => {
        if (other !== row) found.push(other)
        return false
      })
      return found
    })
    if (alone > 0) yield* Stage.notice(`${alone} of ${rows} samples have no neighbour within ${radius} m and are their own positive${there.length < rows ? ` (${rows - there.length} without coordinates)` : ""}`)
    return { pairs }
  })
})
