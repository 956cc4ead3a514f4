/**
 * An image file as windows are read of it: decoded once and held, or, a TIFF whose values are larger than 64 MiB, decoded by window, so that
 * a scene of any size is read in little memory.
 */
import * as Effect from "effect/Effect"
import { Stage } from "outcrop"
import { type BlockCache, Blocks } from "./blocks.ts"
import { decode, decoding, formatOf, type Header, rangedFile, type Raster, smallBytes } from "./raster.ts"
import { type Moments, momentsOf } from "./stretch.ts"
import { inMemory, openTiff, tiffHeader, tiffValues } from "./tiff.ts"
import { reachOf, readWindow, type Size, type Window } from "./window.ts"

type Failure = Stage.StageError | Stage.FileError

export interface Image extends Header {
  /** Values are 8-bit. */
  readonly bytes: boolean
  /** Values are floating-point numbers, which may be NaN. */
  readonly floats: boolean
  /** Bytes of decoded values that it holds. */
  readonly held: number
  /** Moments of a whole band. */
  readonly moments: (band: number) => Effect.Effect<Moments, Failure>
  /** Reads a window of a band into `out`, resampled to `size` (see `readWindow`). */
  readonly read: (band: number, window: Window, size: Size, out: Float32Array) => Effect.Effect<void, Failure>
}

/** TIFFs of up to so many bytes of values are decoded whole. */
const wholeBytes = 2 ** 26

/** Moments of bands, by content: a pass over a scene of gigabytes is made once in a thread. */
const known = new Map<string, Moments>()
const remembered = (digest: string, band: number, measure: Effect.Effect<Moments, Failure>): Effect.Effect<Moments, Failure> => {
  const name = `${digest} ${band}`
  return Effect.suspend(() => {
    const found = known.get(name)
    return found !== undefined ? Effect.succeed(found) : Effect.tap(measure, (moments) => Effect.sync(() => known.set(name, moments)))
  })
}

/** Moments of parts taken together (Chan, Golub and LeVeque 1983). */
const together = (parts: ReadonlyArray<Moments>): Moments =>
  parts.reduce((a, b) => {
    const count = a.count + b.count
    if (count === 0) return a
    const mean = (a.count * a.mean + b.count * b.mean) / count
    return { count, mean, squares: a.squares + b.squares + a.count * (a.mean - mean) ** 2 + b.count * (b.mean - mean) ** 2 }
  }, { count: 0, mean: 0, squares: 0 })

const wholeImage = (raster: Raster, digest: string): Image => {
  const { height, nodata, values, width } = raster
  return {
    ...raster,
    bytes: values instanceof Uint8Array,
    floats: values instanceof Float32Array || values instanceof Float64Array,
    held: values.byteLength,
    moments: (band) => remembered(digest, band, Effect.sync(() => momentsOf(values.subarray(band * width * height, (band + 1) * width * height), nodata))),
    read: (band, window, size, out) => Effect.sync(() => readWindow(raster, band, window, size, out))
  }
}

const byWindow = (header: Header, blocks: Blocks, held: number, path: string, digest: string): Image => {
  const part = (band: number, window: Window) => decoding(path, "does not decode", () => blocks.read(band, window))
  const [across, down] = blocks.side
  const corners = () => Array.from({ length: Math.ceil(header.height / down) }, (_, row) => row * down)
    .flatMap((y) => Array.from({ length: Math.ceil(header.width / across) }, (_, column) => [column * across, y] as const))
  return {
    ...header,
    bytes: blocks.layout.bytes,
    floats: blocks.layout.floats,
    held,
    moments: (band) => remembered(digest, band, Effect.map(
      Effect.forEach(corners(), ([x, y]) =>
        Effect.map(part(band, [x, y, Math.min(across, header.width - x), Math.min(down, header.height - y)]), (values) => momentsOf(values, header.nodata))),
      together
    )),
    read: (band, window, size, out) => {
      const [x, y, width, height] = reachOf(window, size, header)
      return Effect.map(part(band, [x, y, width, height]), (values) => {
        readWindow({ ...header, bands: 1, width, height, values }, 0, [window[0] - x, window[1] - y, window[2], window[3]], size, out)
      })
    }
  }
}

/** Opens the image of an asset. `cache` holds what is decoded by window. Fails with a `StageError` that names the file. */
export const openImage = Effect.fn("openImage")(function*({ digest, path }: Stage.FileEntry, cache: BlockCache) {
  const files = yield* Stage.Files
  const file = yield* files.open(path, digest)
  const small = file.size <= smallBytes ? yield* files.read(path, digest) : undefined
  // a file of a few kilobytes may unfold into gigabytes: what is held is decided by its pixels
  if (formatOf(small ?? (yield* file.read(0, 4))) === "tiff") {
    const [image, header] = yield* decoding(path, "does not decode", async () => {
      const image = await openTiff(small === undefined ? rangedFile(file) : inMemory(small))
      return [image, await tiffHeader(image)] as const
    })
    const blocks = new Blocks(image, digest, cache)
    // a tile as large as the image (a file in one strip) leaves nothing to choose
    if (blocks.width * blocks.height * blocks.layout.bytesPerPixel > wholeBytes && blocks.bytes <= wholeBytes) return byWindow(header, blocks, small?.length ?? 0, path, digest)
    if (small !== undefined) return wholeImage({ ...header, values: yield* decoding(path, "does not decode", () => tiffValues(image)) }, digest)
  }
  return wholeImage(yield* decode(small ?? (yield* files.read(path, digest)), path), digest)
})
