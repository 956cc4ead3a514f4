/**
 * A stage that trains a projection with a loss of one's own, out of a few lines of tfjs. The loss is written once, for one variant; it is
 * differentiated by tfjs, runs on either engine (see `program.ts`), and eight siblings (folds, seeds, cells that differ in numbers) train at once.
 * Triplet losses of a linear projection have a trainer of their own, `wasm` (see `linear.ts`), which is their default.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Embeddings, History, type OpenColumn, Pairs, Split, Stage, type Vectors, Weights } from "outcrop"
import type { Random } from "../math/random.ts"
import { withFallback } from "./fallback.ts"
import { type Head, project, shapes } from "./head.ts"
import { type Lifted, numbersOf, replaceNumbers } from "./lifted.ts"
import { fitLinear, projectLinear } from "./linear.ts"
import type { TripletLoss } from "./linear-machine.ts"
import { type Compile, fitLockstep, lanes } from "./lockstep.ts"
import { type Batch, type Objective, programOf, trained } from "./objective.ts"
import { onnxEngine } from "./onnx-engine.ts"
import { allFinite, type Shapes } from "./optimiser.ts"
import { type Compiled, type Engine, type Input, sizeOf } from "./program.ts"
import { type Defaults, type Settings, settings } from "./settings.ts"
import { folded } from "./standardization.ts"
import { type Asked, type PositiveSource, type Task, taskOf } from "./task.ts"
import type { Tf } from "./tfjs.ts"
import { tfjsEngine } from "./tfjs-engine.ts"
import type { Rows, Trained } from "./variant.ts"

export type { Batch, Lifted, PositiveSource, Rows, Tf }

/** A loss's own parameters as it gets them: numbers are scalars of the graph, except below the names in `S`. */
export type Seen<P, S> = { readonly [K in keyof P]: K extends S ? P[K] : Lifted<P[K]> }

/** What makes a training stage. `P` are its own parameters, `S` the names of those that stay numbers in the loss. */
export interface Specification<F extends Schema.Struct.Fields, P, S extends keyof P & string> {
  readonly name: `train/${string}`
  readonly version: number
  readonly summary: string
  readonly paper?: string
  /** Defaults of what every training takes, where the loss's paper has its own. */
  readonly defaults?: Defaults
  /** The loss's own parameters, beside those of every training (`out`, `rate`, `batch`, ...; see `settings.ts`). */
  readonly with: F
  /** Parameters whose numbers shape the graph (a count of neighbours, say): the loss gets them as numbers, and variants that differ in them do not share a graph. */
  readonly fixed?: ReadonlyArray<S>
  /** The annotation columns that the loss reads, by its parameters. Without it: none. */
  readonly annotations?: (parameters: P) => ReadonlyArray<string>
  /**
   * Those of them by whose class ids the loss tells positives from negatives: a training without a row that has both is refused. Without it: the
   * tasks of `triplets`.
   */
  readonly compared?: (parameters: P) => ReadonlyArray<string>
  /** Views that a sample is drawn from; without: its view "full", or the only one. */
  readonly query?: (parameters: P) => ReadonlyArray<string>
  /** The loss sees beside each anchor a positive (`Batch.keys`): another view of the sample, another sample that the port `pairs` names, or both. */
  readonly positives?: (parameters: P) => PositiveSource | undefined
  /** Shapes of the loss's own layers (`Batch.layers`), by name; the width of the projection and the number of classes of an annotation column are given. Names hold a dot. */
  readonly layers?: (parameters: P, sizes: { readonly out: number; readonly classes: (column: string) => number }) => Shapes
  /** The loss leaves out rows with `present` 0. Otherwise it is given whole batches only, and a short last one is dropped. */
  readonly masked?: boolean
  /** The loss does not change when all projections move together; see `Head.bias`. */
  readonly translationInvariant?: boolean
  /** The loss of a batch, one number. Every number among the parameters is a scalar of the graph; texts and booleans are themselves. */
  readonly loss: (tf: Tf, batch: Batch, parameters: Seen<P, S>) => ReturnType<Objective["loss"]>
  /** The same loss as a `TripletLoss`, where it is one: linear projections then train in WebAssembly, with bits that no machine changes. */
  readonly triplets?: (parameters: P) => TripletLoss | undefined
  /** Changes each training batch in place before the loss sees it; validation batches are taken whole. */
  readonly select?: (rows: Rows, parameters: P, random: () => Random) => void
  /** Columns [rows] float32 that only `select` writes, with the value they have where nothing is selected (in validation). */
  readonly working?: (parameters: P) => Readonly<Record<string, number>>
}

