/**
 * What a contrastive loss keeps beside the trained head: a copy of it that follows slowly and projects the keys (MoCo, He et al. 2020,
 * arXiv 1911.05722), and a queue of the keys of batches before.
 */
import type { Random } from "../math/random.ts"
import { type Shapes } from "./optimiser.ts"
import { type Buffers, sizeOf } from "./program.ts"

export interface Target {
  /** The copy's weights, all lanes, by parameter name: [lanes, ...shape]. */
  readonly weights: Buffers
  /** Starts a lane from the head's weights as they are. */
  readonly begin: (lane: number) => void
  /** After an optimiser step: copy = momentum copy + (1 - momentum) head. */
  readonly follow: (lane: number, momentum: number) => void
}

/** A copy of the parameters in `head` that `shapes` names. */
export const makeTarget = (shapes: Shapes, head: Buffers, lanes: number): Target => {
  const layers = Object.entries(shapes).map(([name, shape]) => ({ name, size: sizeOf(shape), copy: new Float32Array(lanes * sizeOf(shape)), from: head[name]! }))
  return {
    weights: Object.fromEntries(layers.map(({ copy, name }) => [name, copy])),
    begin: (lane) => {
      for (const { copy, from, size } of layers) copy.set(from.subarray(lane * size, (lane + 1) * size), lane * size)
    },
    follow: (lane, momentum) => {
      for (const { copy, from, size } of layers) {
        for (let i = lane * size; i < (lane + 1) * size; i++) copy[i] = momentum * copy[i]! + (1 - momentum) * from[i]!
      }
    }
  }
}

/**
 * Keys that a queue holds where `wanted` are asked for: whole batches of `rows`, as each takes the place of the oldest. Where the batch was cut to
 * `rows`, because no more train, as many whole ones as fit, at least one; where it was not, another number than whole batches is a mistake.
 */
export const queueLength = (wanted: number, batch: number, rows: number): number => {
  const fit = Math.max(1, Math.floor(wanted / rows)) * rows
  if (fit === wanted || rows < batch) return fit
  throw new RangeError(`the queue of ${wanted} keys does not hold whole batches of ${rows}: each batch takes the place of the oldest; give a multiple, such as ${Math.max(1, Math.round(wanted / rows)) * rows}`)
}

export interface Queue {
  /** [lanes, size, width]; unit rows. */
  readonly values: Float32Array
  /** Fills a lane with random directions. */
  readonly begin: (lane: number, random: Random) => void
  /** Puts a batch of keys, [rows, width], in the place of the oldest. */
  readonly enqueue: (lane: number, keys: Float32Array) => void
}

/** A queue of `size` keys a lane; whole batches replace whole parts of it. */
export const makeQueue = (size: number, width: number, lanes: number): Queue => {
  const values = new Float32Array(lanes * size * width), next = new Int32Array(lanes)
  return {
    values,
    begin: (lane, random) => {
      next[lane] = 0
      for (let row = 0; row < size; row++) {
        const key = Float64Array.from({ length: width }, () => random.normal()), norm = Math.hypot(...key)
        values.set(key.map((value) => value / norm), (lane * size + row) * width)
      }
    },
    enqueue: (lane, keys) => {
      values.set(keys, (lane * size + next[lane]!) * width)
      next[lane] = (next[lane]! + keys.length / width) % size
    }
  }
}
