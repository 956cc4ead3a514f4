/** What is read of a TIFF by window is what a whole decode gives, whatever the file's layout. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BlockCache, Blocks } from "../../imagery/blocks.ts"
import { decode } from "../../imagery/raster.ts"
import { inMemory, openTiff, type Ranged } from "../../imagery/tiff.ts"
import { bigTiff } from "./bigtiff-fixture.ts"

const value = (band: number, x: number, y: number) => (band * 20_000 + y * 131 + x * 7) % 65_536
const scene = { width: 150, height: 90, bands: 3, value }

describe("windows of a TIFF", () => {
  for (const bigEndian of [false, true]) {
    for (const planar of [false, true]) {
      for (const layout of [{ tile: 32 }, { rows: 1 }, { rows: 40 }]) {
        const title = `${bigEndian ? "big" : "little"}-endian, ${planar ? "each band by itself" : "bands together"}, ${"tile" in layout ? "tiles" : `strips of ${layout.rows}`}`
        it(`are those of the whole image: ${title}`, async () => {
          const bytes = bigTiff({ ...scene, ...layout, bigEndian, planar, deflate: layout.rows !== 1 })
          const whole = await Effect.runPromise(decode(bytes, "scene.tif"))
          expect(whole.values[whole.width * whole.height * 2 + 150 + 1], "the fixture itself").toBe(value(2, 1, 1))
          const blocks = new Blocks(await openTiff(inMemory(bytes)), "scene", new BlockCache(10_000))
          await fc.assert(fc.asyncProperty(fc.nat(2), fc.nat(149), fc.nat(89), fc.integer({ min: 1, max: 150 }), fc.integer({ min: 1, max: 90 }), async (band, x, y, wide, high) => {
            const width = Math.min(wide, 150 - x), height = Math.min(high, 90 - y)
            const expected = Uint16Array.from({ length: width * height }, (_, i) => value(band, x + i % width, y + Math.floor(i / width)))
            expect(await blocks.read(band, [x, y, width, height])).toEqual(expected)
          }), { numRuns: 40 })
        })
      }
    }
  }

  it("read no more of the file than the directory and the tiles that they meet", async () => {
    const bytes = bigTiff({ ...scene, tile: 32 }), memory = inMemory(bytes), tileBytes = 32 * 32 * 3 * 2
    let read = 0
    const counted: Ranged = { size: memory.size, read: (offset, length) => {
      read += length
      return memory.read(offset, length)
    } }
    const blocks = new Blocks(await openTiff(counted), "scene", new BlockCache(1e6))
    expect(read).toBeLessThan(6_000)
    read = 0
    await blocks.read(0, [30, 30, 4, 4])
    expect(read).toBe(4 * tileBytes)
    await blocks.read(2, [33, 33, 20, 20])
    expect(read, "other bands of the same tiles are at hand").toBe(4 * tileBytes)
  })

  it("hold decoded tiles up to a number of bytes, those used last", async () => {
    const cache = new BlockCache(25)
    let made = 0
    const block = (name: string) => cache.block(name, 10, async () => Uint8Array.of(++made))
    await block("a")
    await block("b")
    await block("a")
    await block("c")
    expect(made).toBe(3)
    await block("a")
    expect(made).toBe(3)
    await block("b")
    expect(made, "b was used longest ago").toBe(4)
  })

  it("of a file that was cut off say so", async () => {
    const bytes = bigTiff({ ...scene, tile: 32 })
    const blocks = new Blocks(await openTiff(inMemory(bytes.subarray(0, bytes.length - 5000))), "scene", new BlockCache(1e6))
    await blocks.read(0, [0, 0, 8, 8])
    await expect(blocks.read(0, [140, 80, 10, 10])).rejects.toThrow(/it refers to 6144 bytes from byte \d+ on, but has only \d+: it was cut off, or is damaged/)
    await expect(openTiff(inMemory(bytes.subarray(0, 100)))).rejects.toThrow()
  })
})
