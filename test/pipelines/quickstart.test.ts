import * as fs from "node:fs"
import { afterAll, describe, expect, it } from "vitest"
import { Folder, removeFolders, type Summary } from "../pipeline.ts"

const text = (name: string) => fs.readFileSync(new URL(`../../pipelines/${name}`, import.meta.url), "utf8")
afterAll(removeFolders)

interface TableDocument {
  readonly rows: ReadonlyArray<{ readonly axes: { readonly method: string }; readonly task: string; readonly metric: string; readonly mean: number; readonly replicates: number; readonly keys: ReadonlyArray<string> }>
}

describe("pipelines/quickstart.yaml", () => {
  const folder = new Folder({ "pipeline.yaml": text("quickstart.yaml") })
  folder.limit = 120_000

  it("runs: samples and their embedding once, the frozen base once for all folds, every method on four folds", { timeout: 120_000 }, async () => {
    const { cells, nodes, rows, stages } = await folder.json<Summary>("run")
    expect({ cells, total: nodes.total, run: nodes.run, failed: nodes.failed }).toEqual({ cells: 20, total: 51, run: 51, failed: 0 })
    expect(rows).toEqual({ embedded: 480, cached: 0 })
    expect(Object.fromEntries(stages.map(({ stage, total }) => [stage, total]))).toEqual({ samples: 1, split: 4, embed: 1, boxes: 4, guide: 4, train: 17, probe: 20 })
  })

  it("compares the five methods: they differ, and none is at chance or at 100%", async () => {
    const { rows } = await folder.json<TableDocument>("table")
    const accuracy = rows.filter(({ metric, task }) => task === "class" && metric === "accuracy")
    expect(accuracy.map(({ axes }) => axes.method)).toEqual(["base", "dtl", "dtl-hard", "matl", "tg-matl"])
    for (const { keys, mean, replicates } of accuracy) {
      expect(mean).toBeGreaterThan(0.5)
      expect(mean).toBeLessThan(0.95)
      expect([replicates, new Set(keys).size]).toEqual([4, 4])
    }
    expect(new Set(accuracy.map(({ mean }) => mean)).size).toBeGreaterThan(3)
  })

  it("comes to the table that the README shows, up to what another CPU rounds otherwise", async () => {
    const readme = fs.readFileSync(new URL("../../README.md", import.meta.url), "utf8"), shown = readme.slice(readme.indexOf("quickstart output: begin"), readme.indexOf("quickstart output: end"))
    const { rows } = await folder.json<TableDocument>("table"), { out } = await folder.outcrop("table")
    const lines = (text: string) => text.split("\n").filter((line) => /^(?:method|base|dtl|dtl-hard|matl|tg-matl) /.test(line))
    const plain = (text: string) => lines(text).map((line) => line.replaceAll(/[\d.]+/g, "0"))
    expect(plain(shown)).toEqual(plain(out))
    for (const { axes: { method }, mean } of rows.filter(({ metric, task }) => task === "class" && metric === "accuracy")) {
      expect(Math.abs(Number(lines(shown).find((line) => line.startsWith(`${method} `))!.split(/ +/)[1]) - mean), method).toBeLessThan(0.03)
    }
  })

  it("does nothing the second time", async () => {
    expect((await folder.json<Summary>("run")).nodes).toMatchObject({ run: 0, cached: 51 })
  })

  it("reruns the four trainings of tg-matl and their probes where its `top` changes, and `why` says so", { timeout: 60_000 }, async () => {
    folder.edit("pipeline.yaml", "top: 0.3", "top: 0.5")
    expect((await folder.outcrop("why", "train", "method=tg-matl", "fold=0")).out).toContain("parameter select.top: 0.3 -> 0.5")
    expect(await folder.ran()).toEqual({ train: 4, probe: 4 })
  })

  it("reruns the miners' dependents only as far as their content changes: another number of box clusters does not touch dtl", { timeout: 60_000 }, async () => {
    folder.edit("pipeline.yaml", "uses: mine/box-clusters, needs: { samples, split }", "uses: mine/box-clusters, needs: { samples, split }, with: { clusters: 4 }")
    expect(await folder.ran()).toEqual({ boxes: 4, guide: 4, train: 8, probe: 8 })
  })
})

describe.each(["tg-matl.yaml", "sen2ships.yaml"])("pipelines/%s", (name) => {
  it("expands without a mistake, before any data is there", async () => {
    const folder = new Folder({ "pipeline.yaml": text(name) })
    const { nodes } = await folder.json<Summary>("plan")
    expect(nodes.run + nodes.failed).toBe(nodes.total)
    expect(nodes.total).toBeGreaterThan(30)
  })
})
