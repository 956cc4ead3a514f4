/** How the learning rate changes from epoch to epoch. */
import * as Schema from "effect/Schema"

/** `cosine`: half a cosine from the rate to 0 (MoCo v2); `{ steps, factor }`: times `factor` after each of these epochs (its linear probe: 0.1 after 60 and 80). */
export const Schedule = Schema.Union([
  Schema.Literals(["constant", "cosine"]),
  Schema.Struct({ steps: Schema.NonEmptyArray(Schema.Int.check(Schema.isGreaterThan(0))), factor: Schema.Finite.check(Schema.isGreaterThan(0)) })
]).annotate({ description: "of the learning rate: constant, cosine, or { steps: [60, 80], factor: 0.1 }" })
export type Schedule = typeof Schedule.Type

/** What the rate is multiplied by in an epoch, counted from 1. */
export const rateFactor = (schedule: Schedule, epoch: number, epochs: number): number => {
  if (schedule === "constant") return 1
  if (schedule === "cosine") return 0.5 * (1 + Math.cos(Math.PI * (epoch - 1) / epochs))
  return schedule.factor ** schedule.steps.filter((step) => epoch > step).length
}
