import type * as tfjs from "@tensorflow/tfjs-core"
import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { Contrastive, Train } from "outcrop/train"

const weight = (description: string, value: number) => Stage.withDefault(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description }), value)
const Views = Schema.NonEmptyArray(Schema.NonEmptyString)

/**
 * Momentum contrast (MoCo v2, arXiv 2003.04297) with the two additions of Geography-aware self-supervised learning (Ayush et al., ICCV
 * 2021, arXiv 2011.09980), on frozen embeddings: `+TP`, positives from other dates of the place (`positives: pairs`, which
 * mine/temporal-positives gives), and `+Geo`, the geo-location pretext: a ReLU and a linear layer on the projection tell which cluster of
 * places a sample is of (column `place`, mine/geo-clusters).
 *
 * The loss is alpha * InfoNCE + beta * cross-entropy of the place; alpha 1, beta 0 is MoCo alone, alpha 0, beta 1 the pretext alone. Keys are
 * projected by a copy of the head that follows it by a moving average, and enter the queue after the logits. From the released code:
 * temperature 0.02, momentum 0.999, SGD at 0.03 with momentum 0.9 and decay 1e-4, cosine schedule, batch 256, the head's first layers as wide
 * as the embedding (`hidden: [2048]` for ResNet-50), 128 out, the pretext's layer on the projection before it is put on the sphere.
 *
 * Ours: `queue` is 1024 by default, where the paper's 65536 is for 363,000 images; a key of the sample itself from the epoch before may
 * still be in it, the rarer the shorter the queue is beside the data, and is a false negative. No epoch is taken for the best before the
 * queue is full of keys. Embeddings are standardised first (`standardize`): frozen features are often of very different size. The head is
 * Glorot-uniform, one linear layer unless `hidden` says more, and trained on frozen embeddings, where the paper trains the backbone. A
 * sample without a place takes no part in the pretext.
 */
export default Train.make({
  name: "train/momentum-contrastive",
  version: 1,
  summary: "MoCo with a queue, positives from other dates, and a geo-location head",
  paper: "Geography-aware SSL (arXiv 2011.09980), MoCo v2 (arXiv 2003.04297)",
  defaults: { out: 128, optimizer: "sgd", rate: 0.03, decay: 1e-4, schedule: "cosine", batch: 256, standardize: true },
  with: {
    alpha: weight("weight of the contrast; 0: the pretext alone", 1),
    beta: weight("weight of the geo-location pretext (paper: 1); 0: none", 0),
    place: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "annotation column of the clusters of places" }), "place"),
    temperature: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "cosines are divided by it" }), 0.02),
    ema: Stage.withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({ description: "momentum of the head's copy that projects the keys" }), 0.999),
    queue: Stage.withDefault(Schema.Int.check(Schema.isGreaterThan(0)).annotate({ description: "keys of batches before that are negatives; whole batches" }), 1024),
    positives: Stage.withDefault(Schema.Literals(["views", "pairs"]).annotate({ description: "views: the positive is another view of the sample; pairs: a sample that the port `pairs` names" }), "views"),
    query: Stage.withDefault(Views.annotate({ description: "views that the trained head sees; of several, one is drawn" }), ["full"]),
    key: Stage.withDefault(Views.annotate({ description: "views that its copy sees; not that of the anchor where the sample is its own positive; the embed stage has to give them (`views`)" }), ["augmented"])
  },
  fixed: ["alpha", "beta", "ema", "queue"],
  annotations: ({ beta, place }) => beta > 0 ? [place] : [],
  query: ({ query }) => query,
  positives: ({ alpha, ema, key, positives, queue }) => alpha > 0 ? { key, positives, momentum: ema, queue } : undefined,
  layers: ({ beta, place }, { classes, out }): Readonly<Record<string, ReadonlyArray<number>>> => beta > 0 ? { "place.weight": [out, classes(place)], "place.bias": [classes(place)] } : {},
  loss: (tf, { annotations, keys, layers, present, queue, z }, { alpha, beta, place, temperature }) => {
    if (alpha === 0 && beta === 0) throw new Stage.StageError({ message: "train/momentum-contrastive: alpha and beta are both 0, which leaves no loss" })
    const contrast = (): tfjs.Scalar => tf.mul(alpha, Contrastive.infoNceWithQueue(tf, z, keys, queue, present, temperature))
    if (beta === 0) return contrast()
    const weight = layers["place.weight"]!, bias = layers["place.bias"]!
    const scores: tfjs.Tensor2D = tf.add(tf.matMul(tf.relu(z), tf.reshape(weight, [z.shape[1], bias.size])), bias)
    const pretext: tfjs.Scalar = tf.mul(beta, Contrastive.crossEntropy(tf, scores, tf.reshape(annotations[place]!, [z.shape[0]])))
    return alpha === 0 ? pretext : tf.add(contrast(), pretext)
  }
})
