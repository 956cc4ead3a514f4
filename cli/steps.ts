/** Work on a cache that may take long: step by step, so that Ctrl-C is heard and progress is seen. */
import * as Effect from "effect/Effect"
import { CacheError } from "../cache/error.ts"
import { CommandError } from "./error.ts"

/** Milliseconds at work before the terminal is looked at. */
const turn = 50

/** Takes all steps; what the cache refuses becomes the command's error. An interruption ends it after a step. */
export const taken = <S, A>(steps: Generator<S, A>, onTurn: (step: S) => void = () => {}): Effect.Effect<A, CommandError> =>
  Effect.gen(function*() {
    for (;;) {
      const last = yield* Effect.try({
        try: () => {
          const begin = performance.now()
          for (;;) {
            const step = steps.next()
            if (step.done === true || performance.now() - begin > turn) return step
          }
        },
        catch: (cause) => {
          if (cause instanceof CacheError) return new CommandError({ message: cause.message, code: 2 })
          throw cause
        }
      })
      if (last.done === true) return last.value
      onTurn(last.value)
      yield* Effect.yieldNow
    }
  }).pipe(Effect.ensuring(Effect.sync(() => void steps.return(undefined as never))))

/** A line on the terminal that is written anew; nowhere else. */
export const liveLine = () => {
  const out = process.stderr, live = out.isTTY && process.env["CI"] === undefined && process.env["TERM"] !== "dumb"
  return {
    show: (text: string) => void (live && out.write(`\r\u001b[2K${text.slice(0, (out.columns || 80) - 1)}`)),
    end: () => void (live && out.write("\r\u001b[2K"))
  }
}
