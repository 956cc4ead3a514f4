import * as fs from "node:fs"
import { join } from "node:path"
import { exponent, measured } from "../figures.ts"
import { writeGrid } from "../grids.ts"
import { once, outcrop, type Timing } from "../machine.ts"
import { figure } from "../markdown.ts"
import type { Bench, Subject } from "../subject.ts"

const width = 32

/** Generated samples of two classes and their vectors, through a training to a probe. */
const writeRows = (folder: string, rows: number, epochs: number): void => {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(join(folder, "rows.ts"), `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
export default Stage.make({
  name: "ingest/rows", version: 1, summary: "many samples of two classes", with: Schema.Struct({ rows: Schema.Int }), needs: {}, gives: { samples: Samples },
  run: Effect.fn(function*(_, { rows }) {
    const sample_id = Array.from({ length: rows }, (_, i) => String(i).padStart(7, "0"))
    return { samples: { sample_id, assets: sample_id.map(() => []), label: sample_id.map((_, i) => i % 2 === 0 ? "a" : "b") } }
  })
})
`)
  fs.writeFileSync(join(folder, "vectors.ts"), `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage, stream } from "outcrop"
export default Stage.make({
  name: "embed/vectors", version: 1, summary: "noise", with: Schema.Struct({}), needs: { samples: Stage.needs(Samples, "sample_id") }, gives: { embeddings: Embeddings },
  run: Effect.fn(function*({ samples: { sample_id } }) {
    const { uniform } = stream(0, "vectors")
    return { embeddings: { sample_id, view: sample_id.map(() => "full"), embedding: { width: ${width}, values: Float32Array.from({ length: sample_id.length * ${width} }, () => uniform() - 0.5) } } }
  })
})
`)
  fs.writeFileSync(join(folder, "rows.yaml"), `name: rows
stages:
  samples: { uses: ./rows.ts, with: { rows: ${rows} } }
  split:   { uses: ingest/split, needs: samples, with: { by: [label], test: 0.4, val: 0.1 } }
  embed:   { uses: ./vectors.ts, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  train:   { uses: train/triplet, needs: { embeddings: embed, annotations: classes, split }, with: { tasks: { class: 1 }, out: 16, epochs: ${epochs} } }
  probe:   { uses: probe/linear, needs: { embeddings: train, samples, split }, with: { tasks: [class], C: [1], bootstrap: 0 } }
`)
}

/** Measures a size after another, a row each, and says the exponents of time and memory. */
const curve = (bench: Bench, what: string, unit: string, sizes: ReadonlyArray<number>, body: (size: number) => Timing): void => {
  const times: Array<readonly [number, number]> = [], peaks: Array<readonly [number, number]> = []
  for (const size of sizes) {
    const { peakBytes, seconds } = body(size)
    times.push([size, seconds])
    peaks.push([size, peakBytes])
    const memory = Number.isNaN(peakBytes) ? "" : `, peak ${figure(peakBytes / 1e9)} GB`
    bench.row({ what: `${what}, ${size.toLocaleString("en-US")} ${unit}${memory}`, unit: "s", better: "lower", ours: measured([seconds]) })
  }
  const last = 2, steep = (points: ReadonlyArray<readonly [number, number]>) => `${exponent(points).toFixed(2)}${points.length > last ? ` (${exponent(points.slice(-last)).toFixed(2)} over the last two)` : ""}`
  bench.remark(`${what} against ${unit}: time grows with exponent ${steep(times)}${peaks.some(([, peak]) => Number.isNaN(peak)) ? "" : `, peak memory with ${steep(peaks)}`}.`)
}

export default {
  title: "Cost curves",
  about: `Whole processes at growing sizes; the exponent e of cost = c n^e is fitted by least squares in log-log, over all sizes and over the last two, where the fixed
cost of a start no longer flattens it. Cells: trivial stages of a user's own. Rows and epochs: vectors of ${width} through ingest, split, \`train/triplet\` and \`probe/linear\`,
one worker, from an empty cache.`,
  run: async (bench) => {
    const { folder, quick } = bench
    const sides = quick ? [10, 32] : [10, 32, 100, 316]
    const at = (side: number) => join(folder, `cells-${side}`)
    for (const side of sides) {
      writeGrid(at(side), side)
      once([...outcrop, "run", "grid.yaml", "--json"], at(side))
    }
    const sideOf = new Map(sides.map((side) => [side * side, side]))
    const sizes = [...sideOf.keys()]
    curve(bench, "`plan`", "nodes", sizes, (size) => once([...outcrop, "plan", "grid.yaml", "--json"], at(sideOf.get(size)!)))
    curve(bench, "no-op `run`", "nodes", sizes, (size) => once([...outcrop, "run", "grid.yaml", "--json"], at(sideOf.get(size)!)))
    for (const side of sides) fs.rmSync(at(side), { recursive: true })

    const fresh = (name: string, rows: number, epochs: number) => {
      const own = join(folder, name)
      writeRows(own, rows, epochs)
      const timing = once([...outcrop, "run", "rows.yaml", "--json", "--jobs", "1"], own)
      fs.rmSync(own, { recursive: true })
      return timing
    }
    curve(bench, "a pipeline of 1 epoch", "rows", quick ? [1000, 10_000] : [1000, 10_000, 100_000, 1_000_000], (rows) => fresh("rows", rows, 1))
    curve(bench, "a pipeline of 2,000 rows", "epochs", quick ? [10, 100] : [10, 100, 1000, 10_000], (epochs) => fresh("epochs", 2000, epochs))
  }
} satisfies Subject
