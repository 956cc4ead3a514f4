import * as fs from "node:fs"
import { hash } from "node:crypto"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import sharp, { type Sharp } from "sharp"
import { dist } from "../../engine/installation.ts"
import { loadStage } from "../../engine/loader.ts"
import { stream } from "../../math/random.ts"
import { Backend, type ErasedInputs, FileError, Files, Report } from "../../stages/stage.ts"
import { interleaved } from "../figures.ts"
import { cores, once, outcrop } from "../machine.ts"
import type { Subject } from "../subject.ts"

/** Images of each kind, and images of a run on two cores. */
const images = 24, many = 128
const imagenet = { divisor: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], size: 224 }

/** Thirty ellipses in random colours under noise: pictures that differ, and compress about as photographs do. */
const picture = async (side: number, seed: number) => {
  const random = stream(seed, "bench picture")
  const number = (most: number) => Math.round(random.uniform() * most)
  const shapes = Array.from({ length: 30 }, () => `<ellipse cx="${number(side)}" cy="${number(side)}" rx="${number(side / 4)}" ry="${number(side / 4)}" fill="rgb(${number(255)},${number(255)},${number(255)})"/>`)
  const drawn = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"><rect width="100%" height="100%" fill="rgb(${number(255)},${number(255)},${number(255)})"/>${shapes.join("")}</svg>`)
  const grain = await sharp({ create: { width: side, height: side, channels: 3, background: "#777", noise: { type: "gaussian", mean: 128, sigma: 40 } } }).blur(1).png().toBuffer()
  return sharp(await sharp(drawn).removeAlpha().composite([{ input: grain, blend: "soft-light" }]).removeAlpha().png().toBuffer())
}

/** Kinds of files, and how `n` samples of them are cut: one file each, or windows of few large ones. */
const kinds = {
  png: { what: "PNG of 300 px", side: 300, file: (i: number) => `${i}.png`, to: (image: Sharp) => image.png() },
  jpg: { what: "JPEG of 300 px", side: 300, file: (i: number) => `${i}.jpg`, to: (image: Sharp) => image.jpeg({ quality: 90 }) },
  large: { what: "JPEG of 1200 px", side: 1200, file: (i: number) => `${i}-large.jpg`, to: (image: Sharp) => image.jpeg({ quality: 90 }) },
  tiff: { what: "windows of 300 px in a TIFF of 2048 px (deflate)", side: 2048, file: () => "scene.tif", to: (image: Sharp) => image.tiff({ compression: "deflate", tile: true }) }
} as const
type KindOf = keyof typeof kinds

const samplesOf = (kind: KindOf, n: number): ErasedInputs => {
  const sample_id = Array.from({ length: n }, (_, i) => `s${i}`)
  const assets = sample_id.map((_, i) => [{ band: "image", path: kinds[kind].file(i), digest: kinds[kind].file(i), index: -1, gsd: Number.NaN }])
  const window = Float32Array.from(sample_id.flatMap((_, i) => kind === "tiff" ? [(i * 197) % 1748, (i * 311) % 1748, 300, 300] : [Number.NaN, Number.NaN, Number.NaN, Number.NaN]))
  return { samples: { rows: n, metadata: {}, sample_id, assets, window: { width: 4, values: window }, open: {} } } as unknown as ErasedInputs
}

const services = (folder: string, notices: Array<string>) => {
  const bytes = (path: string) => Effect.try({ try: () => new Uint8Array(fs.readFileSync(join(folder, path))), catch: () => new FileError({ path, message: `${path} is not there` }) })
  const refuse = () => Effect.fail(new FileError({ path: "", message: "not here" }))
  const digests = new Map<string, string>()
  return Layer.mergeAll(
    Layer.succeed(Backend, { name: "onnx" }),
    Layer.succeed(Report, { notice: (text) => Effect.sync(() => void notices.push(text)), progress: () => Effect.void, timed: () => () => {} }),
    Layer.succeed(Files, {
      read: bytes,
      open: (path) => Effect.map(bytes(path), (all) => ({ size: all.length, read: (offset, length) => Effect.succeed(all.slice(offset, offset + length)) })),
      digest: (path) => Effect.map(digests.has(path) ? Effect.succeed(digests.get(path)!) : Effect.map(bytes(path), (all) => hash("sha256", all, "hex")), (digest) => {
        digests.set(path, digest)
        return digest
      }),
      list: refuse,
      exists: refuse,
      keep: refuse
    })
  )
}

