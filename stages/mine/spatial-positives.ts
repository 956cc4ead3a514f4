import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Pairs, Samples, Stage } from "outcrop"
import { within } from "../../math/proximity.ts"
import { offEarth, unitVectors } from "../../math/sphere.ts"

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
  run: Effect.fn("mine/spatial-positives")(function*({ samples: { lat, lon, rows, sample_id } }, { radius }) {
    const off = offEarth(lat, lon)
    if (off >= 0) return yield* fail(`sample ${sample_id[off]} lies at latitude ${lat[off]}, longitude ${lon[off]}, which is not on earth; are the two swapped, or not in degrees?`)
    const all = Array.from({ length: rows }, (_, row) => row), placed = all.filter((row) => Number.isFinite(lat[row]) && Number.isFinite(lon[row]))
    if (rows > 0 && placed.length === 0) return yield* fail(`none of the ${rows} samples has coordinates, so nothing says which are near`)
    const near = within(unitVectors(lat, lon), placed, radius)
    const anchor: Array<string> = [], positive: Array<string> = [], weight: Array<number> = []
    let alone = 0
    for (const row of all) {
      const found: Array<number> = []
      near(row, (other) => {
        if (other !== row) found.push(other)
        return false
      })
      if (found.length === 0) alone++
      for (const other of found.length === 0 ? [row] : found) {
        anchor.push(sample_id[row]!)
        positive.push(sample_id[other]!)
        weight.push(1 / Math.max(1, found.length))
      }
    }
    if (alone > 0) yield* Stage.notice(`${alone} of ${rows} samples have no neighbour within ${radius} m and are their own positive${placed.length < rows ? ` (${rows - placed.length} without coordinates)` : ""}`)
    return { pairs: { anchor, positive, weight: Float32Array.from(weight) } }
  })
})
