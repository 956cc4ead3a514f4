/** A linear classifier trained by stochastic gradient descent with momentum: plain loops, float64, deterministic. */
import { lossAndResiduals } from "./logistic.ts"
import { type Matrix, takeRows, timesTransposed, transposedTimes } from "./matrix.ts"
import { stream } from "./random.ts"

/** Of the last step's direction, so much is added to the gradient, as torch's SGD does (no damping, no Nesterov). */
export const momentum = 0.9
/** Standard deviation of the first coefficients; intercepts begin at 0. */
const deviation = 0.01

export interface Descent {
  readonly epochs: number
  /** Learning rate; a tenth of it after each epoch in `drops`. */
  readonly rate: number
  readonly drops: ReadonlyArray<number>
  /** Rows a step; the last of an epoch takes what is left. */
  readonly batch: number
  readonly seed: number
}
export interface Epoch {
  /** From 1. */
  readonly epoch: number
  /** Mean cross-entropy of the epoch's rows, each as its batch met it (nats). */
  readonly loss: number
  /** [classes, d] and [classes] after the epoch; they go on changing with the next. */
  readonly coefficients: Float64Array
  readonly intercepts: Float64Array
}

/**
 * Trains on rows x [n, d] of class ids y [n] in 0..classes-1, epoch by epoch, by the mean cross-entropy of a softmax over batches in an order
 * drawn for each epoch. Throws a RangeError where the loss is no number any more.
 */
export function* descend(x: Matrix, y: Int32Array, classes: number, { batch, drops, epochs, rate, seed }: Descent): Generator<Epoch> {
  const { columns: d, rows: n } = x
  const coefficients = new Float64Array(classes * d), intercepts = new Float64Array(classes)
  const random = stream(seed, "coefficients")
  for (let p = 0; p < coefficients.length; p++) coefficients[p] = deviation * random.normal()
  const slopes = new Float64Array(classes * d), velocity = new Float64Array(classes * d), drift = new Float64Array(classes)
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = stream(seed, "order", epoch).shuffle(Int32Array.from({ length: n }, (_, i) => i))
    const length = rate * 0.1 ** drops.filter((drop) => epoch > drop).length
    let loss = 0
    for (let from = 0; from < n; from += batch) {
      const rows = order.subarray(from, from + batch), part = takeRows(x, rows), z = new Float64Array(rows.length * classes)
      timesTransposed(part, coefficients, classes, z)
      loss += lossAndResiduals(z, intercepts, Int32Array.from(rows, (row) => y[row]!), undefined)
      transposedTimes(z, classes, part, slopes)
      const slope = new Float64Array(classes)
      for (let at = 0; at < z.length; at++) slope[at % classes]! += z[at]!
      for (let p = 0; p < slopes.length; p++) coefficients[p]! -= length * (velocity[p] = momentum * velocity[p]! + slopes[p]! / rows.length)
      for (let c = 0; c < classes; c++) intercepts[c]! -= length * (drift[c] = momentum * drift[c]! + slope[c]! / rows.length)
    }
    if (!Number.isFinite(loss)) throw new RangeError(`the loss is no number any more in epoch ${epoch}: the rate ${rate} is too high for embeddings of this size; lower rate`)
    yield { epoch, loss: loss / n, coefficients, intercepts }
  }
}
