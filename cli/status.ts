/** `outcrop status`: which results are there, a line for each node that is not; or the runs on record. */
import * as Effect from "effect/Effect"
import { plan } from "../engine/plan.ts"
import { why } from "../engine/why.ts"
import { summaryOf } from "./run.ts"
import { openSession, type SessionFlags } from "./session.ts"
import { describeCause } from "./why.ts"
import { readWords } from "./words.ts"

const most = 20

export const statusCommand = Effect.fn("cli/status")(function*(flags: SessionFlags & { readonly words: ReadonlyArray<string>; readonly json: boolean; readonly runs: boolean }) {
  if (flags.runs) {
    const { historyCommand } = yield* Effect.promise(() => import("./history.ts"))
    return yield* historyCommand(flags)
  }
  const words = readWords(flags.words)
  const session = yield* openSession(words, flags, words.names)
  const { backend, cache, grid } = session
  const result = plan({ grid, cache, force: new Set(), rehash: false, backend })
  const outdated = result.nodes.filter(({ state }) => state !== "cached")
  if (flags.json) {
    const summary = summaryOf(session, (node) => result.nodes[node]!.state, { rows: result.rows, seconds: result.seconds, bytes: result.bytes })
    console.log(JSON.stringify({ ...summary, outdated: outdated.map(({ node, state }) => ({ node: node.address, state })) }))
    return
  }
  if (outdated.length === 0) {
    console.log(`up to date: ${grid.nodes.length} nodes from ${grid.cells.count} cells`)
    return
  }
  const shown = new Set(outdated.slice(0, most).map(({ node }) => node.index))
  for (const { causes, node, state } of why({ cache, grid, result, wanted: (node) => shown.has(node.index) })) {
    console.log(`${state.padEnd(8)} ${node.address}: ${causes.slice(0, 3).map(describeCause).join("; ")}${causes.length > 3 ? "; ..." : ""}`)
  }
  if (outdated.length > most) console.log(`... and ${outdated.length - most} more`)
  console.log(`${outdated.length} of ${grid.nodes.length} nodes are not up to date`)
})
