/**
 * Trains several variants in lockstep: one lane each, every step of all lanes in one run of one graph. A lane whose epoch has fewer batches
 * sits out, one that has stopped stays as it is. Nothing of a lane depends on the others: the graph always has all lanes (idle ones are
 * zeros), shapes follow from the lane's own rows, and lanes never mix in it.
 */
import * as Effect from "effect/Effect"
import { type Random, stream } from "../math/random.ts"
import { batchRows, type Chunk, epochBatches, validationChunks } from "./batches.ts"
import { drawRows } from "./drawing.ts"
import { initial, shapes } from "./head.ts"
import { names, type Objective, trained } from "./objective.ts"
import { allocate } from "./optimiser.ts"
import { type Compiled, type Run, sizeOf } from "./program.ts"
import { rateFactor } from "./schedule.ts"
import { makeQueue, makeTarget } from "./target.ts"
import { Course, type Rows, type Trained, type Variant } from "./variant.ts"

/** Variants that one graph runs. */
export const lanes = 8

/** Compiles an objective for batches of so many rows. */
export type Compile = (rows: number, gradients: boolean) => Promise<Compiled>

export interface FitOptions {
  readonly objective: Objective
  readonly compile: Compile
  /** Batch size asked for. */
  readonly batch: number
  /** The loss leaves out rows that are not present. */
  readonly masked: boolean
  readonly progress: (done: number, total: number) => Effect.Effect<void>
}

/** The buffers of one compiled program: fed lane by lane, run for all. */
const frame = (objective: Objective, rows: number, shared: Readonly<Record<string, Float32Array | Int32Array>>, compiled: Compiled) => {
  const { width } = objective.head
  const x = new Float32Array(lanes * rows * width), present = new Float32Array(lanes * rows), loss = new Float32Array(lanes)
  const positives = objective.keys === undefined ? undefined : new Float32Array(lanes * rows * width)
  const columnsAs = (inputOf: (name: string) => string) => Object.entries(objective.columns).map(([name, { dtype, shape }]) => {
    const size = sizeOf(shape), length = lanes * rows * size
    return { name, input: inputOf(name), size, values: dtype === "int32" ? new Int32Array(length) : new Float32Array(length) }
  })
  const columns = columnsAs(names.column), keyColumns = positives === undefined ? [] : columnsAs(names.keyColumn)
  const run: Run = compiled.bind({
    ...shared,
    [names.x]: x,
    [names.present]: present,
    [names.loss]: loss,
    ...(positives === undefined ? {} : { [names.positives]: positives }),
    ...Object.fromEntries([...columns, ...keyColumns].map(({ input, values }) => [input, values]))
  })
  const held = Array<Int32Array | undefined>(lanes).fill(undefined)
  /** Puts the columns of some samples where a lane begins; gives them by name. */
  const putColumns = (into: typeof columns, { absent, columns: given }: Variant, chosen: Int32Array, at: number): Rows => {
    const n = chosen.length, here: Record<string, Int32Array | Float32Array> = {}
    for (const { name, size, values } of into) {
      const from = given[name], own = values.subarray(at * size, (at + rows) * size)
      const source = from === undefined ? undefined : "width" in from ? from.values : from
      if (source === undefined) own.fill(absent[name] ?? 0, 0, n * size)
      else for (let i = 0; i < n; i++) for (let k = 0; k < size; k++) own[i * size + k] = source[chosen[i]! * size + k]!
      own.fill(values instanceof Int32Array ? -1 : 0, n * size)
      here[name] = own.subarray(0, n * size)
    }
    return here
  }
  return {
    loss,
    run,
    /** Puts these samples of a variant into a lane; returns their columns as `select` gets them. */
    feed: (lane: number, variant: Variant, chosen: Int32Array, random: () => Random): Rows => {
      const { embeddings } = variant, drawn = drawRows(variant, chosen, random)
      const n = chosen.length, at = lane * rows
      const put = (into: Float32Array, from: Int32Array) => {
        for (let i = 0; i < n; i++) into.set(embeddings.values.subarray(from[i]! * width, (from[i]! + 1) * width), (at + i) * width)
        into.fill(0, (at + n) * width, (at + rows) * width)
      }
      put(x, drawn.anchors)
      if (positives !== undefined) put(positives, drawn.positives)
      present.fill(1, at, at + n).fill(0, at + n, at + rows)
      const here = putColumns(columns, variant, chosen, at)
      putColumns(keyColumns, variant, drawn.samples, at)
      held[lane] = undefined
      return here
    },
    holds: (lane: number, chosen: Int32Array) => held[lane] === chosen,
    hold: (lane: number, chosen: Int32Array) => {
      held[lane] = chosen
    }
  }
}
type Frame = ReturnType<typeof frame>

