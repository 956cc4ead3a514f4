/** `outcrop gc`: takes out of the cache what no named pipeline, tag or recent run reaches; `--dry-run` says what that is. */
import * as fs from "node:fs"
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import type { Cache } from "../cache/cache.ts"
import { collect, garbageOf, type Kept } from "../cache/gc.ts"
import { tags } from "../cache/tags.ts"
import type { Graph } from "../engine/graph.ts"
import { graphAt, type Run, runs } from "../engine/history.ts"
import { pipelinesNear } from "../engine/nearby.ts"
import { style, textTable } from "../report/terminal.ts"
import { alone, opened } from "./alone.ts"
import { userError } from "./error.ts"
import { existingFolder } from "./existing.ts"
import { finishedOf } from "./finished.ts"
import { keysOf } from "./records.ts"
import { expected } from "./scope.ts"
import { openSession } from "./session.ts"
import { liveLine, taken } from "./steps.ts"
import { readAge, showBytes } from "./words.ts"

export interface GcFlags {
  readonly words: ReadonlyArray<string>
  readonly cache: string | undefined
  readonly data: string | undefined
  readonly dryRun: boolean
  readonly olderThan: string
  readonly runs: number | undefined
  readonly keepEmbeddings: boolean
  readonly json: boolean
}

/** What pipelines, tags and runs reach. */
interface Roots extends Kept {
  readonly pipelines: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly runs: ReadonlyArray<string>
  /** Pipelines on record that were not named. */
  readonly others: ReadonlyArray<Run>
}

const rootsOf = Effect.fnUntraced(function*(cache: Cache, folder: string, files: ReadonlyArray<string>, flags: GcFlags, since: number) {
  const names = new Set<string>(), all = runs(cache).runs, named = tags(cache.store)
  let others = all
  if (named.unreadable.length > 0) return yield* userError(`the tag ${named.unreadable[0]} is damaged, so it cannot be said what it keeps: run "outcrop verify --repair" first`)
  const reached = ({ graph: digest }: Run) => {
    const graph = digest === null ? undefined : graphAt(cache, digest)
    return graph === undefined ? undefined : { digest: digest!, graph }
  }
  const keep = (digest: string, graph: Graph) => [digest, ...keysOf(graph)].forEach((name) => names.add(name))
  /** What the nodes with these addresses came to last; of the newest run everything. A run may have been of a few cells only. */
  const keepLast = (own: ReadonlyArray<Run>, addresses: ReadonlyArray<string>) => {
    const left = new Set(addresses)
    let newest = true
    for (const run of own.toReversed()) {
      const last = reached(run)
      if (last === undefined) continue
      const { digest, graph } = last
      const found = graph.nodes.flatMap(({ address, key }, node) => key !== null && left.delete(address) ? [node] : [])
      if (newest) keep(digest, graph)
      else if (found.length > 0) keep(digest, { ...graph, of: { "": found } })
      newest = false
      if (left.size === 0) return
    }
  }
  for (const file of files) {
    const session = yield* openSession({ file, picks: {}, names: [] }, { cache: folder, data: flags.data, set: [], backend: undefined })
    for (const key of finishedOf(session).keys) if (key !== undefined) names.add(key)
    session.cache.close()
    const ran = all.filter(({ pipeline }) => pipeline.file === resolve(file))
    // a file that was moved is known by its name
    const own = ran.length > 0 ? ran : all.filter(({ pipeline }) => pipeline.name === session.file.pipeline.name)
    // a line changed since, or another --data: what it came to last is not thrown away before it ran again
    keepLast(own, session.grid.nodes.map(({ address }) => address))
    others = others.filter((run) => !own.includes(run))
  }
  for (const { graph, keys } of named.tags) for (const name of [graph, ...keys]) names.add(name)
  const latest = flags.runs === undefined || flags.runs === 0 ? [] : all.slice(-flags.runs)
  const kept = all.filter((run) => latest.includes(run) || Date.parse(run.started) + run.seconds * 1000 >= since)
  for (const run of kept) {
    const all = reached(run)
    if (all !== undefined) keep(all.digest, all.graph)
  }
  const roots: Roots = { names, since, embeddings: flags.keepEmbeddings, pipelines: files, tags: named.tags.map(({ name }) => name), runs: kept.map(({ id }) => id), others: [...new Map(others.map((run) => [run.pipeline.file, run])).values()] }
  return roots
})

const number = (count: number) => count.toLocaleString("en")
const listed = (names: ReadonlyArray<string>) => names.length > 8 ? `${names.slice(0, 8).join(", ")}, ... (${names.length})` : names.join(", ")

