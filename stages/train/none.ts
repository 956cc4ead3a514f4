import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Stage } from "outcrop"

/** No projection: the frozen embeddings as they are (`base` in TG-MATL's tables). */
export default Stage.make({
  name: "train/none",
  version: 1,
  summary: "no projection: the frozen embeddings as they are",
  with: Schema.Struct({}),
  needs: { embeddings: Stage.needs(Embeddings) },
  gives: { embeddings: Embeddings },
  run: Effect.fn("train/none")(function*({ embeddings }) {
    return { embeddings }
  })
})
