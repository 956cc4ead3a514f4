/**
 * A linear projection without bias under triplet losses, in WebAssembly (`wasm/kernels/linear.ts`): holds one set of weights, its Adam moments and
 * checkpoint, and one batch at a time. Weights lie in panels of 8 columns, see there.
 */
import type { Vectors } from "../schemas/column.ts"
import { allFinite, type Optimiser } from "./optimiser.ts"
import { bytes as linearBytes } from "../wasm/bytes/linear.ts"
import { bytes as optimiserBytes } from "../wasm/bytes/optimisers.ts"
import { instantiate, Layout } from "../wasm/instance.ts"

/** A triplet loss: the sum over tasks of weight * L_task, see `triplets.ts`. */
export interface TripletLoss {
  /** Weight of each annotation column of class ids. */
  readonly tasks: Readonly<Record<string, number>>
  /** all: batch-all; hard: batch-hard. */
  readonly triplets: "all" | "hard"
  readonly margin: number
}

/** Repeated samples of up to so many bytes are copied into WebAssembly once; others with every batch. */
const residentBytes = 2 ** 28

const four = (n: number) => (n + 3) & ~3

export interface LinearMachineOptions {
  /** Width of the embeddings, and the most samples of a variant. */
  readonly width: number
  readonly samples: number
  /** Width of the projection. */
  readonly out: number
  /** The most rows of a batch. */
  readonly rows: number
  /** Label sets of a batch, and the most classes of one; without label sets it only projects. */
  readonly tasks: number
  readonly classes: number
  /** Samples come again and again: they are copied into WebAssembly once, where they fit. */
  readonly repeated: boolean
}

export interface Step {
  readonly optimiser: Optimiser
  readonly rate: number
  readonly momentum: number
}

