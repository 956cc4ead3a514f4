/**
 * Collects garbage now. V8 sees a large array as a few bytes of its heap, and a thread that has just posted its result allocates nothing, so
 * some GB that nobody reads any more would stay in memory until long after the next job has taken its own.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

let collect: (() => void) | undefined

export const collectGarbage = (): void => {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc")
    collect = runInNewContext("gc") as () => void
  }
  collect()
}
