import { cpSync, existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import sharp from "sharp"
import { vectorAt } from "outcrop"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import onnx from "../../../stages/embed/onnx.ts"
import { Graph } from "../../../tensor/onnx.ts"
import { Folder, removeFolders } from "../../pipeline.ts"
import { embed, fit, picture, type SampleRow } from "./services.ts"

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

/** The 12 values of an image of 2 x 2 times `scale`, rounded to a multiple of `step`: what quantising does. */
const rounded = (step: number, scale = 1): Uint8Array => {
  const graph = new Graph()
  const image = graph.input({ name: "image", type: "float32", shape: [1, 3, 2, 2] })
  const flat = graph.node("Reshape", [image, graph.int64([1, 12])])
  const steps = graph.node("Round", [graph.node("Mul", [flat, graph.constant(Float32Array.of(scale / step), [1])])])
  graph.output({ name: "result", type: "float32", shape: [1, 12] }, graph.node("Mul", [steps, graph.constant(Float32Array.of(step), [1])]))
  return graph.model().bytes
}

/** A model of one node whose only weight lies in another file (onnx.proto: TensorProto.external_data, data_location). */
const withWeightsElsewhere = (file: string): Uint8Array => {
  const field = (number: number, value: number | string | ReadonlyArray<Uint8Array>): Uint8Array => {
    if (typeof value === "number") return Uint8Array.of(number << 3, value)
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : Buffer.concat(value)
    return Uint8Array.of(number << 3 | 2, ...(bytes.length < 128 ? [bytes.length] : [bytes.length & 127 | 128, bytes.length >> 7]), ...bytes)
  }
  const shape = field(2, [1, 3, 2, 2].map((size) => field(1, [field(1, size)])))
  const value = (name: string) => [field(1, name), field(2, [field(1, [field(1, 1), shape])])]
  const entry = (key: string, value: string) => field(13, [field(1, key), field(2, value)])
  const weight = field(5, [field(1, 1), field(2, 1), field(8, "w"), entry("location", file), entry("length", "4"), field(14, 1)])
  const node = field(1, [field(1, "image"), field(1, "w"), field(2, "result"), field(4, "Mul")])
  return Buffer.concat([field(1, 8), field(7, [node, field(2, "g"), weight, field(11, value("image")), field(12, value("result"))]), field(8, [field(1, ""), field(2, 17)])])
}

const red = { width: 4, height: 2, channels: 3 } as const
let rows: ReadonlyArray<SampleRow> = []

beforeAll(async () => {
  write("vectors.onnx", identity(2, "vectors"))
  write("maps.onnx", identity(2, "maps"))
  write("tokens.onnx", identity(2, "tokens"))
  write("four.onnx", identity(2, "vectors", 4))
  write("broken.onnx", Uint8Array.of(1, 2, 3))
  write("elsewhere.onnx", withWeightsElsewhere("weights.bin"))
  write("fine.onnx", rounded(0.25))
  write("coarse.onnx", rounded(40))
  write("far.onnx", rounded(0.25, -1))
  write("blind.onnx", rounded(10_000))
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
    await expect(one({ model: "elsewhere.onnx" })).rejects.toThrow(/elsewhere.onnx keeps its weights in a second file, which no digest covers; export it as one file: torch.onnx.export\(..., external_data=False\)/)
    await expect(one({ model: "vectors.onnx", output: "logits" })).rejects.toThrow(/no output "logits"; it has result/)
    await expect(one({ model: "vectors.onnx", bands: ["R", "G", "B08"] })).rejects.toThrow(/sample p0: there is no band "B08"; the sample has image/)
  })
})

