import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Split, Stage, stream, Weights } from "outcrop"
import { convolve, parameters, toSquare } from "../../imagery/convolution.ts"
import { bandReader } from "../../imagery/bands.ts"
import { rowsByFile } from "../../imagery/pixels.ts"
import { viewsOf } from "../../imagery/view.ts"

/** A patch flatter than one grey level has no shape to look for: it is centred and not scaled. */
const flat = 1 / 255

/**
 * Random convolutional features whose filters are patches of the training images: MOSAIKS (Rolf et al., Nature Communications 12, 2021).
 * Each filter is a patch of `kernel` px from a random place of a random training sample, of the same resized images that are embedded
 * later, as they are, whatever views of them. The rest is as in `embed/rcf`.
 *
 * Where we depart from MOSAIKS (and torchgeo's `mode="empirical"`): a patch is standardised by itself (mean 0, standard deviation 1 over
 * all of its values, the moments of a Gaussian filter, so that `bias` means the same) and not whitened by ZCA.
 */
export default Stage.make({
  name: "embed/rcf-patches",
  version: 1,
  summary: "random convolutional features (MOSAIKS), filters cut from the training images",
  paper: "MOSAIKS (Rolf et al. 2021)",
  with: Schema.Struct(parameters),
  needs: { samples: Stage.needs(Samples, "assets", "window"), split: Stage.optional(Stage.needs(Split)) },
  gives: { embeddings: Embeddings },
  learns: { filters: Weights },
  fit: Effect.fn("embed/rcf-patches.fit")(function*({ samples }, p) {
    if (samples.rows === 0) return yield* new Stage.StageError({ message: "there are no training samples to cut patches from; check the split" })
    const filters = p.features / 2
    const drawn = Array.from({ length: samples.rows }, () => new Array<number>())
    for (let f = 0; f < filters; f++) drawn[stream(p.seed, "sample", f).integer(samples.rows)]!.push(f)
    if (p.kernel > p.size) return yield* new Stage.StageError({ message: `a patch of kernel ${p.kernel} px does not fit into images of size ${p.size} px` })

    const read = yield* bandReader(p)
    const places = p.size - p.kernel + 1
    let bands = 0
    let values = new Float64Array()
    for (const row of rowsByFile(samples)) {
      if (drawn[row]!.length === 0) continue
      const pixels = yield* read(samples, row)
      if (bands === 0) {
        bands = pixels.bands
        values = new Float64Array(filters * bands * p.kernel ** 2)
      }
      if (pixels.bands !== bands) return yield* new Stage.StageError({ message: `sample ${samples.sample_id[row]} has ${pixels.bands} bands where others have ${bands}` })
      const square = yield* toSquare(samples, row, pixels, p.size)
      const length = bands * p.kernel ** 2
      for (const f of drawn[row]!) {
        const random = stream(p.seed, "place", f)
        const left = random.integer(places), top = random.integer(places)
        const patch = Float64Array.from({ length }, (_, i) => {
          const band = Math.floor(i / p.kernel ** 2), y = Math.floor(i / p.kernel) % p.kernel, x = i % p.kernel
          return square[(band * p.size + top + y) * p.size + left + x]!
        })
        const mean = patch.reduce((sum, value) => sum + value) / length
        const deviation = Math.sqrt(patch.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length)
        values.set(patch.map((value) => Math.fround((value - mean) / (deviation < flat ? 1 : deviation))), f * length)
      }
    }
    return { filters: { layer: ["filters"], shape: [Float64Array.of(filters, bands, p.kernel, p.kernel)], values: [values] } }
  }),
  views: viewsOf,
  embed: Effect.fn("embed/rcf-patches.embed")(function*({ filters: learned }, { samples }, p, view) {
    const [filters, bands, side] = learned.shape[0]!
    return yield* convolve(samples, p, view, () => ({ filters: filters!, bands: bands!, side: side!, values: Float32Array.from(learned.values[0]!) }))
  })
})
