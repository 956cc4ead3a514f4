/** Reads the pixels of samples: which bands, by name; which window; stretched; as float32 with the bands first (CHW). */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Asset, Stage, type Vectors, vectorAt } from "outcrop"
import { BlockCache } from "./blocks.ts"
import { suggest } from "../schemas/spelling.ts"
import { type Image, openImage } from "./image.ts"
import { bandName } from "./sentinel.ts"
import { spread, type Stretch, stretchInPlace } from "./stretch.ts"
import { inside, rescale, whole, type Window } from "./window.ts"

/** The pixels of one sample: `bands` bands of `height` x `width`, band-major. */
export interface Pixels {
  readonly bands: number
  readonly height: number
  readonly width: number
  readonly values: Float32Array
  /** Values lie in 0..255: the files are 8-bit, or were stretched. */
  readonly bytes: boolean
  /** What each band's file declares to mean "no data"; NaN: nothing. */
  readonly nodata: ReadonlyArray<number>
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

/** A band of an image. */
interface Plane {
  readonly image: Image
  readonly band: number
}

/** The bounds that each plane is stretched to; undefined: values stay as they are. */
const boundsOf = Effect.fnUntraced(function*(stretch: Stretch, planes: ReadonlyArray<Plane>) {
  if (stretch === "none") return undefined
  if ("range" in stretch) return planes.map(() => stretch.range)
  const moments = yield* Effect.forEach(planes, ({ band, image }) => image.moments(band))
  if (stretch.over === "band") return moments.map((one) => spread(stretch.sigma, [one]))
  const together = spread(stretch.sigma, moments)
  return planes.map(() => together)
})

/** Decoded files are kept up to this many bytes; the file in use is kept whatever its size. Of those read by window, so many bytes of blocks. */
const keptBytes = 2 ** 28, keptBlocks = 2 ** 26

const list = (assets: ReadonlyArray<Asset>): string => assets.map((asset) => asset.band).join(", ") || "none"

/**
 * What is read of each sample: which bands, in which order. A name is that of an asset (`B04`); or R, G or B of a picture (a grey picture serves as
 * all three); `image` is every band of the asset of that name.
 */
export interface Request {
  readonly bands: ReadonlyArray<string>
  readonly stretch: Stretch
}

/** Readers of headers leave it to who reads the pixels to meet a file that does not decode; there it is too late to skip it. */
const advised = <A>(decoded: Effect.Effect<A, Stage.StageError | Stage.FileError>) =>
  Effect.mapError(decoded, (error) => error._tag === "FileError" ? error : new Stage.StageError({ message: `${error.message}; where the ingest stage has \`onError\`, \`onError: skip\` leaves such images out` }))

/**
 * Makes a function that reads the pixels of a row. Files are decoded once as long as they are among those used last (256 MiB of values).
 * Bands of different resolution are brought to the grid of the finest (bilinear); the window counts pixels of the first asset.
 * Fails with a `StageError` that names the sample: no such band, a window beyond the image, a file that does not decode.
 */
export const pixelReader = Effect.fn("pixelReader")(function*({ bands, stretch }: Request) {
  const files = yield* Stage.Files
  const blocks = new BlockCache(keptBlocks)
  // in order of last use
  const images = new Map<string, { readonly image: Effect.Effect<Image, Stage.StageError | Stage.FileError>; bytes: number }>()

  const open = Effect.fn("pixelReader.open")(function*(asset: Asset) {
    let entry = images.get(asset.digest)
    if (entry === undefined) entry = { image: yield* Effect.cached(advised(Effect.provideService(openImage(asset, blocks), Stage.Files, files))), bytes: 0 }
    images.delete(asset.digest)
    images.set(asset.digest, entry)
    const image = yield* entry.image
    entry.bytes = image.held
    let total = 0
    for (const { bytes } of images.values()) total += bytes
    for (const [digest, { bytes }] of images) {
      if (total <= keptBytes) break
      if (bytes === 0 || digest === asset.digest) continue
      images.delete(digest)
      total -= bytes
    }
    return image
  })

  const planesOf = Effect.fn("pixelReader.planes")(function*(id: string, assets: ReadonlyArray<Asset>, name: string) {
    const fail = (message: string) => Effect.fail(new Stage.StageError({ message: `sample ${id}: ${message}` }))
    const named = assets.find((asset) => asset.band === name)
    if (named !== undefined) {
      const image = yield* open(named)
      if (named.index < 0) return Array.from({ length: image.bands }, (_, band): Plane => ({ image, band }))
      if (named.index >= image.bands) return yield* fail(`band ${name} is number ${named.index} (from 0) of ${named.path}, which has ${image.bands}`)
      return [{ image, band: named.index }]
    }
    let nameless = 0
    for (const asset of assets) {
      if (asset.index >= 0) continue
      const image = yield* open(asset)
      const { names } = image
      if (names.length === 0) nameless = image.bands
      const band = names.length === 1 && names[0] === "gray" && ["R", "G", "B"].includes(name) ? 0 : names.indexOf(name)
      if (band >= 0) return [{ image, band }]
    }
    if (assets.length === 1 && nameless > 0) return yield* fail(`there is no band "${name}"; the sample has ${list(assets)}, a file of ${nameless} bands without names: name them in \`bands\` of the ingest stage that reads it, in the order of the file`)
    // short names are codes: B02 is no misspelling of B05
    const near = suggest(name, assets.map(({ band }) => band).filter((band) => name.length > 3 || bandName(band) === bandName(name)))
    return yield* fail(`there is no band "${name}"${near}; the sample has ${list(assets)}. Name them in "bands", in the order that the encoder takes them`)
  })

  const read = Effect.fn("pixelReader.read")(function*(samples: Located, row: number): Effect.fn.Return<Pixels, Stage.StageError | Stage.FileError> {
    const id = samples.sample_id[row]!, assets = samples.assets[row]!
    const planes: Array<Plane> = []
    for (const name of bands) planes.push(...yield* planesOf(id, assets, name))
    const finest = planes.reduce((a, b) => b.image.width > a.image.width ? b : a).image
    const given = vectorAt(samples.window, row)
    let window: Window = [0, 0, finest.width, finest.height]
    if (!Number.isNaN(given[0]!)) {
      const asked: Window = [given[0]!, given[1]!, given[2]!, given[3]!]
      const first = yield* open(assets[0]!)
      if (!inside(asked, first)) {
        return yield* new Stage.StageError({
          message: `sample ${id}: the window [${asked.join(", ")}] does not lie inside ${assets[0]!.path}, which is ${first.width} x ${first.height} px`
        })
      }
      window = whole(rescale(asked, first, finest))
    }
    const width = window[2], height = window[3]
    const values = new Float32Array(planes.length * width * height)
    const bounds = yield* advised(boundsOf(stretch, planes))
    for (const [i, { band, image }] of planes.entries()) {
      const out = values.subarray(i * width * height, (i + 1) * width * height)
      yield* advised(image.read(band, rescale(window, finest, image), { width, height }, out))
      if (bounds !== undefined) stretchInPlace(out, bounds[i]!)
    }
    const bytes = bounds !== undefined || planes.every(({ image }) => image.bytes)
    return { bands: planes.length, height, width, values, bytes, nodata: planes.map(({ image }) => image.nodata) }
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