/** What keeps what stays, in words. */
const describe = ({ pipelines, runs, tags }: Roots, flags: GcFlags, age: number): string =>
  [
    ...(pipelines.length === 0 ? [] : [`what ${listed(pipelines)} ${pipelines.length === 1 ? "has" : "have"} now or came to last`]),
    ...(tags.length === 0 ? [] : [`the ${tags.length === 1 ? "tag" : "tags"} ${listed(tags)}`]),
    ...(age === 0 ? [] : [`what was made or used in the last ${flags.olderThan}`]),
    ...(runs.length === 0 ? [] : [`what ${runs.length === 1 ? "1 run" : `${runs.length} runs`} came to`]),
    ...(flags.keepEmbeddings ? ["all embedded rows"] : [])
  ].join("; ") || "nothing"

const sweep = Effect.fnUntraced(function*(folder: string, files: ReadonlyArray<string>, flags: GcFlags, age: number) {
  const since = Date.now() - age, cache = yield* opened(folder), line = liveLine()
  const roots = yield* rootsOf(cache, folder, files, flags, since)
  line.show("looking through the cache")
  const garbage = yield* taken(garbageOf(cache, roots))
  line.end()
  const { tallies } = garbage
  const sum = (side: "stays" | "goes") => tallies.reduce((total, tally) => ({ results: total.results + (tally.what.includes("/") ? tally[side].count : 0), bytes: total.bytes + tally[side].bytes }), { results: 0, bytes: 0 })
  const stays = sum("stays"), goes = sum("goes")
  if (flags.json) {
    const { others, pipelines, runs, tags } = roots
    console.log(JSON.stringify({ version: 1, removed: !flags.dryRun, kept: { pipelines, tags, runs }, notNamed: others.map(({ pipeline }) => pipeline.file), kinds: tallies, stays, goes }))
  } else {
    const cells = ({ bytes, count }: { readonly count: number; readonly bytes: number }) => count + bytes === 0 ? ["", ""] : [number(count), showBytes(bytes)]
    if (tallies.length > 0) console.log(`${textTable(["", ">stay", ">bytes", ">go", ">bytes"], tallies.map((tally) => [tally.what, ...cells(tally.stays), ...cells(tally.goes)]))}\n`)
    console.log(`kept: ${describe(roots, flags, age)}`)
    for (const { pipeline, started } of roots.others) console.log(style("dim", `not named: ${pipeline.file} (last run ${started.slice(0, 10)}); only tags and recent runs keep its results`))
  }
  if (!flags.dryRun) {
    yield* taken(collect(cache, garbage, `not reached by: ${describe(roots, flags, age)}`), () => line.show("removing"))
    line.end()
  }
  if (flags.json) return
  const gone = `${number(goes.results)} ${goes.results === 1 ? "result" : "results"}, ${showBytes(goes.bytes)}`
  console.log(goes.bytes === 0 ? "nothing to remove" : flags.dryRun ? `${gone} would be removed; nothing was, without --dry-run it is` : `${gone} removed; ${number(stays.results)} results, ${showBytes(stays.bytes)} stay`)
})

export const gcCommand = Effect.fn("cli/gc")(function*(flags: GcFlags) {
  const wrong = flags.words.find((word) => !/\.ya?ml$/.test(word))
  if (wrong !== undefined) return yield* userError(`gc takes the pipelines whose results are to stay, got "${wrong}"; to keep some cells, tag them first: outcrop tag NAME axis=value`)
  const age = readAge(flags.olderThan)
  if (age === undefined) return yield* userError(`--older-than takes an age like 30d or 12h, got "${flags.olderThan}"`)
  if (flags.runs !== undefined && flags.runs < 0) return yield* userError(`--runs takes a number from 0, got ${flags.runs}`)
  const missing = flags.words.find((file) => !fs.existsSync(file))
  if (missing !== undefined) return yield* userError(`there is no file ${missing}${pipelinesNear(dirname(missing))}`)
  const files = flags.words.length > 0 || !fs.existsSync("pipeline.yaml") ? flags.words : ["pipeline.yaml"]
  if (files.length === 0 && flags.cache === undefined) return yield* userError(`there is no pipeline.yaml here: name the pipelines whose results are to stay, or with --cache a cache of which only tags and recent runs are to stay${pipelinesNear(".")}`)
  const folder = yield* Effect.try({ try: () => existingFolder(flags, files[0] ?? "pipeline.yaml"), catch: expected })
  const body = sweep(folder, files, flags, age)
  yield* flags.dryRun ? body : alone(folder, "gc", body)
})
