/** The services of a stage over a folder of real files, and a way to call a stage as the engine does. */
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Asset, Samples, Stage, type Vectors } from "outcrop"
import * as Tables from "../../../schemas/table.ts"

export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Files below `root`; `read` counts what it hands out. */
export const services = (root: string, notices: Array<string> = [], reads = { count: 0 }) => {
  const bytes = (path: string, digest?: string) =>
    Effect.suspend(() => {
      reads.count++
      if (!existsSync(join(root, path))) return Effect.fail(new Stage.FileError({ path, message: `${path} is not there` }))
      const found = readFileSync(join(root, path))
      return digest !== undefined && digest !== digestOf(found)
        ? Effect.fail(new Stage.FileError({ path, message: `${path} changed since it was ingested` }))
        : Effect.succeed(new Uint8Array(found))
    })
  return Layer.mergeAll(
    Layer.succeed(Stage.Files, {
      read: bytes,
      // parts are read of the file as it lies, and are not counted
      open: (path) =>
        Effect.try({
          try: () => ({ size: statSync(join(root, path)).size, read: (offset, length) => Effect.sync(() => new Uint8Array(readFileSync(join(root, path)).subarray(offset, offset + length))) }),
          catch: () => new Stage.FileError({ path, message: `${path} is not there` })
        }),
      digest: (path) => Effect.map(bytes(path), digestOf),
      list: (folder) => Effect.sync(() => readdirSync(join(root, folder)).toSorted()),
      exists: (path) => Effect.sync(() => existsSync(join(root, path))),
      keep: () => Effect.die("embed stages keep no files")
    }),
    Layer.succeed(Stage.Report, { notice: (text) => Effect.sync(() => void notices.push(text)), progress: () => Effect.void, timed: () => () => {} }),
    Layer.succeed(Stage.Backend, { name: "onnx" })
  )
}

export interface SampleRow {
  readonly id: string
  readonly assets: ReadonlyArray<Asset>
  readonly window?: readonly [number, number, number, number]
}

/** An asset that holds all bands of a file. */
export const picture = (root: string, path: string): Asset => band(root, path, "image", -1)

/** An asset that holds one band of a file. */
export const band = (root: string, path: string, name: string, index = 0): Asset => ({
  band: name,
  path,
  digest: existsSync(join(root, path)) ? digestOf(readFileSync(join(root, path))) : "0".repeat(64),
  index,
  gsd: Number.NaN
})

/** Rows as the engine hands them to a stage: sorted by id, with the declared columns only. */
export const samplesOf = (rows: ReadonlyArray<SampleRow>) =>
  Tables.make(Samples, {
    sample_id: rows.map(({ id }) => id),
    assets: rows.map(({ assets }) => assets),
    window: { width: 4, values: Float32Array.from(rows.flatMap(({ window }) => window ?? [Number.NaN, Number.NaN, Number.NaN, Number.NaN])) }
  })
const inputsOf = (rows: ReadonlyArray<SampleRow>): Stage.ErasedInputs => ({ samples: Tables.view(samplesOf(rows), ["sample_id", "assets", "window"]) })

const outcome = <A>(effect: Effect.Effect<A, Stage.StageError | Stage.FileError, Stage.Services>, root: string, notices: Array<string>, reads: { count: number }) =>
  Effect.runPromise(Effect.map(Effect.result(Effect.provide(effect, services(root, notices, reads))), (result) => {
    if (Result.isSuccess(result)) return result.success
    throw new Error(result.failure.message)
  }))

interface Call {
  readonly root: string
  readonly rows: ReadonlyArray<SampleRow>
  readonly with?: unknown
  readonly learned?: Stage.ErasedOutputs
  readonly reads?: { count: number }
  /** Which of the views that the parameters ask for; default: the full one. */
  readonly view?: string
  /** Tables on ports beside the samples. */
  readonly ports?: Stage.ErasedInputs
}

/** Embeds a view of the rows; rejects with the message of the stage's error. */
export const embed = async (stage: Stage.Stage, { learned = {}, ports = {}, reads = { count: 0 }, root, rows, view: name = "full", with: parameters = {} }: Call): Promise<Vectors> => {
  if (stage.embed === undefined) throw new Error(`${stage.name} does not embed`)
  const decoded = Schema.decodeUnknownSync(stage.with)(parameters)
  const view = stage.views?.(decoded).find((each) => each.name === name) ?? { name }
  return await outcome(stage.embed(learned, { ...inputsOf(rows), ...ports }, decoded, view), root, [], reads)
}

/** Fits the stage on the rows; its notices go to `notices`. */
export const fit = async (stage: Stage.Stage, { ports = {}, root, rows, with: parameters = {} }: Call, notices: Array<string> = []): Promise<Stage.ErasedOutputs> => {
  if (stage.fit === undefined) throw new Error(`${stage.name} does not fit`)
  return await outcome(stage.fit({ ...inputsOf(rows), split: undefined, ...ports }, Schema.decodeUnknownSync(stage.with)(parameters)), root, notices, { count: 0 })
}

/** Runs the stage on the rows; its notices go to `notices`. */
export const run = async (stage: Stage.Stage, { root, rows, with: parameters = {} }: Call, notices: Array<string> = []): Promise<Stage.ErasedOutputs> => {
  if (stage.run === undefined) throw new Error(`${stage.name} does not run`)
  return await outcome(stage.run(inputsOf(rows), Schema.decodeUnknownSync(stage.with)(parameters)), root, notices, { count: 0 })
}
