/**
 * A loss on top of a projection, as a program of one variant: what an engine compiles for a training step (loss and gradients) and for a
 * validation (loss alone).
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import { Stage } from "outcrop"
import { attempt } from "./fallback.ts"
import { type Head, project, shapes } from "./head.ts"
import type { Shapes } from "./optimiser.ts"
import type { Input, Program } from "./program.ts"
import type { Tf } from "./tfjs.ts"

/** What a loss is a function of. What it did not ask for is not there, and an error to read of `annotations` and `layers`. */
export interface Batch {
  /** Projections, [rows, out] float32. Rows that are not present are 0. */
  readonly z: tfjs.Tensor2D
  /** The annotation columns that the loss asked for: class ids [rows] int32 (-1: none, and on rows that are not present), scores [rows] float32, vectors [rows, width] float32. */
  readonly annotations: Readonly<Record<string, tfjs.Tensor>>
  /** 1 where a row is a sample, 0 where it pads a short batch; [rows] float32. */
  readonly present: tfjs.Tensor1D
  /** Projections of the positives, [rows, out] float32, on the unit sphere. Of the momentum copy of the head no gradient passes. */
  readonly keys: tfjs.Tensor2D
  /** The annotation columns of the samples that the positives are of. */
  readonly keyAnnotations: Readonly<Record<string, tfjs.Tensor>>
  /** Keys of batches before, [queue, out] float32, on the unit sphere. */
  readonly queue: tfjs.Tensor2D
  /** The loss's own layers, trained with the head. */
  readonly layers: Readonly<Record<string, tfjs.Tensor>>
}

export interface Objective {
  /** Name of the stage, for messages. */
  readonly name: string
  readonly head: Head
  /** The annotation columns by name: element type, and shape of one row. */
  readonly columns: Readonly<Record<string, Input>>
  /** Names of the numbers that each lane has its own value of. */
  readonly scalars: ReadonlyArray<string>
  /** Shapes of the loss's own layers. */
  readonly layers: Shapes
  /** What projects the positives: the head itself, or a copy that follows it; undefined: the loss has no positives of its own. */
  readonly keys: "head" | "target" | undefined
  /** Length of the queue of earlier keys; 0: none. */
  readonly queue: number
  readonly loss: (tf: Tf, batch: Batch, scalars: (name: string) => tfjs.Scalar) => tfjs.Scalar
}

/** Names of a program's inputs and outputs: parameters keep theirs, gradients and the rest are prefixed. */
export const names = {
  x: "x",
  /** The positives' embeddings, and their projections. */
  positives: "positives",
  keys: "keys",
  queue: "queue",
  present: "present",
  loss: "loss",
  column: (name: string) => `column ${name}`,
  keyColumn: (name: string) => `column of the positive ${name}`,
  scalar: (name: string) => `number ${name}`,
  gradient: (parameter: string) => `gradient ${parameter}`,
  target: (parameter: string) => `target ${parameter}`
}

/** All that is trained: the head and the loss's own layers. */
export const trained = ({ head, layers }: Pick<Objective, "head" | "layers">): Shapes => ({ ...shapes(head), ...layers })

/** What a loss asked for, by name; says so where it reads another. */
const askedFor = (name: string, what: string, given: Readonly<Record<string, tfjs.Tensor>>): Readonly<Record<string, tfjs.Tensor>> =>
  new Proxy(given, {
    get: (there, key) => {
      if (typeof key === "string" && !Object.hasOwn(there, key)) throw new Stage.StageError({ message: `the loss of ${name} reads "${key}" of \`${what}\`, but its \`${what}\` asks for ${Object.keys(there).join(", ") || "nothing"}: ask for it there, or read what is there` })
      return Reflect.get(there, key) as unknown
    }
  })

/** The one number that a loss has to give. */
const single = (tf: Tf, name: string, given: unknown): tfjs.Scalar => {
  if (!(given instanceof tf.Tensor)) throw new Stage.StageError({ message: `the loss of ${name} gives ${given === undefined ? "nothing" : `a ${typeof given}`}, it has to give a tensor of one number` })
  if (given.size !== 1) throw new Stage.StageError({ message: `the loss of ${name} has shape [${given.shape.join(", ")}], it has to be one number: take tf.mean of it` })
  return tf.reshape(given, [])
}

/** The program of an objective for batches of so many rows. */
export const programOf = (objective: Objective, rows: number, lanes: number, gradients: boolean): Program => {
  const { columns, head, keys, loss, name, queue, scalars } = objective
  const parameters = trained(objective), layers = Object.keys(parameters), unit: Head = { ...head, normalize: true }
  const input = (dtype: Input["dtype"], shape: ReadonlyArray<number>): Input => ({ dtype, shape })
  return {
    name,
    lanes,
    inputs: {
      [names.x]: input("float32", [rows, head.width]),
      [names.present]: input("float32", [rows]),
      ...Object.fromEntries(Object.entries(columns).map(([column, { dtype, shape }]) => [names.column(column), input(dtype, [rows, ...shape])])),
      ...Object.fromEntries(scalars.map((scalar) => [names.scalar(scalar), input("float32", [])])),
      ...Object.fromEntries(layers.map((layer) => [layer, input("float32", parameters[layer]!)])),
      ...(keys === undefined ? {} : {
        [names.positives]: input("float32", [rows, head.width]),
        ...Object.fromEntries(Object.entries(columns).map(([column, { dtype, shape }]) => [names.keyColumn(column), input(dtype, [rows, ...shape])]))
      }),
      ...(keys === "target" ? Object.fromEntries(Object.entries(shapes(head)).map(([layer, shape]) => [names.target(layer), input("float32", shape)])) : {}),
      ...(queue === 0 ? {} : { [names.queue]: input("float32", [queue, head.out]) })
    },
    body: (tf, inputs) => {
      const take = <T extends tfjs.Tensor>(key: string) => inputs[key] as T
      const columnsOf = (input: (column: string) => string) => askedFor(name, "annotations", Object.fromEntries(Object.keys(columns).map((column) => [column, take(input(column))])))
      const annotations = columnsOf(names.column), keyAnnotations = columnsOf(names.keyColumn)
      const copied = keys === "target" ? project(tf, unit, Object.fromEntries(Object.keys(shapes(head)).map((layer) => [layer, take(names.target(layer))])), take(names.positives)) : undefined
      const value = (...weights: ReadonlyArray<tfjs.Tensor>): tfjs.Scalar => {
        const own = Object.fromEntries(layers.map((layer, i) => [layer, weights[i]!]))
        const batch: Partial<Batch> = {
          z: project(tf, head, own, take(names.x)),
          annotations,
          present: take(names.present),
          layers: askedFor(name, "layers", own),
          ...(keys === undefined ? {} : { keys: copied ?? project(tf, unit, own, take(names.positives)), keyAnnotations }),
          ...(queue === 0 ? {} : { queue: take<tfjs.Tensor2D>(names.queue) })
        }
        return single(tf, name, attempt(`the loss of ${name} threw`, () => loss(tf, batch as Batch, (scalar) => take(names.scalar(scalar)))))
      }
      const weights = layers.map((layer) => take(layer))
      if (!gradients) return { [names.loss]: value(...weights) }
      const { grads, value: at } = attempt(`the loss of ${name} has no gradient`, () => tf.valueAndGrads(value)(weights))
      return {
        [names.loss]: at,
        ...Object.fromEntries(layers.map((layer, i) => [names.gradient(layer), grads[i]!])),
        ...(queue > 0 && copied !== undefined ? { [names.keys]: copied } : {})
      }
    }
  }
}
