/** What every command on a pipeline does first: reads the file, opens the cache, expands the grid. */
import * as fs from "node:fs"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { type Cache, openCache } from "../cache/cache.ts"
import { fewNodes } from "../cache/index.ts"
import { expand, type Grid } from "../engine/expand.ts"
import { restoreAddresses } from "../engine/history.ts"
import { Library } from "../engine/library.ts"
import { override } from "../engine/override.ts"
import { type PipelineFile, readPipeline } from "../engine/source.ts"
import { suggest } from "../schemas/spelling.ts"
import type { CommandError } from "./error.ts"
import { userError } from "./error.ts"
import type { Words } from "./words.ts"

export interface SessionFlags {
  readonly cache: string | undefined
  readonly data: string | undefined
  readonly set: ReadonlyArray<string>
  readonly backend: string | undefined
}

export interface Session {
  readonly file: PipelineFile
  readonly cache: Cache
  readonly library: Library
  readonly grid: Grid
  /** The training engine that was asked for. */
  readonly backend: string | undefined
}

/** SQLite says that the index is damaged: it holds nothing the store does not, so it goes, and a new one is filled. */
const dropDamagedIndex = (folder: string, cause: unknown): boolean => {
  if (!/malformed|not a database/i.test(String(cause))) return false
  for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(join(folder, `index.sqlite${suffix}`), { force: true })
  return true
}

/** The cache that this command opened. */
let opened: string | undefined

/** The error for an index that turned out damaged in the middle of a command; `undefined` where that is not what happened. */
export const damagedIndex = (cause: unknown): CommandError | undefined =>
  opened !== undefined && dropDamagedIndex(opened, cause) ? userError("the index of the cache was damaged and has been removed; results are not lost. Run the command again: the index is rebuilt from them") : undefined

const describe = (cause: unknown): CommandError => {
  const tagged = cause as { readonly _tag?: string; readonly message: string }
  if (tagged._tag === "InvalidPipeline" || tagged._tag === "CacheError" || tagged._tag === "CommandError") return userError(tagged.message)
  throw cause
}

/** Where the cache is: --cache, else OUTCROP_CACHE, else `.outcrop` beside the YAML. */
export const cacheFolder = (flags: Pick<SessionFlags, "cache">, file: string): string =>
  resolve(flags.cache ?? process.env["OUTCROP_CACHE"] ?? join(dirname(file), ".outcrop"))

/** Opens a session. With `until`, only those stages and what they need; picks restrict the cells. */
export const openSession = Effect.fn("cli/openSession")(function*(words: Words, flags: SessionFlags, until: ReadonlyArray<string> = []) {
  const folder = cacheFolder(flags, words.file)
  opened = folder
  const open = async (): Promise<Session> => {
    const file = override(readPipeline(words.file), flags.set)
    const cache = openCache(folder)
    restoreAddresses(cache, file.pipeline.name)
    const library = new Library(cache.index, cache.store.root)
    const grid = await expand(file, library, { dataRoot: flags.data, picks: words.picks, until })
    if (!fs.existsSync(grid.dataRoot)) {
      console.error(`the data root ${grid.dataRoot} does not exist: name it with --data or \`data: { root: ... }\`. Without it nothing that reads files can be told to be what is on record; "outcrop table ${words.file} --run last" shows what the last run came to`)
    }
    if (grid.nodes.length > fewNodes) cache.index.prefetch(file.pipeline.name)
    // Those of `Train`, and what a stage of the user's own may have beside them.
    const backends = [...new Set(["wasm", "onnx", "tfjs", ...grid.nodes.flatMap(({ implementation, parameters }) => implementation.stage.backends(parameters))])]
    if (flags.backend !== undefined && !backends.includes(flags.backend)) {
      throw userError(`there is no backend "${flags.backend}"${suggest(flags.backend, backends)}; there are ${backends.join(", ")}`)
    }
    return { file, cache, library, grid, backend: flags.backend }
  }
  return yield* Effect.tryPromise({
    try: () => open().catch((cause: unknown) => {
      if (dropDamagedIndex(folder, cause)) return open()
      throw cause
    }),
    catch: describe
  })
})

/** The stages of `--force`; one that does not exist is an error. */
export const forcedStages = Effect.fnUntraced(function*({ grid }: Session, names: ReadonlyArray<string>) {
  for (const name of names) if (!grid.stages.includes(name)) return yield* userError(`--force: there is no stage "${name}"${suggest(name, grid.stages)}; stages are ${grid.stages.join(", ")}`)
  return new Set(names)
})
