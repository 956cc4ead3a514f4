import type * as tfjs from "@tensorflow/tfjs-core"
import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { Contrastive, Train } from "outcrop/train"

/**
 * Softmax classification: a linear layer on the projection tells the class, cross-entropy trains both. What it gives is the projection, so
 * a probe measures it as it measures the others: the supervised reference row of a comparison.
 */
export default Train.make({
  name: "train/classification",
  version: 1,
  summary: "cross-entropy of one column of classes: the supervised reference",
  defaults: { standardize: true },
  with: { task: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "annotation column of class ids" }), "class") },
  annotations: ({ task }) => [task],
  layers: ({ task }, { classes, out }) => ({ "class.weight": [out, classes(task)], "class.bias": [classes(task)] }),
  masked: true,
  loss: (tf, { annotations, layers, z }, { task }) => {
    const bias = layers["class.bias"]!, scores: tfjs.Tensor2D = tf.add(tf.matMul(z, tf.reshape(layers["class.weight"]!, [z.shape[1], bias.size])), bias)
    return Contrastive.crossEntropy(tf, scores, tf.reshape(annotations[task]!, [z.shape[0]]))
  }
})