export const linearMachine = ({ classes, out, repeated, rows, samples, tasks, width }: LinearMachineOptions) => {
  // A stride that is a power of two would put all rows of a batch into the same few lines of the cache.
  const columns = four(width), stride = columns + (columns % 64 === 0 ? 12 : 0)
  const resident = repeated && samples * stride * 4 <= residentBytes, slots = resident ? samples : rows
  const panels = Math.ceil(out / 8), size = panels * columns * 8, capacity = four(rows), ld = capacity + 4

  const layout = new Layout(), place = (words: number) => layout.bytes(words * 4)
  const x = place((slots + 1) * stride), zeros = x + slots * stride * 4, batch = place(capacity)
  const weights = place(size), first = place(size), second = place(size), kept = place(size), slope = place(size)
  const laid = place(capacity * columns), z = place(capacity * panels * 8), dz = place(capacity * panels * 8), pulls = place(capacity)
  // Without tasks there is nothing to train: no pairs of rows.
  const pairs = tasks === 0 ? 0 : capacity * ld, d = place(pairs), counts = place(pairs), pull = place(pairs)
  const labels = Array.from({ length: tasks }, () => place(capacity)), order = place(capacity), start = place(classes + 2), scratch = place(7 * ld + 1088), found = place(2)

  const memory = layout.memory(), { sgd } = instantiate(optimiserBytes, memory, ["sgd"])
  const kernel = instantiate(linearBytes, memory, ["accumulate", "batchAll", "batchHard", "descend", "distances", "gradient", "group", "laplacian", "lay", "multiply"])
  const floats = new Float32Array(memory.buffer), integers = new Int32Array(memory.buffer), doubles = new Float64Array(memory.buffer)
  let values: Float32Array = new Float32Array()
  const held = new Uint8Array(resident ? samples : 0)
  const copy = (row: number, slot: number) => floats.set(values.subarray(row * width, (row + 1) * width), x / 4 + slot * stride)
  for (let i = 0; i < capacity; i++) integers[pulls / 4 + i] = pull + i * ld * 4

  const element = (at: number, i: number, o: number) => at / 4 + ((o >> 3) * columns + i) * 8 + (o & 7)
  // Adam's bias corrections, as running products: `**` is not the same to the last bit everywhere.
  let power1 = 1, power2 = 1

  /** Projects the batch; gives the number of its rows, padded. */
  const project = (n: number): number => {
    const padded = four(n)
    for (let i = n; i < padded; i++) {
      integers[batch / 4 + i] = zeros
      for (const at of labels) integers[at / 4 + i] = -1
    }
    kernel.multiply(batch, padded, columns, weights, z, panels)
    return padded
  }
  /** The loss of the batch that is projected; leaves in `pull` the matrix of which dL/dz = pull z. */
  const lossOf = (n: number, padded: number, { margin, tasks: weighted, triplets }: TripletLoss): number => {
    let loss = kernel.distances(z, padded, panels, d, ld), task = 0
    floats.fill(0, pull / 4, pull / 4 + padded * ld)
    for (const weight of Object.values(weighted)) {
      const own = labels[task++]!
      let sum: number, terms: number
      if (triplets === "hard") {
        sum = kernel.batchHard(d, own, n, ld, margin, counts, found)
        terms = Math.max(1, doubles[found / 8]!)
      } else {
        kernel.group(own, n, classes, order, start)
        sum = kernel.batchAll(d, order, start, classes, ld, margin, counts, scratch, found)
        terms = doubles[found / 8]! + 1e-16
      }
      loss += weight * sum / terms
      kernel.accumulate(counts, pull, padded * ld, weight / terms)
    }
    return loss
  }

  return {
    /** The class ids of the batch's rows in each label set, to be written by the caller; -1: the row takes no part. */
    labels: labels.map((at) => integers.subarray(at / 4, at / 4 + capacity)),
    /** Puts a sample at a place of the batch. */
    put: (i: number, row: number): void => {
      const slot = resident ? row : i
      if (held[slot] !== 1) copy(row, slot)
      if (resident) held[slot] = 1
      integers[batch / 4 + i] = x + slot * stride * 4
    },
    /** Starts with the samples of a variant, from weights [width, out]. */
    begin: (embeddings: Vectors, given: Float32Array): void => {
      values = embeddings.values
      held.fill(0)
      floats.fill(0, weights / 4, kept / 4)
      for (let i = 0; i < width; i++) for (let o = 0; o < out; o++) floats[element(weights, i, o)] = given[i * out + o]!
      power1 = power2 = 1
    },
    /** The loss of a batch of n rows. */
    evaluate: (n: number, loss: TripletLoss): number => lossOf(n, project(n), loss),
    /** One step of the optimiser on a batch of n rows; its loss before. */
    step: (n: number, loss: TripletLoss, { momentum, optimiser, rate }: Step): number => {
      const padded = project(n), value = lossOf(n, padded, loss)
      kernel.laplacian(pull, d, padded, ld)
      kernel.multiply(pulls, padded, padded, z, dz, panels)
      kernel.lay(batch, padded, columns, laid)
      if (optimiser === "adam") {
        power1 *= 0.9
        power2 *= 0.999
        kernel.descend(laid, n, padded, columns, dz, weights, first, second, panels, rate / (1 - power1), 1 / Math.sqrt(1 - power2))
      } else {
        kernel.gradient(laid, n, padded, columns, dz, slope, panels)
        sgd(slope, weights, first, size, rate, momentum)
      }
      return value
    },
    /** The projections of a batch of n rows, [n, out]. */
    project: (n: number, to: Float32Array): void => {
      const padded = project(n)
      for (let r = 0; r < n; r++) for (let o = 0; o < out; o++) to[r * out + o] = floats[z / 4 + ((o >> 3) * padded + r) * 8 + (o & 7)]!
    },
    /** Whether all weights are finite. */
    finite: (): boolean => allFinite(floats.subarray(weights / 4, weights / 4 + size)),
    /** Keeps the weights as they are now: the checkpoint. */
    keep: (): void => {
      floats.copyWithin(kept / 4, weights / 4, weights / 4 + size)
    },
    /** The weights [width, out], as they are now or as kept. */
    weights: (which: "now" | "kept"): Float32Array => {
      const result = new Float32Array(width * out), at = which === "now" ? weights : kept
      for (let i = 0; i < width; i++) for (let o = 0; o < out; o++) result[i * out + o] = floats[element(at, i, o)]!
      return result
    }
  }
}