/** A stream that is begun when it is first drawn from, and goes on from there. */
const once = (begin: () => Random): () => Random => {
  let random: Random | undefined
  return () => random ??= begin()
}

/** Trains up to `lanes` variants that have training batches of one size. */
const fitAlike = async (variants: ReadonlyArray<Variant>, size: number, { batch, compile, masked, objective }: FitOptions) => {
  const { head, queue: queued } = objective, parameters = trained(objective)
  const memory = allocate(parameters, lanes)
  const target = objective.keys === "target" ? makeTarget(shapes(head), memory.weights, lanes) : undefined
  const queue = queued > 0 ? makeQueue(queued, head.out, lanes) : undefined
  const keys = new Float32Array(queue === undefined ? 0 : lanes * size * head.out), keysOf = (lane: number) => keys.subarray(lane * size * head.out, (lane + 1) * size * head.out)
  const scalars = Object.fromEntries(objective.scalars.map((name) => [name, new Float32Array(lanes)]))
  const shared = {
    ...memory.weights,
    ...Object.fromEntries(Object.entries(scalars).map(([name, values]) => [names.scalar(name), values])),
    ...Object.fromEntries(Object.entries(target?.weights ?? {}).map(([name, values]) => [names.target(name), values])),
    ...(queue === undefined ? {} : { [names.queue]: queue.values })
  }
  const gradients = Object.fromEntries(Object.entries(memory.gradients).map(([name, values]) => [names.gradient(name), values]))
  const training = frame(objective, size, { ...shared, ...gradients, ...(queue === undefined ? {} : { [names.keys]: keys }) }, await compile(size, true))
  const runs = variants.map((variant, lane) => {
    for (const [name, values] of Object.entries(scalars)) values[lane] = variant.scalars[name]!
    for (const [name, shape] of Object.entries(parameters)) {
      memory.weights[name]!.set(initial(shape, stream(variant.seed, "initial", name)), lane * sizeOf(shape))
    }
    target?.begin(lane)
    queue?.begin(lane, stream(variant.seed, "queue"))
    return { variant, lane, chunks: validationChunks(variant.val, batch, masked, variant.seed), course: new Course(variant), steps: 0 }
  })
  const validation = new Map<number, Frame>()
  for (const rows of new Set(runs.flatMap(({ chunks }) => chunks.map((chunk) => chunk.size)))) {
    validation.set(rows, frame(objective, rows, shared, await compile(rows, false)))
  }

  const train = async (epoch: number): Promise<ReadonlyArray<number>> => {
    const sums = runs.map(() => 0)
    const plans = runs.map(({ course, variant }) => course.done ? [] : epochBatches(variant.train, size, masked, variant.seed, epoch))
    for (let step = 0; step < Math.max(...plans.map((plan) => plan.length)); step++) {
      const active = runs.filter(({ course, lane }) => !course.done && plans[lane]![step] !== undefined)
      if (active.length === 0) break
      for (const { lane, variant } of active) {
        const rows = training.feed(lane, variant, plans[lane]![step]!, once(() => stream(variant.seed, "views", epoch, step)))
        variant.select?.(rows, () => stream(variant.seed, "select", epoch, step))
      }
      await training.run(active.map(({ lane }) => lane))
      for (const run of active) {
        sums[run.lane]! += training.loss[run.lane]!
        run.steps++
        const { decay, epochs, keyMomentum, momentum, optimiser, rate, schedule } = run.variant
        memory.step(run.lane, { optimiser, rate: rate * rateFactor(schedule, epoch, epochs), momentum, decay, count: run.steps })
        // after the loss has seen the queue as it was, and the copy as it was
        target?.follow(run.lane, keyMomentum)
        queue?.enqueue(run.lane, keysOf(run.lane))
        if (run.steps === 1 && !memory.finite(run.lane)) run.course.lose(1, training.loss[run.lane]!)
      }
    }
    return sums.map((sum, lane) => sum / plans[lane]!.length)
  }
  const validate = async (): Promise<ReadonlyArray<number>> => {
    const sums = runs.map(() => 0)
    for (let i = 0; i < Math.max(...runs.map(({ chunks }) => chunks.length)); i++) {
      const active = runs.filter(({ chunks, course }) => !course.done && i < chunks.length)
      for (const [rows, here] of Map.groupBy(active, ({ chunks }) => chunks[i]!.size)) {
        const { feed, hold, holds, loss, run } = validation.get(rows)!
        for (const { chunks, lane, variant } of here) {
          const chunk: Chunk = chunks[i]!
          if (holds(lane, chunk.rows)) continue
          feed(lane, variant, chunk.rows, once(() => stream(variant.seed, "validation views", i)))
          hold(lane, chunk.rows)
        }
        await run(here.map(({ lane }) => lane))
        for (const { chunks, lane } of here) sums[lane]! += loss[lane]! * chunks[i]!.rows.length
      }
    }
    return sums.map((sum, lane) => runs[lane]!.variant.val.length === 0 ? NaN : sum / runs[lane]!.variant.val.length)
  }
  return {
    running: () => runs.some(({ course }) => !course.done),
    epoch: async (epoch: number): Promise<void> => {
      const trainLoss = await train(epoch), valLoss = await validate()
      for (const { course, lane, steps } of runs.filter(({ course }) => !course.done)) {
        // before the queue holds keys only, its random directions make the contrast easy: no such epoch is the best
        if (!memory.finite(lane)) course.lose(steps, trainLoss[lane]!)
        else if (course.enter(steps, trainLoss[lane]!, valLoss[lane]!, steps * size >= queued)) memory.keep(lane)
      }
    },
    result: (): ReadonlyArray<Trained> => runs.map(({ course: { blind, history, kept }, lane }) => ({ weights: memory.copy(lane, kept ? "kept" : "now"), history, blind }))
  }
}

/** Trains variants of one objective, whose graph they share; the results in their order. */
export const fitLockstep = Effect.fnUntraced(function*<E>(variants: ReadonlyArray<Variant>, options: FitOptions, failed: (cause: unknown) => E) {
  const results = Array<Trained | undefined>(variants.length).fill(undefined)
  const total = variants.reduce((most, { epochs }) => Math.max(most, epochs), 0)
  const attempt = <A>(work: () => Promise<A>) => Effect.tryPromise({ try: work, catch: failed })
  const sizes = Map.groupBy(variants.keys(), (i) => batchRows(options.batch, variants[i]!.train.length, options.masked))
  for (const [size, all] of sizes) {
    for (let from = 0; from < all.length; from += lanes) {
      const group = all.slice(from, from + lanes)
      const training = yield* attempt(() => fitAlike(group.map((i) => variants[i]!), size, options))
      for (let epoch = 1; training.running(); epoch++) {
        yield* attempt(() => training.epoch(epoch))
        yield* options.progress(epoch, total)
      }
      for (const [k, trained] of training.result().entries()) results[group[k]!] = trained
    }
  }
  return results.map((trained) => trained!)
})
