import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Samples, Split, Stage, Weights } from "outcrop"
import { count, inWords, tableOf, tally } from "../../imagery/band-statistics.ts"
import { Bands, bandsOf, planeNames } from "../../imagery/bands.ts"

/**
 * Statistics of each band over the pixels of the training samples' windows: mean, standard deviation (population), least and greatest value,
 * the share of pixels without data, and the number n of those with. Pixels that the file declares as no data, those of a coarse band that
 * such a pixel has a share in, and values that are not finite, are in that share alone. Bands are read as an embedder with the same `bands`
 * reads them, before any stretch: coarse ones on the grid of the finest (bilinear, which lowers their deviation), derived ones made of these.
 * Pixels in two windows count twice.
 *
 * Gives `statistics`: the layers `mean`, `sd`, `min`, `max`, `nodata` and `n`, one value a band, and the bands' names as a JSON list in the
 * metadata `bands`; `normalize: dataset` of `embed/onnx` reads it. Each band is a notice. Without a split all samples are training samples.
 */
export default Stage.make({
  name: "ingest/band-statistics",
  version: 1,
  summary: "mean, deviation, range and share of nodata of each band, of the training samples",
  with: Schema.Struct({ bands: Stage.withDefault(Bands, ["R", "G", "B"]) }),
  needs: { samples: Stage.needs(Samples, "assets", "window"), split: Stage.optional(Stage.needs(Split)) },
  gives: {},
  learns: { statistics: Weights },
  fit: Effect.fn("ingest/band-statistics.fit")(function*({ samples }, { bands }) {
    if (samples.rows === 0) return yield* new Stage.StageError({ message: "there are no samples to take statistics of" })
    const tallies: Array<ReturnType<typeof tally>> = []
    yield* Stream.runForEach(bandsOf(samples, { bands, stretch: "none" }), ({ pixels }) =>
      Effect.sync(() => {
        const size = pixels.height * pixels.width
        for (let b = 0; b < pixels.bands; b++) count(tallies[b] ??= tally(), pixels.values.subarray(b * size, (b + 1) * size), pixels.nodata[b]!)
      }))
    const names = planeNames(bands, tallies.length)
    if (names === undefined) {
      return yield* new Stage.StageError({ message: `${bands.length} entries of "bands" are ${tallies.length} bands; name the bands of a picture one by one, for statistics are found by name` })
    }
    for (const [b, name] of names.entries()) yield* Stage.notice(inWords(name, tallies[b]!))
    return { statistics: tableOf(names, tallies) }
  }),
  apply: () => Effect.succeed({})
})
