/** `outcrop why`: for each node asked for, which part of its key differs from its last result. */
import * as Effect from "effect/Effect"
import { type Cause, type Why, why } from "../engine/why.ts"
import { style } from "../report/terminal.ts"
import { openPlan, type PlanFlags } from "./planned.ts"

/** Nodes that are told of, and those up to date of which is looked up whether there is anything to tell. */
const most = 50, mostRead = 200

const show = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  if (/^[0-9a-f]{64}$/.test(text)) return text.slice(0, 12)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** One cause in words: `parameter margin: 0.1 -> 0.2`. */
export const describeCause = ({ after, before, kind, part }: Cause): string => {
  switch (kind) {
    case "never ran":
      return "never ran"
    case "output lost":
      return "its output is lost from the cache"
    case "removed":
      return `its result was removed from the cache ${part}`
    case "forced":
      return "forced"
    case "upstream":
      return `input ${part} ${after === "maybe" ? "may change" : after === "failed" ? "fails" : "will be made anew"}`
    case "impossible":
      return part
    case "code":
      if (part === "stage") return `implementation ${show(before)} -> ${show(after)}`
      return `code${part === "code.closure" ? "" : ` (${part})`}: ${show(before)} -> ${show(after)}`
    default:
      return `${kind} ${part}: ${before === null ? "absent" : show(before)} -> ${after === null ? "absent" : show(after)}`
  }
}

export const whyCommand = Effect.fn("cli/why")(function*(flags: PlanFlags) {
  const { result, session, words } = yield* openPlan(flags)
  const { cache, grid } = session
  const stages = new Set(words.names)
  const picked = Object.keys(words.picks).length > 0
  const wanted = result.nodes.filter(({ node, state }) => stages.size > 0 ? stages.has(node.stage) : picked || state !== "cached")
  // what runs comes first; of a large grid no more is looked up than is told
  const running = wanted.filter(({ state }) => state !== "cached"), told = running.length >= most ? running.slice(0, most) : [...running, ...wanted.filter(({ state }) => state === "cached").slice(0, mostRead)]
  const asked = new Set((flags.json ? wanted : told).map(({ node }) => node))
  const answers = why({ cache, grid, result, wanted: (node) => asked.has(node) })
  if (flags.json) {
    console.log(JSON.stringify({ version: 1, nodes: answers.map(({ causes, key, node, previous, state }) => ({ node: node.address, state, key: key ?? null, previous: previous ?? null, causes })) }))
    return
  }
  if (answers.length === 0) {
    console.log("everything is up to date; name a stage to see why it last ran")
    return
  }
  // of what is up to date without a story a few lines are enough
  const tells = ({ causes, state }: Why) => state !== "cached" || causes.some(({ kind }) => kind !== "never ran")
  const telling = answers.filter(tells).toSorted((a, b) => Number(a.state === "cached") - Number(b.state === "cached")), quiet = answers.filter((answer) => !tells(answer))
  const shown = [...telling.slice(0, most), ...(quiet.length > 5 ? [] : quiet)]
  const startOf = (key: string | undefined) => key === undefined ? "" : cache.index.action(key)?.started ?? ""
  for (const answer of shown) {
    const { causes, key, node, previous, state } = answer
    const upToDate = !tells(answer) ? causes.length > 0 ? "up to date since its first run" : "up to date"
      : startOf(previous) > startOf(key) ? "up to date: what it gave before serves again; since the last result this changed" : "up to date; it last ran because of"
    const last = state === "cached" ? upToDate : state === "maybe" ? "may run" : state === "failed" ? "cannot run" : state === "restored" ? "will be made again" : "will run"
    console.log(`${style("bold", node.address)} ${style("dim", `(${node.implementation.uses})`)} ${last}`)
    for (const cause of causes) if (state !== "cached" || cause.kind !== "never ran") console.log(`  ${describeCause(cause)}`)
    const compared = previous === undefined ? undefined : cache.index.action(previous)
    if (compared !== undefined && state !== "cached" && state !== "restored") console.log(style("dim", `  compared with ${previous!.slice(0, 12)} of ${compared.started.slice(0, 19).replace("T", " ")} UTC`))
  }
  if (quiet.length > 5) console.log(`${quiet.length} nodes are up to date`)
  const untold = telling.length - Math.min(telling.length, most) + wanted.length - asked.size
  if (untold > 0) console.log(`... and ${untold.toLocaleString("en")} more; pick cells with axis=value`)
})