describe("embed/onnx behind a parity check", () => {
  const check = async (model: string, parity: object, of = rows) => {
    const notices: Array<string> = []
    const learned = await fit(onnx, { root, rows: of, with: { model, reference: "vectors.onnx", parity } }, notices)
    expect(learned, "nothing of the sample may enter the keys of the rows").toEqual({})
    return notices
  }

  it("says how near a quantised model is to its reference, on the samples at hand", async () => {
    expect(await check("vectors.onnx", { cosine: 1 })).toEqual([
      "parity of vectors.onnx with vectors.onnx over 6 of 6 samples: cosine 1.0000 at least, 1.0000 in the mean around the mean vector (1.0000 and 1.0000 around the origin); asked for 1"
    ])
    expect((await check("fine.onnx", { cosine: 0.99 }))[0]).toMatch(/cosine 0\.99\d\d at least/)
  })

  it("stops before anything is embedded where it is too far, and names the worst samples first", async () => {
    const told = await check("coarse.onnx", { cosine: 0.95 }).catch((cause: Error) => cause.message)
    expect(told).toMatch(/^coarse.onnx is too far from its reference vectors.onnx over 6 of 6 samples: cosine -?0\.\d{4} at least, .* where parity asks for 0.95. Below it: \d \(p\d/)
    const worst = Array.from(String(told).matchAll(/p\d (-?\d\.\d{4})/g), ([, cosine]) => Number(cosine))
    expect(worst).toEqual(worst.toSorted((a, b) => a - b))
    expect(told).toMatch(/weight_type=QInt8, per_channel=True/)
    // far from the origin all images look alike: there the cosine is above 0.95
    expect((await check("coarse.onnx", { cosine: -1 }))[0]).toMatch(/\(0\.9[5-9]\d\d and 0\.9\d\d\d around the origin\)/)
    await expect(check("far.onnx", { cosine: 0 })).rejects.toThrow(/cosine -\d\.\d{4} at least/)
  })

  it("draws the same samples in whatever order and company they come", async () => {
    const drawn = async (of: ReadonlyArray<SampleRow>) => {
      const told = await check("far.onnx", { cosine: 1, rows: 3 }, of).catch((cause: Error) => cause.message)
      return Array.from(String(told).matchAll(/(\S+) -?\d\.\d{4}[,)]/g), ([, id]) => id!.replace("(", "")).toSorted()
    }
    const three = await drawn(rows)
    expect(three).toHaveLength(3)
    expect(await drawn(rows)).toEqual(three)
    expect(await drawn(rows.toReversed())).toEqual(three)
    const others = rows.filter(({ id }) => !three.includes(id))
    expect(await drawn(rows.filter(({ id }) => id !== others[0]!.id))).toEqual(three)
  })

  it("needs both the reference and the bound, of one encoder, and samples that differ", async () => {
    const given = (parameters: object, of = rows) => fit(onnx, { root, rows: of, with: { model: "vectors.onnx", ...parameters } })
    await expect(given({ parity: { cosine: 0.9 } })).rejects.toThrow(/"parity" needs the float32 model to measure against; name it in "reference"/)
    await expect(given({ reference: "fine.onnx" })).rejects.toThrow(/give "parity: \{ cosine: 0.98 \}"/)
    await expect(given({ reference: "absent.onnx", parity: { cosine: 0.9 } })).rejects.toThrow(/absent.onnx is not there/)
    await expect(check("tokens.onnx", { cosine: 0.9 })).rejects.toThrow(/choose "pooling"/)
    await expect(check("blind.onnx", { cosine: 0.9 })).rejects.toThrow(/blind.onnx is too far/)
    await expect(check("vectors.onnx", { cosine: 0.9 }, rows.slice(0, 1))).rejects.toThrow(/it takes two samples that differ at least/)
    await expect(given({})).resolves.toEqual({})
  })
})

describe("embed/onnx in a run", () => {
  afterAll(removeFolders)
  const pipeline = (model: string) => {
    const folder = new Folder()
    for (const model of ["vectors", "fine", "coarse"]) cpSync(join(root, `${model}.onnx`), folder.at(`data/${model}.onnx`))
    for (const { id } of rows) cpSync(join(root, `${id}.png`), folder.at(`data/all/${id}.png`))
    folder.write("pipeline.yaml", `name: quantised
data: { root: data }
stages:
  samples: { uses: ingest/folder }
  embed: { uses: embed/onnx, needs: samples, with: { model: ${model}, reference: vectors.onnx, parity: { cosine: 0.95, rows: 4 } } }
`)
    return folder
  }

  it("says the same of parity whatever the number of workers, and counts rows while it embeds", async () => {
    const said = await Promise.all(["1", "3"].map(async (jobs) => {
      const folder = pipeline("fine.onnx")
      const { code, out } = await folder.outcrop("run", "--events", "--jobs", jobs)
      expect(code).toBe(0)
      const counts = out.trim().split("\n").map((line) => JSON.parse(line) as { readonly type: string; readonly nodes: ReadonlyArray<string>; readonly done: number; readonly total: number })
        .filter(({ nodes, type }) => type === "progress" && nodes[0] === "embed")
      expect(counts.at(-1)).toMatchObject({ done: 6, total: 6 })
      expect(counts.every(({ done }, i) => i === 0 || done >= counts[i - 1]!.done)).toBe(true)
      return /parity of .*/.exec((await folder.outcrop("logs", "embed")).out)?.[0]
    }))
    expect(said[0]).toMatch(/^parity of fine.onnx with vectors.onnx over 4 of 6 samples: cosine 0\.9/)
    expect(said[1]).toBe(said[0])
  })

  it("embeds nothing where parity is not met, and lets a plan count rows", async () => {
    const folder = pipeline("coarse.onnx")
    const { code, err } = await folder.outcrop("run")
    expect(code).toBe(1)
    expect(err).toMatch(/coarse.onnx is too far from its reference vectors.onnx over 4 of 6 samples/)
    expect((await folder.json("plan")).rows).toEqual({ embedded: 6, cached: 0 })
    folder.edit("pipeline.yaml", "coarse.onnx", "fine.onnx")
    expect((await folder.json("run")).rows).toEqual({ embedded: 6, cached: 0 })
    // another image of the same pixels, and one of others: parity is measured anew, the cached rows stay
    cpSync(folder.at("data/all/p0.png"), folder.at("data/all/p6.png"))
    writeFileSync(folder.at("data/all/p7.png"), await sharp(Buffer.alloc(24, 77), { raw: red }).png().toBuffer())
    expect((await folder.json("run")).rows).toEqual({ embedded: 1, cached: 7 })
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
