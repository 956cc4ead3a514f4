/** What `outcrop diff` is asked to compare: two cells of the pipeline as it is, two runs, or the last runs at two git revisions. */
import { execFile } from "node:child_process"
import { dirname, resolve } from "node:path"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import type { Cache } from "../cache/cache.ts"
import { graphOf, picked, valuesOf, type Graph } from "../engine/graph.ts"
import { graphAt, type Run, runNamed, runs, runsOf } from "../engine/history.ts"
import type { Side } from "../lineage/diff.ts"
import { lossOf } from "../lineage/loss.ts"
import { userError } from "./error.ts"
import { finishedOf } from "./finished.ts"
import { existingCache } from "./existing.ts"
import { expected, runText } from "./scope.ts"
import { openSession, type Session, type SessionFlags } from "./session.ts"
import { readWords, type Words } from "./words.ts"

export interface Compared extends Side {
  /** How a person knows it. */
  readonly name: string
  readonly run: Run | undefined
  /** What makes its results again where they are lost. */
  readonly again: string
}

export interface Sides {
  readonly cache: Cache
  readonly a: Compared
  readonly b: Compared
}

const usage = `name two things to compare:
  outcrop diff "method=dtl fold=0" "method=matl fold=0"   two cells, each in one argument
  outcrop diff last~1 last                                two runs ("outcrop status --runs" lists them)
  outcrop diff HEAD~1..HEAD                               the last runs at two git revisions`

const cellText = (graph: Graph, cell: number) => Object.entries(valuesOf(graph, cell)).map(([axis, value]) => `${axis}=${value}`).join(" ")

/** The only cell that these words pick. */
const cellOf = (graph: Graph, text: string): Graph => {
  const one = picked(graph, readWords(text.trim().split(/\s+/)).picks)
  if (one.cells === 1) return one
  const shown = Array.from({ length: Math.min(10, one.cells) }, (_, cell) => `  ${cellText(one, cell)}`)
  throw userError(`"${text}" is ${one.cells} cells; pick one:\n${shown.join("\n")}${one.cells > 10 ? `\n  ... and ${one.cells - 10} more` : ""}`)
}

const cells = ({ cache, grid, ...session }: Session, file: string, [first, second]: readonly [string, string]): Sides => {
  // a key alone, of what would run, is no result
  const { keys, outputs } = finishedOf({ cache, grid, ...session }), graph = graphOf(grid, keys.map((key, node) => outputs[node] === undefined ? undefined : key))
  const side = (text: string): Compared => {
    const one = cellOf(graph, text), again = `outcrop run ${file} ${cellText(one, 0)}`
    for (const nodes of Object.values(one.of)) {
      const { address, key } = one.nodes[nodes[0]!]!
      if (key === null) throw userError(`${address} has no result yet: run "${again}"`)
    }
    return { graph: one, failures: new Map(), name: cellText(one, 0), run: undefined, again }
  }
  return { cache, a: side(first), b: side(second) }
}

/** The commit that a git revision names; undefined where there is none, or no repository. */
const commitOf = async (folder: string, revision: string): Promise<string | undefined> =>
  await promisify(execFile)("git", ["-C", folder, "rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`], { timeout: 5000 }).then(({ stdout }) => stdout.trim(), () => undefined)

const recorded = async (file: string, flags: SessionFlags, [first, second]: readonly [string, string], picks: Words["picks"]): Promise<Sides> => {
  const path = resolve(file), cache = existingCache(flags, file), { runs: all, unreadable } = runs(cache)
  const among = runsOf(all, path)
  const listed = () => among.length === 0 ? "no run is on record in this cache" : `runs on record are:\n${among.slice(-5).toReversed().map((run) => `  ${runText(run)}`).join("\n")}`
  const find = async (name: string): Promise<Run> => {
    const back = /^last(?:~(\d+))?$/.exec(name)
    if (back !== null) {
      const run = among.at(-1 - Number(back[1] ?? 0))
      if (run === undefined) throw userError(`there is no ${name}: ${among.length === 0 ? listed() : `the oldest run on record is last~${among.length - 1}`}`)
      return run
    }
    if (all.some(({ id }) => id.startsWith(name))) {
      const run = runNamed(all, name)
      if (typeof run === "string") throw userError(run)
      return run
    }
    if (unreadable.includes(name)) throw userError(`the record of the run ${name} cannot be read; ${listed()}`)
    const commit = await commitOf(dirname(path), name)
    if (commit === undefined) throw userError(`"${name}" is neither a run nor a git revision here; ${listed()}`)
    const there = among.filter(({ git }) => git?.commit === commit)
    // what was run of files as they were committed is what the revision came to
    const run = there.findLast(({ git }) => git?.dirty === false) ?? there.at(-1)
    if (run === undefined) throw userError(`no run on record was made at ${name} (${commit.slice(0, 10)}); ${listed()}`)
    return run
  }
  const side = async (name: string): Promise<Compared> => {
    const run = await find(name), graph = run.graph === null ? undefined : graphAt(cache, run.graph)
    if (graph === undefined) throw userError(run.graph === null ? `${runText(run)} did not come to its end: what it left cannot be compared` : `the graph of ${runText(run)} ${lossOf(cache.store, run.graph)}`)
    return {
      graph: picked(graph, picks),
      failures: new Map(run.failures.map(({ address, message }) => [address, message])),
      name: runText(run),
      run,
      again: `outcrop ${run.asked.join(" ")}${run.git === null ? " with the files as they were" : ` at ${run.git.commit.slice(0, 10)}`}`
    }
  }
  return { cache, a: await side(first), b: await side(second) }
}

/** Reads the words of `outcrop diff`. */
export const openSides = Effect.fn("cli/openSides")(function*(words: ReadonlyArray<string>, flags: SessionFlags) {
  const { file, names } = readWords(words.filter((word) => !word.includes("="))), picks = words.filter((word) => word.includes("="))
  const [a, b, ...more] = names.length === 1 && names[0]!.includes("..") ? names[0]!.split(/\.\.+/).map((name) => name === "" ? "HEAD" : name) : names
  if (a === undefined && picks.length === 2) {
    // of a large grid only what either may mean
    const [one, other] = picks.map((text) => readWords(text.trim().split(/\s+/)).picks)
    const either = Object.fromEntries(Object.entries(one!).flatMap(([axis, values]) => axis in other! ? [[axis, [...values, ...other![axis]!]]] : []))
    const session = yield* openSession({ file, picks: either, names: [] }, flags)
    return yield* Effect.try({ try: () => cells(session, file, [picks[0]!, picks[1]!]), catch: expected })
  }
  if (a === undefined || b === undefined || more.length > 0) return yield* userError(usage)
  return yield* Effect.tryPromise({ try: () => recorded(file, flags, [a, b], readWords(picks.flatMap((text) => text.split(/\s+/))).picks), catch: expected })
})
