/** The engine's own `Files` over a folder of real files, and a stage run with it. */
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { openCache } from "../../cache/cache.ts"
import { makeFiles } from "../../engine/files.ts"
import * as Tables from "../../schemas/table.ts"

const made: Array<string> = []
export const removeFolders = () => {
  for (const folder of made.splice(0)) fs.rmSync(folder, { recursive: true, force: true })
}
export const temporary = (): string => {
  const folder = fs.mkdtempSync(join(tmpdir(), "outcrop-data-"))
  made.push(folder)
  return folder
}

/** The service as an ingest stage or another one gets it, and the trace that it leaves. */
export const filesOf = (root: string, ingest = true, cache = openCache(temporary())) => {
  const trace: Record<string, string> = {}
  return { cache, trace, files: makeFiles({ dataRoot: root, store: cache.store, index: cache.index, ingest, allowed: {}, trace }) }
}

/** What an effect gives; rejects with the message of its error. */
export const outcome = async <A>(effect: Effect.Effect<A, Stage.StageError | Stage.FileError>): Promise<A> => {
  const result = await Effect.runPromise(Effect.result(effect))
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  return result.success
}

/** Runs a reader as the engine does: its samples, its notices and what it met. */
export const ingest = async (stage: Stage.Stage, root: string, parameters: unknown = {}) => {
  const notices: Array<string> = [], { files, trace } = filesOf(root)
  const services = Layer.mergeAll(
    Layer.succeed(Stage.Files, files),
    Layer.succeed(Stage.Report, { notice: (text) => Effect.sync(() => void notices.push(text)), progress: () => Effect.void, timed: () => () => {} }),
    Layer.succeed(Stage.Backend, { name: "none" })
  )
  const decoded = Schema.decodeUnknownSync(stage.with)(parameters, { onExcessProperty: "error" })
  const outputs = await outcome(Effect.provide(stage.run!({}, decoded), services))
  const table = Tables.make(Samples, outputs["samples"] as unknown as Tables.TableInput<typeof Samples.columns>)
  return { table: Tables.view(table, Object.keys(Samples.columns)) as unknown as Tables.TableOf<typeof Samples.columns>, notices, trace }
}
