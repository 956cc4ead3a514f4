/** What a command on results looks at: the pipeline as it is now, or a run on record, which needs neither the pipeline's file nor its code. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { type Cache, isCache } from "../cache/cache.ts"
import { CacheError } from "../cache/error.ts"
import { type Graph, graphOf, picked } from "../engine/graph.ts"
import { graphAt, type Run, runNamed, runs, runsOf } from "../engine/history.ts"
import { mapping } from "../lineage/node.ts"
import { InvalidPipeline } from "../schemas/diagnostic.ts"
import type { Stage } from "../stages/stage.ts"
import { CommandError, userError } from "./error.ts"
import { existingCache } from "./existing.ts"
import { finishedOf } from "./finished.ts"
import { cacheFolder, openSession, type SessionFlags } from "./session.ts"
import type { Words } from "./words.ts"

export interface Scope {
  readonly cache: Cache
  /** Every node, and of the cells those picked. */
  readonly graph: Graph
  readonly dataRoot: string
  /** Absent: the pipeline as it is now. */
  readonly run?: Run
  readonly runs: ReadonlyArray<Run>
  /** The stages that are loaded, by the digest of their closure. */
  readonly stages: ReadonlyMap<string, Stage>
  /** How a person knows it. */
  readonly name: string
  /** The command that makes its results, in words that "makes it again" can follow. */
  readonly remedy: string
}

/** What is wrong with the input becomes the command's error; anything else is a defect. */
export const expected = (cause: unknown): CommandError => {
  if (cause instanceof CommandError) return cause
  if (cause instanceof InvalidPipeline || cause instanceof CacheError) return userError(cause.message)
  throw cause
}

/** What a person calls a run. */
export const runText = ({ asked, git, id, started }: Run): string =>
  `run ${id} of ${started.slice(0, 19).replace("T", " ")} UTC (outcrop ${asked.join(" ")})${git === null ? "" : ` at ${git.commit.slice(0, 10)}${git.dirty ? " with uncommitted changes" : ""}`}`

const recorded = (words: Words, flags: SessionFlags, name: string): Scope => {
  const cache = existingCache(flags, words.file), { runs: all, unreadable } = runs(cache)
  const damaged = unreadable.find((id) => id === name)
  if (damaged !== undefined) throw userError(`the record of the run ${damaged} cannot be read; its results are not lost by it, "outcrop lineage" of the pipeline shows them`)
  const run = runNamed(name.startsWith("last") ? runsOf(all, words.file) : all, name)
  if (typeof run === "string") throw userError(run)
  if (run.graph === null) throw userError(`${runText(run)} did not come to its end, and what it came to is not on record; results that it finished are cached, and the next run takes them on`)
  const graph = graphAt(cache, run.graph)
  if (graph === undefined) throw userError(`what ${runText(run)} came to is lost from the cache; "outcrop status --runs" lists other runs`)
  return {
    cache,
    graph: picked(graph, words.picks),
    dataRoot: run.dataRoot,
    run,
    runs: all,
    stages: new Map(),
    name: runText(run),
    remedy: `"outcrop ${run.asked.join(" ")}"${run.git === null ? " with the files of then" : ` at ${run.git.commit.slice(0, 10)}`}`
  }
}

/** Opens the pipeline as it is, or the run of a name. */
export const openScope = Effect.fn("cli/openScope")(function*(words: Words, flags: SessionFlags, run: string | undefined) {
  if (run !== undefined) return yield* Effect.try({ try: () => recorded(words, flags, run), catch: expected })
  if (!fs.existsSync(words.file) && isCache(cacheFolder(flags, words.file))) {
    return yield* userError(`there is no file ${words.file}; what was run of it is on record: "outcrop status --runs ${words.file}" lists the runs, --run last shows the last`)
  }
  const session = yield* openSession(words, flags), { keys, outputs } = finishedOf(session)
  const scope: Scope = {
    cache: session.cache,
    // a key may be known of what has yet to run
    graph: graphOf(session.grid, keys.map((key, node) => outputs[node] === undefined ? undefined : key)),
    dataRoot: session.grid.dataRoot,
    runs: runs(session.cache).runs,
    stages: new Map(session.grid.nodes.flatMap(({ implementation: { code, stage } }) => {
      const { closure } = mapping(code)
      return typeof closure === "string" ? [[closure, stage] as const] : []
    })),
    name: words.file,
    remedy: `"outcrop run ${words.file}"`
  }
  return scope
})
