import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { Schedule } from "./schedule.ts"

const count = (description: string) => Schema.Int.check(Schema.isGreaterThan(0)).annotate({ description })

/** Defaults of a loss's own paper. */
export interface Defaults {
  readonly hidden?: ReadonlyArray<number>
  readonly out?: number
  readonly optimizer?: "adam" | "sgd"
  readonly rate?: number
  readonly schedule?: Schedule
  readonly decay?: number
  readonly batch?: number
  readonly standardize?: boolean
}

/** What every training takes, whatever its loss. Defaults as in TG-MATL (arXiv 2604.03837), except for `epochs`: the paper trains up to 5000. */
export const settings = ({ batch = 32, decay = 0, hidden = [], optimizer = "adam", out = 64, rate = 1e-4, schedule = "constant", standardize = false }: Defaults) => ({
  out: Stage.withDefault(count("width of the projection"), out),
  hidden: Stage.withDefault(Schema.Array(count("width of a hidden layer")).annotate({ description: "widths of hidden layers with ReLU; none: one linear layer" }), hidden),
  normalize: Stage.withDefault(Schema.Boolean.annotate({ description: "put projections on the unit sphere, for the loss and in the result" }), false),
  standardize: Stage.withDefault(Schema.Boolean.annotate({ description: "scale each column of the embeddings to mean 0 and deviation 1 on the training rows first; the weights given are those for embeddings as they are" }), standardize),
  optimizer: Stage.withDefault(Schema.Literals(["adam", "sgd"]).annotate({ description: "adam: torch's defaults; sgd: with momentum" }), optimizer),
  rate: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "learning rate" }), rate),
  schedule: Stage.withDefault(Schedule, schedule),
  momentum: Stage.withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({ description: "momentum of sgd" }), 0.9),
  decay: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description: "weight decay: so much of the weights is added to their gradient" }), decay),
  batch: Stage.withDefault(count("samples a batch"), batch),
  epochs: Stage.withDefault(count("passes over the training rows"), 100),
  patience: Stage.withDefault(
    Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description: "stop after so many epochs without a better validation loss; 0: never" }),
    0
  ),
  seed: Stage.Seed
})
export type Settings = Schema.Struct<ReturnType<typeof settings>>["Type"]
