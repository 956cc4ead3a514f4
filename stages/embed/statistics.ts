import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Embeddings, Samples, Stage } from "outcrop"
import { Bands, bandsOf } from "../../imagery/bands.ts"
import { Stretch } from "../../imagery/stretch.ts"
import { parameters, seen, viewsOf } from "../../imagery/view.ts"

/**
 * Mean and standard deviation (population) of each band over the sample's window, at its own resolution: [mean of each band, deviation of
 * each band], 2 x bands values. A view that crops is brought back to the window's size (bilinear). The baseline that no encoder may lose to: what a probe makes of it was in the colours alone.
 */
export default Stage.make({
  name: "embed/statistics",
  version: 1,
  summary: "mean and standard deviation of each band: the baseline no encoder may lose to",
  with: Schema.Struct({ bands: Stage.withDefault(Bands, ["R", "G", "B"]), stretch: Stage.withDefault(Stretch, "none"), ...parameters }),
  needs: { samples: Stage.needs(Samples, "assets", "window") },
  gives: { embeddings: Embeddings },
  views: viewsOf,
  embed: Effect.fn("embed/statistics")(function*(_, { samples }, p, view) {
    let width = 0
    let vectors = new Float32Array()
    yield* Stream.runForEach(bandsOf(samples, p), Effect.fnUntraced(function*({ pixels: window, row }) {
      const { bands } = window, values = yield* seen(view, samples, row, window, window, { filter: "bilinear" })
      if (width === 0) {
        width = 2 * bands
        vectors = new Float32Array(samples.rows * width)
      }
      const pixels = values.length / bands
      for (let b = 0; b < bands; b++) {
        let sum = 0, squares = 0
        for (let i = b * pixels; i < (b + 1) * pixels; i++) sum += values[i]!
        const mean = sum / pixels
        for (let i = b * pixels; i < (b + 1) * pixels; i++) squares += (values[i]! - mean) ** 2
        vectors[row * width + b] = mean
        vectors[row * width + bands + b] = Math.sqrt(squares / pixels)
      }
    }))
    return { width, values: vectors }
  })
})
