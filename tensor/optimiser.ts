/**
 * The parameters of all lanes and their optimiser, in one WebAssembly memory. onnxruntime reads the weights and writes the gradients
 * there in place; the optimiser is one pass over them.
 *
 * Parameter after parameter, each contiguous as `[lanes, ...shape]`: one tensor for the graph, and one segment a lane for the optimiser,
 * so that a lane can sit out a step.
 */
import { type Buffers, sizeOf } from "./program.ts"
import { bytes } from "../wasm/bytes/optimisers.ts"
import { instantiate } from "../wasm/instance.ts"

export type Optimiser = "adam" | "sgd"

/** The shapes of one lane's parameters, by name. */
export type Shapes = Readonly<Record<string, ReadonlyArray<number>>>

export interface Step {
  readonly optimiser: Optimiser
  /** Learning rate. */
  readonly rate: number
  /** Momentum of `sgd`. */
  readonly momentum: number
  /** Weight decay as torch's optimisers take it: so much of the weights is added to the gradient. */
  readonly decay: number
  /** How many steps this lane has taken, this one included. */
  readonly count: number
}

export interface ParameterMemory {
  /** Weights of all lanes by parameter name. */
  readonly weights: Buffers
  /** Gradients of all lanes by parameter name. */
  readonly gradients: Buffers
  /** One optimiser step of one lane, from the gradients as they are. */
  readonly step: (lane: number, step: Step) => void
  /** Whether all weights of one lane are finite. */
  readonly finite: (lane: number) => boolean
  /** Keeps one lane's weights as they are now: its checkpoint. */
  readonly keep: (lane: number) => void
  /** A copy of one lane's weights: as they are now, or as kept. */
  readonly copy: (lane: number, which: "now" | "kept") => Readonly<Record<string, Float32Array>>
}

/** Whether no value is infinite or NaN: those alone times 0 are not 0. Four sums, as one would wait for itself: this runs every epoch. */
export const allFinite = (values: Float32Array): boolean => {
  let a = 0, b = 0, c = 0, d = 0, i = 0
  for (; i + 3 < values.length; i += 4) {
    a += values[i]! * 0
    b += values[i + 1]! * 0
    c += values[i + 2]! * 0
    d += values[i + 3]! * 0
  }
  for (; i < values.length; i++) a += values[i]! * 0
  return a + b + c + d === 0
}

/** Values are laid out on boundaries of 64 bytes. */
const align = (size: number): number => Math.ceil(size / 16) * 16

/** Lays out zeroed weights, gradients and optimiser state for a number of lanes. */
export const allocate = (shapes: Shapes, lanes: number): ParameterMemory => {
  let top = align(1024)
  const layout = Object.entries(shapes).map(([name, shape]) => {
    const size = sizeOf(shape), span = align(size * lanes), at = top
    top += 5 * span
    return { name, size, weight: at, gradient: at + span, first: at + 2 * span, second: at + 3 * span, kept: at + 4 * span }
  })
  const memory = new WebAssembly.Memory({ initial: Math.ceil(top * 4 / 65536) })
  const { adam, sgd } = instantiate(bytes, memory, ["adam", "sgd"])
  const values = (at: number, size: number) => new Float32Array(memory.buffer, at * 4, size)
  return {
    weights: Object.fromEntries(layout.map(({ name, size, weight }) => [name, values(weight, size * lanes)])),
    gradients: Object.fromEntries(layout.map(({ name, size, gradient }) => [name, values(gradient, size * lanes)])),
    step: (lane, { count, decay, momentum, optimiser, rate }) => {
      const corrected = rate / (1 - 0.9 ** count), root = 1 / Math.sqrt(1 - 0.999 ** count)
      for (const { size, weight, gradient, first, second } of layout) {
        if (decay > 0) {
          const weights = values(weight + lane * size, size), gradients = values(gradient + lane * size, size)
          for (let i = 0; i < size; i++) gradients[i] = gradients[i]! + decay * weights[i]!
        }
        const byte = (at: number) => (at + lane * size) * 4
        if (optimiser === "adam") adam(byte(gradient), byte(weight), byte(first), byte(second), size, corrected, root)
        else sgd(byte(gradient), byte(weight), byte(first), size, rate, momentum)
      }
    },
    finite: (lane) => layout.every(({ size, weight }) => allFinite(values(weight + lane * size, size))),
    keep: (lane) => {
      for (const { kept, size, weight } of layout) values(kept + lane * size, size).set(values(weight + lane * size, size))
    },
    copy: (lane, which) => Object.fromEntries(layout.map(({ kept, name, size, weight }) => [name, values((which === "kept" ? kept : weight) + lane * size, size).slice()]))
  }
}