export default {
  title: "Embedding",
  about: `A ViT-S/16 at 224 px with random weights, float32 unless a row says int8, through \`embed/onnx\`: files read, decoded, resized and embedded one by one.
Torch is eager, in inference mode, in batches of 8; its images are read by Pillow. An encoder of your own: OUTCROP_BENCH_ENCODER=encoder.onnx.`,
  run: async ({ folder, peer: start, quick, remark, row }) => {
    const own = process.env["OUTCROP_BENCH_ENCODER"]
    const modules = ["torch", "timm", "onnx", "onnxruntime", "numpy"]
    const torch = own === undefined ? await start("embedding.py", modules) : undefined
    if (own !== undefined) fs.copyFileSync(own, join(folder, "encoder.onnx"))
    else if (torch === undefined) return remark("Left out: everything, for there is no encoder; OUTCROP_BENCH_ENCODER names one, or timm makes it.")
    else await torch.call("make", { folder })
    const rounds = quick ? 1 : 4
    for (const kind of Object.keys(kinds) as Array<KindOf>) {
      const { file, side, to } = kinds[kind]
      const files = new Set(Array.from({ length: kind === "png" ? many : images }, (_, i) => file(i)))
      for (const [i, name] of [...files].entries()) await to(await picture(side, i)).toFile(join(folder, name))
    }

    const stage = await loadStage(join(dist, "closures/embed/onnx.js"))
    // the loader hands out the modules that the closure runs on, from here on
    const { decodeUnknownSync } = await import("effect/Schema")
    const notices: Array<string> = []
    const there = services(folder, notices)
    const parameters = (model: string, more: object = {}) => decodeUnknownSync(stage.with)({ model, ...imagenet, ...more })
    const rate = (model: string, kind: KindOf) => async () => {
      const begin = performance.now()
      await Effect.runPromise(Effect.provide(stage.embed!({}, samplesOf(kind, images), parameters(model), { name: "full" }), there))
      return images / ((performance.now() - begin) / 1000)
    }
    const byTorch = (name: "forward" | "images", more: object) => torch && (async () => images / await torch.seconds(name, { ...more }))
    const files = Array.from({ length: images }, (_, i) => join(folder, kinds.png.file(i)))
    const float = await interleaved({
      ours: rate("encoder.onnx", "png"),
      images: byTorch("images", { files }),
      forward: byTorch("forward", { rows: images }),
      int8: torch && rate("encoder-int8.onnx", "png")
    }, rounds)
    row({
      what: "ViT-S/16 float32, PNG of 300 px", unit: "rows/s", better: "higher", ours: float.ours, peers: { torch: float.images, "torch, the model alone": float.forward },
      ...(torch === undefined ? {} : { target: { ratio: 1 } })
    })
    if (float.int8 !== undefined) {
      row({ what: "the same, int8 (dynamic, QInt8 by channel)", unit: "rows/s", better: "higher", ours: float.int8, peers: { "torch, float32": float.images, "outcrop, float32": float.ours } })
      const checked = parameters("encoder-int8.onnx", { reference: "encoder.onnx", parity: { cosine: -1, rows: images } })
      await Effect.runPromise(Effect.provide(stage.fit!(samplesOf("png", images), checked), there))
      remark(`The stage's own word on int8, with random weights: ${notices.join("; ")}.`)
    }

    const { InferenceSession, Tensor } = await import("onnxruntime-node")
    const session = await InferenceSession.create(join(folder, "encoder.onnx"), { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 })
    const image = new Float32Array(3 * 224 * 224).map((_, i) => Math.sin(i))
    const alone = async () => {
      const begin = performance.now()
      for (let i = 0; i < images; i++) await session.run({ [session.inputNames[0]!]: new Tensor("float32", image, [1, 3, 224, 224]) })
      return (performance.now() - begin) / images
    }
    const inverse = (body: () => Promise<number>) => async () => 1000 / await body()
    const walls = await interleaved({ alone, png: inverse(rate("encoder.onnx", "png")), jpg: inverse(rate("encoder.onnx", "jpg")), large: inverse(rate("encoder.onnx", "large")), tiff: inverse(rate("encoder.onnx", "tiff")) }, quick ? 1 : 3)
    for (const kind of Object.keys(kinds) as Array<KindOf>) {
      row({ what: `a row with its decoding, ${kinds[kind].what}`, unit: "ms", better: "lower", ours: walls[kind], peers: { "inference alone": walls.alone } })
    }
    remark(`Decoding here shares its core with inference, as it does where every core has a worker. ${images} windows share one TIFF, which is decoded in every run of the row.`)

    if (cores.length === 1) return remark("Left out: two workers, for there is one core.")
    fs.mkdirSync(join(folder, "data/all"), { recursive: true })
    for (let i = 0; i < many; i++) fs.copyFileSync(join(folder, kinds.png.file(i)), join(folder, "data/all", kinds.png.file(i)))
    fs.copyFileSync(join(folder, "encoder.onnx"), join(folder, "data/encoder.onnx"))
    fs.writeFileSync(join(folder, "two.yaml"), `name: two
data: { root: data }
stages:
  samples: { uses: ingest/folder }
  embed: { uses: embed/onnx, needs: samples, with: ${JSON.stringify({ model: "encoder.onnx", ...imagenet })} }
`)
    const second = torch && await start("embedding.py", modules)
    await second?.call("pin", { core: Number(cores[1]) })
    const all = Array.from({ length: many }, (_, i) => join(folder, kinds.png.file(i)))
    const two = await interleaved({
      ours: () => {
        fs.rmSync(join(folder, ".outcrop"), { recursive: true, force: true })
        const { output } = once([...outcrop, "run", "two.yaml", "--events", "--jobs", "2"], folder, { cores: 2 })
        const counts = output.trim().split("\n").map((line) => JSON.parse(line) as { readonly type: string; readonly nodes: ReadonlyArray<string>; readonly time: string; readonly done: number })
          .filter(({ nodes, type }) => type === "progress" && nodes[0] === "embed")
        const first = counts[0]!, last = counts.at(-1)!
        return (last.done - first.done) / (Date.parse(last.time) - Date.parse(first.time)) * 1000
      },
      images: torch && second && (async () => {
        const halves = await Promise.all([torch, second].map((peer, i) => peer.seconds("images", { files: all.filter((_, at) => at % 2 === i) })))
        return many / Math.max(...halves)
      })
    }, quick ? 1 : 3)
    row({ what: "ViT-S/16 float32, PNG of 300 px, two workers, torch in two processes", unit: "rows/s", better: "higher", ours: two.ours, peers: { torch: two.images }, ...(two.images === undefined ? {} : { target: { ratio: 1 } }) })
    remark("With two workers, ours is the rate that `outcrop run` shows, from its first row to its last; torch has its imports and a first round behind it.")
  }
} satisfies Subject
