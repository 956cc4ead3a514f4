/** TIFF and GeoTIFF, by geotiff: any depth, byte order, strips or tiles, planar or not. Here is what geotiff leaves to its caller. */
import type { GeoTIFFImage } from "geotiff"
import type { GeoReference } from "./georeference.ts"
import type { Header, Values } from "./raster.ts"
import type { Size, Window } from "./window.ts"

/** A file that is read in parts. */
export interface Ranged {
  /** Bytes. */
  readonly size: number
  readonly read: (offset: number, length: number) => Promise<Uint8Array>
}

/** What lies in memory, as a file that is read in parts. */
export const inMemory = (bytes: Uint8Array): Ranged => ({ size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) })

/** The most bytes that geotiff asks for without knowing that they are there: a first guess at a directory. */
const guess = 4096

/** First image of a TIFF, of which only the directory is read. Throws where it is none, or where it refers to bytes beyond its end. */
export const openTiff = async (file: Ranged): Promise<GeoTIFFImage> => {
  const { GeoTIFF } = await import("geotiff")
  const fetch = async ({ length, offset }: { readonly offset: number; readonly length: number }): Promise<ArrayBuffer> => {
    if (offset < 0 || offset >= file.size || (length > guess && offset + length > file.size)) {
      throw new Error(`it refers to ${length} bytes from byte ${offset} on, but has only ${file.size}: it was cut off, or is damaged`)
    }
    // geotiff takes an ArrayBuffer from its first byte
    return new Uint8Array(await file.read(offset, Math.min(length, file.size - offset))).buffer
  }
  const source = {
    fetch: (slices: Array<{ offset: number; length: number }>) => Promise.all(slices.map(fetch)),
    fetchSlice: async (slice: { offset: number; length: number }) => ({ ...slice, data: await fetch(slice) }),
    fileSize: file.size,
    close: async () => {}
  }
  const tiff = await GeoTIFF.fromSource(source)
  // geotiff 3.0.5 takes tables that it reads later (tile offsets of large files) for little-endian (its issue 535): read them at once
  tiff.parser.eager = true
  return await tiff.getImage(0)
}

/** Values of PhotometricInterpretation (TIFF 6.0, section 3 ff.) that are met here. */
const rgb = 2, palette = 3, ycbcr = 6

const photometric = (image: GeoTIFFImage): number => Number(image.fileDirectory.getValue("PhotometricInterpretation") ?? 1)

/** Palette and YCbCr images hold colours in another guise; they are brought to R, G, B. */
const disguised = (image: GeoTIFFImage): boolean => {
  const space = photometric(image)
  return space === palette || space === ycbcr
}

const numbers = (value: unknown): ReadonlyArray<number> =>
  value === undefined || value === null ? [] : Array.from(value as ArrayLike<number | bigint>, Number)

/** Whether a grid has a place for every pixel: damaged tags hold NaN, nothing, or numbers that overflow. */
const lies = ({ origin, resolution }: GeoReference, size: readonly [width: number, height: number]): boolean =>
  size.every((side, axis) => resolution[axis] !== 0 && Number.isFinite(origin[axis]) && Number.isFinite(origin[axis]! + side * resolution[axis]!))

/** The grid of a GeoTIFF, from its tie point and pixel scale or its transformation matrix (GeoTIFF 1.1, section 7 and Annex B). */
const gridOf = (image: GeoTIFFImage): GeoReference | undefined => {
  const keys = image.getGeoKeys()
  if (keys === null) return undefined
  const epsg = Number(keys.ProjectedCSTypeGeoKey ?? keys.GeographicTypeGeoKey ?? Number.NaN)
  const tie = numbers(image.fileDirectory.getValue("ModelTiepoint"))
  const scale = numbers(image.fileDirectory.getValue("ModelPixelScale"))
  const matrix = numbers(image.fileDirectory.getValue("ModelTransformation"))
  // 2: the tie point is the centre of a pixel, not its corner
  const half = keys.GTRasterTypeGeoKey === 2 ? 0.5 : 0
  if (tie.length === 6 && scale.length >= 2) {
    const sx = scale[0]!, sy = -scale[1]!
    return { epsg, origin: [tie[3]! - (tie[0]! + half) * sx, tie[4]! - (tie[1]! + half) * sy], resolution: [sx, sy] }
  }
  if (matrix.length === 16 && matrix[1] === 0 && matrix[4] === 0) {
    const sx = matrix[0]!, sy = matrix[5]!
    return { epsg, origin: [matrix[3]! - half * sx, matrix[7]! - half * sy], resolution: [sx, sy] }
  }
  return undefined
}

