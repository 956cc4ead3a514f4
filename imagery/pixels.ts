/** Reads the pixels of samples: which bands, by name; which window; stretched; as float32 with the bands first (CHW). */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type Asset, Stage, type Vectors, vectorAt } from "outcrop"
import { decode, type Raster } from "./raster.ts"
import { type Bounds, type Moments, momentsOf, spread, type Stretch, stretchInPlace } from "./stretch.ts"
import { inside, readWindow, rescale, whole, type Window } from "./window.ts"

/**
 * Which bands, in which order. A name is that of an asset (`B04`); or R, G or B of a picture (a grey picture serves as all three); `image`
 * is every band of the asset of that name.
 */
export const Bands = Schema.NonEmptyArray(Schema.NonEmptyString).annotate({
  description: "names of the bands, in the order that the encoder takes them: [R, G, B], [B04, B03, B02], or [image]: all bands of a picture"
})

/** The pixels of one sample: `bands` bands of `height` x `width`, band-major. */
export interface Pixels {
  readonly bands: number
  readonly height: number
  readonly width: number
  readonly values: Float32Array
  /** Values lie in 0..255: the files are 8-bit, or were stretched. */
  readonly bytes: boolean
}

/** The columns of `Samples` that say where a sample's pixels are. */
export interface Located {
  readonly rows: number
  readonly sample_id: ReadonlyArray<string>
  readonly assets: ReadonlyArray<ReadonlyArray<Asset>>
  readonly window: Vectors
}

/** Rows in an order that keeps samples of one file together, so that a scene is decoded once however its windows are scattered. */
export const rowsByFile = (samples: Located): Int32Array => {
  const first = new Map<string, number>()
  const rank = samples.assets.map((assets, row) => {
    const digest = assets[0]?.digest ?? ""
    if (!first.has(digest)) first.set(digest, row)
    return first.get(digest)!
  })
  return Int32Array.from({ length: samples.rows }, (_, row) => row).toSorted((a, b) => rank[a]! - rank[b]! || a - b)
}

/** A decoded file, and the moments of those of its bands that were asked for. */
interface Scene {
  readonly raster: Raster
  readonly moments: Map<number, Moments>
}
interface Plane {
  readonly scene: Scene
  readonly band: number
}

const moments = ({ band, scene: { moments, raster } }: Plane): Moments => {
  const pixels = raster.width * raster.height
  const found = moments.get(band) ?? momentsOf(raster.values.subarray(band * pixels, (band + 1) * pixels), raster.nodata)
  moments.set(band, found)
  return found
}

/** The bounds that each plane is stretched to; undefined: values stay as they are. */
const boundsOf = (stretch: Stretch, planes: ReadonlyArray<Plane>): ReadonlyArray<Bounds> | undefined => {
  if (stretch === "none") return undefined
  if ("range" in stretch) return planes.map(() => stretch.range)
  if (stretch.over === "band") return planes.map((plane) => spread(stretch.sigma, [moments(plane)]))
  const together = spread(stretch.sigma, planes.map(moments))
  return planes.map(() => together)
}

/** Decoded files are kept up to this many bytes; the file in use is kept whatever its size. */
const keptBytes = 2 ** 28

const list = (assets: ReadonlyArray<Asset>): string => assets.map((asset) => asset.band).join(", ") || "none"

/** What is read of each sample. */
export interface Request {
  readonly bands: ReadonlyArray<string>
  readonly stretch: Stretch
}

/**
 * Makes a function that reads the pixels of a row. Files are decoded once as long as they are among those used last (256 MiB of values).
 * Bands of different resolution are brought to the grid of the finest (bilinear); the window counts pixels of the first asset.
 * Fails with a `StageError` that names the sample: no such band, a window beyond the image, a file that does not decode.
 */
