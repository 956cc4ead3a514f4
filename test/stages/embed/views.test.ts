import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import sharp from "sharp"
import { stream, vectorAt } from "outcrop"
import { beforeAll, describe, expect, it } from "vitest"
import onnx from "../../../stages/embed/onnx.ts"
import patches from "../../../stages/embed/rcf-patches.ts"
import rcf from "../../../stages/embed/rcf.ts"
import statistics from "../../../stages/embed/statistics.ts"
import { Graph } from "../../../tensor/onnx.ts"
import { embed, fit, picture, type SampleRow } from "./services.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-views-"))
const side = 12, area = side * side
let rows: ReadonlyArray<SampleRow> = []

beforeAll(async () => {
  for (let i = 0; i < 8; i++) {
    const { integer } = stream(2, "picture", i)
    writeFileSync(join(root, `p${i}.png`), await sharp(Uint8Array.from({ length: area * 3 }, () => integer(256)), { raw: { width: side, height: side, channels: 3 } }).png().toBuffer())
  }
  rows = Array.from({ length: 8 }, (_, i) => ({ id: `p${i}`, assets: [picture(root, `p${i}.png`)] }))
  const graph = new Graph(), shape = [1, 3 * area]
  const image = graph.input({ name: "image", type: "float32", shape: [1, 3, side, side] })
  graph.output({ name: "result", type: "float32", shape }, graph.node("Reshape", [image, graph.int64(shape)]))
  writeFileSync(join(root, "identity.onnx"), graph.model().bytes)
})

const masked = { name: "masked", mask: { ratio: 0.5, patch: 4 } }
const views = [{ name: "full" }, masked, { name: "augmented", crop: [0.3, 0.8], flip: true, jitter: 0.3 }]
const stages = [
  ["embed/statistics", statistics, {}],
  ["embed/rcf", rcf, { features: 8, size: 10 }],
  ["embed/rcf-patches", patches, { features: 8, size: 10 }],
  ["embed/onnx", onnx, { model: "identity.onnx" }]
] as const

describe.each(stages)("%s", (_, stage, own) => {
  it("gives the full view as it does without views, and others as their own", async () => {
    const learned = stage === patches ? await fit(patches, { root, rows, with: own }) : {}
    const call = { root, rows, learned }
    const plain = await embed(stage, { ...call, with: own })
    expect(await embed(stage, { ...call, with: { ...own, views } })).toEqual(plain)
    const others = await Promise.all(["masked", "augmented"].map((view) => embed(stage, { ...call, view, with: { ...own, views } })))
    for (const [i] of rows.entries()) {
      const vectors = [plain, ...others].map((each) => vectorAt(each, i))
      expect(new Set(vectors.map(String)).size).toBe(3)
    }
  })

  it("gives a sample's view the same bits in another company, under another id, and beside other views", async () => {
    const learned = stage === patches ? await fit(patches, { root, rows, with: own }) : {}
    const all = await embed(stage, { root, rows, learned, view: "augmented", with: { ...own, views } })
    const alone = await embed(stage, { root, rows: [{ ...rows[5]!, id: "alone" }], learned, view: "augmented", with: { ...own, views: [views[2]] } })
    expect(alone.values).toEqual(vectorAt(all, 5))
  })
})

describe("a mask", () => {
  it("leaves a band's mean and takes half of its variance away, as far as patches are alike", async () => {
    const plain = await embed(statistics, { root, rows }), half = await embed(statistics, { root, rows, view: "masked", with: { views: [masked] } })
    for (const [i] of rows.entries()) {
      const before = vectorAt(plain, i), after = vectorAt(half, i)
      for (let b = 0; b < 3; b++) {
        expect(Math.abs(after[b]! - before[b]!)).toBeLessThan(15)
        expect((after[3 + b]! / before[3 + b]!) ** 2).toBeGreaterThan(0.3)
        expect((after[3 + b]! / before[3 + b]!) ** 2).toBeLessThan(0.7)
      }
    }
  })

  it("is laid over what the model sees: a normalised mean in floor(ratio n) patches of each band", async () => {
    const scaling = { model: "identity.onnx", divisor: 255, mean: [0.4], std: [0.5] }
    const plain = await embed(onnx, { root, rows, with: scaling }), half = await embed(onnx, { root, rows, view: "masked", with: { ...scaling, views: [masked] } })
    for (const [i] of rows.entries()) {
      const before = vectorAt(plain, i), after = vectorAt(half, i)
      for (let b = 0; b < 3; b++) {
        const band = before.subarray(b * area, (b + 1) * area), mean = band.reduce((sum, value) => sum + value) / area
        const changed = Array.from(after.subarray(b * area, (b + 1) * area)).filter((value, at) => value !== band[at])
        // four of nine patches of 16 px; noise hits its own mean nowhere
        expect(changed).toHaveLength(4 * 16)
        for (const value of changed) expect(value).toBeCloseTo(mean, 5)
      }
    }
  })
})
