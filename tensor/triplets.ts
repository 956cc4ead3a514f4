/**
 * Triplet losses over a batch, in tfjs, as they are defined: TG-MATL (arXiv 2604.03837) and its released code for batch-all, Hermans et
 * al. (arXiv 1703.07737) for batch-hard. Autodiff gives their gradients. `triplet-gradients.ts` has the same losses with the gradient in
 * closed form, which is what training runs; the tests hold the two together.
 *
 * Throughout: z [rows, width] float32; ids [sets, rows] int32, the class of each row in each label set, -1: the row takes no part in it;
 * margin a scalar. A loss has one value a label set, [sets].
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import type { Tf } from "./tfjs.ts"

/** Which pairs of rows are (anchor, positive) and which (anchor, negative), which rows take part, and which pairs of them; boolean, [sets, rows, rows] or [sets, rows, 1]. */
export const pairs = (tf: Tf, ids: tfjs.Tensor2D) => {
  const [sets, rows] = ids.shape, index = tf.range(0, rows, 1, "int32")
  const anchors = tf.reshape(ids, [sets, rows, 1]), others = tf.reshape(ids, [sets, 1, rows])
  const distinct = tf.notEqual(tf.reshape(index, [rows, 1]), tf.reshape(index, [1, rows]))
  const valid = tf.greaterEqual(anchors, 0), both = tf.logicalAnd(valid, tf.greaterEqual(others, 0))
  return {
    valid,
    both,
    positive: tf.logicalAnd(tf.logicalAnd(tf.equal(anchors, others), distinct), valid),
    negative: tf.logicalAnd(tf.notEqual(anchors, others), both)
  }
}

/** Euclidean distances between rows, [rows, rows], not squared; a distance of 0 has gradient 0. */
export const distances = (tf: Tf, z: tfjs.Tensor2D): tfjs.Tensor2D => {
  const [rows, width] = z.shape
  const squared: tfjs.Tensor2D = tf.sum(tf.square(tf.sub(tf.reshape(z, [rows, 1, width]), tf.reshape(z, [1, rows, width]))), 2)
  const apart = tf.greater(squared, 0)
  return tf.where(apart, tf.sqrt(tf.where(apart, squared, tf.onesLike(squared))), tf.zerosLike(squared))
}

/**
 * Batch-all: the sum of the hinges [d_ap - d_an + margin]+ over all valid triplets, divided by (the number of those above 1e-16) + 1e-16.
 * A triplet is valid where a, p and n are distinct rows, a and p of one class and n of another. No valid triplet: 0.
 */
export const batchAll = (tf: Tf, z: tfjs.Tensor2D, ids: tfjs.Tensor2D, margin: tfjs.Scalar): tfjs.Tensor1D => {
  const [sets, rows] = ids.shape, d = distances(tf, z), { negative, positive } = pairs(tf, ids)
  const hinge = tf.relu(tf.add(tf.sub(tf.reshape(d, [1, rows, rows, 1]), tf.reshape(d, [1, rows, 1, rows])), margin))
  const valid = tf.logicalAnd(tf.reshape(positive, [sets, rows, rows, 1]), tf.reshape(negative, [sets, rows, 1, rows]))
  const counted = tf.mul(hinge, tf.cast(valid, "float32"))
  return tf.div(tf.sum(counted, [1, 2, 3]), tf.add(tf.sum(tf.step(tf.sub(counted, 1e-16)), [1, 2, 3]), 1e-16))
}

/**
 * Batch-hard: the mean over ALL anchors of [max_p d_ap - min_n d_an + margin]+. As in the released code an anchor without positives has
 * max_p d_ap = 0, and one without negatives takes the largest distance of its row for min_n d_an. (pytorch-metric-learning drops both.)
 */
export const batchHard = (tf: Tf, z: tfjs.Tensor2D, ids: tfjs.Tensor2D, margin: tfjs.Scalar): tfjs.Tensor1D => {
  const [sets, rows] = ids.shape, { both, negative, positive, valid } = pairs(tf, ids)
  const d = tf.tile(tf.reshape(distances(tf, z), [1, rows, rows]), [sets, 1, 1]), zero = tf.zerosLike(d)
  const farthest = tf.max(tf.where(both, d, zero), 2, true)
  const nearest = tf.min(tf.where(negative, d, tf.where(both, tf.add(d, farthest), tf.fill(d.shape, 1e30))), 2)
  const hinge = tf.relu(tf.add(tf.sub(tf.max(tf.where(positive, d, zero), 2), nearest), margin))
  const anchors = tf.reshape(tf.cast(valid, "float32"), [sets, rows])
  return tf.div(tf.sum(tf.mul(hinge, anchors), 1), tf.maximum(tf.sum(anchors, 1), 1))
}
