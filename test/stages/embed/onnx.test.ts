import { existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import sharp from "sharp"
import { vectorAt } from "outcrop"
import { beforeAll, describe, expect, it } from "vitest"
import onnx from "../../../stages/embed/onnx.ts"
import { Graph } from "../../../tensor/onnx.ts"
import { embed, picture, type SampleRow } from "./services.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-onnx-"))
const write = (name: string, bytes: Uint8Array) => writeFileSync(join(root, name), bytes)

/** A model that gives back its input, as maps [batch, bands, side, side] or as tokens [batch, bands, side * side]. */
const identity = (side: number, as: "maps" | "tokens" | "vectors", lanes = 1): Uint8Array => {
  const graph = new Graph()
  const image = graph.input({ name: "image", type: "float32", shape: [lanes, 3, side, side] })
  const shape = as === "maps" ? [lanes, 3, side, side] : as === "tokens" ? [lanes, 3, side * side] : [lanes, 3 * side * side]
  graph.output({ name: "result", type: "float32", shape }, graph.node("Reshape", [image, graph.int64(shape)]))
  return graph.model().bytes
}

const red = { width: 4, height: 2, channels: 3 } as const
let rows: ReadonlyArray<SampleRow> = []

beforeAll(async () => {
  write("vectors.onnx", identity(2, "vectors"))
  write("maps.onnx", identity(2, "maps"))
  write("tokens.onnx", identity(2, "tokens"))
  write("four.onnx", identity(2, "vectors", 4))
  write("broken.onnx", Uint8Array.of(1, 2, 3))
  for (let i = 0; i < 6; i++) {
    const pixels = Uint8Array.from({ length: 24 }, (_, k) => k % 3 === 0 ? 10 * i + Math.floor(k / 3) : k % 3 === 1 ? 100 : 200)
    write(`p${i}.png`, await sharp(pixels, { raw: red }).png().toBuffer())
  }
  rows = Array.from({ length: 6 }, (_, i) => ({ id: `p${i}`, assets: [picture(root, `p${i}.png`)] }))
})

describe("embed/onnx", () => {
  const one = async (parameters: object) => Array.from((await embed(onnx, { root, rows: rows.slice(0, 1), with: parameters })).values)

  it("gives the model its own size, bands first, in the order named", async () => {
    // red is 0 1 2 3 / 4 5 6 7, squashed to 2 x 2 by the triangle filter of Pillow
    const values = await one({ model: "vectors.onnx", bands: ["B", "G", "R"] })
    expect(values.slice(0, 8)).toEqual([200, 200, 200, 200, 100, 100, 100, 100])
    expect(values.slice(8).every((value, i) => value > [0, 2, 4, 6][i]! && value < [1, 3, 5, 7][i]!)).toBe(true)
  })

  it("scales by divisor, mean and std, one a band or one for all", async () => {
    const values = await one({ model: "vectors.onnx", divisor: 10, mean: [0, 5, 10], std: [2] })
    expect(values.slice(4)).toEqual([2.5, 2.5, 2.5, 2.5, 5, 5, 5, 5])
    await expect(one({ model: "vectors.onnx", mean: [1, 2] })).rejects.toThrow(/"mean" has 2 values where there are 3 bands/)
  })

  it("crops the centre where asked", async () => {
    expect((await one({ model: "vectors.onnx", fit: "crop" })).slice(0, 4)).toEqual([1, 2, 5, 6])
  })

  it("pools tokens and maps", async () => {
    expect(await one({ model: "maps.onnx", fit: "crop", pooling: "mean" })).toEqual([3.5, 100, 200])
    expect(await one({ model: "maps.onnx", fit: "crop", pooling: "none" })).toHaveLength(12)
    expect(await one({ model: "tokens.onnx", fit: "crop", pooling: "cls" })).toEqual([1, 2, 5, 6])
    expect(await one({ model: "tokens.onnx", fit: "crop", pooling: "mean" })).toEqual([301 / 3, 302 / 3, 305 / 3, 306 / 3].map(Math.fround))
  })

  it("wants pooling to be chosen where it matters, and only there", async () => {
    await expect(one({ model: "maps.onnx" })).rejects.toThrow(/output of maps.onnx is \[1, 3, 2, 2\]; choose "pooling": mean or none/)
    await expect(one({ model: "maps.onnx", pooling: "cls" })).rejects.toThrow(/maps have no class token/)
    await expect(one({ model: "vectors.onnx", pooling: "mean" })).rejects.toThrow(/leaves nothing to pool/)
  })

  it("fills the lanes of a model of fixed batch, the last call with empty ones", async () => {
    const four = await embed(onnx, { root, rows, with: { model: "four.onnx" } })
    const single = await embed(onnx, { root, rows, with: { model: "vectors.onnx" } })
    expect(four).toEqual(single)
  })

  it("states both shapes where a model does not take the input", async () => {
    await expect(one({ model: "vectors.onnx", size: 3 })).rejects.toThrow(/takes \[1, 3, 2, 2\] .* and \[1, 3, 3, 3\] was to be given/)
    await expect(one({ model: "vectors.onnx", bands: ["R"] })).rejects.toThrow(/takes \[1, 3, 2, 2\] .* and \[1, 1, 2, 2\] was to be given: bands R/)
    await expect(one({ model: "vectors.onnx", bands: ["image", "R"] })).rejects.toThrow(/could not run on \[1, 4, 2, 2\]/)
  })

  it("names what is wrong with a model or a band", async () => {
    await expect(one({ model: "broken.onnx" })).rejects.toThrow(/broken.onnx does not load as an ONNX model/)
    await expect(one({ model: "absent.onnx" })).rejects.toThrow(/absent.onnx is not there/)
    await expect(one({ model: "vectors.onnx", output: "logits" })).rejects.toThrow(/no output "logits"; it has result/)
    await expect(one({ model: "vectors.onnx", bands: ["R", "G", "B08"] })).rejects.toThrow(/sample p0: there is no band "B08"; the sample has image/)
  })
})

