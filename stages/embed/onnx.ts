import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage, stream, Weights } from "outcrop"
import { encode, type Encoding, parameters, tellChannels } from "../../imagery/encoder.ts"
import type { Located } from "../../imagery/pixels.ts"
import { full, parameters as views, viewsOf } from "../../imagery/view.ts"
import { cosines, meanOf } from "../../math/parity.ts"

const Parity = Schema.Struct({
  cosine: Schema.Finite.check(Schema.isBetween({ minimum: -1, maximum: 1 })).annotate({
    description: "least cosine between what the two models make of any one sample, around the mean vector of the reference; -1: measure only"
  }),
  rows: Stage.withDefault(Schema.Int.check(Schema.isGreaterThan(1)).annotate({ description: "samples to measure it on, drawn by their ids" }), 64)
})

const With = Schema.Struct({
  model: Stage.FileParameter,
  ...parameters,
  ...views,
  reference: Schema.optionalKey(Stage.FileParameter.annotate({ description: "the float32 model that `model` was quantised from: \"parity\" is measured against it" })),
  parity: Schema.optionalKey(Parity.annotate({ description: "how near `model` has to be to `reference`, or nothing is embedded: { cosine: 0.98 }" }))
})

/** The rows of the sample, a function of the ids alone: those that draw the least numbers. */
const drawn = ({ rows, sample_id }: Located, most: number): ReadonlyArray<number> => {
  const lot = sample_id.map((id) => stream(0, "parity", id).uniform())
  return Array.from({ length: rows }, (_, row) => row).toSorted((a, b) => lot[a]! - lot[b]!).slice(0, most).toSorted((a, b) => a - b)
}

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length
// rounded down: what is written never passes a bound that it failed
const digits = (value: number) => (Math.floor(value * 10_000) / 10_000).toFixed(4)

/** Embeds a sample with the model and with its reference; fails where they differ by more than `parity` allows, says how near they are where not. */
const checkParity = Effect.fn("embed/onnx.parity")(function*(samples: Located, model: string, reference: string, { cosine, rows: most }: typeof Parity.Type, p: Encoding, statistics: Parameters<typeof encode>[4]) {
  const rows = drawn(samples, most)
  const ids = rows.map((row) => samples.sample_id[row]!)
  const { values, width } = samples.window
  const sample: Located = {
    rows: rows.length,
    sample_id: ids,
    assets: rows.map((row) => samples.assets[row]!),
    window: { width, values: Float32Array.from(rows.flatMap((row) => Array.from(values.subarray(row * width, (row + 1) * width)))) }
  }
  const expected = yield* encode(sample, reference, p, full, statistics)
  const given = yield* encode(sample, model, p, full, statistics)
  if (given.width !== expected.width) return yield* new Stage.StageError({ message: `${model} gives vectors of ${given.width} values and its reference ${reference} of ${expected.width}: they are not the same encoder` })
  // A vector without a direction is as far as can be.
  const raw = cosines(given, expected, meanOf(expected)), near = raw.map((cosine) => Number.isNaN(cosine) ? -1 : cosine)
  const over = `over ${rows.length} of ${samples.rows} samples`
  if (raw.every(Number.isNaN)) return yield* new Stage.StageError({ message: `parity cannot be measured ${over}: ${reference} or ${model} gives them all the same vector; it takes two samples that differ at least` })
  const order = Array.from(near.keys()).toSorted((a, b) => near[a]! - near[b]!)
  const below = order.filter((row) => near[row]! < cosine)
  const measured = `cosine ${digits(near[order[0]!]!)} at least, ${digits(mean(near))} in the mean`
  if (below.length > 0) {
    const worst = below.slice(0, 5).map((row) => `${ids[row]} ${digits(near[row]!)}`)
    return yield* new Stage.StageError({
      message: `${model} is too far from its reference ${reference} ${over}: ${measured}, where parity asks for ${cosine}. Below it: ${below.length} (${worst.join(", ")}${below.length > worst.length ? ", ..." : ""}). ` +
        `Quantise with weight_type=QInt8, per_channel=True, calibrate on images like these, or lower parity.cosine`
    })
  }
  const flattering = cosines(given, expected, new Float64Array(expected.width))
  yield* Stage.notice(`parity of ${model} with ${reference} ${over}: ${measured} around the mean vector (${digits(Math.min(...flattering))} and ${digits(mean(flattering))} around the origin); asked for ${cosine}`)
})

/**
 * Any encoder in ONNX form, run by onnxruntime on one thread. Each window is read, resized as Pillow does, scaled band by band and put
 * through the model, which takes float32 [batch, bands, height, width]; one of its outputs, pooled where it is not one vector a sample
 * yet, is the embedding. Nothing is learned from the data: mean and std are the encoder's own, or with `normalize: dataset` those that
 * `ingest/band-statistics` took of the training samples, found by the names of the bands in the port `statistics`.
 *
 * Where the model takes another number of channels than there are bands, `channels: repeat` or `average` does to its first layer what timm
 * does (see `imagery/channels.ts`), and a notice says which; it is never done unasked.
 *
 * A quantised model (int8) is two to three times as fast and another encoder. With `reference` and `parity` it embeds only after it was
 * measured against the model it was made from, on samples of this very collection. That is `fit`, because embedding is handed rows in
 * chunks, of which none knows the others, in a number that depends on the workers, and only those not cached yet: a check there could not
 * draw one sample from the whole, and would say something else in every run. `fit` is handed all rows once, before the hours begin, on
 * one worker. It learns nothing, so nothing of the sample is in the vectors' keys (`parity` and `reference` are, as all parameters are).
 *
 * Fails with a `StageError` that states both shapes where the model does not take what it would be given, or names the samples that are
 * farthest from the reference.
 */
export default Stage.make({
  name: "embed/onnx",
  version: 1,
  summary: "any frozen encoder in ONNX form; a quantised one behind a measured parity check",
  with: With,
  needs: {
    samples: Stage.needs(Samples, "assets", "window"),
    statistics: Stage.when(Stage.needs(Weights), ({ normalize }: typeof With.Type) => normalize === "dataset")
  },
  gives: { embeddings: Embeddings },
  fit: Effect.fn("embed/onnx.fit")(function*({ samples, statistics }, { model, parity, reference, ...p }) {
    yield* tellChannels(model, p)
    if (reference !== undefined && parity !== undefined) yield* checkParity(samples, model, reference, parity, p, statistics)
    else if (parity !== undefined) return yield* new Stage.StageError({ message: "\"parity\" needs the float32 model to measure against; name it in \"reference\"" })
    else if (reference !== undefined) return yield* new Stage.StageError({ message: `"reference" needs a bound for how near ${model} has to be to it; give "parity: { cosine: 0.98 }"` })
    return {}
  }),
  views: viewsOf,
  embed: Effect.fn("embed/onnx")(function*(_, { samples, statistics }, { model, ...p }, view) {
    return yield* encode(samples, model, p, view, statistics)
  })
})