export const pixelReader = Effect.fn("pixelReader")(function*({ bands, stretch }: Request) {
  const files = yield* Stage.Files
  // in order of last use
  const scenes = new Map<string, { readonly scene: Effect.Effect<Scene, Stage.StageError | Stage.FileError>; bytes: number }>()

  const open = Effect.fn("pixelReader.open")(function*(asset: Asset) {
    let entry = scenes.get(asset.digest)
    if (entry === undefined) {
      const scene = yield* Effect.cached(Effect.gen(function*() {
        const raster = yield* decode(yield* files.read(asset.path, asset.digest), asset.path)
        return { raster, moments: new Map<number, Moments>() }
      }))
      entry = { scene, bytes: 0 }
    }
    scenes.delete(asset.digest)
    scenes.set(asset.digest, entry)
    const scene = yield* entry.scene
    entry.bytes = scene.raster.values.byteLength
    let total = 0
    for (const { bytes } of scenes.values()) total += bytes
    for (const [digest, { bytes }] of scenes) {
      if (total <= keptBytes) break
      if (bytes === 0 || digest === asset.digest) continue
      scenes.delete(digest)
      total -= bytes
    }
    return scene
  })

  const planesOf = Effect.fn("pixelReader.planes")(function*(id: string, assets: ReadonlyArray<Asset>, name: string) {
    const fail = (message: string) => Effect.fail(new Stage.StageError({ message: `sample ${id}: ${message}` }))
    const named = assets.find((asset) => asset.band === name)
    if (named !== undefined) {
      const scene = yield* open(named)
      if (named.index < 0) return Array.from({ length: scene.raster.bands }, (_, band): Plane => ({ scene, band }))
      if (named.index >= scene.raster.bands) return yield* fail(`band ${name} is number ${named.index} (from 0) of ${named.path}, which has ${scene.raster.bands}`)
      return [{ scene, band: named.index }]
    }
    for (const asset of assets) {
      if (asset.index >= 0) continue
      const scene = yield* open(asset)
      const { names } = scene.raster
      const band = names.length === 1 && names[0] === "gray" && ["R", "G", "B"].includes(name) ? 0 : names.indexOf(name)
      if (band >= 0) return [{ scene, band }]
    }
    return yield* fail(`there is no band "${name}"; the sample has ${list(assets)}. Name them in "bands", in the order that the encoder takes them`)
  })

  const read = Effect.fn("pixelReader.read")(function*(samples: Located, row: number): Effect.fn.Return<Pixels, Stage.StageError | Stage.FileError> {
    const id = samples.sample_id[row]!, assets = samples.assets[row]!
    const planes: Array<Plane> = []
    for (const name of bands) planes.push(...yield* planesOf(id, assets, name))
    const finest = planes.reduce((a, b) => b.scene.raster.width > a.scene.raster.width ? b : a).scene.raster
    const given = vectorAt(samples.window, row)
    let window: Window = [0, 0, finest.width, finest.height]
    if (!Number.isNaN(given[0]!)) {
      const asked: Window = [given[0]!, given[1]!, given[2]!, given[3]!]
      const first = (yield* open(assets[0]!)).raster
      if (!inside(asked, first)) {
        return yield* new Stage.StageError({
          message: `sample ${id}: the window [${asked.join(", ")}] does not lie inside ${assets[0]!.path}, which is ${first.width} x ${first.height} px`
        })
      }
      window = whole(rescale(asked, first, finest))
    }
    const width = window[2], height = window[3]
    const values = new Float32Array(planes.length * width * height)
    const bounds = boundsOf(stretch, planes)
    for (const [i, { band, scene: { raster } }] of planes.entries()) {
      const out = values.subarray(i * width * height, (i + 1) * width * height)
      readWindow(raster, band, rescale(window, finest, raster), { width, height }, out)
      if (bounds !== undefined) stretchInPlace(out, bounds[i]!)
    }
    const bytes = bounds !== undefined || planes.every(({ scene: { raster } }) => raster.values instanceof Uint8Array)
    return { bands: planes.length, height, width, values, bytes }
  })
  return read
})

/** Samples read ahead of the one in use: pictures decode in threads of their own while an encoder holds this one. */
const ahead = 4

/**
 * The pixels of all samples, file by file (not in the order of the rows). Fails with a `StageError` where samples differ in their number
 * of bands, which `[image]` allows, or as `pixelReader` does. Reports progress in samples.
 */
export const pixelsOf = (samples: Located, request: Request) =>
  Stream.unwrap(Effect.map(Effect.all([pixelReader(request), Stage.Report]), ([read, report]) => {
    let bands = 0, given = 0
    const alike = Effect.fnUntraced(function*(read: { readonly row: number; readonly pixels: Pixels }) {
      // who asks for the next sample is done with those before
      yield* report.progress(given++, samples.rows)
      if (bands === 0) bands = read.pixels.bands
      if (read.pixels.bands === bands) return read
      return yield* new Stage.StageError({
        message: `sample ${samples.sample_id[read.row]} has ${read.pixels.bands} bands where others have ${bands}; name the bands in "bands" instead of taking all`
      })
    })
    return Stream.fromIterable(rowsByFile(samples)).pipe(
      Stream.mapEffect((row) => Effect.map(read(samples, row), (pixels) => ({ row, pixels })), { concurrency: ahead }),
      Stream.mapEffect(alike)
    )
  }))
