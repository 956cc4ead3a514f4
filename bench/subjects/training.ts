import * as fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { dist } from "../../engine/installation.ts"
import { loadStage } from "../../engine/loader.ts"
import { stream } from "../../math/random.ts"
import { Backend, type ErasedInputs, FileError, Files, Report } from "../../stages/stage.ts"
import { interleaved } from "../figures.ts"
import { writeNpy } from "../npy.ts"
import type { Subject } from "../subject.ts"
import { type Vectors, vectors } from "../vectors.ts"

interface Loss {
  readonly name: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly select?: readonly [top: number, more: number]
}
const losses: ReadonlyArray<Loss> = [
  { name: "dtl", parameters: { tasks: { class: 1 } } },
  { name: "dtl-hard", parameters: { tasks: { class: 1 }, triplets: "hard" } },
  { name: "matl", parameters: { tasks: { class: 0.5, box: 0.5 } } },
  { name: "tg-matl", parameters: { tasks: { class: 0.5, box: 0.5 }, select: { top: 0.5, more: 0.15 } }, select: [0.5, 0.15] }
]

interface Size {
  readonly rows: number
  readonly width: number
  readonly batch: number
  /** Training rows of a fold: two batches an epoch. */
  readonly train: number
  /** Epochs that are timed. */
  readonly epochs: number
  /** Steps of plain torch, one fold: it would take minutes for as many. */
  readonly plain: number
  readonly targets: Readonly<Record<string, number>>
}
const sizes: ReadonlyArray<Size> = [
  { rows: 240, width: 512, batch: 32, train: 64, epochs: 400, plain: 300, targets: { matl: 1.7, "tg-matl": 1.7, "dtl-hard": 1.2 } },
  { rows: 4000, width: 768, batch: 256, train: 512, epochs: 24, plain: 3, targets: { matl: 3, "tg-matl": 3 } }
]
const folds = 8

const refuse = (path: string) => Effect.fail(new FileError({ path, message: "no files here" }))
const services = (backend: string) => Layer.mergeAll(
  Layer.succeed(Backend, { name: backend }),
  Layer.succeed(Report, { notice: () => Effect.void, progress: () => Effect.void, timed: () => () => {} }),
  Layer.succeed(Files, { read: refuse, open: refuse, digest: refuse, list: refuse, exists: refuse, keep: () => refuse("") })
)

/** What the engine hands a training of one fold: its rows are the split's train, all others unused. */
const inputsOf = ({ classes, rows, scores, sizes, values, width }: Vectors, train: Int32Array): ErasedInputs => {
  const sample_id = Array.from({ length: rows }, (_, i) => `s${String(i).padStart(6, "0")}`), chosen = new Set(train)
  const table = { rows, metadata: {} }
  return {
    embeddings: { ...table, sample_id, view: sample_id.map(() => "full"), embedding: { width, values }, open: {} },
    annotations: { ...table, sample_id, open: { class: classes, box: sizes, score: scores } },
    split: { ...table, sample_id, split: sample_id.map((_, i) => chosen.has(i) ? "train" : "unused"), open: {} }
  } as unknown as ErasedInputs
}

export default {
  title: "Training",
  about: `Steps of Adam on the triplet losses, one linear layer d → 64, one thread, eight folds at once; a rate counts each fold's step. No validation on any
side. Ours is \`train/triplet\` as the engine calls it, drawing and selecting its batches; torch gets its batches drawn beforehand.`,
  run: async (bench) => {
    const { folder, quick, remark, row } = bench
    const stage = await loadStage(join(dist, "closures/train/triplet.js"))
    // The loader hands out the modules that the closure runs on, from here on.
    const { decodeUnknownSync } = await import("effect/Schema")
    const used = new Set<string>()
    const peer = await bench.peer("training.py", ["torch", "numpy"])
    for (const { batch, epochs: all, plain, rows, targets, train, width } of sizes) {
      const data = vectors(rows, width), epochs = quick ? Math.ceil(all / 8) : all
      const random = stream(0, "bench folds", rows)
      const foldRows = Array.from({ length: folds }, () => random.shuffle(Int32Array.from({ length: rows }, (_, i) => i)).slice(0, train).toSorted())
      const inputs = foldRows.map((rows) => inputsOf(data, rows))
      const at = join(folder, String(width))
      fs.mkdirSync(at)
      writeNpy(join(at, "x.npy"), data.values, [rows, width])
      writeNpy(join(at, "y.npy"), data.classes, [rows])
      writeNpy(join(at, "box.npy"), data.sizes, [rows])
      writeNpy(join(at, "score.npy"), data.scores, [rows])
      writeNpy(join(at, "folds.npy"), Int32Array.from(foldRows.flatMap((rows) => [...rows])), [folds, train])
      for (const { name, parameters, select } of losses) {
        const decoded = decodeUnknownSync(stage.with)({ ...parameters, batch, epochs })
        const backend = stage.backends(decoded)[0]!
        used.add(backend)
        const members = inputs.map((inputs) => ({ inputs, parameters: decoded }))
        const steps = epochs * Math.ceil(train / batch)
        const ours = async () => {
          const begin = performance.now()
          await Effect.runPromise(Effect.provide(stage.siblings!.fit(members), services(backend)))
          return folds * steps / ((performance.now() - begin) / 1000)
        }
        const torch = (how: "batched" | "plain", count: number, more: object = {}) => async () => {
          const answer = await peer!.call(how, { folder: at, kind: name, batch, steps: count, ...(select === undefined ? {} : { select }), ...more })
          return Number(answer["steps"]) / answer.seconds
        }
        const rates = await interleaved({
          ours,
          expert: peer && torch("batched", steps),
          compiled: peer && torch("batched", steps, { compile: true }),
          plain: peer && torch("plain", plain)
        }, quick ? 1 : 5)
        row({
          what: `${name}, ${width} → 64, batch ${batch}`,
          unit: "fold-steps/s",
          better: "higher",
          ours: rates.ours,
          peers: { "expert's torch": rates.expert, "the same, compiled": rates.compiled, "plain torch": rates.plain },
          ...(targets[name] === undefined || quick ? {} : { target: { ratio: targets[name] } })
        })
      }
    }
    remark(`What limits: of a step at batch 32 the two products and Adam are about 85%, in 128-bit SIMD without fused multiply-add, so that the bits are the same on every CPU. On a Zen 4 core they
reach 45 GFLOPS of the 59 that such arithmetic has, for want of instructions a cycle; torch has the whole width of the core, and little else to do for batch-hard. Tried without gain: packed rows for the
forward product, Adam apart from the gradient or between its rows, larger tiles, unrolling.`)
    remark(`Ours ran on ${[...used].map((name) => `\`${name}\``).join(" and ")}, the default for these losses.`)
  }
} satisfies Subject
