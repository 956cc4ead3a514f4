/**
 * A frozen encoder in ONNX form: opens it, checks that it takes what it would be given, prepares images as it was trained on them, and
 * brings what it gives to one vector a sample. onnxruntime runs on one thread: the same bits on one kind of CPU, and parallelism comes
 * from the rows.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { InferenceSession } from "onnxruntime-node"
import { Stage, type Vectors, type Weights } from "outcrop"
import type { TableOf } from "../schemas/table.ts"
import { type Scale, scaleOf } from "./band-statistics.ts"
import { Channels, inWords, mixed } from "./channels.ts"
import { Bands, bandsOf, nameOf, planeNames } from "./bands.ts"
import type { Located, Pixels } from "./pixels.ts"
import type { Region } from "./resize.ts"
import { Stretch } from "./stretch.ts"
import { full, seen, type View } from "./view.ts"

const Side = Schema.Int.check(Schema.isGreaterThan(0))

/** Parameters that say how an encoder is fed and what of its output is the embedding. */
export const parameters = {
  size: Schema.optionalKey(Schema.Union([Side, Schema.Tuple([Side, Side])]).annotate({
    description: "input size in px, or [height, width]; default: the model's own, where it has one"
  })),
  resize: Stage.withDefault(Schema.Literals(["bilinear", "bicubic"]).annotate({ description: "resampling, antialiased as Pillow's" }), "bilinear"),
  fit: Stage.withDefault(
    Schema.Literals(["squash", "crop"]).annotate({ description: "squash: the whole window; crop: its largest central part of the input's shape" }),
    "squash"
  ),
  bands: Stage.withDefault(Bands, ["R", "G", "B"]),
  stretch: Stage.withDefault(Stretch, "none"),
  divisor: Stage.withDefault(
    Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "values are divided by it before mean and std: 255 where these are given for 0..1 (torchvision, timm)" }),
    1
  ),
  mean: Stage.withDefault(Schema.NonEmptyArray(Schema.Finite).annotate({ description: "subtracted, one a band or one for all" }), [0]),
  std: Stage.withDefault(
    Schema.NonEmptyArray(Schema.Finite.check(Schema.isGreaterThan(0))).annotate({ description: "divided by after the mean, one a band or one for all" }),
    [1]
  ),
  normalize: Stage.withDefault(
    Schema.Literals(["model", "dataset"]).annotate({
      description: "model: by \"divisor\", \"mean\" and \"std\"; dataset: by the mean and deviation of each band in the port \"statistics\" (ingest/band-statistics), as the files have them"
    }),
    "model"
  ),
  channels: Schema.optionalKey(Channels),
  output: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "name of the output; default: \"embedding\" where there is one, else the only one" })),
  pooling: Schema.optionalKey(Schema.Literals(["none", "cls", "mean"]).annotate({
    description: "of an output [batch, tokens, d]: the first token (cls), the mean of all tokens, or none (flattened); of [batch, c, h, w]: mean or none"
  })),
  batch: Stage.withDefault(Side.annotate({ description: "samples a call; with 1 no sample can show in another's vector" }), 1)
}
const Encoding = Schema.Struct(parameters)
export type Encoding = typeof Encoding.Type

/** A model with all that it and the parameters leave open settled; `lanes` is the number of images in a call. */
interface Model {
  /** The file, for messages. */
  readonly path: string
  readonly session: InferenceSession
  readonly input: string
  readonly output: string
  readonly lanes: number
  /** Bands that it takes; undefined: any number. */
  readonly channels: number | undefined
  readonly height: number
  readonly width: number
}

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))
const written = (shape: ReadonlyArray<number | string>): string => `[${shape.map((size) => typeof size === "number" ? size : size || "?").join(", ")}]`

/** Sessions by the digest of their model, for the life of the worker: opening one takes longer than embedding a few images. */
const sessions = new Map<string, InferenceSession>()

const open = Effect.fn("encoder.open")(function*(path: string) {
  const files = yield* Stage.Files
  const digest = yield* files.digest(path)
  const known = sessions.get(digest)
  if (known !== undefined) return known
  const bytes = yield* files.read(path, digest)
  const session = yield* Effect.tryPromise({
    try: async () => {
      const { InferenceSession } = await import("onnxruntime-node")
      return await InferenceSession.create(bytes, {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
        // else weights kept in a second file are looked for in the folder that the process runs in, where no key sees them
        extra: { session: { model_external_initializers_file_folder_path: "/not-part-of-the-model" } }
      })
    },
    catch: (cause) => {
      const said = cause instanceof Error ? cause.message : String(cause)
      return new Stage.StageError({
        message: said.includes("External data")
          ? `${path} keeps its weights in a second file, which no digest covers; export it as one file: torch.onnx.export(..., external_data=False)`
          : `${path} does not load as an ONNX model: ${said}`
      })
    }
  })
  sessions.set(digest, session)
  return session
})

/** How many bands are given; undefined: as many as a picture has, which is known when the first one is read. */
const countOf = ({ bands }: Encoding): number | undefined => bands.includes("image") ? undefined : bands.length

