import { existsSync, readdirSync, readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import sharp from "sharp"
import { describe, expect, it } from "vitest"
import { decode, readHeader } from "../../imagery/raster.ts"
import { tiff } from "./tiff-fixture.ts"

const decoded = (bytes: Uint8Array) => Effect.runPromise(decode(new Uint8Array(bytes), "file"))
const header = (bytes: Uint8Array) => Effect.runPromise(readHeader(new Uint8Array(bytes), "file"))

/** 3 x 2 px of three bands: R counts from 0, G from 100, B from 200. */
const rgb = Uint8Array.from({ length: 18 }, (_, i) => 100 * (i % 3) + Math.floor(i / 3))
const bandMajor = [0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105, 200, 201, 202, 203, 204, 205]
const picture = () => sharp(rgb, { raw: { width: 3, height: 2, channels: 3 } })

/** A bitmap of `rgb`: rows bottom-up and padded to four bytes, colours as blue, green, red. */
const bmp = (topDown = false): Uint8Array => {
  const out = Buffer.alloc(54 + 2 * 12)
  out.write("BM")
  out.writeUInt32LE(out.length, 2)
  out.writeUInt32LE(54, 10)
  out.writeUInt32LE(40, 14)
  out.writeInt32LE(3, 18)
  out.writeInt32LE(topDown ? -2 : 2, 22)
  out.writeUInt16LE(1, 26)
  out.writeUInt16LE(24, 28)
  for (let y = 0; y < 2; y++) for (let x = 0; x < 3; x++) for (let b = 0; b < 3; b++) out[54 + (topDown ? y : 1 - y) * 12 + x * 3 + b] = rgb[(y * 3 + x) * 3 + 2 - b]!
  return out
}

describe("decode", () => {
  it("puts the bands of a PNG one after the other", async () => {
    const { bands, height, names, values, width } = await decoded(await picture().png().toBuffer())
    expect({ bands, height, names, width }).toEqual({ bands: 3, height: 2, names: ["R", "G", "B"], width: 3 })
    expect(Array.from(values)).toEqual(bandMajor)
  })

  it("drops the alpha of a PNG", async () => {
    const { bands, values } = await decoded(await picture().ensureAlpha(0.5).png().toBuffer())
    expect(bands).toBe(3)
    expect(Array.from(values)).toEqual(bandMajor)
  })

  it("keeps 16 bits of a grey PNG and of a coloured one", async () => {
    const deep = Uint16Array.from({ length: 4 }, (_, i) => 3912 + i)
    const grey = await decoded(await sharp(deep, { raw: { width: 2, height: 2, channels: 1 } }).toColourspace("grey16").png().toBuffer())
    expect(grey.names).toEqual(["gray"])
    expect(grey.values).toEqual(deep)
    const colour = await decoded(await sharp(Uint16Array.from([1000, 2000, 60000]), { raw: { width: 1, height: 1, channels: 3 } }).toColourspace("rgb16").png().toBuffer())
    expect(colour.values).toEqual(Uint16Array.from([1000, 2000, 60000]))
  })

  for (const topDown of [false, true]) {
    it(`reads a bitmap, ${topDown ? "top-down" : "bottom-up"}`, async () => {
      const { names, values } = await decoded(bmp(topDown))
      expect(names).toEqual(["R", "G", "B"])
      expect(Array.from(values)).toEqual(bandMajor)
    })
  }

  for (const bigEndian of [false, true]) {
    for (const compression of [1, 8, 32946]) {
      it(`reads a 16-bit TIFF of many strips: ${bigEndian ? "big" : "little"}-endian, compression ${compression}`, async () => {
        const [width, height] = [5, 700]
        const values = Array.from({ length: width * height * 2 }, (_, i) => (i * 37) % 65536)
        const raster = await decoded(tiff({ width, height, bands: 2, values, bigEndian, compression }))
        expect({ bands: raster.bands, names: raster.names }).toEqual({ bands: 2, names: [] })
        expect(raster.values).toEqual(Uint16Array.from(values.keys(), (i) => values[(i % (width * height)) * 2 + Math.floor(i / (width * height))]!))
      })
    }
  }

  it("reads the same from a view into a larger buffer", async () => {
    const bytes = tiff({ width: 2, height: 1, bands: 1, values: [7, 8] })
    const padded = new Uint8Array(bytes.length + 20)
    padded.set(bytes, 10)
    const raster = await Effect.runPromise(decode(padded.subarray(10, 10 + bytes.length), "file"))
    expect(Array.from(raster.values)).toEqual([7, 8])
  })

  it("names the file and the reason where it does not decode", async () => {
    const fails = (bytes: Uint8Array) => expect(Effect.runPromise(decode(bytes, "scene/a.tif"))).rejects
    await fails(Uint8Array.of(1, 2, 3)).toThrow(/^scene\/a.tif does not decode: .*unsupported image format/)
    await fails(new Uint8Array()).toThrow(/^scene\/a.tif does not decode: ./)
    await fails(tiff({ width: 4, height: 40, bands: 1, values: Array.from({ length: 160 }, () => 1) }).subarray(0, 60)).toThrow(/^scene\/a.tif does not decode: ./)
    await fails(bmp().subarray(0, 60)).toThrow(/the bitmap ends at byte 60 where its pixels end at 78/)
    const noisy = sharp(Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251), { raw: { width: 64, height: 64, channels: 3 } })
    for (const whole of [await noisy.clone().png().toBuffer(), await noisy.clone().jpeg().toBuffer()]) {
      await fails(new Uint8Array(whole.subarray(0, whole.length / 2))).toThrow(/^scene\/a.tif does not decode: ./)
    }
  })
})

