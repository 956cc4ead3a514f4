/**
 * Random convolutional features: filters are slid over an image, what they answer is rectified once with each sign and averaged over the
 * image. One onnxruntime graph on one thread, one image a call, so a vector cannot depend on what stands beside it in a batch.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Stage, type Vectors } from "outcrop"
import { Graph } from "../tensor/onnx.ts"
import { Bands, bandsOf, type Request } from "./bands.ts"
import type { Located, Pixels } from "./pixels.ts"
import { Stretch } from "./stretch.ts"
import { full, parameters as views, seen, type View } from "./view.ts"

const PositiveInt = Schema.Int.check(Schema.isGreaterThan(0))

/** Parameters of the stages that embed by convolution. */
export const parameters = {
  features: Stage.withDefault(
    PositiveInt.check(Schema.isMultipleOf(2)).annotate({ description: "length of the vector; each filter gives two features, one a sign" }),
    512
  ),
  kernel: Stage.withDefault(PositiveInt.annotate({ description: "side of a filter in px" }), 3),
  size: Stage.withDefault(PositiveInt.annotate({ description: "side in px of the square that each window is resized to" }), 64),
  bias: Stage.withDefault(Schema.Finite.annotate({ description: "added to what a filter answers, before it is rectified" }), -1),
  bands: Stage.withDefault(Bands, ["R", "G", "B"]),
  stretch: Stage.withDefault(Stretch, "none"),
  seed: Stage.Seed,
  ...views
}
type Parameters = Request & { readonly kernel: number; readonly size: number; readonly bias: number }

/** A bank of filters, [filters, bands, side, side]. */
export interface Filters {
  readonly filters: number
  readonly bands: number
  readonly side: number
  readonly values: Float32Array
}

/**
 * A view of a sample's pixels, resized to a square of `size` px (antialiased bilinear) and divided by 255: what filters are slid over and
 * drawn from. Fails where values are not in 0..255, for the bias would be lost beside them.
 */
export const toSquare = Effect.fn("toSquare")(function*(samples: Located, row: number, pixels: Pixels, size: number, view: View = full) {
  if (!pixels.bytes) {
    return yield* new Stage.StageError({
      message: `sample ${samples.sample_id[row]} is not 8-bit; say how its values become 0..255, for example "stretch: { sigma: 2 }" or "stretch: { range: [0, 3000] }"`
    })
  }
  const square = yield* seen(view, samples, row, pixels, { width: size, height: size }, { filter: "bilinear" })
  return square.map((value) => value / 255)
})

/**
 * A function from an image (`bands` x `size` x `size`, band-major) to 2 x `filters` features: with y = filter * image + bias over all
 * places where the filter fits, first mean(max(y, 0)) of each filter, then mean(max(-y, 0)) of each (as torchgeo's RCF).
 */
export const convolution = async ({ bands, filters, side, values }: Filters, size: number, bias: number) => {
  const graph = new Graph()
  const image = graph.input({ name: "image", type: "float32", shape: [1, bands, size, size] })
  const answer = graph.node("Conv", [image, graph.constant(values, [filters, bands, side, side]), graph.constant(new Float32Array(filters).fill(bias), [filters])])
  const pooled = [answer, graph.node("Neg", [answer])].map((signed) => graph.node("GlobalAveragePool", [graph.node("Relu", [signed])]))
  graph.output({ name: "features", type: "float32", shape: [1, 2 * filters, 1, 1] }, graph.node("Concat", pooled, { axis: 1 }))
  const { InferenceSession, Tensor } = await import("onnxruntime-node")
  const session = await InferenceSession.create(graph.model().bytes, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 })
  return async (image: Float32Array): Promise<Float32Array> => {
    const { features } = await session.run({ image: new Tensor("float32", image, [1, bands, size, size]) }, ["features"])
    if (!(features?.data instanceof Float32Array)) throw new Error("onnxruntime gave no features")
    return features.data
  }
}

/** Embeds a view of samples by convolution with the filters that `filtersOf` gives for their number of bands. */
export const convolve = Effect.fn("convolve")(function*(samples: Located, parameters: Parameters, view: View, filtersOf: (bands: number) => Filters) {
  const { bias, kernel, size } = parameters
  if (kernel > size) return yield* new Stage.StageError({ message: `a filter of kernel ${kernel} px does not fit into images of size ${size} px` })
  let width = 0
  let vectors = new Float32Array()
  let run: ((image: Float32Array) => Promise<Float32Array>) | undefined
  yield* Stream.runForEach(bandsOf(samples, parameters), Effect.fnUntraced(function*({ pixels, row }) {
    const square = yield* toSquare(samples, row, pixels, size, view)
    const features = yield* Effect.promise(async () => {
      run ??= await convolution(filtersOf(pixels.bands), size, bias)
      return await run(square)
    })
    if (width === 0) {
      width = features.length
      vectors = new Float32Array(samples.rows * width)
    }
    vectors.set(features, row * width)
  }))
  const made: Vectors = { width, values: vectors }
  return made
})
