/** `outcrop status --runs`: every run on record. The pipeline's file need not be there any more. */
import * as Effect from "effect/Effect"
import { type Run, runs, stateOf } from "../engine/history.ts"
import { style, textTable } from "../report/terminal.ts"
import { existingCache } from "./existing.ts"
import { expected } from "./scope.ts"
import type { SessionFlags } from "./session.ts"
import { readWords, showSeconds } from "./words.ts"

/** The newest runs that are listed. */
const most = 30

const colours = { done: "green", running: "cyan", failed: "red", interrupted: "yellow", "cut off": "yellow" } as const

const row = (run: Run): ReadonlyArray<string> => {
  const { asked, git, id, nodes, seconds, started } = run, state = stateOf(run), ended = run.state !== "running"
  return [
    id,
    started.slice(0, 19).replace("T", " "),
    style(colours[state], state),
    `outcrop ${asked.join(" ")}`,
    ...(ended && state !== "interrupted" ? [nodes.run, nodes.cached, nodes.failed].map(String) : ["", "", ""]),
    git === null ? "" : `${git.commit.slice(0, 10)}${git.dirty ? "+" : ""}`,
    ended ? showSeconds(seconds) : ""
  ]
}

export const historyCommand = Effect.fn("cli/history")(function*(flags: SessionFlags & { readonly words: ReadonlyArray<string>; readonly json: boolean }) {
  const history = yield* Effect.try({ try: () => runs(existingCache(flags, readWords(flags.words).file)), catch: expected })
  if (flags.json) {
    console.log(JSON.stringify({ version: 1, runs: history.runs.map((run) => ({ ...run, state: stateOf(run) })), unreadable: history.unreadable }))
    return
  }
  const shown = history.runs.slice(-most).toReversed()
  if (shown.length === 0) console.log("no run is on record in this cache")
  else console.log(textTable(["run", "began (UTC)", "state", "asked", ">ran", ">cached", ">failed", "commit", ">took"], shown.map(row)))
  if (history.runs.length > most) console.log(`... and ${history.runs.length - most} older (--json lists all)`)
  if (shown.some(({ git }) => git?.dirty === true)) console.log(style("dim", "+ with uncommitted changes"))
  const lost = history.unreadable
  if (lost.length > 0) console.error(`${lost.length === 1 ? "1 record of a run" : `${lost.length} records of runs`} cannot be read: ${lost.join(", ")}; results are not lost by it`)
})
