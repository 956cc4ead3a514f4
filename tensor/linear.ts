/**
 * Trains linear projections by triplet losses, all of it in WebAssembly: no graph, no native code. It uses only operations whose results
 * the WebAssembly standard fixes, so weights are the same to the bit on every CPU and with any Node, and a cached result may be shared
 * between machines. It is also the fastest way for such losses on CPUs.
 *
 * Variants go one after the other: the weights and moments of one stay in the second-level cache. Only rows with a label in some task are
 * multiplied.
 */
import * as Effect from "effect/Effect"
import { Stage } from "outcrop"
import { stream } from "../math/random.ts"
import type { Vectors } from "../schemas/column.ts"
import { epochBatches, validationChunks } from "./batches.ts"
import { initial } from "./head.ts"
import { linearMachine, type TripletLoss } from "./linear-machine.ts"
import { rateFactor } from "./schedule.ts"
import { Course, type Rows, type Trained, type Variant } from "./variant.ts"

/** The one parameter's name, as `head.ts` has it. */
const layer = "layer1.weight"

export interface LinearOptions {
  /** Name of the stage, for messages. */
  readonly name: string
  /** Width of the projection. */
  readonly out: number
  /** Rows of a batch. */
  readonly batch: number
  readonly progress: (done: number, total: number) => Effect.Effect<void>
}

/** A variant with the classes of its tasks numbered from 0 without gaps, in the order of their ids. */
const prepared = (name: string, variant: Variant, loss: TripletLoss, batch: number) => {
  const { columns, train, val } = variant
  const tasks = Object.keys(loss.tasks).map((task) => {
    const ids = columns[task]
    if (!(ids instanceof Int32Array)) throw new Stage.StageError({ message: `${name}: the annotation column ${task} holds no class ids (int32), so it makes no triplets` })
    const seen = new Set<number>()
    for (const part of [train, val]) for (const row of part) if (ids[row]! >= 0) seen.add(ids[row]!)
    return { task, numbers: new Map([...seen].toSorted((a, b) => a - b).map((id, i) => [id, i])) }
  })
  return { variant, loss, tasks, batch: Math.min(batch, train.length), chunks: validationChunks(val, batch, true, variant.seed) }
}
type Prepared = ReturnType<typeof prepared>

/** Trains one variant on a machine; `epoch` runs the next epoch. */
const training = (machine: ReturnType<typeof linearMachine>, { batch, chunks, loss, tasks, variant }: Prepared, { name, out }: LinearOptions) => {
  const { absent, columns, embeddings, epochs, optimiser, momentum, queries, rate, schedule, seed, select, train, val } = variant
  const rowOf = queries[0]!
  const course = new Course(variant), most = Math.max(batch, ...chunks.map(({ rows }) => rows.length))
  machine.begin(embeddings, initial([embeddings.width, out], stream(seed, "initial", layer)))
  // A batch as `select` sees it: its columns, row by row, and those that are only there to be written.
  const gathered = Object.entries(columns).map(([column, from]) => {
    const [values, size] = "width" in from ? [from.values, from.width] : [from, 1]
    return { column, values, size, here: values instanceof Int32Array ? new Int32Array(most * size) : new Float32Array(most * size) }
  })
  const working = Object.entries(absent).map(([column, value]) => ({ column, value, here: new Float32Array(most) }))
  const views = new Map<number, Rows>()
  const seen = (n: number): Rows => {
    const known = views.get(n)
    if (known !== undefined) return known
    const made = Object.fromEntries([...gathered.map(({ column, here, size }) => [column, here.subarray(0, n * size)] as const), ...working.map(({ column, here }) => [column, here.subarray(0, n)] as const)])
    views.set(n, made)
    return made
  }
  const idsOf = tasks.map(({ numbers, task }) => ({ task, numbers, here: gathered.find(({ column }) => column === task)!.here }))
  /** Puts rows into the machine's batch, those without a label in any task left out; gives how many there are. */
  const feed = (rows: Int32Array, chosen: () => void): number => {
    for (const { here, size, values } of gathered) {
      if (select === undefined && size > 1) continue
      for (let i = 0; i < rows.length; i++) for (let k = 0; k < size; k++) here[i * size + k] = values[rows[i]! * size + k]!
    }
    chosen()
    let n = 0
    for (let i = 0; i < rows.length; i++) {
      let takesPart = false
      for (const [t, { here, numbers, task }] of idsOf.entries()) {
        const id = here[i]!, number = id < 0 ? -1 : numbers.get(id)
        if (number === undefined) throw new Stage.StageError({ message: `${name}: selection gave a row the class ${id} of ${task}, which no training or validation row has; it may only take labels away (-1)` })
        machine.labels[t]![n] = number
        takesPart ||= number >= 0
      }
      if (takesPart) machine.put(n++, rowOf[rows[i]!]!)
    }
    return n
  }
  let steps = 0
  return {
    course,
    epoch: (epoch: number): void => {
      const batches = epochBatches(train, batch, true, seed, epoch)
      let trained = 0, validated = 0, last = 0
      for (const [step, rows] of batches.entries()) {
        const n = feed(rows, () => {
          for (const { here, value } of working) here.fill(value, 0, rows.length)
          select?.(seen(rows.length), () => stream(seed, "select", epoch, step))
        })
        last = machine.step(n, loss, { optimiser, rate: rate * rateFactor(schedule, epoch, epochs), momentum })
        trained += last
        if (++steps === 1 && !machine.finite()) return course.lose(1, trained)
      }
      for (const { rows } of chunks) validated += machine.evaluate(feed(rows, () => {}), loss) * rows.length
      // a loss above 0 is one of finite distances: only where there is none are all weights looked at
      const told = chunks.length > 0 ? validated : last
      if (!(told > 0 && told < Infinity) && !machine.finite()) return course.lose(steps, trained / batches.length)
      if (course.enter(steps, trained / batches.length, val.length === 0 ? Number.NaN : validated / val.length)) machine.keep()
    },
    result: (): Trained => ({ weights: { [layer]: machine.weights(course.kept ? "kept" : "now") }, history: course.history, blind: course.blind })
  }
}

