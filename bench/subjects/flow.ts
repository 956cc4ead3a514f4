import * as fs from "node:fs"
import { join } from "node:path"
import { measured } from "../figures.ts"
import { once, outcrop } from "../machine.ts"
import type { Subject } from "../subject.ts"

/** Generated vectors of two classes, split and probed. */
const writeFlow = (folder: string, rows: number, width: number): void => {
  fs.writeFileSync(join(folder, "rows.ts"), `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
export default Stage.make({
  name: "ingest/rows", version: 1, summary: "many samples of two classes", with: Schema.Struct({}), needs: {}, gives: { samples: Samples },
  run: Effect.fn(function*() {
    const sample_id = Array.from({ length: ${rows} }, (_, i) => String(i).padStart(6, "0"))
    return { samples: { sample_id, assets: sample_id.map((id) => [{ band: "image", path: id, digest: id, index: -1, gsd: Number.NaN }]), label: sample_id.map((_, i) => i % 2 === 0 ? "a" : "b") } }
  })
})
`)
  fs.writeFileSync(join(folder, "vectors.ts"), `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage } from "outcrop"
export default Stage.make({
  name: "embed/vectors", version: 1, summary: "pseudo-random vectors", with: Schema.Struct({}), needs: { samples: Stage.needs(Samples, "assets") }, gives: { embeddings: Embeddings },
  embed: Effect.fn(function*(_, { samples }) {
    const width = ${width}, values = new Float32Array(samples.rows * width)
    samples.assets.forEach(([asset], row) => {
      let state = Number(asset.digest) + 1
      for (let i = 0; i < width; i++) {
        state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + i | 0
        values[row * width + i] = (state >>> 0) / 2 ** 32 - 0.5
      }
    })
    return { width, values }
  })
})
`)
  fs.writeFileSync(join(folder, "flow.yaml"), `name: flow
stages:
  samples: { uses: ./rows.ts }
  split: { uses: ingest/split, needs: samples, with: { by: [label], test: 0.97, val: 0.01 } }
  embed: { uses: ./vectors.ts, needs: samples }
  probe: { uses: probe/linear, needs: { embeddings: embed, samples, split }, with: { tasks: [class], bootstrap: 0 } }
`)
}

export default {
  title: "Flow of embeddings",
  about: "A pipeline whose embeddings are large, from embed to probe, as one process with one worker: memory must not grow with copies of them.",
  run: async ({ folder, quick, row }) => {
    const rows = quick ? 10_000 : 100_000, width = 768
    writeFlow(folder, rows, width)
    const { peakBytes, seconds } = once([...outcrop, "run", "flow.yaml", "--json", "--jobs", "1"], folder)
    const what = `${rows.toLocaleString("en-US")} x ${width}, embed to probe`
    row({ what: `${what}: peak memory`, unit: "GB", better: "lower", ours: measured([peakBytes / 1e9]), ...(quick ? {} : { target: { value: 1.5 } }) })
    row({ what: `${what}: wall time`, unit: "s", better: "lower", ours: measured([seconds]) })
  }
} satisfies Subject
