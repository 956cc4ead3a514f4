import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { Contrastive, Train } from "outcrop/train"

/**
 * Supervised contrastive learning (Khosla et al. 2020, arXiv 2004.11362, L_out) on frozen embeddings: samples of one class attract, all
 * others repel. Anchors without a positive in the batch take no part; pytorch-metric-learning's SupConLoss has the same values. The paper
 * has two augmented views a sample and trains the backbone; here a sample is one row.
 */
export default Train.make({
  name: "train/supervised-contrastive",
  version: 1,
  summary: "supervised contrastive loss on one column of classes",
  paper: "SupCon (arXiv 2004.11362)",
  defaults: { standardize: true },
  with: {
    task: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "annotation column of class ids" }), "class"),
    temperature: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "cosines are divided by it" }), 0.1)
  },
  annotations: ({ task }) => [task],
  compared: ({ task }) => [task],
  masked: true,
  loss: (tf, { annotations, z }, { task, temperature }) => Contrastive.supervisedContrastive(tf, z, tf.reshape(annotations[task]!, [z.shape[0]]), temperature)
})
