import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Stage } from "outcrop"
import { root } from "../../engine/installation.ts"
import { fit, synthetic } from "../stages/train/training.ts"

/** The first block of code of a language in a text of the project. */
const block = (file: string, language: string): string => {
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "ms").exec(fs.readFileSync(join(root, file), "utf8"))
  if (found === null) throw new Error(`${file} has no block of ${language}`)
  return found[1]!
}

let folder: string
const outcrop = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(root, "launcher.cjs"), ...args], { cwd: folder, encoding: "utf8" })
  expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" })
  return stdout
}
const yaml = (name: string, text: string) => fs.writeFileSync(join(folder, name), text)

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "outcrop-readme-"))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

describe("README", () => {
  it("explains a YAML that plans as it says: 16 cells, one node of base for all folds", () => {
    yaml("explained.yaml", block("README.md", "yaml"))
    const { cells, stages } = JSON.parse(outcrop("plan", "explained.yaml", "--json")) as { readonly cells: number; readonly stages: ReadonlyArray<{ readonly stage: string; readonly total: number }> }
    expect(cells).toBe(16)
    expect(Object.fromEntries(stages.map(({ stage, total }) => [stage, total]))).toMatchObject({ samples: 1, embed: 1, split: 4, train: 1 + 3 * 4, probe: 16 })
  })

  it("shows a loss in one file that trains, batched over three folds", () => {
    fs.writeFileSync(join(folder, "nca.ts"), block("README.md", "ts"))
    yaml("own.yaml", `
name: own-loss
replicates: { fold: [0, 1, 2] }
axes:
  method: { nca: { uses: ./nca.ts, with: { temperature: 0.5, epochs: 50, rate: 0.01 } } }
stages:
  samples: { uses: ingest/synthetic, with: { samples: 60 } }
  embed:   { uses: embed/rcf, needs: samples, with: { features: 64 } }
  classes: { uses: mine/classes, needs: samples }
  split:   { uses: ingest/split, needs: samples, with: { test: 0.2, folds: 3, fold: $fold } }
  train:   { uses: $method.uses, needs: { embeddings: embed, annotations: classes, split }, with: $method.with }
`)
    outcrop("run", "own.yaml")
    expect(outcrop("logs", "own.yaml", "train")).toMatch(/of it: compiling loss and gradient of \d+ rows, 8 variants at a time, to \d+ nodes/)
    const losses = outcrop("get", "own.yaml", "train.history", "fold=0").trim().split("\n").slice(1).map((line) => Number(line.split(",")[2]))
    expect(losses).toHaveLength(50)
    const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean(losses.slice(-5))).toBeLessThan(0.9 * mean(losses.slice(0, 5)))
  })

  it("shows a loss in one file that leaves out samples without a class", async () => {
    fs.writeFileSync(join(folder, "nca.ts"), block("README.md", "ts"))
    const { default: nca } = await import(join(folder, "nca.ts")) as { readonly default: Stage.Stage }
    const data = synthetic(24, 4), ids = Int32Array.from({ length: 24 }, (_, i) => i < 6 ? -1 : i % 3), { split: _, ...given } = { ...data, annotations: { class: ids } }
    const weights = async (x: Float32Array) => (await fit(nca, { ...given, x }, { out: 2, epochs: 3, batch: 24, rate: 0.01 })).weights["layer1.weight"]
    expect(await weights(data.x.map((value, i) => i < 6 * 4 ? i % 5 : value))).toEqual(await weights(data.x))
    expect(await weights(data.x.map((value, i) => i < 7 * 4 ? i % 5 : value))).not.toEqual(await weights(data.x))
  })

  it("takes vectors of another program from a .npy file with a list of ids, as numpy writes it", () => {
    const ids = Array.from({ length: 6 }, (_, i) => `scene-${String(5 - i).padStart(6, "0")}`), width = 4
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4), }".padEnd(117) + "\n"
    const values = Float32Array.from({ length: ids.length * width }, (_, i) => i + 0.5)
    fs.mkdirSync(join(folder, "data"))
    fs.writeFileSync(join(folder, "data/embeddings.npy"), Buffer.concat([Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0]), Buffer.from(header), Buffer.from(values.buffer)]))
    fs.writeFileSync(join(folder, "data/ids.txt"), ids.join("\n"))
    yaml("own-vectors.yaml", `
name: own-vectors
data: { root: data }
stages:
  samples: { uses: ingest/synthetic, with: { samples: 6 } }
  embed:   { uses: embed/precomputed, needs: samples, with: { file: embeddings.npy, ids: ids.txt } }
`)
    outcrop("run", "own-vectors.yaml")
    expect(outcrop("get", "own-vectors.yaml", "embed.embeddings").split("\n")[1]).toBe(`scene-000000,full,"[20.5,21.5,22.5,23.5]"`)
  })
})
