/** What the training tests share: runs a stage as the engine does, on tables made from plain arrays. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Annotations, Embeddings, type OpenColumn, Pairs, Split, Stage, stream } from "outcrop"
import { type Columns, make, type TableInput, type TableSchema, view } from "../../../schemas/table.ts"

const services = (backend: string, notices: Array<string>) =>
  Layer.mergeAll(
    Layer.succeed(Stage.Backend, { name: backend }),
    Layer.succeed(Stage.Report, { notice: (text) => Effect.sync(() => void notices.push(text)), progress: () => Effect.void, timed: () => () => {} }),
    Layer.succeed(Stage.Files, {
      read: (path) => Effect.fail(new Stage.FileError({ path, message: "a training reads no files" })),
      open: (path) => Effect.fail(new Stage.FileError({ path, message: "a training reads no files" })),
      digest: (path) => Effect.fail(new Stage.FileError({ path, message: "a training reads no files" })),
      list: (path) => Effect.fail(new Stage.FileError({ path, message: "a training reads no files" })),
      exists: () => Effect.succeed(false),
      keep: () => Effect.fail(new Stage.FileError({ path: "", message: "a training keeps no files" }))
    })
  )
export const run = <A, E>(work: Effect.Effect<A, E, Stage.Services>, backend = "onnx", notices: Array<string> = []): Promise<A> => Effect.runPromise(Effect.provide(work, services(backend, notices)))

export interface Data {
  readonly width: number
  /** Row after row: sample by sample, and the views of each in their order. */
  readonly x: Float32Array
  /** Names of the views of every sample, in byte order; without: one, "full". */
  readonly views?: ReadonlyArray<string>
  /** Numbers of samples, and the weight of the pair. */
  readonly pairs?: ReadonlyArray<readonly [anchor: number, positive: number, weight: number]>
  /** Class names of the annotation columns. */
  readonly names?: Readonly<Record<string, ReadonlyArray<string>>>
  readonly annotations: Readonly<Record<string, OpenColumn>>
  readonly split?: ReadonlyArray<string>
}

const table = <C extends Columns>(schema: TableSchema<C>, given: TableInput<C>) => {
  const made = make(schema, given)
  return view(made, [...made.columns.keys()])
}
/** The tables a training needs; sample ids sort as the rows do. */
export const inputsOf = ({ annotations, names = {}, pairs, split, views = ["full"], width, x }: Data): Stage.ErasedInputs => {
  const id = (sample: number) => `s${String(sample).padStart(6, "0")}`, samples = Array.from({ length: x.length / width / views.length }, (_, i) => id(i))
  const metadata = Object.fromEntries(Object.entries(names).map(([column, classes]) => [column, JSON.stringify(classes)]))
  return {
    embeddings: table(Embeddings, { sample_id: samples.flatMap((sample) => views.map(() => sample)), view: samples.flatMap(() => views), embedding: { width, values: x } }),
    annotations: table(Annotations, { sample_id: samples, open: annotations, metadata }),
    split: split === undefined ? undefined : table(Split, { sample_id: samples, split: [...split] }),
    pairs: pairs === undefined ? undefined : table(Pairs, { anchor: pairs.map(([anchor]) => id(anchor)), positive: pairs.map(([, positive]) => id(positive)), weight: Float32Array.from(pairs, ([, , weight]) => weight) })
  }
}
export const parametersOf = (stage: Stage.Stage, given: Readonly<Record<string, unknown>>): unknown => Schema.decodeUnknownSync(stage.with)(given)

export interface Fitted {
  readonly weights: Readonly<Record<string, Float64Array>>
  readonly history: { readonly train_loss: Float64Array; readonly val_loss: Float64Array; readonly step: Int32Array; readonly epoch: Int32Array }
  readonly learned: Stage.ErasedOutputs
}

/** The engine that a stage runs on unless the user asks for another. */
const backendOf = (stage: Stage.Stage, given: Readonly<Record<string, unknown>>) => stage.backends(parametersOf(stage, given))[0]!

/** Fits several variants in one call. */
export const fitAll = async (stage: Stage.Stage, members: ReadonlyArray<{ readonly data: Data; readonly with: Readonly<Record<string, unknown>> }>, backend = backendOf(stage, members[0]!.with)): Promise<ReadonlyArray<Fitted>> => {
  const learned = await run(stage.siblings!.fit(members.map((member) => ({ inputs: inputsOf(member.data), parameters: parametersOf(stage, member.with) }))), backend)
  return learned.map((tables) => {
    const weights = tables["weights"] as unknown as { layer: ReadonlyArray<string>; values: ReadonlyArray<Float64Array> }
    return {
      weights: Object.fromEntries(weights.layer.map((layer, i) => [layer, weights.values[i]!])),
      history: tables["history"] as unknown as Fitted["history"],
      learned: tables
    }
  })
}
export const fit = async (stage: Stage.Stage, data: Data, given: Readonly<Record<string, unknown>>, backend = backendOf(stage, given)): Promise<Fitted> => (await fitAll(stage, [{ data, with: given }], backend))[0]!

/** The projected embeddings of all rows. */
export const apply = async (stage: Stage.Stage, { learned }: Fitted, data: Data, given: Readonly<Record<string, unknown>>, backend = backendOf(stage, given)): Promise<{ readonly width: number; readonly values: Float32Array }> => {
  const tables = await run(stage.apply!(learned, inputsOf(data), parametersOf(stage, given)), backend)
  return (tables["embeddings"] as unknown as { embedding: { width: number; values: Float32Array } }).embedding
}

/** Rows of three classes around centres of their own, with a second label set and a score; `fold` decides which rows validate. */
export const synthetic = (rows: number, width: number, { fold = 0, folds = 8, seed = 0 } = {}): Data => {
  const draw = stream(seed, "synthetic"), centres = Array.from({ length: 3 * width }, () => draw.normal())
  const ids = Int32Array.from({ length: rows }, (_, i) => i % 3)
  const x = Float32Array.from({ length: rows * width }, (_, i) => centres[ids[Math.floor(i / width)]! * width + i % width]! * 0.5 + draw.normal())
  return {
    width,
    x,
    annotations: { class: ids, box: Int32Array.from({ length: rows }, () => draw.integer(3)), score: Float32Array.from({ length: rows }, () => draw.uniform()) },
    split: Array.from({ length: rows }, (_, i) => i % folds === fold ? "val" : "train")
  }
}