/** Trains variants, each on its own rows of embeddings of one width and with its own loss; the results in their order. */
export const fitLinear = Effect.fnUntraced(function*<E>(variants: ReadonlyArray<{ readonly variant: Variant; readonly loss: TripletLoss }>, options: LinearOptions, failed: (cause: unknown) => E) {
  const { batch, name, out, progress } = options
  const attempt = <A>(work: () => A) => Effect.try({ try: work, catch: failed })
  const all = yield* attempt(() => variants.map(({ loss, variant }) => prepared(name, variant, loss, batch)))
  const machine = yield* attempt(() => linearMachine({
    width: variants[0]!.variant.embeddings.width,
    samples: Math.max(...variants.map(({ variant: { embeddings } }) => embeddings.values.length / embeddings.width)),
    out,
    rows: Math.max(...all.flatMap(({ batch, chunks }) => [batch, ...chunks.map(({ rows }) => rows.length)])),
    tasks: all[0]!.tasks.length,
    classes: Math.max(...all.flatMap(({ tasks }) => tasks.map(({ numbers }) => numbers.size))),
    repeated: true
  }))
  const total = variants.reduce((sum, { variant }) => sum + variant.epochs, 0), results: Array<Trained> = []
  let done = 0
  for (const one of all) {
    const { course, epoch, result } = yield* attempt(() => training(machine, one, options))
    for (let i = 1; !course.done; i++, done++) {
      yield* attempt(() => epoch(i))
      yield* progress(done + 1, total)
    }
    results.push(result())
  }
  return results
})

/** Rows that are projected at a time. */
const rowsAtOnce = 256

/** Projects all embeddings by weights [width, out], to [rows, out]; the same bits everywhere, as training. */
export const projectLinear = (embeddings: Vectors, weights: Float32Array, out: number): Float32Array => {
  const count = embeddings.values.length / embeddings.width, result = new Float32Array(count * out)
  const machine = linearMachine({ width: embeddings.width, samples: count, out, rows: rowsAtOnce, tasks: 0, classes: 0, repeated: false })
  machine.begin(embeddings, weights)
  for (let from = 0; from < count; from += rowsAtOnce) {
    const n = Math.min(rowsAtOnce, count - from)
    for (let i = 0; i < n; i++) machine.put(i, from + i)
    machine.project(n, result.subarray(from * out, (from + n) * out))
  }
  return result
}
