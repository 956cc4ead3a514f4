import { stripVTControlCharacters } from "node:util"
import { afterAll, describe, expect, it } from "vitest"
import { Folder, removeFolders } from "../pipeline.ts"

afterAll(removeFolders)

/** 120 samples in two bands of longitude: what covers the land can be read from the embedding, and so can the place, up to noise of the sample. */
const collection = `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Split, Embeddings, Stage, stream } from "outcrop"
const n = 120, rows = Array.from({ length: n }, (_, i) => i), id = (i) => String(i).padStart(3, "0")
const at = (i) => { const random = stream(0, i); return [40 + 5 * random.uniform(), (i % 2 === 0 ? 0 : 20) + 5 * random.uniform(), random] }
const labels = (i) => ["crops", "trees", "water"].filter((_, c) => c === i % 3 || (i + c) % 4 === 0)
`
const stages = {
  "list.ts": `${collection}export default Stage.make({
  name: "ingest/list", version: 1, summary: "samples", with: Schema.Struct({}), needs: {}, gives: { samples: Samples },
  run: () => Effect.succeed({ samples: { sample_id: rows.map(id), assets: rows.map(() => []), labels: rows.map(labels), lat: Float64Array.from(rows, (i) => at(i)[0]), lon: Float64Array.from(rows, (i) => at(i)[1]) } })
})`,
  "split.ts": `${collection}export default Stage.make({
  name: "ingest/halves", version: 1, summary: "a split", with: Schema.Struct({ by: Schema.Literals(["turns", "east"]) }), needs: { samples: Stage.needs(Samples, "lon") }, gives: { split: Split },
  run: ({ samples }, { by }) => Effect.succeed({ split: { sample_id: samples.sample_id, split: rows.map((i) => (by === "east" ? samples.lon[i] > 10 : i % 5 < 2) ? "test" : i % 6 === 2 || i % 6 === 4 ? "val" : "train") } })
})`,
  "embed.ts": `${collection}export default Stage.make({
  name: "train/told", version: 1, summary: "embeddings", with: Schema.Struct({ noise: Schema.Finite }), needs: { samples: Stage.needs(Samples, "labels", "lat", "lon") }, gives: { embeddings: Embeddings },
  run: ({ samples }, { noise }) => Effect.succeed({ embeddings: { sample_id: samples.sample_id, view: rows.map(() => "full"), embedding: { width: 5, values: Float32Array.from(rows.flatMap((i) => {
    const random = at(i)[2]
    return [...["crops", "trees", "water"].map((name) => samples.labels[i].includes(name) ? 1 : 0), samples.lat[i] / 10, samples.lon[i] / 10].map((x) => x + noise * random.normal())
  })) } } })
})`
}
const pipeline = `name: p
axes:
  split: { random: { by: turns }, spatial: { by: east } }
  noise: [0.1, 0.6]
stages:
  samples: { uses: ./list.ts }
  split: { uses: ./split.ts, needs: samples, with: $split }
  embed: { uses: ./embed.ts, needs: samples, with: { noise: $noise } }
  probe: { uses: probe/linear, needs: { embeddings: embed, samples, split }, with: { tasks: [labels], C: [1], bootstrap: 0 } }
  place: { uses: probe/geo, needs: { embeddings: embed, samples, split }, with: { alpha: [1], bootstrap: 0 } }
report:
  metrics: [labels.map_micro, labels.f1_macro, geo.median_km]
  columns: split
`
interface Document {
  readonly rows: ReadonlyArray<{ readonly axes: Readonly<Record<string, string>>; readonly task: string; readonly metric: string; readonly mean: number }>
}
const lines = (text: string) => stripVTControlCharacters(text).trim().split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, " | "))

describe("figures of several splits side by side", () => {
  it("have a column a split under each metric, of all probes in one row a method; table --columns asks for another axis; JSON stays flat", async () => {
    const folder = new Folder({ ...stages, "pipeline.yaml": pipeline })
    const { code, err, out } = await folder.outcrop("run")
    expect(err).not.toContain("report:")
    expect(code).toBe(0)
    const heads = /^labels.map_micro( ─*)? \| labels.f1_macro( ─*)? \| geo.median_km( ─*)?$/, header = "noise | random | spatial | random | spatial | random | spatial | n"
    expect(lines(out)[0]).toMatch(heads)
    expect(lines(out)[1]).toBe(header)
    const table = lines((await folder.outcrop("table")).out)
    expect(table[0]).toMatch(heads)
    expect(table.slice(0, 7)).toEqual([table[0], header, expect.stringMatching(/^─/), expect.stringMatching(/^0\.1( \| \d+\.\d+){6} \| 1$/), expect.stringMatching(/^0\.6( \| \d+\.\d+){6} \| 1$/), expect.stringMatching(/^rows that differ only in noise: /), expect.stringContaining("one replicate each")])
    const { rows } = await folder.json<Document>("table")
    expect(rows.filter(({ metric, task }) => task === "labels" && metric === "map_micro").map(({ axes }) => axes)).toEqual([
      { split: "random", noise: "0.1" }, { split: "random", noise: "0.6" }, { split: "spatial", noise: "0.1" }, { split: "spatial", noise: "0.6" }
    ])
    const km = (split: string) => rows.find(({ axes, metric, task }) => task === "geo" && metric === "median_km" && axes["split"] === split && axes["noise"] === "0.1")!.mean
    // West of the test region no sample is like those in it: the place is read worse there.
    expect(km("spatial")).toBeGreaterThan(km("random"))
    expect(lines((await folder.outcrop("table", "labels.map_micro", "--columns", "noise")).out).slice(0, 2)).toEqual(["labels.map_micro", "split | 0.1 | 0.6 | n"])
    // ordered by the noise that is best, the columns stay in their order
    const turned = lines((await folder.outcrop("table", "labels.map_micro", "--columns", "noise", "--set", "noise=0.6,0.1", "--sort", "labels.map_micro")).out)
    expect(turned[1]).toBe("split | 0.6 | 0.1 | n")

    const wrong = await folder.outcrop("table", "--columns", "spilt")
    expect(wrong.code).toBe(2)
    expect(wrong.err).toContain("no results are told apart by an axis \"spilt\"")
    expect(wrong.err).toContain("(did you mean \"split\"?)")
  })
})