/** Size, bands, no-data value and position of a TIFF. Throws where it has no pixels, or fewer tiles (or strips) than pixels to fill them. */
export const tiffHeader = async (image: GeoTIFFImage): Promise<Header> => {
  const width = image.getWidth(), height = image.getHeight(), { planar, tile } = tiffLayout(image)
  if (!(width >= 1 && height >= 1)) throw new Error(`it is ${width} x ${height} px large: it has no pixels`)
  if (!(tile.width >= 1 && tile.height >= 1)) throw new Error(`its tiles are ${tile.width} x ${tile.height} px large: it is damaged`)
  const tiles = Math.ceil(width / tile.width) * Math.ceil(height / tile.height) * (planar ? image.getSamplesPerPixel() : 1)
  const placed = (await image.fileDirectory.loadValue(image.isTiled ? "TileOffsets" : "StripOffsets"))?.length ?? 0
  if (placed < tiles) throw new Error(`its ${width} x ${height} px are ${tiles} tiles or strips, but it says where ${placed} of them lie: it is damaged`)
  const bands = disguised(image) ? 3 : image.getSamplesPerPixel()
  const coloured = disguised(image) || photometric(image) === rgb
  const nodata: unknown = await image.fileDirectory.loadValue("GDAL_NODATA")
  const declared = typeof nodata === "string" ? Number.parseFloat(nodata) : Number.NaN
  const grid = gridOf(image)
  return {
    width,
    height,
    bands,
    names: coloured && bands >= 3 ? ["R", "G", "B"] : [],
    nodata: declared,
    geo: grid !== undefined && lies(grid, [width, height]) ? grid : undefined
  }
}

/** An array of the type of another. */
export const emptyLike = (values: unknown, length: number): Values => {
  if (values instanceof Uint8Array) return new Uint8Array(length)
  if (values instanceof Uint16Array) return new Uint16Array(length)
  if (values instanceof Int16Array) return new Int16Array(length)
  if (values instanceof Float32Array) return new Float32Array(length)
  if (values instanceof Float64Array) return new Float64Array(length)
  if (values instanceof Uint32Array) return new Uint32Array(length)
  if (values instanceof Int32Array) return new Int32Array(length)
  if (values instanceof Int8Array) return new Int8Array(length)
  throw new Error("its sample format is not supported (complex numbers?)")
}

/** How the pixels of a TIFF lie in its file: what has to be decoded together. */
export interface Layout {
  /** Size of a tile; a strip is a tile as wide as the image. */
  readonly tile: Size
  /** Each band has tiles of its own, and can be decoded without the others. */
  readonly planar: boolean
  /** Bytes of a decoded pixel of all bands. */
  readonly bytesPerPixel: number
  /** Values are 8-bit, 0..255. */
  readonly bytes: boolean
  /** Values are floating-point numbers, which may be NaN. */
  readonly floats: boolean
}
export const tiffLayout = (image: GeoTIFFImage): Layout => ({
  tile: { width: image.getTileWidth(), height: image.getTileHeight() },
  planar: image.fileDirectory.getValue("PlanarConfiguration") === 2 && !disguised(image),
  bytesPerPixel: disguised(image) ? 3 : image.getBytesPerPixel(),
  bytes: disguised(image) || (image.getBitsPerSample(0) === 8 && image.getSampleFormat(0) === 1),
  floats: image.getSampleFormat(0) === 3
})

/** The bands of a TIFF, or one of them, one after the other, at the depth of the file; of the whole image or of a window with whole edges inside it. */
export const tiffValues = async (image: GeoTIFFImage, [x, y, width, height]: Window = [0, 0, image.getWidth(), image.getHeight()], band?: number): Promise<Values> => {
  const window = [x, y, x + width, y + height]
  const bands = disguised(image) ? await image.readRGB({ interleave: false, window }) : await image.readRasters({ interleave: false, window, ...(band === undefined ? {} : { samples: [band] }) })
  const size = width * height
  const values = emptyLike(bands[0], size * bands.length)
  for (let b = 0; b < bands.length; b++) {
    const band = bands[b]!
    if (typeof band === "number") throw new Error("its bands did not decode")
    if (band.length !== size) throw new Error(`band ${b} has ${band.length} values where ${size} are expected`)
    values.set(band, b * size)
  }
  return values
}
