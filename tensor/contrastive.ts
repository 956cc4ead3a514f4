/**
 * Contrastive losses over a batch, in tfjs. All compare directions: rows are put on the unit sphere first, so a logit is a cosine divided
 * by a temperature.
 *
 * Throughout: z and keys [rows, width] float32, row i of `keys` being the positive of row i of z; present [rows] float32, 1 where a row
 * is a sample and 0 where it pads the batch; temperature a scalar. Every loss is one number. Rows that are not present take part in
 * nothing.
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import type { Tf } from "./tfjs.ts"

/** What is added to the logits that are to have no part in a softmax; small enough that it never meets infinity. */
const never = -1e9

/** Rows at length 1; a row of zeros stays one. */
export const unit = (tf: Tf, z: tfjs.Tensor2D): tfjs.Tensor2D => tf.div(z, tf.sqrt(tf.maximum(tf.sum(tf.square(z), 1, true), 1e-24)))

/** Cosines of the rows of a with those of b, by the temperature: [rows of a, rows of b]. */
export const logits = (tf: Tf, a: tfjs.Tensor2D, b: tfjs.Tensor2D, temperature: tfjs.Scalar): tfjs.Tensor2D =>
  tf.div(tf.matMul(unit(tf, a), unit(tf, b), false, true), temperature)

/** Sum of `values` where `mask` is 1, by their number; 0 where there are none. */
const meanOver = (tf: Tf, values: tfjs.Tensor, mask: tfjs.Tensor): tfjs.Scalar => tf.div(tf.sum(tf.mul(values, mask)), tf.maximum(tf.sum(mask), 1))

/** Log-probabilities along rows among the columns whose `mask` [columns] is 1. */
const logShares = (tf: Tf, logits: tfjs.Tensor2D, mask: tfjs.Tensor1D): tfjs.Tensor2D =>
  tf.logSoftmax(tf.add(logits, tf.mul(tf.sub(1, tf.reshape(mask, [1, mask.shape[0]])), never)))

/** InfoNCE to the identity: mean over rows of the cross-entropy of picking one's own key among those of the batch (van den Oord et al. 2018, arXiv 1807.03748). */
export const infoNce = (tf: Tf, z: tfjs.Tensor2D, keys: tfjs.Tensor2D, present: tfjs.Tensor1D, temperature: tfjs.Scalar): tfjs.Scalar =>
  tf.neg(meanOver(tf, tf.sum(tf.mul(logShares(tf, logits(tf, z, keys, temperature), present), tf.eye(z.shape[0])), 1), present))

/**
 * InfoNCE with a queue: one's own key among the keys of batches before, [queue, width], as MoCo's (He et al. 2020, arXiv 1911.05722):
 * -log exp(q.k / T) / (exp(q.k / T) + sum_j exp(q.k_j / T)).
 */
export const infoNceWithQueue = (tf: Tf, z: tfjs.Tensor2D, keys: tfjs.Tensor2D, queue: tfjs.Tensor2D, present: tfjs.Tensor1D, temperature: tfjs.Scalar): tfjs.Scalar => {
  const own = tf.div(tf.sum(tf.mul(unit(tf, z), unit(tf, keys)), 1, true), temperature)
  const shares = tf.logSoftmax(tf.concat([own, logits(tf, z, queue, temperature)], 1))
  return tf.neg(meanOver(tf, tf.reshape(tf.slice(shares, [0, 0], [z.shape[0], 1]), [z.shape[0]]), present))
}

/** Multi-hot (or weighted) labels, [rows, classes]: of the anchors, and of the samples that the keys are of. A row of zeros has none. */
export interface Labels {
  readonly anchors: tfjs.Tensor2D
  readonly keys: tfjs.Tensor2D
}

/** Cosines of labels, s_ij = y_i . y_j / (|y_i| |y_j|), and which anchors and keys have any, [rows]. */
export const softTargets = (tf: Tf, { anchors, keys }: Labels) => {
  const labelled = (labels: tfjs.Tensor2D): tfjs.Tensor1D => tf.cast(tf.greater(tf.sum(tf.abs(labels), 1), 0), "float32")
  return { targets: tf.matMul(unit(tf, anchors), unit(tf, keys), false, true), labelledAnchors: labelled(anchors), labelledKeys: labelled(keys) }
}

