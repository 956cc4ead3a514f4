/**
 * What read-only commands come to, called in the test's own process: a start costs a third of a second, these cost milliseconds. They close
 * the cache that they opened, so that a command may have it alone afterwards. Whole commands are started by `Folder`.
 */
import * as Effect from "effect/Effect"
import { type Cache, openCache } from "../cache/cache.ts"
import { verify } from "../cache/verify.ts"
import { openPlan, type PlanFlags } from "../cli/planned.ts"
import { readers } from "../cli/records.ts"
import { openSession, type Session } from "../cli/session.ts"
import { readWords } from "../cli/words.ts"
import { runs, stateOf } from "../engine/history.ts"
import { why } from "../engine/why.ts"
import type { Folder } from "./pipeline.ts"

const flags: PlanFlags = { words: [], cache: undefined, data: undefined, set: [], backend: undefined, force: [], rehash: false, json: true }
/** Words as they would be given in that folder. */
const within = (folder: Folder, words: ReadonlyArray<string>) => [folder.at("pipeline.yaml"), ...words.map((word) => /\.ya?ml$/.test(word) ? folder.at(word) : word)]

const withCache = <A>(folder: Folder, look: (cache: Cache) => A): A => {
  const cache = openCache(folder.at(".outcrop"))
  try {
    return look(cache)
  } finally {
    cache.close()
  }
}

/** The pipeline as it is now, open for as long as it is looked at. */
export const withSession = async <A>(folder: Folder, words: ReadonlyArray<string>, look: (session: Session) => A): Promise<Awaited<A>> => {
  const session = await Effect.runPromise(openSession(readWords(within(folder, words)), flags))
  try {
    return await look(session)
  } finally {
    session.cache.close()
  }
}

/** `verify`, or `verify --repair`: what is wrong, and how much there is of what. */
export const verified = (folder: Folder, repair = false) => withCache(folder, (cache) => {
  const steps = verify(cache, { ...readers, audits: () => ({ results: [], graph: undefined }) }, repair)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
})

/** `status --runs`. */
export const historyOf = (folder: Folder) => withCache(folder, (cache) => {
  const history = runs(cache)
  return { ...history, runs: history.runs.map((run) => ({ ...run, state: stateOf(run) })) }
})

const planned = async <A>(folder: Folder, words: ReadonlyArray<string>, force: ReadonlyArray<string>, look: (plan: Effect.Success<ReturnType<typeof openPlan>>) => A): Promise<A> => {
  const plan = await Effect.runPromise(openPlan({ ...flags, words: within(folder, words), force }))
  try {
    return look(plan)
  } finally {
    plan.session.cache.close()
  }
}

/** `why` of the nodes of a stage in picked cells. */
export const whyOf = (folder: Folder, words: ReadonlyArray<string>, force: ReadonlyArray<string> = []) =>
  planned(folder, words, force, ({ result, session: { cache, grid }, words: { names } }) =>
    why({ cache, grid, result, wanted: (node) => names.includes(node.stage) }).map(({ causes, key, node, previous, state }) => ({ node: node.address, state, key: key ?? null, previous: previous ?? null, causes })))

/** `plan`: how many nodes are in each state; those in which none is are left out. */
export const planOf = (folder: Folder, ...words: ReadonlyArray<string>) =>
  planned(folder, words, [], ({ result: { nodes } }) => {
    const states: Partial<Record<(typeof nodes)[number]["state"], number>> = {}
    for (const { state } of nodes) states[state] = (states[state] ?? 0) + 1
    return states
  })
