import * as Schema from "effect/Schema"
import { Stage } from "outcrop"

const count = (description: string) => Schema.Int.check(Schema.isGreaterThan(0)).annotate({ description })

/** What every training takes, whatever its loss. Defaults as in TG-MATL (arXiv 2604.03837), except for `epochs`: the paper trains up to 5000. */
export const settings = {
  out: Stage.withDefault(count("width of the projection"), 64),
  hidden: Stage.withDefault(Schema.Array(count("width of a hidden layer")).annotate({ description: "widths of hidden layers with ReLU; none: one linear layer" }), []),
  normalize: Stage.withDefault(Schema.Boolean.annotate({ description: "put projections on the unit sphere, for the loss and in the result" }), false),
  optimizer: Stage.withDefault(Schema.Literals(["adam", "sgd"]).annotate({ description: "adam: torch's defaults; sgd: with momentum" }), "adam"),
  rate: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "learning rate" }), 1e-4),
  momentum: Stage.withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({ description: "momentum of sgd" }), 0.9),
  batch: Stage.withDefault(count("samples a batch"), 32),
  epochs: Stage.withDefault(count("passes over the training rows (the paper: up to 5000)"), 100),
  patience: Stage.withDefault(
    Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description: "stop after so many epochs without a better validation loss; 0: never" }),
    0
  ),
  seed: Stage.Seed
}
export type Settings = Schema.Struct<typeof settings>["Type"]