const engines: Readonly<Record<string, Engine>> = { onnx: withFallback(onnxEngine, tfjsEngine), tfjs: tfjsEngine }
/** Rows that are projected at a time. */
const rowsAtOnce = 256

const failed = (name: string) => (cause: unknown): Stage.StageError =>
  cause instanceof Stage.StageError ? cause : new Stage.StageError({ message: `${name}: ${cause instanceof Error ? cause.message : String(cause)}` })

/** When weights were lost, and what to do: a rate can be too high only once there was a step. */
const divergence = ({ epoch, step, train_loss }: { readonly [column in "epoch" | "step" | "train_loss"]: ArrayLike<number> }, layer: string, rate: number): string => {
  const last = epoch.length - 1
  if (step[last] !== 1) return `the training diverged in epoch ${epoch[last]} (${layer} is not finite); lower the rate, now ${rate}`
  if (!Number.isFinite(train_loss[last])) return "the loss is not finite at the first step, before anything was learned: look for a logarithm or a quotient of 0 in it, or an annotation that is not finite"
  return `the first step left ${layer} not finite, although the loss was finite: its gradient is not (as that of the square root of 0), or the rate, now ${rate}, is far too high`
}

const inputOf = (column: OpenColumn): Input => "width" in column ? { dtype: "float32", shape: [column.width] } : { dtype: column instanceof Int32Array ? "int32" : "float32", shape: [] }

/**
 * Declares a training stage: needs embeddings, the annotations that the loss asks for and, optionally, a split; learns the projection's
 * weights and a history; gives the projected embeddings of all rows. Without a split all rows train and none validate.
 */
