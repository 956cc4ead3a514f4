import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Samples, Stage } from "outcrop"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

/**
 * The samples' labels as class ids: the annotation `class` (int32, names in byte order in the metadata; -1: no label) and nothing else,
 * for losses that need no more, on data with or without boxes.
 */
export default Stage.make({
  name: "mine/classes",
  version: 1,
  summary: "the samples' labels as class ids",
  with: Schema.Struct({}),
  needs: { samples: Stage.needs(Samples, "label") },
  gives: { annotations: Annotations },
  run: Effect.fn("mine/classes")(function*({ samples }) {
    const names = vocabularyOf(samples.label), ids = idsOf(samples.label, names)
    if (names.length === 0) return yield* new Stage.StageError({ message: "no sample has a label, so there are no classes" })
    const without = ids.filter((id) => id < 0).length
    if (without > 0) yield* Stage.notice(`${without} of ${samples.rows} samples have no label; their class is -1`)
    return { annotations: { sample_id: samples.sample_id, open: { class: ids }, metadata: { class: JSON.stringify(names) } } }
  })
})
