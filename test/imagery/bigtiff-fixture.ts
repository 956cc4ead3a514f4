/** Writes the tiled BigTIFFs that tests read by window: 16-bit, of either byte order, bands together or each by itself, plain or deflate. */
import { deflateSync } from "node:zlib"

export interface Tiled {
  readonly width: number
  readonly height: number
  readonly bands: number
  /** Side of a tile, a multiple of 16; `rows`: strips of so many rows instead. */
  readonly tile?: number
  readonly rows?: number
  readonly value: (band: number, x: number, y: number) => number
  readonly bigEndian?: boolean
  readonly planar?: boolean
  readonly deflate?: boolean
  readonly nodata?: string
  readonly epsg?: number
  readonly origin?: readonly [number, number]
  readonly pixel?: readonly [number, number]
}

type Tag = readonly [id: number, type: 2 | 3 | 12 | 16, values: ReadonlyArray<number>]
const sizes = { 2: 1, 3: 2, 12: 8, 16: 8 }

/** The bytes before the first tile: header and directory, of tiles of `sizes` bytes that follow each other. */
export const bigTiffHead = ({ bands, bigEndian = false, deflate = false, epsg, height, nodata, origin = [0, 0], pixel = [1, 1], planar = false, rows, tile = 16, width }: Omit<Tiled, "value">, lengths: ReadonlyArray<number>): Buffer => {
  const tags = (offsets: ReadonlyArray<number>): ReadonlyArray<Tag> => [
    [256, 3, [width]],
    [257, 3, [height]],
    [258, 3, Array.from({ length: bands }, () => 16)],
    [259, 3, [deflate ? 8 : 1]],
    [262, 3, [1]],
    ...(rows === undefined ? [] : [[273, 16, offsets] as const]),
    [277, 3, [bands]],
    ...(rows === undefined ? [] : [[278, 3, [rows]] as const, [279, 16, lengths] as const]),
    [284, 3, [planar ? 2 : 1]],
    ...(rows === undefined ? [[322, 3, [tile]] as const, [323, 3, [tile]] as const, [324, 16, offsets] as const, [325, 16, lengths] as const] : []),
    ...(epsg === undefined ? [] : [
      [33550, 12, [...pixel, 0]] as const,
      [33922, 12, [0, 0, 0, ...origin, 0]] as const,
      [34735, 3, [1, 1, 0, 3, 1024, 0, 1, epsg === 4326 ? 2 : 1, 1025, 0, 1, 1, epsg === 4326 ? 2048 : 3072, 0, 1, epsg]] as const
    ]),
    ...(nodata === undefined ? [] : [[42113, 2, [...Buffer.from(`${nodata}\0`)]] as const])
  ]
  const shape = tags(lengths), directory = 16 + 8 + 20 * shape.length + 8
  const end = shape.reduce((sum, [, type, values]) => sum + (sizes[type] * values.length > 8 ? Math.ceil(sizes[type] * values.length / 8) * 8 : 0), directory)
  const offsets: Array<number> = []
  lengths.reduce((at, length) => {
    offsets.push(length === 0 ? 0 : at)
    return at + length
  }, end)

  const out = Buffer.alloc(end)
  const write = (type: 2 | 3 | 12 | 16, value: number, at: number) => {
    const view = new DataView(out.buffer, out.byteOffset + at)
    if (type === 2) view.setUint8(0, value)
    else if (type === 3) view.setUint16(0, value, !bigEndian)
    else if (type === 12) view.setFloat64(0, value, !bigEndian)
    else view.setBigUint64(0, BigInt(value), !bigEndian)
  }
  out.write(bigEndian ? "MM" : "II")
  write(3, 43, 2)
  write(3, 8, 4)
  write(16, 16, 8)
  write(16, shape.length, 16)
  let after = directory
  for (const [i, [id, type, values]] of tags(offsets).entries()) {
    const entry = 24 + 20 * i, bytes = sizes[type] * values.length
    write(3, id, entry)
    write(3, type, entry + 2)
    write(16, values.length, entry + 4)
    if (bytes > 8) write(16, after, entry + 12)
    for (const [k, value] of values.entries()) write(type, value, (bytes > 8 ? after : entry + 12) + k * sizes[type])
    if (bytes > 8) after += Math.ceil(bytes / 8) * 8
  }
  return out
}

/** A whole BigTIFF; tiles at the right and lower edge are filled up with 0. */
export const bigTiff = (options: Tiled): Uint8Array => {
  const { bands, bigEndian = false, deflate = false, height, planar = false, rows, tile = 16, value, width } = options
  const across = rows === undefined ? tile : width, down = rows ?? tile
  const tiles: Array<Buffer> = []
  for (let plane = 0; plane < (planar ? bands : 1); plane++) {
    for (let top = 0; top < height; top += down) {
      for (let left = 0; left < width; left += across) {
        const inTile = planar ? 1 : bands, high = rows === undefined ? down : Math.min(down, height - top)
        const bytes = Buffer.alloc(across * high * inTile * 2)
        for (let y = top; y < Math.min(top + down, height); y++) {
          for (let x = left; x < Math.min(left + across, width); x++) {
            for (let b = 0; b < inTile; b++) {
              const at = 2 * (((y - top) * across + x - left) * inTile + b), v = value(planar ? plane : b, x, y)
              if (bigEndian) bytes.writeUInt16BE(v, at)
              else bytes.writeUInt16LE(v, at)
            }
          }
        }
        tiles.push(deflate ? deflateSync(bytes) : bytes)
      }
    }
  }
  return new Uint8Array(Buffer.concat([bigTiffHead(options, tiles.map((one) => one.length)), ...tiles]))
}
