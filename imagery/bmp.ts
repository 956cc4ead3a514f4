/**
 * Windows bitmaps, which sharp does not read: uncompressed, 8 bits with a palette, 24 or 32 bits (blue, green, red and a byte that is
 * ignored), bottom-up or top-down. Compressed and 1-, 4- or 16-bit ones are refused by name.
 */
import type { Header, Raster } from "./raster.ts"

interface Layout extends Header {
  readonly bits: number
  readonly start: number
  readonly palette: number
  readonly topDown: boolean
}

const layoutOf = (bytes: Uint8Array): Layout => {
  if (bytes.byteLength < 54) throw new Error(`a bitmap of ${bytes.byteLength} bytes is too short for its header`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headerSize = view.getUint32(14, true)
  if (headerSize < 40) throw new Error(`a bitmap header of ${headerSize} bytes (OS/2) is not supported`)
  const width = view.getInt32(18, true), signedHeight = view.getInt32(22, true)
  const bits = view.getUint16(28, true), compression = view.getUint32(30, true)
  if (bits !== 8 && bits !== 24 && bits !== 32) throw new Error(`a bitmap of ${bits} bits a pixel is not supported; 8, 24 and 32 are`)
  // 3 (BI_BITFIELDS) with 32 bits is the plain order in every file met in practice; the masks say so
  const plain = compression === 0 || (compression === 3 && bits === 32 && view.getUint32(54, true) === 0xff0000 && view.getUint32(58, true) === 0xff00)
  if (!plain) throw new Error(`a bitmap with compression ${compression} is not supported`)
  const height = Math.abs(signedHeight)
  if (width <= 0 || height === 0) throw new Error(`a bitmap of ${width} x ${height} px has no pixels`)
  const start = view.getUint32(10, true)
  const end = start + Math.ceil(width * bits / 32) * 4 * height
  if (end > bytes.byteLength) throw new Error(`the bitmap ends at byte ${bytes.byteLength} where its pixels end at ${end}`)
  return { width, height, bands: 3, names: ["R", "G", "B"], nodata: Number.NaN, geo: undefined, bits, start, palette: 14 + headerSize, topDown: signedHeight < 0 }
}

/** Size of a bitmap. Throws where it is not one that can be read. */
export const bmpHeader = (bytes: Uint8Array): Header => {
  const { width, height, bands, names, nodata, geo } = layoutOf(bytes)
  return { width, height, bands, names, nodata, geo }
}

/** Decodes a bitmap to R, G, B of 8 bits. Throws where it is not one that can be read. */
export const decodeBmp = (bytes: Uint8Array): Raster => {
  const { bits, palette, start, topDown, ...header } = layoutOf(bytes)
  const { height, width } = header
  const stride = Math.ceil(width * bits / 32) * 4
  const pixels = width * height
  const values = new Uint8Array(3 * pixels)
  for (let y = 0; y < height; y++) {
    const row = start + (topDown ? y : height - 1 - y) * stride
    for (let x = 0; x < width; x++) {
      const at = bits === 8 ? palette + 4 * bytes[row + x]! : row + x * (bits / 8)
      for (let b = 0; b < 3; b++) values[b * pixels + y * width + x] = bytes[at + 2 - b]!
    }
  }
  return { ...header, values }
}
