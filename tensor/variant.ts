/** One training among siblings: what it starts from, and what it remembers of itself as it goes. */
import type { Random } from "../math/random.ts"
import type { OpenColumn, Vectors } from "../schemas/column.ts"
import type { Keys } from "./drawing.ts"
import type { Optimiser } from "./optimiser.ts"
import type { Schedule } from "./schedule.ts"

/** A batch of one variant as the host sees it: the rows that are present, by column, in place. */
export type Rows = Readonly<Record<string, Int32Array | Float32Array>>

export interface Variant {
  readonly embeddings: Vectors
  /** Samples to train on, and to validate on, by their places in `columns` and `queries`. */
  readonly train: Int32Array
  readonly val: Int32Array
  /** The row of `embeddings` of each sample, view by view of those that an anchor is drawn from. */
  readonly queries: ReadonlyArray<Int32Array>
  /** Where the anchors' positives come from; undefined: the loss asks for none. */
  readonly keys: Keys | undefined
  /** The objective's columns. Those that are not there are filled with `absent` and are `select`'s to write. */
  readonly columns: Readonly<Record<string, OpenColumn>>
  readonly absent: Readonly<Record<string, number>>
  /** The objective's numbers. */
  readonly scalars: Readonly<Record<string, number>>
  readonly optimiser: Optimiser
  readonly rate: number
  readonly schedule: Schedule
  readonly momentum: number
  /** Of the head's copy that projects the positives, where there is one. */
  readonly keyMomentum: number
  /** Weight decay, added to the gradient. */
  readonly decay: number
  readonly epochs: number
  /** Stop after so many epochs without a better validation loss; 0: never. */
  readonly patience: number
  readonly seed: number
  /** Changes a training batch in place before it is seen: selection. Validation batches are taken whole. */
  readonly select?: (rows: Rows, random: () => Random) => void
}

export interface Trained {
  /** The validation rows have no part in the loss, so the last weights are the ones given. */
  readonly blind: boolean
  readonly weights: Readonly<Record<string, Float32Array>>
  /** One entry an epoch; NaN: no validation rows. One that diverged ends with the epoch that left weights not finite, or with the first step. */
  readonly history: ReadonlyArray<{ readonly step: number; readonly trainLoss: number; readonly valLoss: number }>
}

/**
 * The course of one training. The weights of the best validation loss (strictly better than all before) are the ones to keep, or the last
 * ones where there are no validation rows.
 */
export class Course {
  readonly history: Array<Trained["history"][number]> = []
  /** Whether some epoch's weights were kept. */
  kept = false
  done: boolean
  /** The first validation loss was 0: nothing in it takes part in the loss, so it chooses nothing. */
  blind = false
  readonly #variant: Variant
  #best = Infinity
  #bestEpoch = 0

  constructor(variant: Variant) {
    this.#variant = variant
    this.done = variant.epochs === 0
  }

  /** Enters an epoch, `step` steps after the start; says whether its weights are to be kept. One that does not count is never the best. */
  enter(step: number, trainLoss: number, valLoss: number, counts = true): boolean {
    const { epochs, patience, val } = this.#variant
    const epoch = this.history.push({ step, trainLoss, valLoss })
    if (epoch === 1) this.blind = valLoss === 0
    const better = counts && !this.blind && valLoss < this.#best
    if (!counts) this.#bestEpoch = epoch
    if (better) {
      this.#best = valLoss
      this.#bestEpoch = epoch
      this.kept = true
    }
    this.done = epoch >= epochs || (patience > 0 && val.length > 0 && !this.blind && epoch - this.#bestEpoch >= patience)
    return better
  }

  /** Ends a training whose weights are no longer finite. */
  lose(step: number, trainLoss: number): void {
    this.history.push({ step, trainLoss, valLoss: Number.NaN })
    this.done = true
  }
}
