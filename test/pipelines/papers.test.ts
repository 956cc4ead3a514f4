/** SoftCon, Geography-aware and the crossing of both, small: what each pipeline shares, and that adding to it embeds nothing twice. */
import * as fs from "node:fs"
import { afterAll, describe, expect, it } from "vitest"
import { Folder, removeFolders, type Summary } from "../pipeline.ts"
import { read, reads } from "../reading.ts"

afterAll(removeFolders)
const limit = { timeout: 120_000 }

/** A pipeline of this project on fewer scenes, with a few epochs and seeds. */
const small = (...names: ReadonlyArray<string>): Folder => {
  const smaller = (text: string) =>
    text.replace(/samples: (1200|1500) /, "samples: 80 ").replaceAll("features: 256", "features: 16").replaceAll("epochs: 60", "epochs: 1").replaceAll("queue: 512", "queue: 128")
      .replace(/seed: \[[\d, ]+\]/, "seed: [0, 1]").replace("fraction: [0.01, 0.1, 1]", "fraction: [0.2, 1]").replaceAll("k: 20", "k: 5").replaceAll("batch: 64", "batch: 16")
      .replace("with: { tasks: [labels] }", "with: { tasks: [labels], C: [0.1], bootstrap: 0 }").replace(/(uses: probe\/geo, .*) \}$/m, "$1, with: { C: [0.1], bootstrap: 0 } }")
  const folder = new Folder(Object.fromEntries(names.map((name) => [name, smaller(fs.readFileSync(new URL(`../../pipelines/${name}`, import.meta.url), "utf8"))])))
  folder.limit = 120_000
  return folder
}
const totals = ({ stages }: Summary) => Object.fromEntries(stages.map(({ stage, total }) => [stage, total]))
interface TableDocument {
  readonly rows: ReadonlyArray<{ readonly axes: Readonly<Record<string, string>>; readonly task: string; readonly metric: string; readonly mean: number }>
}

describe("pipelines/softcon.yaml", () => {
  const folder = small("softcon.yaml")
  it("embeds both views once for all supervisions, fractions and seeds; what reads no labels is trained once for all fractions", limit, async () => {
    const summary = await read<Summary>(folder, "plan", "softcon.yaml"), { nodes, rows: made } = await folder.json<Summary>("run", "softcon.yaml", "seed=0")
    expect(nodes.failed).toBe(0)
    expect(made).toEqual({ embedded: 2 * 2 * 80, cached: 0 })
    // none: one an encoder; infonce: an encoder and seed; the three supervised ones: a fraction as well
    expect(totals(summary)).toMatchObject({ samples: 1, split: 2, labelled: 4, labels: 4, embed: 2, train: 2 + 2 * 2 + 3 * 2 * 2 * 2, probe: 2 * 5 * 2 * 2 })
    const { rows } = await read<TableDocument>(folder, "table", "softcon.yaml", "seed=0")
    const map = rows.filter(({ metric, task }) => task === "labels" && metric === "map_micro")
    expect(map).toHaveLength(2 * 5 * 2)
    for (const { mean } of map) expect(mean).toBeGreaterThan(0.1)
  })
  it("a seed more, or a loss more, embeds nothing", limit, async () => {
    folder.edit("softcon.yaml", "seed: [0, 1]", "seed: [0, 1, 2]")
    folder.edit("softcon.yaml", "    infonce:", "    soft-alone: { uses: train/soft-contrastive, with: { identity: 0, epochs: 1 } }\n    infonce:")
    expect((await read<Summary>(folder, "plan", "softcon.yaml")).rows.embedded).toBe(0)
    // the new loss of the new seed
    const { nodes, rows } = await folder.json<Summary>("run", "softcon.yaml", "fraction=1", "encoder=rcf", "supervision=soft-alone", "seed=2")
    expect({ failed: nodes.failed, embedded: rows.embedded }).toEqual({ failed: 0, embedded: 0 })
  })
  it("visits more embed the visits more, and a view more that view", limit, async () => {
    folder.edit("softcon.yaml", "samples: 80", "samples: 90")
    expect((await folder.json<Summary>("run", "softcon.yaml", "embed")).rows).toMatchObject({ embedded: 2 * 2 * 10 })
    folder.edit("softcon.yaml", "views: &views [", "views: &views [{ name: augmented, flip: true }, ")
    expect((await read<Summary>(folder, "plan", "softcon.yaml", "embed")).rows).toMatchObject({ embedded: 2 * 90 })
  })
})

describe("pipelines/geography-aware.yaml and pipelines/crossed.yaml", () => {
  const folder = small("geography-aware.yaml", "crossed.yaml")
  it("MoCo alone, +TP, +Geo, both and the pretext alone are values of one axis; the frozen embedding is one node for all", limit, async () => {
    const summary = await read<Summary>(folder, "plan", "geography-aware.yaml"), { nodes, rows } = await folder.json<Summary>("run", "geography-aware.yaml", "seed=0")
    expect(nodes.failed).toBe(0)
    expect(rows).toEqual({ embedded: 3 * 80, cached: 0 })
    expect(totals(summary)).toMatchObject({ samples: 1, embed: 1, dates: 1, split: 3 * 2, train: 1 + 7 * 3 * 2, probe: 8 * 3 * 2, place: 8 * 3 * 2 })
  })
  it("the splits stand side by side, and random splits are told to leak", limit, async () => {
    const { err, out } = await reads(folder, "table", "geography-aware.yaml", "seed=0")
    expect(err).toBe("")
    const [header] = out.split("\n").filter((line) => line.includes("random"))
    expect(header).toMatch(/random.*spatial.*season/)
    expect((await folder.outcrop("logs", "geography-aware.yaml", "split")).out).toMatch(/spatial leak: \d+ of \d+ test samples/)
  })
  it("the crossing of the papers reads the same embedding: it embeds nothing", limit, async () => {
    expect((await read<Summary>(folder, "plan", "crossed.yaml")).rows.embedded).toBe(0)
    const { nodes, rows } = await folder.json<Summary>("run", "crossed.yaml", "seed=0")
    expect({ failed: nodes.failed, embedded: rows.embedded }).toEqual({ failed: 0, embedded: 0 })
  })
})
