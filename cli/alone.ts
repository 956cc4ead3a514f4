/** Has a cache for a command alone: waits until no other uses it, and says that it waits. */
import * as Effect from "effect/Effect"
import { openCache } from "../cache/cache.ts"
import { guarded } from "../cache/error.ts"
import { claim, type Lock, users } from "../cache/lock.ts"
import { userError } from "./error.ts"
import { expected } from "./scope.ts"

/** Opens a cache. */
export const opened = (folder: string) => Effect.try({ try: () => openCache(folder), catch: expected })

/** Seconds after which it is told what is waited for, then and again. */
const firstTold = 5, toldAgain = 60

const stillWaits = (folder: string, what: string, seconds: number): string => {
  const known = users(folder).map(({ command, pid }) => `"${command}" (process ${pid})`)
  return `${what} has waited for ${Math.round(seconds)} s; the cache is used by ${known.length > 0 ? known.join(", ") : `a command that cannot be told here ("outcrop status --runs" lists the runs that are under way)`}`
}

const claimed = (folder: string, what: string): Effect.Effect<Lock, ReturnType<typeof userError>> =>
  Effect.gen(function*() {
    const begin = performance.now()
    for (let tellAt = 0; ;) {
      const lock = yield* Effect.try({ try: () => guarded(folder, () => claim(folder)), catch: expected })
      if (lock !== undefined) return lock
      const waited = (performance.now() - begin) / 1000
      if (tellAt === 0) console.error(`another outcrop command uses the cache at ${folder}: ${what} waits until it has ended (Ctrl-C to leave it)`)
      else if (waited >= tellAt) console.error(stillWaits(folder, what, waited))
      if (waited >= tellAt) tellAt = tellAt === 0 ? firstTold : waited + toldAgain
      yield* Effect.sleep(200)
    }
  })

/** Runs a command that has the cache alone. */
export const alone = <A, E, R>(folder: string, what: string, body: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.andThen(Effect.acquireRelease(claimed(folder, what), (lock) => Effect.sync(lock.release), { interruptible: true }), body))
