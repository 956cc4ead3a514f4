import * as fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { interleaved } from "../figures.ts"
import { cores, once, outcrop } from "../machine.ts"
import { writeNpy } from "../npy.ts"
import { environment, findPython, lacking } from "../python.ts"
import type { Subject } from "../subject.ts"
import { vectors, window } from "../vectors.ts"

const rows = 240, width = 512
const script = fileURLToPath(new URL("../peers/grid.py", import.meta.url))

/** Samples whose boxes lie in windows of 300 px, from a file; vectors come from another. */
const ingest = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
export default Stage.make({
  name: "ingest/boxes", version: 1, summary: "labelled boxes from a JSON file", with: Schema.Struct({ file: Stage.FileParameter }), needs: {}, gives: { samples: Samples },
  run: Effect.fn(function*(_, { file }) {
    const files = yield* Stage.Files
    const { boxes, classes } = JSON.parse(new TextDecoder().decode(yield* files.read(file)))
    return {
      samples: {
        sample_id: classes.map((_, i) => String(i).padStart(4, "0")),
        assets: classes.map(() => []),
        label: classes.map((id) => "class-" + id),
        window: { width: 4, values: Float32Array.from(classes.flatMap(() => [0, 0, ${window}, ${window}])) },
        box: { width: 4, values: Float32Array.from(boxes) }
      }
    }
  })
})
`

/** The paper's grid over vectors and boxes that lie in files: `pipelines/tg-matl.yaml` with the clean protocol only. */
const pipeline = (epochs: number) => `name: paper-grid
axes:
  method:
    base:     { uses: train/none }
    dtl:      { uses: train/triplet, with: { tasks: { class: 1 }, epochs: ${epochs} } }
    dtl-hard: { uses: train/triplet, with: { tasks: { class: 1 }, triplets: hard, epochs: ${epochs} } }
    matl:     { uses: train/triplet, with: { tasks: { class: 0.5, box: 0.5 }, epochs: ${epochs} } }
    tg-matl:
      axes: { top: [0.4, 0.5, 0.6, 0.7], more: [0.05, 0.10, 0.15, 0.20, 0.25, 0.30] }
      uses: train/triplet
      with: { tasks: { class: 0.5, box: 0.5 }, select: { top: $top, more: $more }, epochs: ${epochs} }
replicates:
  fold: [0, 1, 2, 3, 4, 5, 6, 7]
stages:
  samples: { uses: ./boxes.ts, with: { file: rows.json } }
  shape:   { uses: mine/box-clusters, needs: samples, with: { protocol: released } }
  split:   { uses: ingest/split, needs: { samples, annotations: shape }, with: { by: [label, box], test: 0.7, folds: 8, fold: $fold } }
  shapes:  { uses: mine/box-clusters, needs: { samples, split } }
  guide:   { uses: mine/task-guided, needs: { samples, split, annotations: shapes } }
  embed:   { uses: embed/precomputed, needs: samples, with: { file: x.npy, by: order } }
  train:   { uses: $method.uses, needs: { embeddings: embed, annotations: guide, split }, with: $method.with }
  probe:   { uses: probe/linear, needs: { embeddings: train, samples, split }, with: { C: [1], alpha: [1], standardize: false, bootstrap: 0 } }
report:
  metrics: [class.accuracy]
`

/** The same vectors, classes and boxes for both sides. */
const writeData = (folder: string, epochs: number): void => {
  const data = vectors(rows, width)
  writeNpy(join(folder, "x.npy"), data.values, [rows, width])
  writeNpy(join(folder, "y.npy"), data.classes, [rows])
  writeNpy(join(folder, "boxes.npy"), data.boxes, [rows, 4])
  fs.writeFileSync(join(folder, "rows.json"), JSON.stringify({ classes: [...data.classes], boxes: [...data.boxes] }))
  fs.writeFileSync(join(folder, "boxes.ts"), ingest)
  fs.writeFileSync(join(folder, "grid.yaml"), pipeline(epochs))
}

/** Seconds of a run by what they went into. */
interface Share {
  readonly training: number
  readonly probes: number
}
const showShare = ({ probes, training }: Share) => `training ${training.toFixed(1)} s, probes ${probes.toFixed(1)} s`
/** Seconds that the nodes of a stage took, from the lines of `run --events`. */
const secondsIn = (stage: string, events: string): number => events.split("\n").filter((line) => line !== "").reduce((sum, line) => {
  const event = JSON.parse(line) as { readonly type: string; readonly nodes?: ReadonlyArray<string>; readonly seconds?: number }
  return event.type === "finished" && event.nodes?.[0]?.startsWith(`${stage} `) === true ? sum + (event.seconds ?? 0) : sum
}, 0)

export default {
  title: "The paper's grid",
  about: `TG-MATL's grid on one encoder: ${rows} rows, d = ${width}, 28 cells x 8 folds (63 rows train, 9 validate, 168 test), 100 epochs of two steps, a validation each epoch, then
