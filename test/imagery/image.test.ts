/** A scene too large to decode whole gives the windows, resampled too, and the moments that a whole decode gives. */
import { hash } from "node:crypto"
import * as fs from "node:fs"
import { join } from "node:path"
import { deflateSync } from "node:zlib"
import * as Effect from "effect/Effect"
import { Stage } from "outcrop"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { BlockCache } from "../../imagery/blocks.ts"
import { type Image, openImage } from "../../imagery/image.ts"
import { headerAt, readHeader } from "../../imagery/raster.ts"
import { momentsOf } from "../../imagery/stretch.ts"
import { readWindow, type Size, type Window } from "../../imagery/window.ts"
import { filesOf, outcome, removeFolders, temporary } from "../engine/data-files.ts"
import { bigTiffHead } from "./bigtiff-fixture.ts"
import { tiff } from "./tiff-fixture.ts"

afterAll(removeFolders)
const side = 6144, tile = 512, across = side / tile
/** Some tiles have content, the others are holes in the file, which read as 0. */
const written = (column: number, row: number) => (column + row) % 5 !== 3
const value = (x: number, y: number) => written(Math.floor(x / tile), Math.floor(y / tile)) ? 1 + (x * 31 + y * 17) % 60_000 : 0

describe("an image of more than 64 MiB", () => {
  let root: string, image: Image, digest: string
  const values = new Uint16Array(side * side)
  const raster = { width: side, height: side, bands: 1, names: [], nodata: 0, geo: undefined, values }
  const using = <A>(effect: Effect.Effect<A, Stage.StageError | Stage.FileError, Stage.Files>) => outcome(Effect.provideService(effect, Stage.Files, filesOf(root).files))

  beforeAll(async () => {
    root = temporary()
    for (let i = 0; i < values.length; i++) values[i] = value(i % side, Math.floor(i / side))
    const bytes = tile * tile * 2, head = bigTiffHead({ width: side, height: side, bands: 1, tile, bigEndian: true, nodata: "0" }, Array.from({ length: across ** 2 }, () => bytes))
    const path = join(root, "scene.tif"), file = fs.openSync(path, "w")
    fs.writeSync(file, head)
    fs.ftruncateSync(file, head.length + across ** 2 * bytes)
    const block = Buffer.alloc(bytes)
    for (let row = 0; row < across; row++) {
      for (let column = 0; column < across; column++) {
        if (!written(column, row)) continue
        for (let i = 0; i < tile * tile; i++) block.writeUInt16BE(value(column * tile + i % tile, row * tile + Math.floor(i / tile)), 2 * i)
        fs.writeSync(file, block, 0, bytes, head.length + (row * across + column) * bytes)
      }
    }
    fs.closeSync(file)
    digest = hash("sha256", fs.readFileSync(path), "hex")
    image = await using(openImage({ path: "scene.tif", digest }, new BlockCache(2 ** 24)))
  })

  it("is read by window; a header is read without it", async () => {
    expect([image.width, image.height, image.bands, image.held, image.bytes, image.nodata]).toEqual([side, side, 1, 0, false, 0])
    expect(await using(headerAt("scene.tif"))).toMatchObject({ width: side, height: side, bands: 1, nodata: 0 })
  })

  it.each<[Window, Size]>([
    [[0, 0, 64, 64], { width: 64, height: 64 }],
    [[500, 1000, 100, 50], { width: 100, height: 50 }],
    [[side - 64, side - 64, 64, 64], { width: 64, height: 64 }],
    [[500.25, 2040.5, 64, 64], { width: 64, height: 64 }],
    [[1000, 2500, 600, 300], { width: 50, height: 75 }],
    [[side - 30, 10, 30, 30], { width: 90, height: 90 }],
    [[0, side - 200, 200, 200], { width: 20, height: 20 }]
  ])("gives the window %j as a whole decode does", async (window, size) => {
    const found = new Float32Array(size.width * size.height), expected = new Float32Array(size.width * size.height)
    await outcome(image.read(0, window, size, found))
    readWindow(raster, 0, window, size, expected)
    // what a hole has a share in is NaN in both
    expect(Math.max(...found.map((one, i) => Object.is(one, expected[i]) ? 0 : Math.abs(one - expected[i]!)))).toBeLessThan(0.01)
    expect(expected.some((one) => one > 0)).toBe(true)
  })

  it("has the moments of all of its values but nodata", async () => {
    const found = await outcome(image.moments(0)), expected = momentsOf(values, 0)
    expect(found.count).toBe(expected.count)
    expect(found.mean / expected.mean).toBeCloseTo(1, 12)
    expect(found.squares / expected.squares).toBeCloseTo(1, 12)
  })

  it("that was changed since it was ingested is refused by name", async () => {
    await expect(using(openImage({ path: "scene.tif", digest: "0".repeat(64) }, new BlockCache(1)))).rejects.toThrow(/scene\.tif changed while or since it was ingested/)
  })

  it("that was cut off is refused by name where its bytes are missing", async () => {
    const path = join(root, "short.tif")
    fs.copyFileSync(join(root, "scene.tif"), path)
    fs.truncateSync(path, 70_000_000)
    const short = await using(openImage({ path: "short.tif", digest: hash("sha256", fs.readFileSync(path), "hex") }, new BlockCache(1)))
    await outcome(short.read(0, [0, 0, 8, 8], { width: 8, height: 8 }, new Float32Array(64)))
    await expect(outcome(short.read(0, [side - 8, side - 8, 8, 8], { width: 8, height: 8 }, new Float32Array(64)))).rejects.toThrow(/short\.tif does not decode: it refers to 524288 bytes from byte \d+ on, but has only 70000000: it was cut off/)
  })
})

