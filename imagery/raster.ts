/**
 * Decodes the bytes of an image into bands of numbers at the depth of the file: TIFF and GeoTIFF by geotiff, BMP by `bmp.ts`, everything
 * else that sharp reads (PNG, JPEG, WebP, GIF, AVIF) by sharp.
 *
 * - 16-bit stays 16-bit: sharp turns 16-bit grey into 8-bit unless asked for `grey16`.
 * - Values are those in the file: no colour profile is applied and no EXIF rotation, as Pillow reads it. Alpha is dropped where the
 *   format says that it is alpha (PNG, WebP); every band of a TIFF is kept, because the fourth band of aerial RGB + NIR is often
 *   marked as alpha by the program that wrote it.
 * - Of a file with several images (pages, overviews, masks) the first is read.
 */
import * as Effect from "effect/Effect"
import { Stage } from "outcrop"
import { bmpHeader, decodeBmp } from "./bmp.ts"
import type { GeoReference } from "./georeference.ts"
import { inMemory, openTiff, type Ranged, tiffHeader, tiffValues } from "./tiff.ts"

export type Values = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array

/** What is known of an image without decoding its pixels. */
export interface Header {
  readonly width: number
  readonly height: number
  readonly bands: number
  /** `["R", "G", "B"]` or `["gray"]` where the format says so; empty where it does not (multispectral TIFFs). */
  readonly names: ReadonlyArray<string>
  /** The value that means "no data" (GDAL_NODATA); NaN: none declared. */
  readonly nodata: number
  /** Where the image lies on the earth; undefined: not said, rotated, or not in a known coordinate system. */
  readonly geo: GeoReference | undefined
}

/** A decoded image. `values` is band-major: band b, row y, column x is at `(b * height + y) * width + x`. */
export interface Raster extends Header {
  readonly values: Values
}

const pictureNames = (bands: number): ReadonlyArray<string> => bands === 3 ? ["R", "G", "B"] : bands === 1 ? ["gray"] : []

type Format = "tiff" | "bmp" | "other"

/** Recognises a format by its first bytes: "II*", "MM*" and their BigTIFF forms, "BM". */
export const formatOf = (bytes: Uint8Array): Format => {
  const [a, b, c, d] = bytes
  if (a === 0x49 && b === 0x49 && (c === 42 || c === 43) && d === 0) return "tiff"
  if (a === 0x4d && b === 0x4d && c === 0 && (d === 42 || d === 43)) return "tiff"
  return a === 0x42 && b === 0x4d ? "bmp" : "other"
}

const openPicture = async (bytes: Uint8Array) => {
  const sharp = (await import("sharp")).default
  // a truncated picture is an error, not a picture that ends in grey
  const picture = sharp(bytes, { failOn: "truncated", ignoreIcc: true, limitInputPixels: false })
  const { width, height, channels, depth, hasAlpha, space } = await picture.metadata()
  const bands = space === "cmyk" ? 3 : channels - (hasAlpha ? 1 : 0)
  return { picture, deep: depth === "ushort", header: { width, height, bands, names: pictureNames(bands), nodata: Number.NaN, geo: undefined } }
}

const decodePicture = async (bytes: Uint8Array): Promise<Raster> => {
  const { picture, deep, header } = await openPicture(bytes)
  const space = header.bands === 1 ? (deep ? "grey16" : "b-w") : (deep ? "rgb16" : "srgb")
  const { data, info } = await picture.removeAlpha().toColourspace(space).raw({ depth: deep ? "ushort" : "uchar" }).toBuffer({ resolveWithObject: true })
  const bytesEach = deep ? 2 : 1
  if (info.channels !== header.bands || data.byteLength !== header.width * header.height * header.bands * bytesEach) {
    throw new Error(`${header.bands} bands of ${bytesEach * 8} bits came out of the decoder as ${info.channels} bands in ${data.byteLength} bytes`)
  }
  const interleaved = deep ? new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)) : data
  const pixels = header.width * header.height
  const values = deep ? new Uint16Array(pixels * header.bands) : new Uint8Array(pixels * header.bands)
  for (let b = 0; b < header.bands; b++) {
    for (let i = 0, j = b; i < pixels; i++, j += header.bands) values[b * pixels + i] = interleaved[j]!
  }
  return { ...header, values }
}

const failed = (path: string, action: string) => (cause: unknown) =>
  new Stage.StageError({ message: `${path} ${action}: ${(cause instanceof Error ? cause.message : String(cause)).trim()}` })
const unreadable = "is not an image that can be read"

/** Does what a file's parts are read for; what reading the file says goes on as it is, everything else becomes a `StageError`. */
export const decoding = <A>(path: string, action: string, work: () => Promise<A>): Effect.Effect<A, Stage.StageError | Stage.FileError> =>
  Effect.tryPromise({ try: work, catch: (cause) => cause instanceof Stage.FileError ? cause : failed(path, action)(cause) })

/** A file below the data root, for decoders that take it in parts. */
export const rangedFile = (file: Stage.OpenFile): Ranged => ({ size: file.size, read: (offset, length) => Effect.runPromise(file.read(offset, length)) })

/** Files up to so many bytes are read at once, before anything is known of them. */
export const smallBytes = 2 ** 20

/**
 * Size, bands and position of an image file: of a large TIFF only its directory is read, other formats are read whole. Fails with a
 * `StageError` that names the file.
 */
export const headerAt = Effect.fn("headerAt")(function*(path: string) {
  const files = yield* Stage.Files
  // the name decides only how it is read
  if (!/\.(tiff?|gtiff)$/i.test(path)) return yield* readHeader(yield* files.read(path), path)
  const file = yield* files.open(path)
  const large = file.size > smallBytes && formatOf(yield* file.read(0, 4)) === "tiff"
  return large ?
    yield* decoding(path, unreadable, async () => tiffHeader(await openTiff(rangedFile(file)))) :
    yield* readHeader(yield* file.read(0, file.size), path)
})

/** Size, bands and position of an image, read from its header. Fails with a `StageError` that names the file. */
export const readHeader = (bytes: Uint8Array, path: string): Effect.Effect<Header, Stage.StageError> =>
  Effect.tryPromise({
    try: async () => {
      const format = formatOf(bytes)
      if (format === "tiff") return tiffHeader(await openTiff(inMemory(bytes)))
      return format === "bmp" ? bmpHeader(bytes) : (await openPicture(bytes)).header
    },
    catch: failed(path, unreadable)
  })

/** Decodes an image. Fails with a `StageError` that names the file and the reason. */
export const decode = (bytes: Uint8Array, path: string): Effect.Effect<Raster, Stage.StageError> =>
  Effect.tryPromise({
    try: async () => {
      const format = formatOf(bytes)
      if (format !== "tiff") return format === "bmp" ? decodeBmp(bytes) : await decodePicture(bytes)
      const image = await openTiff(inMemory(bytes))
      return { ...(await tiffHeader(image)), values: await tiffValues(image) }
    },
    catch: failed(path, "does not decode")
  })
