import { describe, expect, it } from "vitest"
import { gsdOf, isImage, join, stemOf, timeIn } from "../../imagery/source.ts"

describe("timeIn", () => {
  it.each([
    ["2023-04-26-00_00_2023-04-26-23_59_Sentinel-2_L2A_B03_(Raw).tiff", Date.UTC(2023, 3, 26)],
    ["2023-07-30-00:00_2023-07-30-23:59.tiff", Date.UTC(2023, 6, 30)],
    ["2023-04-26T10:30:00Z", Date.UTC(2023, 3, 26, 10, 30)],
    ["2023-04-26 10:30:15.5", Date.UTC(2023, 3, 26, 10, 30, 15, 500)],
    ["2023-04-26T10:30+02:00", Date.UTC(2023, 3, 26, 8, 30)],
    ["2023-13-40", Number.NaN],
    ["12023-04-26", Number.NaN],
    ["busan_rgb.tiff", Number.NaN],
    ["", Number.NaN]
  ])("%s", (text, expected) => expect(timeIn(text)).toBe(expected))
})

describe("gsdOf", () => {
  const geo = (epsg: number, step: number) => ({ epsg, origin: [0, 0] as const, resolution: [step, -step] as const })
  it("is the step of UTM, Mercator's shrunk by the latitude, and degrees along the meridian", () => {
    expect(gsdOf(geo(32611, 0.1), 37)).toBe(0.1)
    expect(gsdOf(geo(3857, 10), 60)).toBeCloseTo(5, 12)
    expect(gsdOf(geo(4326, 1 / 111_320), 60)).toBeCloseTo(1, 12)
  })
})

describe("paths", () => {
  it("join, lose their extension, and are known as images", () => {
    expect([join(".", "a"), join("", "a"), join("./x/", "a"), join("x/y", "a")]).toEqual(["a", "a", "x/a", "x/y/a"])
    expect([stemOf("a/b.c.tif"), stemOf("a.b/c"), stemOf(".hidden")]).toEqual(["a/b.c", "a.b/c", ".hidden"])
    expect(["a.TIF", "b.jpeg", "c.txt", "png"].map(isImage)).toEqual([true, true, false, true])
  })
})
