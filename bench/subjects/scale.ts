import * as fs from "node:fs"
import { join } from "node:path"
import { exponent, measured } from "../figures.ts"
import { writeGrid } from "../grids.ts"
import { once, outcrop, timed } from "../machine.ts"
import type { Subject } from "../subject.ts"

const width = 768, classes = 20

/** Samples of twenty classes with boxes of fifteen shapes; the class of row i is i * 7919 mod 20. */
const ingest = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
export default Stage.make({
  name: "ingest/rows", version: 1, summary: "many samples with boxes", with: Schema.Struct({ rows: Schema.Int }), needs: {}, gives: { samples: Samples },
  run: Effect.fn(function*(_, { rows }) {
    const sample_id = Array.from({ length: rows }, (_, i) => String(i).padStart(7, "0"))
    const box = new Float32Array(rows * 4), classOf = (i) => i * 7919 % ${classes}
    for (let i = 0; i < rows; i++) box.set([0, 0, 10 + classOf(i) % 5 * 20 + i % 7, 10 + classOf(i) % 3 * 30 + i % 11], i * 4)
    return { samples: { sample_id, assets: sample_id.map(() => []), label: sample_id.map((_, i) => "class " + classOf(i)), box: { width: 4, values: box } } }
  })
})
`

const pipeline = (rows: number) => `name: scale
stages:
  samples: { uses: ./rows.ts, with: { rows: ${rows} } }
  split: { uses: ingest/split, needs: samples, with: { by: [label], test: 0.1, val: 0.1 } }
  embed: { uses: embed/precomputed, needs: samples, with: { file: x.npy, by: order } }
  boxes: { uses: mine/box-clusters, needs: { samples, split }, with: { clusters: 5, restarts: 1 } }
  train: { uses: train/triplet, needs: { embeddings: embed, annotations: boxes, split }, with: { tasks: { box: 1 }, epochs: 1, batch: 256 } }
  probe: { uses: probe/linear, needs: { embeddings: train, samples, split }, with: { tasks: [class], C: [0.1, 1, 10], iterations: 50, bootstrap: 0 } }
`

/** Vectors around a centre for each class, written some thousand rows at a time: the file is larger than what the bench may hold. */
const writeVectors = (path: string, rows: number): void => {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${width}), }`
  const header = Buffer.from(text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11).concat("\n"), "latin1")
  const file = fs.openSync(path, "w"), piece = 10_000
  fs.writeSync(file, Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), Buffer.from([header.length & 255, header.length >> 8]), header]))
  let state = 1
  const uniform = () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0
    return (state >>> 0) / 2 ** 32 - 0.5
  }
  const centres = Float32Array.from({ length: classes * width }, uniform)
  for (let from = 0; from < rows; from += piece) {
    const values = new Float32Array(Math.min(piece, rows - from) * width)
    for (let i = 0; i < values.length; i++) values[i] = centres[(from + Math.floor(i / width)) * 7919 % classes * width + i % width]! + 3 * uniform()
    fs.writeSync(file, new Uint8Array(values.buffer))
  }
  fs.closeSync(file)
}

const nodesOf = (output: string) => (JSON.parse(output) as { readonly nodes: { readonly total: number } }).nodes.total

export default {
  title: "Scale",
  about: `Whole processes with one worker. Rows: vectors of d = ${width} from a .npy file, k-means labels of box shape, one epoch of batch-all triplets (batches of 256) on
80% of them, then logistic regression of ${classes} classes for 3 values of C, at most 50 iterations each. Nodes: one ingest and a probe of a few instructions for every cell.`,
  run: async ({ folder, quick, remark, row }) => {
    const side = quick ? 50 : 316, rounds = quick ? 1 : 3
    writeGrid(folder, side)
    const first = once([...outcrop, "run", "grid.yaml", "--json", "--jobs", "1"], folder), nodes = nodesOf(first.output).toLocaleString("en-US")
    row({ what: `${nodes} nodes: first run`, unit: "s", better: "lower", ours: measured([first.seconds]) })
    let peak = 0
    const again = (command: string) => timed(rounds, () => {
      const timing = once([...outcrop, command, "grid.yaml", "--json"], folder)
      peak = Math.max(peak, timing.peakBytes)
      return timing
    })
    row({ what: `${nodes} nodes: \`plan\``, unit: "s", better: "lower", ours: again("plan"), ...(quick ? {} : { target: { value: 5 } }) })
    row({ what: `${nodes} nodes: no-op \`run --json\``, unit: "s", better: "lower", ours: again("run"), ...(quick ? {} : { target: { value: 3 } }) })
    row({ what: `${nodes} nodes: peak memory of both`, unit: "GB", better: "lower", ours: measured([peak / 1e9]) })

    const points: Array<readonly [rows: number, seconds: number]> = []
    for (const rows of quick ? [10_000] : [100_000, 1_000_000]) {
      const at = join(folder, String(rows)), what = `${rows.toLocaleString("en-US")} x ${width}, vectors to probe`
      fs.mkdirSync(at)
      fs.writeFileSync(join(at, "rows.ts"), ingest)
      fs.writeFileSync(join(at, "scale.yaml"), pipeline(rows))
      writeVectors(join(at, "x.npy"), rows)
      const { peakBytes, seconds } = once([...outcrop, "run", "scale.yaml", "--json", "--jobs", "1"], at)
      fs.rmSync(at, { recursive: true })
      points.push([rows, seconds])
      row({ what: `${what}: peak memory`, unit: "GB", better: "lower", ours: measured([peakBytes / 1e9]), ...(rows === 1_000_000 ? { target: { value: 8 * 2 ** 30 / 1e9 } } : {}) })
      row({ what: `${what}: wall time`, unit: "s", better: "lower", ours: measured([seconds]) })
    }
    if (points.length > 1) remark(`Wall time grows as rows to the power of ${exponent(points).toFixed(2)}.`)
  }
} satisfies Subject
