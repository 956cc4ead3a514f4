/**
 * The triplet losses of `triplets.ts` with their gradients in closed form: the gradient of a sum of hinges is a COUNT of active triplets,
 * so nothing of size rows^3 has to be kept for autodiff or multiplied back through. They are functions of a distance matrix, which
 * several label sets share.
 *
 * Sizes as in `triplets.ts`. Work over triplets goes slice by slice of the anchors, which bounds memory for large batches.
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import type { Tf } from "./tfjs.ts"
import { pairs } from "./triplets.ts"

/** Values a slice may have in one lane: 2 MiB of float32. */
const most = 2 ** 19

/** [from, count] of the anchors in each slice, given the work that an anchor makes. */
const slices = (rows: number, work: number): ReadonlyArray<readonly [number, number]> => {
  const step = Math.max(1, Math.floor(most / work))
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => [i * step, Math.min(step, rows - i * step)] as const)
}
const whole = (tf: Tf, parts: ReadonlyArray<tfjs.Tensor>, axis: number): tfjs.Tensor => parts.length === 1 ? parts[0]! : tf.concat([...parts], axis)

/** A value with a gradient of its own; `saved` is kept for it. */
const withGradient = <T extends tfjs.Tensor>(tf: Tf, x: tfjs.Tensor, forward: () => {
  readonly value: T
  readonly saved: ReadonlyArray<tfjs.Tensor>
  readonly gradient: (dy: T, saved: ReadonlyArray<tfjs.Tensor>) => tfjs.Tensor
}): T => {
  const operation = tf.customGrad<T>((...given) => {
    const { gradient, saved, value } = forward()
    const save = given.at(-1)
    if (typeof save === "function") save([...saved])
    return { value, gradFunc: (dy, kept) => gradient(dy, kept) }
  })
  return operation(x)
}

/** Euclidean distances between rows; the same as in `triplets.ts`. */
export const distances = (tf: Tf, z: tfjs.Tensor2D): tfjs.Tensor2D => {
  const [rows, width] = z.shape
  return withGradient(tf, z, () => {
    // Differences, not |a|^2 + |b|^2 - 2ab: that loses what is close together but far from the origin, and sets equal rows apart.
    const squared = slices(rows, rows * width).map(([from, count]) => {
      const anchors = count === rows ? z : tf.slice(z, [from, 0], [count, width])
      return tf.sum(tf.square(tf.sub(tf.reshape(anchors, [count, 1, width]), tf.reshape(z, [1, rows, width]))), 2)
    })
    const value: tfjs.Tensor2D = tf.reshape(tf.sqrt(whole(tf, squared, 0)), [rows, rows])
    return {
      value,
      saved: [z, value],
      gradient: (dy, [z, d]) => {
        const pull = tf.where(tf.greater(d!, 0), tf.div(tf.add(dy, tf.transpose(dy)), d!), tf.zerosLike(d!))
        return tf.sub(tf.mul(tf.sum(pull, 1, true), z!), tf.matMul(pull, z!))
      }
    }
  })
}

/** Which triplets count, where not all do: those whose scores s_a + s_p + s_n reach the cut. score [rows], cut [sets, rows] by anchor. */
export interface Chosen {
  readonly score: tfjs.Tensor1D
  readonly cut: tfjs.Tensor2D
}

/** Batch-all of distances d [rows, rows], a value a label set; see `triplets.ts`. */
export const batchAll = (tf: Tf, d: tfjs.Tensor2D, ids: tfjs.Tensor2D, margin: tfjs.Scalar, chosen?: Chosen): tfjs.Tensor1D => {
  const [sets, rows] = ids.shape
  return withGradient(tf, d, () => {
    const { negative, positive } = pairs(tf, ids)
    const near = tf.where(positive, tf.add(d, margin), -1e30), far = tf.where(negative, d, 1e30)
    const counts = slices(rows, sets * rows * rows).map(([from, count]) => {
      const part = (x: tfjs.Tensor) => count === rows ? x : tf.slice(x, [0, from], [sets, count])
      let active = tf.greater(tf.reshape(part(near), [sets, count, rows, 1]), tf.reshape(part(far), [sets, count, 1, rows]))
      if (chosen !== undefined) {
        const score = (axis: number) => tf.reshape(chosen.score, [1, ...[0, 1, 2].map((i) => i === axis ? rows : 1)])
        const anchors = count === rows ? score(0) : tf.slice(score(0), [0, from], [1, count])
        const sum = tf.add(tf.add(anchors, score(1)), score(2))
        active = tf.logicalAnd(active, tf.greaterEqual(sum, tf.reshape(part(chosen.cut), [sets, count, 1, 1])))
      }
      const one = tf.cast(active, "float32")
      return { positives: tf.sum(one, 3), negatives: tf.sum(one, 2) }
    })
    const positives = whole(tf, counts.map((slice) => slice.positives), 1), negatives = whole(tf, counts.map((slice) => slice.negatives), 1)
    const net = tf.sub(positives, negatives), share = tf.div(1, tf.add(tf.sum(positives, [1, 2]), 1e-16))
    const value: tfjs.Tensor1D = tf.mul(tf.sum(tf.add(tf.mul(net, d), tf.mul(positives, margin)), [1, 2]), share)
    return { value, saved: [net, share], gradient: (dy, [net, share]) => tf.sum(tf.mul(net!, tf.reshape(tf.mul(share!, dy), [sets, 1, 1])), 0) }
  })
}

/** Batch-hard of distances d [rows, rows], a value a label set; see `triplets.ts`. */
export const batchHard = (tf: Tf, d: tfjs.Tensor2D, ids: tfjs.Tensor2D, margin: tfjs.Scalar): tfjs.Tensor1D => {
  const [sets, rows] = ids.shape
  return withGradient(tf, d, () => {
    const { negative, positive, valid } = pairs(tf, ids)
    const towards = tf.where(positive, d, -1), away = tf.where(negative, d, 1e30)
    const hasPositive = tf.cast(tf.any(positive, 2), "float32"), hasNegative = tf.cast(tf.any(negative, 2), "float32")
    const anchors = tf.reshape(tf.cast(valid, "float32"), [sets, rows]), share = tf.div(1, tf.maximum(tf.sum(anchors, 1), 1))
    // Without negatives the farthest positive stands in for both and cancels: the hinge is the margin, and nothing moves.
    const gap = tf.where(tf.greater(hasNegative, 0), tf.sub(tf.mul(tf.max(towards, 2), hasPositive), tf.min(away, 2)), 0)
    const hinge = tf.relu(tf.add(gap, margin)), moves = tf.mul(tf.mul(tf.step(hinge), anchors), hasNegative)
    const hardest = tf.mul(tf.oneHot(tf.argMax(towards, 2), rows), tf.reshape(hasPositive, [sets, rows, 1]))
    const weights = tf.mul(tf.sub(hardest, tf.oneHot(tf.argMin(away, 2), rows)), tf.reshape(tf.mul(moves, tf.reshape(share, [sets, 1])), [sets, rows, 1]))
    const value: tfjs.Tensor1D = tf.mul(tf.sum(tf.mul(hinge, anchors), 1), share)
    return { value, saved: [weights], gradient: (dy, [weights]) => tf.sum(tf.mul(weights!, tf.reshape(dy, [sets, 1, 1])), 0) }
  })
}
