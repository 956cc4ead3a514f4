/** `outcrop plan`: what a run would do, a line a stage, with rows and time. */
import * as Effect from "effect/Effect"
import type { PlanState } from "../engine/plan.ts"
import { style, textTable } from "../report/terminal.ts"
import { CommandError } from "./error.ts"
import { openPlan, type PlanFlags } from "./planned.ts"
import { summaryOf } from "./run.ts"
import { showSeconds } from "./words.ts"

export const planCommand = Effect.fn("cli/plan")(function*(flags: PlanFlags) {
  const { result, session } = yield* openPlan(flags)
  const { grid } = session
  const summary = summaryOf(session, (node) => result.nodes[node]!.state, { rows: result.rows, seconds: result.seconds, bytes: result.bytes })
  if (flags.json) console.log(JSON.stringify(summary))
  else {
    const states: ReadonlyArray<PlanState> = ["run", "maybe", "restored", "cached", "failed"]
    const rows = grid.stages.map((stage) => {
      const own = result.nodes.filter(({ node }) => node.stage === stage)
      return [stage, [...new Set(own.map(({ node }) => node.implementation.uses))].join(", "), ...states.map((state) => {
        const n = own.filter((planned) => planned.state === state).length
        return n === 0 ? "" : state === "run" ? style("yellow", String(n)) : state === "failed" ? style("red", String(n)) : String(n)
      })]
    })
    const shown = states.filter((state) => result.nodes.some((planned) => planned.state === state))
    const keep = (row: ReadonlyArray<string>) => row.filter((_, i) => i < 2 || shown.includes(states[i - 2]!))
    console.log(`${textTable(keep(["stage", "uses", ...states.map((state) => `>${state}`)]), rows.map(keep))}\n`)
    const { nodes } = summary
    const price = result.unpriced === 0 ? `about ${showSeconds(result.seconds)} of work` : result.seconds > 0 ? `more than ${showSeconds(result.seconds)} of work (${result.unpriced} nodes are of a kind that never ran here)` : "time unknown: nothing like it ran here yet"
    console.log(nodes.run + nodes.maybe + nodes.restored + nodes.failed === 0 ?
      `${nodes.total} nodes from ${summary.cells} cells, nothing to do: all cached` :
      [`${nodes.total} nodes from ${summary.cells} cells`, `${nodes.run} will run`, ...(nodes.maybe > 0 ? [`${nodes.maybe} may run (if their inputs come out different)`] : []), ...(nodes.restored > 0 ? [`${nodes.restored} are lost and will be made again`] : []), ...(nodes.failed > 0 ? [`${nodes.failed} cannot run`] : []), `${nodes.cached} cached`, ...(result.rows.embedded > 0 ? [`${result.rows.embedded} rows to embed`] : []), price].join(", "))
  }
  // one cause is told once, with how many nodes it takes
  const failed = Map.groupBy(result.nodes.flatMap(({ missing, node }) => missing?.done === "never" ? [{ node, message: missing.message }] : []), ({ message }) => message)
  const lines = [...failed].map(([message, [first, ...more]]) => `${first!.node.address}${more.length === 0 ? "" : ` and ${more.length} more`}: ${message}`)
  if (lines.length > 0) return yield* new CommandError({ message: [...lines.slice(0, 10), ...(lines.length > 10 ? [`... and ${lines.length - 10} more`] : [])].join("\n"), code: 2 })
})
