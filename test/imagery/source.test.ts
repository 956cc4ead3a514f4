import { describe, expect, it } from "vitest"
import { gsdOf, isImage, join, leaveOut, noneIn, openSource, stemOf } from "../../imagery/source.ts"
import { folderOf, using } from "../stages/ingest/services.ts"
import { tiff } from "./tiff-fixture.ts"

describe("gsdOf", () => {
  const geo = (epsg: number, step: number) => ({ epsg, origin: [0, 0] as const, resolution: [step, -step] as const })
  it("is the step of UTM, Mercator's shrunk by the latitude, and degrees along the meridian", () => {
    expect(gsdOf(geo(32611, 0.1), 37)).toBe(0.1)
    expect(gsdOf(geo(3857, 10), 60)).toBeCloseTo(5, 12)
    expect(gsdOf(geo(4326, 1 / 111_320), 60)).toBeCloseTo(1, 12)
  })
})

describe("openSource", () => {
  const utm = { width: 4, height: 4, bands: 1, values: Array.from({ length: 16 }, () => 1), epsg: 32633, pixel: [10, 10] as const }
  const open = (files: Readonly<Record<string, Uint8Array>>, bands: readonly [string, ...ReadonlyArray<string>]) => {
    const root = folderOf(files), [first, ...rest] = Object.keys(files)
    return using(root, openSource([first!, ...rest], { bands, onError: "stop" }))
  }

  it("gives each file's band its name, digest and ground sampling distance, and the place of the first", async () => {
    const source = await open({ "a.tif": tiff({ ...utm, origin: [500_000, 5_000_000] }), "b.tif": tiff({ ...utm, width: 2, height: 2, pixel: [20, 20], origin: [500_000, 5_000_000] }) }, ["B02", "B05"])
    expect(source.assets.map(({ band, gsd, index, path }) => [path, band, index, gsd])).toEqual([["a.tif", "B02", 0, 10], ["b.tif", "B05", 0, 20]])
    expect(source.locate(0, 0).lon).toBeCloseTo(15, 9)
  })

  it("refuses bands that lie elsewhere than the first", async () => {
    const files = { "a.tif": tiff({ ...utm, origin: [500_000, 5_000_000] }), "b.tif": tiff({ ...utm, origin: [500_000, 5_000_040] }) }
    await expect(open(files, ["B02", "B03"])).rejects.toThrow("a.tif and b.tif are no bands of one image: their corners lie 40 m apart")
    expect((await open({ "a.tif": files["a.tif"], "b.tif": tiff({ ...utm, origin: [500_000, 5_000_003] }) }, ["B02", "B03"])).assets).toHaveLength(2)
  })

  it("refuses bands that cover other ground about the same centre, and lets corners be a pixel of the coarser one apart", async () => {
    const of = (side: number, metres: number, x: number, y: number) =>
      tiff({ ...utm, width: side, height: side, values: Array.from({ length: side * side }, () => 1), pixel: [metres, metres], origin: [500_000 + x, 5_000_000 - y] })
    await expect(open({ "a.tif": of(60, 10, 0, 0), "b.tif": of(2, 50, 250, 250) }, ["B04", "B01"])).rejects.toThrow(/^a.tif and b.tif are no bands of one image: their corners lie 35\d m apart$/)
    await expect(open({ "a.tif": of(60, 10, 0, 0), "b.tif": of(30, 20, 50, 0) }, ["B04", "B05"])).rejects.toThrow(/their corners lie 50 m apart$/)
    expect((await open({ "a.tif": of(57, 10, 0, 0), "b.tif": of(10, 60, 0, 0) }, ["B04", "B01"])).assets).toHaveLength(2)
    expect((await open({ "a.tif": of(60, 10, 0, 0), "b.tif": of(10, 60, 60, 0) }, ["B04", "B01"])).assets).toHaveLength(2)
  })

  it("opens an image across the date line", async () => {
    const source = await open({ "a.tif": tiff({ ...utm, epsg: 4326, pixel: [1, 1], origin: [179, 10] }) }, ["B02"])
    expect(source.locate(2, 2)).toEqual({ lat: 8, lon: -179 })
  })

  it("refuses a place that is none on earth, as where latitude and longitude are swapped", async () => {
    const swapped = tiff({ ...utm, epsg: 4326, pixel: [0.001, 0.001], origin: [18.6, 91.85] })
    await expect(open({ "a.tif": swapped }, ["B02"])).rejects.toThrow(/the centre of a.tif lies at latitude 91\.848.* and longitude 18\.602.*swapped/)
  })

  it("refuses a truncated file, and one of other bands than named", async () => {
    const whole = tiff({ ...utm, origin: [500_000, 5_000_000] })
    await expect(open({ "a.tif": whole.subarray(0, 60) }, ["B02"])).rejects.toThrow("a.tif is not an image that can be read")
    await expect(open({ "a.tif": whole }, ["B02", "B03"])).rejects.toThrow("a.tif has 1 bands, but 2 names are given: B02, B03")
  })
})

describe("leaveOut", () => {
  it("stops, or counts, and says nothing where nothing is lost", async () => {
    const lost = ["a", "b", "c", "d", "e", "f"]
    await expect(using(".", leaveOut("patches without a folder", lost, 9, "stop", noneIn({ s2: "a" })))).rejects.toThrow("patches without a folder: 6 of 9 (a, b, c, d, e, ...); `missing: skip` goes on without them")
    const notices: Array<string> = []
    await using(".", leaveOut("patches without a folder", lost, 9, "skip", noneIn({ s2: "a" })), notices)
    await using(".", leaveOut("patches without a folder", [], 9, "stop", ""), notices)
    expect(notices).toEqual(["patches without a folder: 6 of 9 (a, b, c, d, e, ...)"])
    for (const missing of ["stop", "skip"] as const) {
      await expect(using(".", leaveOut("patches without a folder", lost, 6, missing, noneIn({ s2: "a" })))).rejects.toThrow(/\(a, b, c, d, e, \.\.\.\); none was found in `s2: a`: is that the right folder\?$/)
    }
  })
})

describe("paths", () => {
  it("join, lose their extension, and are known as images", () => {
    expect([join(".", "a"), join("", "a"), join("./x/", "a"), join("x/y", "a")]).toEqual(["a", "a", "x/a", "x/y/a"])
    expect([stemOf("a/b.c.tif"), stemOf("a.b/c"), stemOf(".hidden")]).toEqual(["a/b.c", "a.b/c", ".hidden"])
    expect(["a.TIF", "b.jpeg", "c.txt", "png"].map(isImage)).toEqual([true, true, false, true])
  })
})
