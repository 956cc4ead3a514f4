/** TIFF and GeoTIFF, by geotiff: any depth, byte order, strips or tiles, planar or not. Here is what geotiff leaves to its caller. */
import type { GeoTIFFImage } from "geotiff"
import type { GeoReference } from "./georeference.ts"
import type { Header, Values } from "./raster.ts"

/** First image of a TIFF in memory. Throws where it is none. */
export const openTiff = async (bytes: Uint8Array): Promise<GeoTIFFImage> => {
  const { fromArrayBuffer } = await import("geotiff")
  // geotiff takes an ArrayBuffer from its first byte; a view into a larger or shared one is copied
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
  const file = await fromArrayBuffer(whole ? bytes.buffer : new Uint8Array(bytes).buffer)
  // geotiff 3.0.5 takes tables that it reads later (strip offsets of large files) for little-endian (its issue 535): read them at once
  file.parser.eager = true
  return await file.getImage(0)
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

/** The grid of a GeoTIFF, from its tie point and pixel scale or its transformation matrix (GeoTIFF 1.1, section 7 and Annex B). */
const geoReference = (image: GeoTIFFImage): GeoReference | undefined => {
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

/** Size, bands, no-data value and position of a TIFF. */
export const tiffHeader = async (image: GeoTIFFImage): Promise<Header> => {
  const bands = disguised(image) ? 3 : image.getSamplesPerPixel()
  const coloured = disguised(image) || photometric(image) === rgb
  const nodata: unknown = await image.fileDirectory.loadValue("GDAL_NODATA")
  const declared = typeof nodata === "string" ? Number.parseFloat(nodata) : Number.NaN
  return {
    width: image.getWidth(),
    height: image.getHeight(),
    bands,
    names: coloured && bands >= 3 ? ["R", "G", "B"] : [],
    nodata: declared,
    geo: geoReference(image)
  }
}

/** The bands of a TIFF, one after the other, at the depth of the file. */
export const tiffValues = async (image: GeoTIFFImage): Promise<Values> => {
  const bands = disguised(image) ? await image.readRGB({ interleave: false }) : await image.readRasters({ interleave: false })
  const first: unknown = bands[0]
  const empty = (length: number): Values => {
    if (first instanceof Uint8Array) return new Uint8Array(length)
    if (first instanceof Uint16Array) return new Uint16Array(length)
    if (first instanceof Int16Array) return new Int16Array(length)
    if (first instanceof Float32Array) return new Float32Array(length)
    if (first instanceof Float64Array) return new Float64Array(length)
    if (first instanceof Uint32Array) return new Uint32Array(length)
    if (first instanceof Int32Array) return new Int32Array(length)
    if (first instanceof Int8Array) return new Int8Array(length)
    throw new Error("its sample format is not supported (complex numbers?)")
  }
  const size = image.getWidth() * image.getHeight()
  const values = empty(size * bands.length)
  for (let b = 0; b < bands.length; b++) {
    const band = bands[b]!
    if (typeof band === "number") throw new Error("its bands did not decode")
    if (band.length !== size) throw new Error(`band ${b} has ${band.length} values where ${size} are expected`)
    values.set(band, b * size)
  }
  return values
}
