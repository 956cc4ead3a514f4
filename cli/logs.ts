/** `outcrop logs`: when each result was made, how long it took, and what its stage said. */
import * as Effect from "effect/Effect"
import { style } from "../report/terminal.ts"
import { finishedOf } from "./finished.ts"
import { openSession, type SessionFlags } from "./session.ts"
import { readWords, showSeconds } from "./words.ts"

export const logsCommand = Effect.fn("cli/logs")(function*(flags: SessionFlags & { readonly words: ReadonlyArray<string>; readonly json: boolean }) {
  const words = readWords(flags.words)
  const session = yield* openSession(words, flags, words.names)
  const { keys } = finishedOf(session)
  for (const node of session.grid.nodes) {
    if (words.names.length > 0 && !words.names.includes(node.stage)) continue
    const key = keys[node.index]
    const action = key === undefined ? undefined : session.cache.index.action(key)
    if (action === undefined) continue
    if (flags.json) {
      console.log(JSON.stringify({ version: 1, node: node.address, key, started: action.started, seconds: action.seconds, host: action.host, notices: action.notices, timings: action.timings ?? [] }))
      continue
    }
    console.log(`${style("dim", action.started.slice(0, 19).replace("T", " "))}  ${showSeconds(action.seconds).padStart(8)}  ${node.address}`)
    for (const { seconds, what } of action.timings ?? []) console.log(style("dim", `${" ".repeat(21)}${showSeconds(seconds).padStart(8)}  of it: ${what}`))
    for (const notice of action.notices) console.log(`                               ${notice}`)
  }
})
