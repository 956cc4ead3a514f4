/**
 * What the engines run: a tfjs program of one variant, for a number of lanes. Two engines keep one contract, so that a loss written once
 * trains on either and gives the same weights within rounding: `onnx` (traced, all lanes in one graph; the default on CPU) and `tfjs`
 * (eager, lane by lane, on the native TensorFlow binding with or without CUDA).
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import type { Tf } from "./tfjs.ts"

/** An input of one lane. */
export interface Input {
  readonly dtype: "float32" | "int32"
  readonly shape: ReadonlyArray<number>
}
export interface Program {
  /** Whose program it is, for messages: the name of the stage. */
  readonly name: string
  readonly lanes: number
  readonly inputs: Readonly<Record<string, Input>>
  /** From the inputs of one lane to its outputs. */
  readonly body: (tf: Tf, inputs: Readonly<Record<string, tfjs.Tensor>>) => Readonly<Record<string, tfjs.Tensor>>
}

/** Where the inputs of all lanes are read and their outputs written: `[lanes, ...shape]`, row-major, by name. */
export type Buffers = Readonly<Record<string, Float32Array | Int32Array>>

/** A compiled program bound to its buffers: reads the inputs and overwrites the outputs in place. Lanes that are not named may be left out. */
export type Run = (lanes: ReadonlyArray<number>) => Promise<void>

export interface Compiled {
  /** Nodes of the graph, where it is one. */
  readonly nodes?: number
  /** What the user should know of how it runs. */
  readonly notice?: string
  readonly bind: (buffers: Buffers) => Run
}
export interface Engine {
  readonly compile: (program: Program) => Promise<Compiled>
}

export const sizeOf = (shape: ReadonlyArray<number>): number => shape.reduce((a, b) => a * b, 1)
