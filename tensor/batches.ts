/**
 * Which rows make which batch. Shapes follow from a node's own parameters and rows alone, so that a result does not depend on the
 * siblings that are trained beside it.
 */
import { stream } from "../math/random.ts"

/** Rows of a training batch. A masked loss takes a short batch padded; one that is not takes whole batches, or all rows as the only one. */
export const batchRows = (batch: number, rows: number, masked: boolean): number => masked ? batch : Math.min(batch, rows)

/** The batches of an epoch: a permutation of the rows, cut up. The last, short one is kept only where the loss is masked. */
export const epochBatches = (rows: Int32Array, size: number, masked: boolean, seed: number, epoch: number): ReadonlyArray<Int32Array> => {
  const order = stream(seed, "batches", epoch).shuffle(rows.slice())
  const count = masked ? Math.ceil(order.length / size) : Math.floor(order.length / size)
  return Array.from({ length: count }, (_, i) => order.subarray(i * size, (i + 1) * size))
}

export interface Chunk {
  readonly rows: Int32Array
  /** Rows that the graph has, padding included. */
  readonly size: number
}

/** SIMD width that padded shapes are a multiple of. */
const multiple = 16
const padded = (n: number) => Math.ceil(n / multiple) * multiple

/**
 * The validation rows, in chunks of the batch size but of at least 64 rows: a loss over all pairs or triplets of a large fold would cost
 * far more than the training. Shuffled once, because tables are often sorted by class and a chunk of one class has no negatives. Padded to a
 * multiple of 16 where the loss is masked.
 */
export const validationChunks = (all: Int32Array, batch: number, masked: boolean, seed: number): ReadonlyArray<Chunk> => {
  const rows = stream(seed, "validation").shuffle(all.slice())
  const size = Math.max(64, padded(batch))
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => {
    const part = rows.subarray(i * size, (i + 1) * size)
    return { rows: part, size: masked ? padded(part.length) : part.length }
  })
}
