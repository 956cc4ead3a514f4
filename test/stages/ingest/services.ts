/** The services of an ingest stage over a folder of real files, and a way to call a stage as the engine does. */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Samples, Split, Stage } from "outcrop"
import * as Tables from "../../../schemas/table.ts"

export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** A temporary folder with these files in it, by path. */
export const folderOf = (files: Readonly<Record<string, string | Uint8Array>>): string => {
  const root = mkdtempSync(join(tmpdir(), "outcrop-ingest-"))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

/** A grey PNG of a size. */
export const png = async (width: number, height: number): Promise<Uint8Array> => {
  const { default: sharp } = await import("sharp")
  return sharp({ create: { width, height, channels: 3, background: "grey" } }).png().toBuffer()
}

const attempt = <A>(path: string, work: () => A) =>
  Effect.try({ try: work, catch: () => new Stage.FileError({ path, message: `${path} is not there` }) })

/** Files below a root, with what was kept in memory. */
const services = (root: string, notices: Array<string>, kept: Map<string, Uint8Array>) =>
  Layer.mergeAll(
    Layer.succeed(Stage.Files, {
      read: (path) => attempt(path, () => new Uint8Array(kept.get(path) ?? readFileSync(join(root, path)))),
      open: (path) => attempt(path, () => ({ size: statSync(join(root, path)).size, read: (offset, length) => Effect.sync(() => new Uint8Array(readFileSync(join(root, path)).subarray(offset, offset + length))) })),
      digest: (path) => attempt(path, () => digestOf(readFileSync(join(root, path)))),
      list: (folder) =>
        attempt(folder, () => readdirSync(join(root, folder)).map((name) => statSync(join(root, folder, name)).isDirectory() ? `${name}/` : name).toSorted(Tables.compareText)),
      exists: (path) => Effect.sync(() => existsSync(join(root, path))),
      keep: (bytes) =>
        Effect.sync(() => {
          const digest = digestOf(bytes)
          kept.set(`cache:${digest}`, bytes)
          return { path: `cache:${digest}`, digest }
        })
    }),
    Layer.succeed(Stage.Report, { notice: (text) => Effect.sync(() => void notices.push(text)), progress: () => Effect.void, timed: () => () => {} }),
    Layer.succeed(Stage.Backend, { name: "none" })
  )

export interface Ran<A> {
  /** The samples. */
  readonly table: A
  /** All that the stage gave, by port. */
  readonly outputs: Stage.ErasedOutputs
  readonly notices: ReadonlyArray<string>
  readonly kept: ReadonlyMap<string, Uint8Array>
}

/** Runs an Effect of a reader over a folder. Rejects with the message of its error. */
export const using = async <A>(root: string, effect: Effect.Effect<A, Stage.StageError | Stage.FileError, Stage.Services>, notices: Array<string> = []): Promise<A> => {
  const result = await Effect.runPromise(Effect.result(Effect.provide(effect, services(root, notices, new Map()))))
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  return result.success
}

const call = async (stage: Stage.Stage, root: string, inputs: Stage.ErasedInputs, parameters: unknown) => {
  const notices: Array<string> = [], kept = new Map<string, Uint8Array>()
  const decoded = Schema.decodeUnknownSync(stage.with)(parameters, { onExcessProperty: "error" })
  if (stage.run === undefined) throw new Error(`${stage.name} does not run`)
  const result = await Effect.runPromise(Effect.result(Effect.provide(stage.run(inputs, decoded), services(root, notices, kept))))
  if (Result.isFailure(result)) throw new Error(result.failure.message)
  return { outputs: result.success, notices, kept }
}

/** Runs a reader; its table is checked and sorted as the engine does. Rejects with the message of its error. */
export const ingest = async (stage: Stage.Stage, root: string, parameters: unknown = {}): Promise<Ran<Tables.TableOf<typeof Samples.columns>>> => {
  const ran = await call(stage, root, {}, parameters), { outputs } = ran
  const table = Tables.make(Samples, outputs["samples"] as unknown as Tables.TableInput<typeof Samples.columns>)
  return { table: Tables.view(table, Object.keys(Samples.columns)) as unknown as Tables.TableOf<typeof Samples.columns>, ...ran }
}

/** Runs a split over a table of samples; gives the split of each sample id. */
export const divide = async (
  stage: Stage.Stage,
  inputs: Stage.ErasedInputs,
  parameters: unknown,
  root = "."
): Promise<{ readonly of: ReadonlyMap<string, string>; readonly notices: ReadonlyArray<string> }> => {
  const { notices, outputs } = await call(stage, root, inputs, parameters)
  const table = Tables.view(Tables.make(Split, outputs["split"] as unknown as Tables.TableInput<typeof Split.columns>), ["sample_id", "split"])
  const { sample_id, split } = table as unknown as Tables.TableOf<typeof Split.columns>
  return { of: new Map(sample_id.map((id, i) => [id, split[i]!])), notices }
}
