import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage, stream } from "outcrop"
import { convolve, type Filters, parameters } from "../../imagery/convolution.ts"
import { viewsOf } from "../../imagery/view.ts"

/**
 * Filters of standard normal weights. Each band of each filter has a stream of its own, so a filter looks at its first bands alike
 * however many there are.
 */
const gaussian = (seed: number, filters: number, bands: number, side: number): Filters => {
  const values = new Float32Array(filters * bands * side * side)
  for (let f = 0; f < filters; f++) {
    for (let b = 0; b < bands; b++) {
      const { normal } = stream(seed, "filter", f, b)
      const from = (f * bands + b) * side * side
      for (let i = 0; i < side * side; i++) values[from + i] = normal()
    }
  }
  return { filters, bands, side, values }
}

/**
 * Random convolutional features with Gaussian filters: an embedding without weights or training, the method of MOSAIKS (Rolf et al.,
 * "A generalizable and accessible approach to machine learning with global satellite imagery", Nature Communications 12, 2021) in the
 * form of torchgeo's `RCF(mode="gaussian")`: standard normal filters, one bias, ReLU of both signs, mean over the image.
 *
 * Where we depart from torchgeo: windows are resized to a square of `size` px first (antialiased bilinear), values are divided by 255,
 * and the default is 512 features. MOSAIKS itself draws its filters from the images: see `embed/rcf-patches`.
 */
export default Stage.make({
  name: "embed/rcf",
  version: 1,
  summary: "random convolutional features (MOSAIKS), Gaussian filters: an embedding without weights",
  paper: "MOSAIKS (Rolf et al. 2021)",
  with: Schema.Struct(parameters),
  needs: { samples: Stage.needs(Samples, "assets", "window") },
  gives: { embeddings: Embeddings },
  views: viewsOf,
  embed: Effect.fn("embed/rcf")(function*(_, { samples }, p, view) {
    return yield* convolve(samples, p, view, (bands) => gaussian(p.seed, p.features / 2, bands, p.kernel))
  })
})
