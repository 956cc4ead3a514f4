/** `outcrop replay`: computes the chain behind cells again in an empty cache, from a pipeline or from an export, and compares with the record. */
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Cache, openCache } from "../cache/cache.ts"
import { expand, type Grid } from "../engine/expand.ts"
import { graphOf } from "../engine/graph.ts"
import { Library } from "../engine/library.ts"
import { isCrate, NotTrusted } from "../lineage/export/crate.ts"
import { type Recorded, replay, type Replay } from "../lineage/replay.ts"
import { tableOf } from "../report/finished.ts"
import { replayText, verdictText } from "../report/replayed.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"
import { CommandError, userError } from "./error.ts"
import { finishedOf } from "./finished.ts"
import { progress } from "./progress.ts"
import { refused, replayedExport } from "./replay-export.ts"
import { expected } from "./scope.ts"
import { openSession, type SessionFlags } from "./session.ts"
import { targetOf } from "./target.ts"
import { readWords, type Words } from "./words.ts"

export interface ReplayFlags extends SessionFlags {
  readonly words: ReadonlyArray<string>
  readonly jobs: number
  readonly tolerance: number
  readonly withInstalled: boolean
  readonly withCode: boolean
  readonly json: boolean
}

/** What is to be replayed. */
export interface Chain {
  readonly grid: Grid
  readonly cache: Cache
  readonly recorded: Recorded
  readonly backend: string | undefined
  readonly metrics: ReadonlyArray<string>
}

/** The chain behind cells of a pipeline, with its record in the pipeline's own cache. */
const replayedCells = Effect.fnUntraced(function*(words: Words, flags: ReplayFlags, cache: Cache) {
  const session = yield* openSession(words, flags)
  const finished = finishedOf(session)
  return yield* Effect.tryPromise({
    try: async (): Promise<Chain> => {
      const { metrics, until } = targetOf(session.cache, graphOf(session.grid, finished.keys), words.names)
      const grid = await expand(session.file, new Library(cache.index, cache.store.root), { dataRoot: flags.data, picks: words.picks, until })
      const before = new Map(grid.stages.flatMap((stage) => Array.from({ length: grid.cells.count }, (_, cell) => [grid.nodeOf(stage, cell).index, session.grid.nodeOf(stage, cell)] as const)))
      const actions = grid.nodes.map(({ index }) => {
        const key = finished.keys[before.get(index)!.index]
        return key === undefined ? undefined : session.cache.index.action(key)
      })
      const absent = grid.nodes.filter(({ index }) => actions[index] === undefined)
      if (absent.length > 0) {
        const one = `${absent[0]!.address}${absent.length > 1 ? ` and ${absent.length - 1} more` : ""}`
        throw userError(`there is nothing on record of ${one}, so nothing to compare with: run "outcrop run ${flags.words.join(" ")}" first; "outcrop why" says what changed since an earlier run`)
      }
      return { grid, cache, metrics, backend: session.backend, recorded: { actions, tableOf: async (node, output) => tableOf(finished, before.get(node)!, output) } }
    },
    catch: expected
  })
})

/** The values of metrics before and now. */
const valuesOf = async ({ grid, metrics, recorded }: Chain, done: Replay) => {
  const read = (table: Table | undefined, metric: string): number | null => {
    if (table === undefined) return null
    const text = (name: string) => table.columns.get(name)!.column as ColumnTypes["text"]
    const row = text("task").findIndex((task, i) => `${task}.${text("metric")[i]}` === metric && text("split")[i] === "test" && text("class")[i] === "")
    return row < 0 ? null : (table.columns.get("value")!.column as Float64Array)[row]!
  }
  const values: Array<{ readonly node: string; readonly metric: string; readonly recorded: number | null; readonly now: number | null }> = []
  for (const { address, implementation, index } of metrics.length === 0 ? [] : grid.nodes) {
    for (const [output, { name }] of Object.entries(implementation.stage.gives)) {
      if (name !== "metrics") continue
      const before = await recorded.tableOf(index, output), now = done.tableOf(index, output)
      for (const metric of metrics) values.push({ node: address, metric, recorded: read(before, metric), now: read(now, metric) })
    }
  }
  return values
}

const shown = (value: number | null) => value === null ? "unknown" : String(value)

/** An empty cache that is taken away at the end. */
const emptyCache = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = fs.mkdtempSync(join(tmpdir(), "outcrop-replay-"))
    return { folder, cache: openCache(join(folder, "cache")) }
  }),
  ({ cache, folder }) => Effect.sync(() => {
    cache.close()
    fs.rmSync(folder, { recursive: true, force: true })
  })
)

export const replayCommand = Effect.fn("cli/replay")(function*(flags: ReplayFlags) {
  const words = readWords(flags.words)
  if (!(flags.tolerance >= 0)) return yield* userError(`--tolerance takes a number from 0, got ${flags.tolerance}`)
  if (flags.jobs < 1) return yield* userError(`--jobs takes a number from 1, got ${flags.jobs}`)
  const exported = words.names.filter((name) => isCrate(name))
  const isFolder = (name: string) => /[/\\]|^\.+$/.test(name) || (!fs.existsSync(words.file) && fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true)
  const path = words.names.find((name) => isFolder(name) && !isCrate(name))
  if (path !== undefined) return yield* userError(`${path} is no export: there is no ${join(path, "ro-crate-metadata.json")}`)
  if (exported.length > 1 || (exported.length === 1 && (words.names.length > 1 || Object.keys(words.picks).length > 0))) return yield* userError("an export is replayed as a whole: outcrop replay <folder>, without cells or stages")
  const { cache, folder } = yield* emptyCache
  const chain = exported[0] === undefined ? yield* replayedCells(words, flags, cache) : yield* replayedExport(resolve(exported[0]), flags, cache, join(folder, "pipeline"))
  const display = progress({ grid: chain.grid, mode: flags.json ? "quiet" : "auto" })
  const exit = yield* Effect.exit(replay({ ...chain, tolerance: flags.tolerance, jobs: flags.jobs, memory: 1 << 30, onEvent: display.on }))
  display.end()
  if (Exit.isFailure(exit)) {
    const cause = Cause.squash(exit.cause) as { readonly _tag?: string; readonly message: string }
    if (cause instanceof NotTrusted) return yield* refused(cause)
    if (cause._tag === "CacheError") return yield* new CommandError({ message: cause.message, code: 1 })
    return yield* Effect.failCause(exit.cause)
  }
  const done = exit.value, measured = yield* Effect.promise(() => valuesOf(chain, done))
  if (flags.json) console.log(JSON.stringify({ version: 1, verdict: done.verdict, tolerance: flags.tolerance, metrics: measured, nodes: done.nodes }))
  else {
    console.log(replayText(done))
    for (const { metric, node, now, recorded } of measured) console.log(`${metric} (${node}): ${shown(recorded)} recorded, ${shown(now)} now`)
  }
  const verdict = verdictText(done, flags.tolerance)
  if (done.verdict === "failed") return yield* new CommandError({ message: verdict, code: 1 })
  if (done.verdict === "differs") return yield* new CommandError({ message: verdict, code: 3 })
  if (!flags.json) console.log(verdict)
}, Effect.scoped)