const opened = (bytes: Uint8Array) => {
  const root = temporary()
  fs.writeFileSync(join(root, "a.tif"), bytes)
  return outcome(Effect.provideService(openImage({ path: "a.tif", digest: hash("sha256", bytes, "hex") }, new BlockCache(2 ** 24)), Stage.Files, filesOf(root, false).files))
}

describe("a small file of a large image", () => {
  it("is read by window: 36,864 px squared, 2.7 GB of values, in 22 kB", async () => {
    const side = 36_864, tile = 1024, content = deflateSync(Buffer.alloc(tile * tile * 2, 7))
    // all tiles but the first are holes in the file
    const lengths = Array.from({ length: (side / tile) ** 2 }, (_, i) => i === 0 ? content.length : 0)
    const bytes = Buffer.concat([bigTiffHead({ width: side, height: side, bands: 1, tile, deflate: true }, lengths), content])
    expect(bytes.length).toBeLessThan(2 ** 15)
    const image = await opened(bytes), out = new Float32Array(4)
    expect([image.width, image.height, image.held]).toEqual([side, side, bytes.length])
    await outcome(image.read(0, [1022, 10, 4, 1], { width: 4, height: 1 }, out))
    expect([...out]).toEqual([0x0707, 0x0707, 0, 0])
  })

  it.each([
    ["tiles without a size", { width: 16, height: 16, tile: 0 }, [64], "its tiles are 0 x 0 px large: it is damaged"],
    ["strips without a height", { width: 0, height: 0, rows: 1 }, [], "it is 0 x 0 px large: it has no pixels"],
    ["pixels without tiles", { width: 65_535, height: 65_535, tile: 16 }, [64], "its 65535 x 65535 px are 16777216 tiles or strips, but it says where 1 of them lie: it is damaged"]
  ])("with %s is refused by name, at ingest and after", async (_, shape, lengths, message) => {
    const bytes = Buffer.concat([bigTiffHead({ ...shape, bands: 1 }, lengths), Buffer.alloc(64)])
    await expect(opened(bytes)).rejects.toThrow(`a.tif does not decode: ${message}`)
    await expect(outcome(readHeader(bytes, "a.tif"))).rejects.toThrow(`a.tif is not an image that can be read: ${message}`)
  })
})

describe("a smaller image", () => {
  it("is decoded once and held", async () => {
    const root = temporary(), bytes = tiff({ width: 4, height: 2, bands: 1, values: [1, 2, 3, 4, 5, 6, 7, 8] })
    fs.writeFileSync(join(root, "a.tif"), bytes)
    const image = await outcome(Effect.provideService(openImage({ path: "a.tif", digest: hash("sha256", bytes, "hex") }, new BlockCache(1)), Stage.Files, filesOf(root, false).files))
    expect(image.held).toBe(16)
    const out = new Float32Array(2)
    await outcome(image.read(0, [1, 1, 2, 1], { width: 2, height: 1 }, out))
    expect([...out]).toEqual([6, 7])
  })
})
