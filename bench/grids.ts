/** Large grids of trivial stages of a user's own, for the engine's benches. */
import * as fs from "node:fs"
import { join } from "node:path"

const samples = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
export default Stage.make({
  name: "ingest/few", version: 1, summary: "four samples", with: Schema.Struct({}), needs: {}, gives: { samples: Samples },
  run: Effect.fn(function*() {
    return { samples: { sample_id: ["a", "b", "c", "d"], assets: [[], [], [], []], lat: Float64Array.of(1, 2, 3, 4) } }
  })
})
`
const score = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Metrics, Samples, Stage } from "outcrop"
export default Stage.make({
  name: "probe/score", version: 1, summary: "one number", with: Schema.Struct({ by: Schema.Finite, plus: Schema.Finite }),
  needs: { samples: Stage.needs(Samples, "lat") }, gives: { metrics: Metrics },
  run: Effect.fn(function*({ samples }, { by, plus }) {
    const value = samples.lat.reduce((a, b) => a + b, 0) * by + plus
    return { metrics: { task: ["t"], metric: ["m"], class: [""], split: ["test"], value: Float64Array.of(value), n: Int32Array.of(samples.rows), ci_low: Float64Array.of(value), ci_high: Float64Array.of(value) } }
  })
})
`
const list = (n: number, of: (i: number) => number) => `[${Array.from({ length: n }, (_, i) => of(i)).join(", ")}]`

/** A pipeline of `side` x `side` probes over one ingest, in an own folder. */
export const writeGrid = (folder: string, side: number): string => {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(join(folder, "few.ts"), samples)
  fs.writeFileSync(join(folder, "score.ts"), score)
  const file = join(folder, "grid.yaml")
  fs.writeFileSync(file, `name: grid
axes:
  by: ${list(side, (i) => i + 0.5)}
  plus: ${list(side, (i) => i * 1000)}
stages:
  samples: { uses: ./few.ts }
  probe: { uses: ./score.ts, needs: samples, with: { by: $by, plus: $plus } }
`)
  return file
}

/** The same grid with one cell more: a leaf that was never asked for. */
export const writeOneMore = (folder: string, side: number, more: number): string => {
  const file = join(folder, "one-more.yaml")
  fs.writeFileSync(file, `name: grid
axes:
  cell:
    old: { axes: { by: ${list(side, (i) => i + 0.5)}, plus: ${list(side, (i) => i * 1000)} }, with: { by: $by, plus: $plus } }
    new: { with: { by: ${more}, plus: -1 } }
stages:
  samples: { uses: ./few.ts }
  probe: { uses: ./score.ts, needs: samples, with: $cell.with }
`)
  return file
}

/** `distinct` x `copies` cells that fold into `distinct` nodes and one ingest. */
export const writeFolding = (folder: string, distinct: number, copies: number): string => {
  const file = join(folder, "folding.yaml")
  fs.writeFileSync(file, `name: folding
axes:
  by: ${list(distinct, (i) => i + 0.25)}
  unused: ${list(copies, (i) => i)}
stages:
  samples: { uses: ./few.ts }
  probe: { uses: ./score.ts, needs: samples, with: { by: $by, plus: 0 } }
`)
  return file
}
