/**
 * A loss on top of a projection, as a program of one variant: what an engine compiles for a training step (loss and gradients) and for a
 * validation (loss alone).
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import { type Head, project, shapes } from "./head.ts"
import type { Input, Program } from "./program.ts"
import type { Tf } from "./tfjs.ts"

/** What a loss is a function of. */
export interface Batch {
  /** Projections, [rows, out] float32. Rows that are not present are 0. */
  readonly z: tfjs.Tensor2D
  /** The annotation columns that the loss asked for: class ids [rows] int32 (-1: none, and on rows that are not present), scores [rows] float32, vectors [rows, width] float32. */
  readonly annotations: Readonly<Record<string, tfjs.Tensor>>
  /** 1 where a row is a sample, 0 where it pads a short batch; [rows] float32. */
  readonly present: tfjs.Tensor1D
}

export interface Objective {
  /** Name of the stage, for messages. */
  readonly name: string
  readonly head: Head
  /** The annotation columns by name: element type, and shape of one row. */
  readonly columns: Readonly<Record<string, Input>>
  /** Names of the numbers that each lane has its own value of. */
  readonly scalars: ReadonlyArray<string>
  readonly loss: (tf: Tf, batch: Batch, scalars: (name: string) => tfjs.Scalar) => tfjs.Scalar
}

/** Names of a program's inputs and outputs: parameters keep theirs, gradients and the rest are prefixed. */
export const names = {
  x: "x",
  present: "present",
  loss: "loss",
  column: (name: string) => `column ${name}`,
  scalar: (name: string) => `number ${name}`,
  gradient: (parameter: string) => `gradient ${parameter}`
}

/** The program of an objective for batches of so many rows. */
export const programOf = ({ columns, head, loss, name, scalars }: Objective, rows: number, lanes: number, gradients: boolean): Program => {
  const parameters = shapes(head), layers = Object.keys(parameters)
  const input = (dtype: Input["dtype"], shape: ReadonlyArray<number>): Input => ({ dtype, shape })
  return {
    name,
    lanes,
    inputs: {
      [names.x]: input("float32", [rows, head.width]),
      [names.present]: input("float32", [rows]),
      ...Object.fromEntries(Object.entries(columns).map(([column, { dtype, shape }]) => [names.column(column), input(dtype, [rows, ...shape])])),
      ...Object.fromEntries(scalars.map((scalar) => [names.scalar(scalar), input("float32", [])])),
      ...Object.fromEntries(layers.map((layer) => [layer, input("float32", parameters[layer]!)]))
    },
    body: (tf, inputs) => {
      const take = <T extends tfjs.Tensor>(key: string) => inputs[key] as T
      const annotations = Object.fromEntries(Object.keys(columns).map((column) => [column, take(names.column(column))]))
      const value = (...weights: ReadonlyArray<tfjs.Tensor>): tfjs.Scalar => {
        const z = project(tf, head, Object.fromEntries(layers.map((layer, i) => [layer, weights[i]!])), take(names.x))
        return loss(tf, { z, annotations, present: take(names.present) }, (scalar) => take(names.scalar(scalar)))
      }
      const weights = layers.map((layer) => take(layer))
      if (!gradients) return { [names.loss]: value(...weights) }
      const { grads, value: at } = tf.valueAndGrads(value)(weights)
      return { [names.loss]: at, ...Object.fromEntries(layers.map((layer, i) => [names.gradient(layer), grads[i]!])) }
    }
  }
}