describe("readHeader", () => {
  it("says what decode says, without the pixels", async () => {
    const geo = { epsg: 32633, origin: [500000, 4000000], pixel: [10, 10] } as const
    const files = [await picture().png().toBuffer(), await picture().jpeg().toBuffer(), await picture().ensureAlpha().webp().toBuffer(), bmp(), tiff({ width: 3, height: 2, bands: 3, values: Array.from(rgb), photometric: 2, nodata: "-9999", ...geo })]
    for (const file of files) {
      const { values: _, ...expected } = await decoded(file)
      expect(await header(file)).toEqual(expected)
    }
  })

  it("reads no-data and the position of a GeoTIFF, from corner or centre of the first pixel", async () => {
    const given = { width: 1, height: 1, bands: 1, values: [0], epsg: 3857, origin: [1000, 2000], pixel: [10, 20], nodata: "0" } as const
    const corner = await header(tiff(given))
    expect(corner.nodata).toBe(0)
    expect(corner.geo).toEqual({ epsg: 3857, origin: [1000, 2000], resolution: [10, -20] })
    expect((await header(tiff({ ...given, pixelIsPoint: true }))).geo).toEqual({ epsg: 3857, origin: [995, 2010], resolution: [10, -20] })
    expect((await header(tiff({ width: 1, height: 1, bands: 1, values: [0] }))).geo).toBeUndefined()
  })

  it.each([
    ["a position that is no number", { origin: [Number.NaN, 2000] }],
    ["a position beyond all numbers", { origin: [Number.POSITIVE_INFINITY, 2000] }],
    ["pixels that lead beyond all numbers", { origin: [1e308, 2000], pixel: [1e308, 10] }],
    ["pixels without a size", { pixel: [0, 10] }],
    ["pixels whose size is no number", { pixel: [10, Number.NaN] }]
  ] as const)("takes a GeoTIFF with %s for one without a position", async (_, damage) => {
    expect((await header(tiff({ width: 1, height: 1, bands: 1, values: [0], epsg: 32633, origin: [1000, 2000], pixel: [10, 10], ...damage }))).geo).toBeUndefined()
  })
})

const data = new URL("../../../shared/data/", import.meta.url).pathname
describe.skipIf(!existsSync(data))("decode on real files (needs shared/data)", () => {
  it("reads a big-endian Sentinel-2 band of many strips at its depth", async () => {
    const folder = `${data}sen2ships/busan/`
    const [file] = readdirSync(folder).filter((name) => name.includes("B04"))
    const raster = await decoded(readFileSync(folder + file))
    expect([raster.width, raster.height, raster.bands]).toEqual([1042, 699, 1])
    expect(raster.values).toBeInstanceOf(Uint16Array)
    expect(Array.from(raster.values).some((value) => value > 255)).toBe(true)
    expect(raster.geo?.epsg).toBe(3857)
  })

  it("reads an airborne picture as TIFF and as PNG alike", async () => {
    const [a, b] = await Promise.all(["tif", "png"].map((kind) => decoded(readFileSync(`${data}neon-boxes/OSBS_029.${kind}`))))
    expect(a!.names).toEqual(["R", "G", "B"])
    expect(a!.values).toEqual(b!.values)
    expect(a!.geo?.epsg).toBe(32617)
  })

  it("reads radar as the floats it is", async () => {
    const name = "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39"
    const { values } = await decoded(readFileSync(`${data}bigearthnet-tiny/s1-tiny/${name}/${name}_VV.tif`))
    expect(values).toBeInstanceOf(Float32Array)
    expect(values.every((value) => value > -60 && value < 30)).toBe(true)
  })
})
