/**
 * The projection that is trained on frozen embeddings: one linear layer (TG-MATL, papers' default) or a perceptron with ReLU between its
 * layers. Outputs have no activation; `normalize` puts them on the unit sphere.
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import type { Random } from "../math/random.ts"
import type { Shapes } from "./optimiser.ts"
import { sizeOf } from "./program.ts"
import type { Tf } from "./tfjs.ts"

export interface Head {
  /** Width of the embeddings that go in. */
  readonly width: number
  /** Widths of the hidden layers; empty: one linear layer. */
  readonly hidden: ReadonlyArray<number>
  /** Width of what comes out. */
  readonly out: number
  readonly normalize: boolean
  /**
   * Whether the last layer has a bias. A loss that does not change when all outputs move together has no gradient in it but rounding
   * noise, which Adam would turn into full-size steps.
   */
  readonly bias: boolean
}

/** The parameters: `layer1.weight` [in, out], `layer1.bias` [out], `layer2.weight`, ... */
export const shapes = ({ bias, hidden, out, width }: Head): Shapes => {
  const widths = [width, ...hidden, out]
  return Object.fromEntries(widths.slice(1).flatMap((size, i): Array<[string, ReadonlyArray<number>]> => {
    const weight: [string, ReadonlyArray<number>] = [`layer${i + 1}.weight`, [widths[i]!, size]]
    return i < hidden.length || bias ? [weight, [`layer${i + 1}.bias`, [size]]] : [weight]
  }))
}

/** One parameter as training starts: weights Glorot-uniform, U(-a, a) with a = sqrt(6 / (in + out)); biases 0. */
export const initial = (shape: ReadonlyArray<number>, random: Random): Float32Array => {
  const values = new Float32Array(sizeOf(shape)), [rows, columns] = shape
  if (rows === undefined || columns === undefined) return values
  const a = Math.sqrt(6 / (rows + columns))
  return values.map(() => (2 * random.uniform() - 1) * a)
}

/** Projects a batch of one lane: x [rows, width] -> [rows, out]. */
export const project = (tf: Tf, head: Head, parameters: Readonly<Record<string, tfjs.Tensor>>, x: tfjs.Tensor): tfjs.Tensor2D => {
  let z: tfjs.Tensor = x
  for (let layer = 1; layer <= head.hidden.length + 1; layer++) {
    z = tf.matMul(z, parameters[`layer${layer}.weight`]!)
    const bias = parameters[`layer${layer}.bias`]
    if (bias !== undefined) z = tf.add(z, bias)
    if (layer <= head.hidden.length) z = tf.relu(z)
  }
  // The smallest norm is that of torch.nn.functional.normalize, 1e-12; a row of zeros stays one.
  if (head.normalize) z = tf.div(z, tf.sqrt(tf.maximum(tf.sum(tf.square(z), 1, true), 1e-24)))
  return tf.reshape(z, [x.shape[0]!, head.out])
}