export const make = <const F extends Schema.Struct.Fields, const S extends keyof Schema.Struct<F>["Type"] & string = never>(
  specification: Specification<F, Schema.Struct<F>["Type"], S>
): Stage.Stage => {
  type Own = Schema.Struct<F>["Type"]
  type Parameters = Settings & Own
  const { annotations: columnsRead = () => [], fixed = [], layers = () => ({}), loss, masked = false, name, positives = () => undefined, query: viewsSeen, select, translationInvariant = false, triplets = () => undefined, working = () => ({}) } = specification
  const { compared = (parameters) => Object.keys(triplets(parameters)?.tasks ?? {}) } = specification
  const common = settings(specification.defaults ?? {})
  const taken = Object.keys(specification.with).filter((key) => key in common)
  if (specification.triplets !== undefined && !masked) throw new Error(`${name}: a loss given as triplets too leaves out rows that are not present: say \`masked: true\``)
  if (taken.length > 0) throw new Error(`${name}: every training has a parameter ${taken.join(", ")}; give the loss's own another name`)

  const own = (parameters: Parameters): object => Object.fromEntries(Object.keys(specification.with).map((key) => [key, Reflect.get(parameters, key)]))
  const headOf = ({ hidden, normalize, out }: Parameters, width: number): Head => ({ width, hidden, out, normalize, bias: !(translationInvariant && !normalize) })
  const tripletLossOf = (parameters: Parameters) => parameters.hidden.length > 0 || parameters.normalize || parameters.decay > 0 ? undefined : triplets(parameters)
  const alike = (parameters: Parameters) => [parameters.out, parameters.hidden, parameters.normalize, parameters.batch, replaceNumbers(own(parameters), fixed, () => "number")]

  const compiled = new Map<string, Promise<Compiled>>()
  /** Compiles once in a worker's life; what failed is tried anew. */
  const cached = (key: unknown, make: () => Promise<Compiled>): Promise<Compiled> => {
    const text = JSON.stringify(key), known = compiled.get(text)
    if (known !== undefined) return known
    const made = make()
    compiled.set(text, made)
    made.catch(() => compiled.delete(text))
    return made
  }
  const backend = Effect.gen(function*() {
    const { name: engineName } = yield* Stage.Backend
    const engine = engines[engineName]
    if (engine === undefined) return yield* new Stage.StageError({ message: `${name}: there is no backend "${engineName}"; there are wasm, ${Object.keys(engines).join(", ")}` })
    return { engine, engineName }
  })
  const isWasm = Effect.map(Stage.Backend, (backend) => backend.name === "wasm")

  const asked = (parameters: Parameters): Asked => ({
    name,
    masked,
    columns: columnsRead(parameters),
    compared: compared(parameters),
    query: viewsSeen?.(parameters),
    positives: positives(parameters),
    layers: (classes) => layers(parameters, { out: parameters.out, classes }),
    absent: working(parameters),
    scalars: numbersOf(own(parameters), fixed),
    ...(select === undefined ? {} : { select: (rows, random) => select(rows, parameters, random) })
  })
  const objectiveOf = ({ layers, queue, variant: { absent, columns, embeddings, scalars } }: Task, parameters: Parameters): Objective => {
    const source = positives(parameters)
    return {
      name,
      head: headOf(parameters, embeddings.width),
      columns: {
        ...Object.fromEntries(Object.entries(columns).map(([column, values]) => [column, inputOf(values)])),
        ...Object.fromEntries(Object.keys(absent).map((column) => [column, { dtype: "float32", shape: [] } as const]))
      },
      scalars: Object.keys(scalars),
      layers,
      keys: source === undefined ? undefined : source.momentum === undefined ? "head" : "target",
      queue,
      loss: (tf, batch, scalar) => loss(tf, batch, replaceNumbers(own(parameters), fixed, scalar) as Seen<Own, S>)
    }
  }

  /** Trains variants of equal `alike` as graphs; those whose annotation columns are of other types, or have another number of classes, share none. */
  const fitGraphs = Effect.fnUntraced(function*(tasks: ReadonlyArray<Task>, parameters: Parameters) {
    const { engine, engineName } = yield* backend
    const { notice, progress, timed } = yield* Stage.Report
    const results: Array<Trained> = [], said = new Set<string>()
    for (const { queue, variant: { train } } of tasks) {
      if (queue !== (positives(parameters)?.queue ?? 0)) said.add(`where ${train.length} rows train, the batch of ${parameters.batch} is cut to them, and the queue holds ${queue} keys in place of ${positives(parameters)?.queue}: whole batches`)
    }
    const shapeOf = ({ columns, keys, layers, queue }: Objective) => [columns, layers, keys ?? null, queue]
    for (const indices of Map.groupBy(tasks.keys(), (i) => JSON.stringify(shapeOf(objectiveOf(tasks[i]!, parameters)))).values()) {
      const objective = objectiveOf(tasks[indices[0]!]!, parameters)
      // The step is compiled first: where it had to go to TensorFlow, the validation goes there too.
      let fallen = false
      const compile: Compile = async (rows, gradients) => {
        const chosen = fallen ? tfjsEngine : engine
        const made = await cached([engineName, fallen, alike(parameters), objective.head, shapeOf(objective), rows, gradients], async () => {
          const done = timed(), program = await chosen.compile(programOf(objective, rows, lanes, gradients))
          done(`compiling ${gradients ? "loss and gradient" : "the loss"} of ${rows} rows, ${lanes} variants at a time${program.nodes === undefined ? "" : `, to ${program.nodes} nodes`}`)
          return program
        })
        if (made.notice !== undefined) {
          fallen = true
          said.add(made.notice)
        }
        return made
      }
      const fitted = yield* fitLockstep(indices.map((i) => tasks[i]!.variant), { objective, compile, batch: parameters.batch, masked, progress }, failed(name))
      for (const [k, i] of indices.entries()) results[i] = fitted[k]!
    }
    yield* Effect.forEach(said, notice)
    return results
  })

  return Stage.make({
    name,
    version: specification.version,
    summary: specification.summary,
    ...(specification.paper === undefined ? {} : { paper: specification.paper }),
    with: Schema.Struct<Schema.Struct.Fields>({ ...common, ...specification.with }),
    needs: {
      embeddings: Stage.needs(Embeddings),
      annotations: Stage.when(Stage.withOpen(Stage.needs(Annotations), columnsRead), (parameters: Own) => columnsRead(parameters).length > 0),
      split: Stage.optional(Stage.needs(Split)),
      ...(specification.positives === undefined ? {} : { pairs: Stage.when(Stage.needs(Pairs), (parameters: Own) => positives(parameters)?.positives === "pairs") })
    },
    gives: { embeddings: Embeddings },
    learns: { weights: Weights, history: History },
    validates: true,
    backends: (parameters) => [...(tripletLossOf(parameters as Parameters) === undefined ? [] : ["wasm"]), ...Object.keys(engines)],
    siblings: {
      most: lanes,
      alike: (parameters) => alike(parameters as Parameters),
      same: ["embeddings"],
      fit: Effect.fn(`${name}.fit`)(function*(members) {
        const { notice, progress } = yield* Stage.Report
        const tasks = yield* Effect.try({
          try: () => members.map(({ inputs, parameters }) => taskOf(inputs, asked(parameters as Parameters), parameters as Parameters)),
          catch: failed(name)
        })
        const first = tasks[0], parameters = members[0]?.parameters as Parameters | undefined
        if (first === undefined || parameters === undefined) return []
        const results = (yield* isWasm)
          ? yield* fitLinear(tasks.map(({ variant }, i) => ({ variant, loss: tripletLossOf(members[i]!.parameters as Parameters)! })), { name, out: parameters.out, batch: parameters.batch, progress }, failed(name))
          : yield* fitGraphs(tasks, parameters)
        const blind = results.filter((result) => result.blind).length
        if (blind > 0) yield* notice(`${results.length > 1 ? `${blind} of ${results.length} trainings: ` : ""}the validation loss is 0 from the first epoch on, as no validation row has part in the loss (a class or label that it asks for, a second row): the last weights are given`)
        return results.map(({ history, weights: trainedWeights }, i) => {
          const { scaling } = tasks[i]!, weights = scaling === undefined ? trainedWeights : folded(trainedWeights, scaling)
          const layout = Object.entries(trained({ head: headOf(parameters, first.variant.embeddings.width), layers: tasks[i]!.layers }))
          return {
            weights: {
              layer: layout.map(([layer]) => layer),
              shape: layout.map(([, shape]) => Float64Array.from(shape)),
              values: layout.map(([layer]) => Float64Array.from(weights[layer]!))
            },
            history: {
              epoch: Int32Array.from(history, (_, i) => i + 1),
              step: Int32Array.from(history, ({ step }) => step),
              train_loss: Float64Array.from(history, ({ trainLoss }) => trainLoss),
              val_loss: Float64Array.from(history, ({ valLoss }) => valLoss)
            }
          }
        })
      })
    },
    apply: Effect.fn(`${name}.apply`)(function*({ history, weights }, { embeddings }, parameters) {
      const { embedding, rows, sample_id, view } = embeddings
      const head = headOf(parameters as Parameters, embedding.width)
      const learned = Object.fromEntries(weights.layer.map((layer, i) => [layer, Float32Array.from(weights.values[i]!)]))
      const lost = Object.keys(learned).find((layer) => !allFinite(learned[layer]!))
      if (lost !== undefined) return yield* new Stage.StageError({ message: `${name}: ${divergence(history, lost, (parameters as Parameters).rate)}` })
      for (const [layer, shape] of Object.entries(shapes(head))) {
        if (learned[layer]?.length !== sizeOf(shape)) {
          return yield* new Stage.StageError({ message: `${name}: the weights have ${learned[layer]?.length ?? "no"} values for ${layer}, where embeddings of width ${head.width} need ${sizeOf(shape)}` })
        }
      }
      const values = (yield* isWasm)
        ? yield* Effect.try({ try: () => projectLinear(embedding, learned["layer1.weight"]!, head.out), catch: failed(name) })
        : yield* Effect.flatMap(backend, ({ engine, engineName }) => Effect.tryPromise({ try: () => projectAll(engine, engineName, head, learned, embedding, rows), catch: failed(name) }))
      return { embeddings: { sample_id, view, embedding: { width: head.out, values } } }
    })
  })

  async function projectAll(engine: Engine, engineName: string, head: Head, weights: Readonly<Record<string, Float32Array>>, { values, width }: Vectors, rows: number): Promise<Float32Array> {
    const parameters = shapes(head)
    const program = await cached([engineName, "project", head], () => engine.compile({
      name,
      lanes: 1,
      inputs: { x: { dtype: "float32", shape: [rowsAtOnce, width] }, ...Object.fromEntries(Object.entries(parameters).map(([layer, shape]) => [layer, { dtype: "float32" as const, shape }])) },
      body: (tf, inputs) => ({ z: project(tf, head, inputs, inputs["x"]!) })
    }))
    const x = new Float32Array(rowsAtOnce * width), z = new Float32Array(rowsAtOnce * head.out), out = new Float32Array(rows * head.out)
    const run = program.bind({ x, z, ...weights })
    for (let from = 0; from < rows; from += rowsAtOnce) {
      const to = Math.min(rows, from + rowsAtOnce)
      x.set(values.subarray(from * width, to * width))
      await run([0])
      out.set(z.subarray(0, (to - from) * head.out), from * head.out)
    }
    return out
  }
}
