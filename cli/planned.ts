/** A session with the plan of its run: what `plan` and `why` begin with. */
import * as Effect from "effect/Effect"
import { plan } from "../engine/plan.ts"
import { forcedStages, openSession, type SessionFlags } from "./session.ts"
import { readWords } from "./words.ts"

export interface PlanFlags extends SessionFlags {
  readonly words: ReadonlyArray<string>
  readonly force: ReadonlyArray<string>
  readonly rehash: boolean
  readonly json: boolean
}

export const openPlan = Effect.fn("cli/openPlan")(function*(flags: PlanFlags) {
  const words = readWords(flags.words)
  const session = yield* openSession(words, flags, words.names)
  const force = yield* forcedStages(session, flags.force), { backend, cache, grid } = session
  return { words, session, result: plan({ grid, cache, force, rehash: flags.rehash, backend }) }
})
