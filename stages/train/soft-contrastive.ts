import type * as tfjs from "@tensorflow/tfjs-core"
import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { Contrastive, Train } from "outcrop/train"

const temperature = (description: string) => Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description }), 0.1)
const weight = (description: string) => Stage.withDefault(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description }), 1)
const Views = Schema.NonEmptyArray(Schema.NonEmptyString)

/**
 * Multi-label guided soft contrastive learning (SoftCon, Wang, Albrecht and Zhu, arXiv 2405.20462) on frozen embeddings. The trained head
 * projects one view of each sample, a copy that follows it by a moving average (EMA) another; the cosines of the two, N x N in a batch, are
 * pulled to the identity (InfoNCE) and to soft targets: the cosine of the samples' multi-hot labels. The two losses are added.
 *
 * From the authors (the figure of their repository): masked view against full view, an EMA copy for the full one, in-batch without a queue,
 * s_ij as the cosine of labels, the sum of two losses. The form of the soft term, its weight and its temperatures are not known to us: `ce` is the cross-entropy to the rows
 * of s scaled to sum 1, `bce` the binary cross-entropy of each pair, and both, with their defaults, are ours. `soft: none` is InfoNCE
 * alone. The paper trains the backbone; on frozen embeddings the loss is put to the test, not the paper's figures.
 *
 * A sample without labels (all targets 0) takes part in the first term and not in the second; a batch without labels has a second term of
 * 0. Where all targets are equal every pair is asked to agree. With `positives: pairs` the key is another
 * sample with labels of its own: temporal positives, say.
 */
export default Train.make({
  name: "train/soft-contrastive",
  version: 1,
  summary: "InfoNCE and soft targets: the cosine of multi-hot labels says how near two samples are to be",
  paper: "SoftCon (arXiv 2405.20462)",
  defaults: { standardize: true },
  with: {
    soft: Stage.withDefault(Schema.Literals(["ce", "bce", "none"]).annotate({ description: "the soft term: cross-entropy over a row, binary cross-entropy over pairs, or none (InfoNCE alone)" }), "ce"),
    labels: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "annotation column of target vectors (mine/soft-labels gives labels)" }), "labels"),
    identity: weight("weight of the term that pulls to the identity (InfoNCE); 0: the soft term alone"),
    weight: weight("weight of the soft term"),
    temperature: temperature("temperature of InfoNCE"),
    softTemperature: temperature("temperature of the soft term"),
    ema: Stage.withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({ description: "momentum of the head's copy that projects the keys" }), 0.99),
    positives: Stage.withDefault(Schema.Literals(["views", "pairs"]).annotate({ description: "views: the positive is another view of the sample; pairs: a sample that the port `pairs` names" }), "views"),
    query: Stage.withDefault(Views.annotate({ description: "views that the trained head sees; of several, one is drawn; the embed stage has to give them (`views`)" }), ["masked"]),
    key: Stage.withDefault(Views.annotate({ description: "views that its copy sees" }), ["full"])
  },
  fixed: ["ema"],
  annotations: ({ labels, soft }) => soft === "none" ? [] : [labels],
  query: ({ query }) => query,
  positives: ({ ema, key, positives }) => ({ key, positives, momentum: ema }),
  masked: true,
  loss: (tf, { annotations, keyAnnotations, keys, present, z }, { identity, labels, soft, softTemperature, temperature, weight }) => {
    const instance: tfjs.Scalar = tf.mul(identity, Contrastive.infoNce(tf, z, keys, present, temperature))
    if (soft === "none") return instance
    const targets = annotations[labels]!
    if (targets.rank !== 2) throw new Stage.StageError({ message: `train/soft-contrastive: the annotation column ${labels} holds no target vectors; mine/soft-labels makes them` })
    const term = soft === "ce" ? Contrastive.softCrossEntropy : Contrastive.softBinaryCrossEntropy
    const [anchors, others] = [targets, keyAnnotations[labels]!].map((rows): tfjs.Tensor2D => tf.reshape(rows, [z.shape[0], targets.shape[1]!]))
    return tf.add(instance, tf.mul(weight, term(tf, z, keys, { anchors: anchors!, keys: others! }, softTemperature)))
  }
})
