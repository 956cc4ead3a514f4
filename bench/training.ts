/** Steps a second of `train/triplet` at TG-MATL's size: d = 512 to 64, batches of 32, eight siblings on one thread, validation once an epoch. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { dist } from "../engine/installation.ts"
import { loadStage } from "../engine/loader.ts"
import { stream } from "../math/random.ts"
import { Backend, type ErasedInputs, FileError, Files, Report } from "../stages/stage.ts"
import { median } from "./machine.ts"

const width = 512, train = 64, val = 9, epochs = 200

const inputsOf = (fold: number): ErasedInputs => {
  const rows = train + val, random = stream(fold, "bench")
  const sample_id = Array.from({ length: rows }, (_, i) => `s${String(i).padStart(3, "0")}`)
  const classes = Int32Array.from({ length: rows }, (_, i) => i % 3)
  const values = new Float32Array(rows * width)
  for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) values[i * width + j] = random.normal() + (Math.floor(j / 12) === classes[i] ? 0.5 : 0)
  const table = { rows, metadata: {} }
  return {
    embeddings: { ...table, sample_id, view: sample_id.map(() => "full"), embedding: { width, values }, open: {} },
    annotations: {
      ...table,
      sample_id,
      open: { class: classes, box: Int32Array.from({ length: rows }, () => random.integer(3)), score: Float32Array.from({ length: rows }, () => random.uniform()) }
    },
    split: { ...table, sample_id, split: sample_id.map((_, i) => i < train ? "train" : "val"), open: {} }
  } as unknown as ErasedInputs
}

const refuse = (path: string) => Effect.fail(new FileError({ path, message: "no files here" }))
const services = Layer.mergeAll(
  Layer.succeed(Backend, { name: "onnx" }),
  Layer.succeed(Report, { notice: () => Effect.void, progress: () => Effect.void }),
  Layer.succeed(Files, { read: refuse, digest: refuse, list: refuse, exists: refuse, keep: () => refuse("") })
)

const variants: Readonly<Record<string, unknown>> = {
  dtl: { tasks: { class: 1 } },
  "dtl-hard": { tasks: { class: 1 }, triplets: "hard" },
  matl: { tasks: { class: 0.5, box: 0.5 } },
  "tg-matl": { tasks: { class: 0.5, box: 0.5 }, select: { top: 0.5, more: 0.15 } }
}

/** Fold-steps a second for each loss: the median of three trainings of eight folds each. */
export const trainingRates = async (): Promise<Record<string, number>> => {
  const stage = await loadStage(join(dist, "closures/train/triplet.js"))
  const { decodeUnknownSync } = await import("effect/Schema")
  const rates: Record<string, number> = {}
  for (const [name, parameters] of Object.entries(variants)) {
    const decoded = decodeUnknownSync(stage.with)({ ...parameters as object, epochs })
    const members = Array.from({ length: 8 }, (_, fold) => ({ inputs: inputsOf(fold), parameters: decoded }))
    const once = async () => {
      const begin = performance.now()
      await Effect.runPromise(Effect.provide(stage.siblings!.fit(members), services))
      return 8 * epochs * (train / 32) / ((performance.now() - begin) / 1000)
    }
    await once()
    rates[name] = median([await once(), await once(), await once()])
  }
  return rates
}