the three linear probes (C = 1, ridge 1). Whole processes from an empty cache to the metrics; the peer reads the same vectors and boxes, keeps nothing, and has no lineage.`,
  run: async ({ folder, quick, remark, row }) => {
    const epochs = quick ? 5 : 100, rounds = quick ? 1 : 3
    writeData(folder, epochs)
    let own: Share = { training: 0, probes: 0 }, theirs: Share = { training: 0, probes: 0 }
    const ours = (jobs: number) => {
      fs.rmSync(join(folder, ".outcrop"), { recursive: true, force: true })
      const { output, seconds } = once([...outcrop, "run", "grid.yaml", "--events", "--jobs", String(jobs)], folder, { cores: jobs })
      if (jobs === 1) own = { training: secondsIn("train", output), probes: secondsIn("probe", output) }
      return seconds
    }
    const python = quick ? undefined : findPython()
    const missing = python === undefined ? ["Python"] : lacking(python, ["torch", "sklearn", "numpy"])
    if (missing.length > 0 && !quick) remark(`Left out: grid.py, because ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not installed.`)
    const withoutImports = new Map<number, Array<number>>([[1, []], [2, []]])
    let accuracy: Readonly<Record<string, number>> = {}
    const peer = (processes: number) => {
      const { output, seconds } = once([python!.command, script, folder, String(epochs), String(processes)], folder, { cores: processes, environment })
      const said = JSON.parse(output) as Share & { readonly seconds: number; readonly accuracy: Readonly<Record<string, number>> }
      withoutImports.get(processes)!.push(said.seconds)
      if (processes === 1) theirs = said
      accuracy = said.accuracy
      return seconds
    }
    const two = cores.length !== 1
    if (!two) remark("Left out: two workers, for there is one core.")
    const there = missing.length === 0 && !quick
    const { one, peerOne, peerTwo, two: both } = await interleaved({
      one: () => ours(1),
      peerOne: there ? () => peer(1) : undefined,
      two: two ? () => ours(2) : undefined,
      peerTwo: there && two ? () => peer(2) : undefined
    }, rounds, { warm: 0 })
    const name = "expert's script, imports included"
    row({ what: "one worker", unit: "s", better: "lower", ours: one, peers: { [name]: peerOne }, ...(peerOne === undefined ? {} : { target: { ratio: 2 } }) })
    if (both !== undefined) {
      row({ what: "two workers", unit: "s", better: "lower", ours: both, peers: { [name]: peerTwo } })
      row({ what: "two workers against one", unit: "s", better: "lower", ours: both, peers: { "one worker": one }, ...(quick ? {} : { target: { ratio: 1.6 } }) })
    }
    if (!quick) remark(`Of ours with one worker: ${showShare(own)}${peerOne === undefined ? "" : `; of the peer's: ${showShare(theirs)}`}; the last run of each.`)
    if (!quick) remark("What limits: of ours the products and Adam are 45%, batches and selection 12%, the probes 20%; the rest keeps 700 results (hashing, Arrow, files) and collects garbage. The peer keeps nothing.")
    if (peerOne === undefined) return
    const bare = [...withoutImports].flatMap(([processes, seconds]) => seconds.length === 0 ? [] : [`${seconds.toSorted((a, b) => a - b)[seconds.length >> 1]!.toFixed(1)} s with ${processes} process${processes > 1 ? "es" : ""}`])
    remark(`Of the peer's time, without its imports: ${bare.join(", ")}.`)
    const table = JSON.parse(once([...outcrop, "table", "grid.yaml", "--json"], folder).output) as { readonly rows: ReadonlyArray<{ readonly axes: Readonly<Record<string, string>>; readonly task: string; readonly metric: string; readonly mean: number }> }
    const accuracyOf = (method: string) => table.rows.find(({ axes, metric, task }) => task === "class" && metric === "accuracy" && axes["method"] === method)?.mean ?? Number.NaN
    remark(`Accuracy, outcrop and the peer, on folds of the same sizes drawn by each: ${["base", "dtl", "dtl-hard", "matl"].map((method) => `${method} ${accuracyOf(method).toFixed(3)} and ${(accuracy[method] ?? Number.NaN).toFixed(3)}`).join(", ")}.`)
  }
} satisfies Subject
