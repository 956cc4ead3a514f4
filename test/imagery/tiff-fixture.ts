/** Writes the TIFFs that tests read: 16-bit, of either byte order, in strips of one row, plain or deflate, with GeoTIFF tags. */
import { deflateSync } from "node:zlib"

interface Tiff {
  readonly width: number
  readonly height: number
  readonly bands: number
  /** Interleaved. */
  readonly values: ReadonlyArray<number>
  readonly bigEndian?: boolean
  /** 1: none; 8 or 32946: deflate. */
  readonly compression?: number
  readonly photometric?: number
  readonly epsg?: number
  readonly origin?: readonly [number, number]
  readonly pixel?: readonly [number, number]
  readonly pixelIsPoint?: boolean
  readonly nodata?: string
}

type Tag = readonly [id: number, type: 2 | 3 | 4 | 12, values: ReadonlyArray<number>]
const sizes = { 2: 1, 3: 2, 4: 4, 12: 8 }

export const tiff = ({ bands, bigEndian = false, compression = 1, epsg, height, nodata, origin = [0, 0], photometric = 1, pixel = [1, 1], pixelIsPoint = false, values, width }: Tiff): Uint8Array => {
  const strips = Array.from({ length: height }, (_, y) => {
    const row = Buffer.alloc(width * bands * 2)
    for (let i = 0; i < width * bands; i++) {
      const value = values[y * width * bands + i]!
      if (bigEndian) row.writeUInt16BE(value, 2 * i)
      else row.writeUInt16LE(value, 2 * i)
    }
    return compression === 1 ? row : deflateSync(row)
  })
  const offsets: Array<number> = []
  let end = 8
  for (const strip of strips) {
    offsets.push(end)
    end += strip.length + strip.length % 2
  }
  const tags: Array<Tag> = [
    [256, 3, [width]],
    [257, 3, [height]],
    [258, 3, Array.from({ length: bands }, () => 16)],
    [259, 3, [compression]],
    [262, 3, [photometric]],
    [273, 4, offsets],
    [277, 3, [bands]],
    [278, 3, [1]],
    [279, 4, strips.map((strip) => strip.length)],
    [284, 3, [1]]
  ]
  if (epsg !== undefined) {
    tags.push([33550, 12, [...pixel, 0]], [33922, 12, [0, 0, 0, ...origin, 0]])
    const geographic = epsg === 4326
    tags.push([34735, 3, [1, 1, 0, 3, 1024, 0, 1, geographic ? 2 : 1, 1025, 0, 1, pixelIsPoint ? 2 : 1, geographic ? 2048 : 3072, 0, 1, epsg]])
  }
  if (nodata !== undefined) tags.push([42113, 2, [...Buffer.from(`${nodata}\0`)]])
  let after = end + 2 + 12 * tags.length + 4
  const placed = tags.map(([id, type, list]) => {
    const bytes = sizes[type] * list.length
    const at = bytes > 4 ? after : -1
    if (bytes > 4) after += bytes + bytes % 2
    return { id, type, list, at }
  })
  const out = Buffer.alloc(after)
  const write = (size: number, value: number, at: number): void => {
    if (size === 8 && bigEndian) out.writeDoubleBE(value, at)
    else if (size === 8) out.writeDoubleLE(value, at)
    else if (bigEndian) out.writeUIntBE(value, at, size)
    else out.writeUIntLE(value, at, size)
  }
  out.write(bigEndian ? "MM" : "II")
  write(2, 42, 2)
  write(4, end, 4)
  for (const [i, strip] of strips.entries()) strip.copy(out, offsets[i]!)
  write(2, tags.length, end)
  for (const [i, { at, id, list, type }] of placed.entries()) {
    const entry = end + 2 + 12 * i
    write(2, id, entry)
    write(2, type, entry + 2)
    write(4, list.length, entry + 4)
    if (at >= 0) write(4, at, entry + 8)
    for (const [k, value] of list.entries()) write(sizes[type], value, (at >= 0 ? at : entry + 8) + k * sizes[type])
  }
  return new Uint8Array(out)
}