/** Checks that the model takes what the parameters give, and settles what they leave open. */
const settle = (session: InferenceSession, path: string, p: Encoding): Effect.Effect<Model, Stage.StageError> => {
  const [input, ...others] = session.inputMetadata
  if (input === undefined || others.length > 0) return fail(`${path} has ${session.inputNames.length} inputs (${session.inputNames.join(", ")}) where one image is expected`)
  if (!input.isTensor || input.type !== "float32") return fail(`input "${input.name}" of ${path} is ${input.isTensor ? input.type : "no tensor"} where float32 is expected`)
  if (input.shape.length !== 4) return fail(`input "${input.name}" of ${path} takes ${written(input.shape)} where images are [batch, bands, height, width]`)
  const [batch, bands, height, width] = input.shape
  const [askedHeight, askedWidth] = p.size === undefined ? [height, width] : typeof p.size === "number" ? [p.size, p.size] : p.size
  if (typeof askedHeight !== "number" || typeof askedWidth !== "number" || askedHeight < 1 || askedWidth < 1) {
    return fail(`input "${input.name}" of ${path} takes ${written(input.shape)}, any size; give one in "size"`)
  }
  const wanted = (size: number | string | undefined): number | undefined => typeof size === "number" && size > 0 ? size : undefined
  const lanes = wanted(batch) ?? p.batch, channels = wanted(bands)
  const given = [lanes, p.bands.length, askedHeight, askedWidth]
  const clashes = (size: number | string | undefined, other: number) => wanted(size) !== undefined && size !== other
  const unfit = p.channels === undefined && countOf(p) !== undefined && clashes(bands, p.bands.length)
  if (unfit || clashes(height, askedHeight) || clashes(width, askedWidth)) {
    const way = unfit ? `; "channels: repeat" or "channels: average" brings ${p.bands.length} band${p.bands.length === 1 ? "" : "s"} to ${channels} channels` : ""
    return fail(`input "${input.name}" of ${path} takes ${written(input.shape)} (batch, bands, height, width), and ${written(given)} was to be given: bands ${p.bands.map(nameOf).join(", ")}${way}`)
  }
  const { outputNames } = session
  const output = p.output ?? (outputNames.includes("embedding") ? "embedding" : outputNames[0]!)
  if (!outputNames.includes(output)) return fail(`${path} has no output "${output}"; it has ${outputNames.join(", ")}`)
  if (p.output === undefined && outputNames.length > 1 && output !== "embedding") return fail(`${path} has several outputs; choose one in "output": ${outputNames.join(", ")}`)
  return Effect.succeed({ path, session, input: input.name, output, lanes, channels, height: askedHeight, width: askedWidth })
}

/** The largest central part of an image that has the shape of the input. */
const centre = (image: Pixels, { height, width }: Model): Region => {
  const scale = Math.min(image.width / width, image.height / height)
  const left = (image.width - width * scale) / 2, top = (image.height - height * scale) / 2
  return [left, top, image.width - left, image.height - top]
}

/** The statistics of a data set, as ingest/band-statistics gives them. */
type Statistics = TableOf<typeof Weights.columns>

/** What is subtracted from each band and what it is divided by: the encoder's own, or the data set's. */
const scaleFor = Effect.fnUntraced(function*(bands: number, p: Encoding, statistics: Statistics | undefined): Effect.fn.Return<Scale, Stage.StageError> {
  if (p.normalize === "model") {
    for (const [name, { length }] of [["mean", p.mean], ["std", p.std]] as const) {
      if (length !== 1 && length !== bands) return yield* fail(`"${name}" has ${length} values where there are ${bands} bands; give one a band, or one for all`)
    }
    return { mean: p.mean, std: p.std }
  }
  if (statistics === undefined) return yield* fail(`"normalize: dataset" needs the port "statistics": bind a stage that uses ingest/band-statistics, of the same bands`)
  // statistics are of the values of the files
  if (p.stretch !== "none") return yield* fail(`"normalize: dataset" takes values as the files have them, and "stretch" changes them; give one of the two`)
  if (p.divisor !== 1 || p.mean.some((value) => value !== 0) || p.std.some((value) => value !== 1)) {
    return yield* fail(`"normalize: dataset" takes mean and deviation from the statistics; leave out "divisor", "mean" and "std"`)
  }
  const names = planeNames(p.bands, bands)
  return names === undefined ? yield* fail(`${p.bands.length} entries of "bands" are ${bands} bands; name the bands of a picture one by one, for statistics are found by name`) : yield* scaleOf(statistics, names)
})

/**
 * A view of an image as the model takes it: cropped, resized, changed as the view says, then (value / divisor - mean) / std, and where
 * asked, brought to the model's number of channels.
 */
