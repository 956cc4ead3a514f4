import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { Contrastive, Train } from "outcrop/train"

const Views = Schema.NonEmptyArray(Schema.NonEmptyString)

/**
 * NT-Xent of two views, SimCLR's loss (Chen et al. 2020, arXiv 2002.05709), on frozen embeddings: one head projects both views, and the
 * gradient passes through both. With `positives: pairs` the other view is one of another sample.
 */
export default Train.make({
  name: "train/nt-xent",
  version: 1,
  summary: "contrast of two views within a batch, no labels",
  paper: "SimCLR (arXiv 2002.05709)",
  defaults: { standardize: true },
  with: {
    temperature: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "cosines are divided by it" }), 0.5),
    positives: Stage.withDefault(Schema.Literals(["views", "pairs"]).annotate({ description: "views: the positive is another view of the sample; pairs: a sample that the port `pairs` names" }), "views"),
    query: Stage.withDefault(Views.annotate({ description: "views that the one side is drawn from" }), ["full"]),
    key: Stage.withDefault(Views.annotate({ description: "views that the other side is drawn from; the embed stage has to give them (`views`)" }), ["augmented"])
  },
  query: ({ query }) => query,
  positives: ({ key, positives }) => ({ key, positives }),
  masked: true,
  loss: (tf, { keys, present, z }, { temperature }) => Contrastive.ntXent(tf, z, keys, present, temperature)
})