const encoders = new URL("../../../../shared/data/encoders/", import.meta.url).pathname
describe.skipIf(!existsSync(encoders))("embed/onnx with MobileNet (needs shared/data)", () => {
  const photographs = ["bird.bmp", "cat.bmp"].map((name) => ({ id: name, assets: [picture(encoders, name)] }))

  it("knows a cat and a chickadee", async () => {
    // 1,001 classes, the first is background: ImageNet's 19 is the chickadee, 281 to 285 are cats
    const { values, width } = await embed(onnx, { root: encoders, rows: photographs, with: { model: "mobilenet-v1-0.25-128.onnx", output: "output" } })
    expect(width).toBe(1001)
    const best = (row: number) => {
      const scores = vectorAt({ values, width }, row)
      return scores.indexOf(Math.max(...scores)) - 1
    }
    expect(best(0)).toBe(19)
    expect([281, 282, 283, 284, 285]).toContain(best(1))
  })

  it("takes the output called embedding, and gives the same bits at every place of a batch", async () => {
    const many = Array.from({ length: 11 }, (_, i) => ({ id: `s${String(i).padStart(2, "0")}`, assets: photographs[i % 2]!.assets, window: [i, 2 * i, 300, 300] as const }))
    const model = "mobilenet-v1-0.25-128.onnx"
    const all = await embed(onnx, { root: encoders, rows: many, with: { model, batch: 4 } })
    expect(all.width).toBe(256)
    for (const [i, row] of many.entries()) {
      expect((await embed(onnx, { root: encoders, rows: [row], with: { model, batch: 4 } })).values).toEqual(vectorAt(all, i))
    }
  })

  it("reads a photograph once for all of its windows", async () => {
    const reads = { count: 0 }
    const windows = Array.from({ length: 6 }, (_, i) => ({ id: `w${i}`, assets: photographs[i % 2]!.assets, window: [20 * i, 0, 128, 128] as const }))
    await embed(onnx, { root: encoders, rows: windows, with: { model: "mobilenet-v1-0.25-128.onnx" }, reads })
    // both photographs and, for its digest, the model
    expect(reads.count).toBe(3)
  })
})
