/** `outcrop why`: for each node asked for, which part of its key differs from its last result. */
import * as Effect from "effect/Effect"
import { type Cause, why } from "../engine/why.ts"
import { style } from "../report/terminal.ts"
import { openPlan, type PlanFlags } from "./planned.ts"

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
  const answers = why({ cache, grid, result, wanted: (node) => wanted.some((planned) => planned.node === node) })
  if (flags.json) {
    const documents = answers.map(({ causes, key, node, previous, state }) => ({ version: 1, node: node.address, state, key: key ?? null, previous: previous ?? null, causes }))
    console.log(JSON.stringify(documents.length === 1 ? documents[0] : documents))
    return
  }
  if (answers.length === 0) {
    console.log("everything is up to date; name a stage to see why it last ran")
    return
  }
  // what runs comes first; of what is up to date without a story a few lines are enough
  const telling = answers.filter(({ causes, state }) => state !== "cached" || causes.some(({ kind }) => kind !== "never ran")), quiet = answers.filter((answer) => !telling.includes(answer))
  const shown = [...telling.slice(0, 50), ...(quiet.length > 5 ? [] : quiet)]
  const startOf = (key: string | undefined) => key === undefined ? "" : cache.index.action(key)?.started ?? ""
  for (const { causes, key, node, previous, state } of shown) {
    const upToDate = quiet.some((answer) => answer.node === node) ? causes.length > 0 ? "up to date since its first run" : "up to date"
      : startOf(previous) > startOf(key) ? "up to date: what it gave before serves again; since the last result this changed" : "up to date; it last ran because of"
    const last = state === "cached" ? upToDate : state === "maybe" ? "may run" : state === "failed" ? "cannot run" : state === "restored" ? "will be made again" : "will run"
    console.log(`${style("bold", node.address)} ${style("dim", `(${node.implementation.uses})`)} ${last}`)
    for (const cause of causes) if (state !== "cached" || cause.kind !== "never ran") console.log(`  ${describeCause(cause)}`)
    const compared = previous === undefined ? undefined : cache.index.action(previous)
    if (compared !== undefined && state !== "cached" && state !== "restored") console.log(style("dim", `  compared with ${previous!.slice(0, 12)} of ${compared.started.slice(0, 19).replace("T", " ")} UTC`))
  }
  if (quiet.length > 5) console.log(`${quiet.length} nodes are up to date`)
  if (telling.length > 50) console.log(`... and ${telling.length - 50} more; pick cells with axis=value`)
})