const prepare = Effect.fnUntraced(function*(image: Pixels, view: View, samples: Located, row: number, model: Model, p: Encoding, statistics: Statistics | undefined) {
  const scale = yield* scaleFor(image.bands, p, statistics)
  const values = yield* seen(view, samples, row, image, model, {
    filter: p.resize,
    ...(p.fit === "crop" ? { region: centre(image, model) } : {}),
    ...(image.bytes ? { clip: [0, 255] } : {})
  })
  const { divisor } = p, pixels = model.height * model.width
  for (let b = 0; b < image.bands; b++) {
    const mean = scale.mean[b] ?? scale.mean[0]!, std = scale.std[b] ?? scale.std[0]!
    for (let i = b * pixels; i < (b + 1) * pixels; i++) values[i] = (values[i]! / divisor - mean) / std
  }
  const { channels = image.bands } = model
  return p.channels === undefined || channels === image.bands ? values : mixed(values, image.bands, channels, p.channels)
})

/** Says in a notice what the parameter `channels` does with the model at `path`. Fails as `encode` does. */
export const tellChannels = Effect.fn("tellChannels")(function*(path: string, p: Encoding) {
  if (p.channels === undefined) return
  const { channels } = yield* settle(yield* open(path), path, p)
  yield* Stage.notice(channels === undefined ? `channels: ${p.channels} changes nothing: ${path} takes any number of bands` : inWords(countOf(p), channels, p.channels))
})

/** Brings an output to one vector a lane. */
const pool = (values: Float32Array, shape: ReadonlyArray<number>, { path }: Model, { pooling }: Encoding): Effect.Effect<Float32Array, Stage.StageError> => {
  const lanes = shape[0]!
  const length = values.length / lanes
  if (shape.length === 2 || (pooling === "none" && shape.length > 2)) {
    return pooling === undefined || pooling === "none" ? Effect.succeed(values) : fail(`the output of ${path} is ${written(shape)}: one vector a sample, which leaves nothing to pool; leave out "pooling: ${pooling}"`)
  }
  if (shape.length !== 3 && shape.length !== 4) return fail(`the output of ${path} is ${written(shape)}, which is neither vectors, tokens nor maps`)
  if (pooling === undefined) return fail(`the output of ${path} is ${written(shape)}; choose "pooling": ${shape.length === 3 ? "cls, mean or none" : "mean or none"}`)
  if (shape.length === 3) {
    const tokens = shape[1]!, width = shape[2]!
    const used = pooling === "cls" ? 1 : tokens
    return Effect.succeed(Float32Array.from({ length: lanes * width }, (_, i) => {
      const from = Math.floor(i / width) * length + i % width
      let sum = 0
      for (let t = 0; t < used; t++) sum += values[from + t * width]!
      return sum / used
    }))
  }
  if (pooling === "cls") return fail(`the output of ${path} is ${written(shape)}: maps have no class token; choose "pooling": mean or none`)
  const maps = shape[1]!, area = shape[2]! * shape[3]!
  return Effect.succeed(Float32Array.from({ length: lanes * maps }, (_, i) => {
    let sum = 0
    for (let at = i * area; at < (i + 1) * area; at++) sum += values[at]!
    return sum / area
  }))
}

/**
 * Embeds a view of samples with the model at `path`: one vector a row, in the order of the rows. Fails with a `StageError` that states both
 * shapes where the model does not take what it would be given. `statistics` are read where `normalize` is `dataset`, and found by the
 * names of the bands.
 */
export const encode = Effect.fn("encode")(function*(samples: Located, path: string, p: Encoding, view: View = full, statistics?: Statistics): Effect.fn.Return<Vectors, Stage.StageError | Stage.FileError, Stage.Files | Stage.Report> {
  const model = yield* settle(yield* open(path), path, p)
  const { height, lanes, session, width } = model
  const { Tensor } = yield* Effect.promise(() => import("onnxruntime-node"))
  let vectors = { width: 0, values: new Float32Array() }
  const ready = Stream.mapEffect(bandsOf(samples, p), ({ pixels, row }) =>
    Effect.map(prepare(pixels, view, samples, row, model, p, statistics), (image) => ({ row, image })))
  yield* Stream.runForEach(Stream.grouped(ready, lanes), Effect.fnUntraced(function*(group) {
    const { image: { length } } = group[0], shape = [lanes, length / (height * width), height, width]
    // always as many lanes as the model was planned for, the last ones of a short group empty
    const images = new Float32Array(lanes * length)
    for (const [lane, { image }] of group.entries()) images.set(image, lane * length)
    const results = yield* Effect.tryPromise({
      try: () => session.run({ [model.input]: new Tensor("float32", images, shape) }, [model.output]),
      catch: (cause) => new Stage.StageError({
        message: `${path} could not run on ${written(shape)}: ${cause instanceof Error ? cause.message : String(cause)}`
      })
    })
    const { data, dims } = results[model.output]!
    if (!(data instanceof Float32Array) || dims[0] !== lanes) {
      return yield* fail(`output "${model.output}" of ${path} is ${results[model.output]!.type} ${written(dims)} where float32 [${lanes}, ...] is expected`)
    }
    const pooled = yield* pool(data, dims, model, p)
    const each = pooled.length / lanes
    if (vectors.width === 0) vectors = { width: each, values: new Float32Array(samples.rows * each) }
    for (const [lane, { row }] of group.entries()) vectors.values.set(pooled.subarray(lane * each, (lane + 1) * each), row * each)
  }))
  return vectors
})
