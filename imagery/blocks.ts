/** Windows of a TIFF that is too large to decode whole: only the tiles (or strips) that a window meets are read and decoded. */
import type { GeoTIFFImage } from "geotiff"
import type { Values } from "./raster.ts"
import { emptyLike, type Layout, tiffLayout, tiffValues } from "./tiff.ts"
import type { Window } from "./window.ts"

/** Decoded blocks of several images, those used last, up to a number of bytes. */
export class BlockCache {
  readonly #most: number
  #total = 0
  readonly #blocks = new Map<string, { readonly bytes: number; readonly values: Promise<Values> }>()

  constructor(most: number) {
    this.#most = most
  }

  /** The block of a name; `decode` makes it where it is not at hand. Who asks while it is being made waits for the same. */
  block(name: string, bytes: number, decode: () => Promise<Values>): Promise<Values> {
    let known = this.#blocks.get(name)
    if (known === undefined) {
      known = { bytes, values: decode() }
      this.#total += bytes
    }
    this.#blocks.delete(name)
    this.#blocks.set(name, known)
    for (const [other, { bytes }] of this.#blocks) {
      if (this.#total <= this.#most || other === name) break
      this.#blocks.delete(other)
      this.#total -= bytes
    }
    return known.values
  }
}

/** Strips are often one row high: so many rows are decoded together. */
const rows = 64

export class Blocks {
  readonly width: number
  readonly height: number
  readonly layout: Layout
  /** Size of a block in px, and of its values in bytes. */
  readonly side: readonly [width: number, height: number]
  readonly bytes: number
  readonly #image: GeoTIFFImage
  readonly #name: string
  readonly #cache: BlockCache

  /** `name` tells the images of one cache apart. */
  constructor(image: GeoTIFFImage, name: string, cache: BlockCache) {
    this.#image = image
    this.#name = name
    this.#cache = cache
    this.width = image.getWidth()
    this.height = image.getHeight()
    this.layout = tiffLayout(image)
    const { bytesPerPixel, planar, tile } = this.layout
    this.side = [tile.width, tile.height * Math.max(1, Math.floor(tile.width < this.width ? 1 : rows / tile.height))]
    this.bytes = Math.ceil(this.side[0] * this.side[1] * bytesPerPixel / (planar ? image.getSamplesPerPixel() : 1))
  }

  /** Values of one band in a window with whole edges that lies inside the image, row by row, at the depth of the file. */
  async read(band: number, [x, y, width, height]: Window): Promise<Values> {
    const [across, down] = this.side, { planar } = this.layout
    let out: Values | undefined
    for (let top = y - y % down; top < y + height; top += down) {
      for (let left = x - x % across; left < x + width; left += across) {
        const wide = Math.min(across, this.width - left), high = Math.min(down, this.height - top)
        const part: Window = [left, top, wide, high]
        const values = await this.#cache.block(`${this.#name} ${planar ? band : ""} ${left} ${top}`, this.bytes, () => tiffValues(this.#image, part, planar ? band : undefined))
        out ??= emptyLike(values, width * height)
        const first = planar ? 0 : band * wide * high
        const from = Math.max(x, left), to = Math.min(x + width, left + wide)
        for (let row = Math.max(y, top); row < Math.min(y + height, top + high); row++) {
          const at = first + (row - top) * wide - left
          out.set(values.subarray(at + from, at + to), (row - y) * width + from - x)
        }
      }
    }
    return out!
  }
}