/** Cross-entropy of the shares of each row's keys to its row of targets, scaled to sum 1; rows and keys without a label are left out. */
export const softCrossEntropy = (tf: Tf, z: tfjs.Tensor2D, keys: tfjs.Tensor2D, labels: Labels, temperature: tfjs.Scalar): tfjs.Scalar => {
  const { labelledAnchors, labelledKeys, targets } = softTargets(tf, labels), shares = logShares(tf, logits(tf, z, keys, temperature), labelledKeys)
  const scaled = tf.div(targets, tf.maximum(tf.sum(targets, 1, true), 1e-24))
  return tf.neg(meanOver(tf, tf.sum(tf.mul(scaled, shares), 1), labelledAnchors))
}

/** Binary cross-entropy of sigmoid(z_i . z'_j / T) to s_ij, the mean over all pairs of labelled rows, a row with itself included. */
export const softBinaryCrossEntropy = (tf: Tf, z: tfjs.Tensor2D, keys: tfjs.Tensor2D, labels: Labels, temperature: tfjs.Scalar): tfjs.Scalar => {
  const { labelledAnchors, labelledKeys, targets } = softTargets(tf, labels), at = logits(tf, z, keys, temperature), rows = z.shape[0]
  const both = tf.mul(tf.reshape(labelledAnchors, [rows, 1]), tf.reshape(labelledKeys, [1, rows]))
  return meanOver(tf, tf.sub(tf.softplus(at), tf.mul(targets, at)), both)
}

/**
 * Supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362, L_out): the mean, over anchors that have a positive, of the mean over
 * its positives of -log exp(s_ip / T) / sum over j != i of exp(s_ij / T). ids [rows] int32 are the classes; -1: the row takes no part.
 */
export const supervisedContrastive = (tf: Tf, z: tfjs.Tensor2D, ids: tfjs.Tensor1D, temperature: tfjs.Scalar): tfjs.Scalar => {
  const rows = z.shape[0], eye: tfjs.Tensor2D = tf.eye(rows), valid = tf.cast(tf.greaterEqual(ids, 0), "float32") as tfjs.Tensor1D
  const shares = logShares(tf, tf.add(logits(tf, z, z, temperature), tf.mul(eye, never)), valid)
  const same = tf.cast(tf.equal(tf.reshape(ids, [rows, 1]), tf.reshape(ids, [1, rows])), "float32")
  const positive = tf.mul(tf.mul(same, tf.sub(1, eye)), tf.reshape(valid, [rows, 1])), count = tf.sum(positive, 1)
  const each = tf.div(tf.sum(tf.mul(positive, shares), 1), tf.maximum(count, 1))
  return tf.neg(meanOver(tf, each, tf.cast(tf.greater(count, 0), "float32")))
}

/** NT-Xent of two views (SimCLR, Chen et al. 2020, arXiv 2002.05709): each of the 2n rows picks its other view among all others. */
export const ntXent = (tf: Tf, z: tfjs.Tensor2D, keys: tfjs.Tensor2D, present: tfjs.Tensor1D, temperature: tfjs.Scalar): tfjs.Scalar => {
  const rows = z.shape[0], all = tf.concat([unit(tf, z), unit(tf, keys)], 0) as tfjs.Tensor2D, here = tf.concat([present, present], 0) as tfjs.Tensor1D
  const shares = logShares(tf, tf.add(logits(tf, all, all, temperature), tf.mul(tf.eye(2 * rows), never)), here)
  const eye = tf.eye(rows), none = tf.zerosLike(eye)
  const other = tf.concat([tf.concat([none, eye], 1), tf.concat([eye, none], 1)], 0)
  return tf.neg(meanOver(tf, tf.sum(tf.mul(shares, other), 1), here))
}

/** Cross-entropy of scores [rows, classes] to class ids [rows] int32, the mean over rows with an id; -1: none. */
export const crossEntropy = (tf: Tf, scores: tfjs.Tensor2D, ids: tfjs.Tensor1D): tfjs.Scalar => {
  const [rows, classes] = scores.shape, known = tf.cast(tf.greaterEqual(ids, 0), "float32")
  const chosen = tf.cast(tf.equal(tf.reshape(ids, [rows, 1]), tf.reshape(tf.range(0, classes, 1, "int32"), [1, classes])), "float32")
  return tf.neg(meanOver(tf, tf.sum(tf.mul(tf.logSoftmax(scores), chosen), 1), known))
}
