import * as Exit from "effect/Exit"
import * as fc from "fast-check"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { DatePattern, dateReader, timeIn, timeOf } from "../../imagery/dates.ts"

const june = Date.UTC(2017, 5, 13)
const at = Date.UTC(2017, 5, 13, 10, 10, 31)

describe("timeIn", () => {
  it.each([
    ["S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_26_57", at],
    ["20170613T101031_20170613T101032_T15QXA", at],
    ["S1A_IW_GRDH_1SDV_20170613T101031_33UUP_61_39", at],
    ["20170613_101031_1006_3B_AnalyticMS.tif", at],
    ["20170613101031.tif", at],
    ["LC08_L2SP_193024_20170613_20170628_02_T1", june],
    ["20170613_991234.tif", june],
    ["m_4207110_20170613.jp2", june],
    ["2017/06/13/a.tif", june],
    ["2017_06_13", june],
    ["2017.06.13", june],
    ["2017-06-13 10:10:31", at],
    ["2017-06-13T10:10:31.25Z", at + 250],
    ["2017-06-13T12:10:31+02:00", at],
    ["2017-06-13T05:10:31-0500", at],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
    ["2023-04-26-00_00_2023-04-26-23_59_Sentinel-2_L2A_B03_(Raw).tiff", Date.UTC(2023, 3, 26)],
    ["2023-07-30-00:00_2023-07-30-23:59.tiff", Date.UTC(2023, 6, 30)],
    ["2023-04-26T10:30:00Z", Date.UTC(2023, 3, 26, 10, 30)],
    ["2023-04-26 10:30:15.5", Date.UTC(2023, 3, 26, 10, 30, 15, 500)],
    ["2023-04-26T10:30+02:00", Date.UTC(2023, 3, 26, 8, 30)]
  ])("finds the date of %s", (text, expected) => expect(timeIn(text)).toBe(expected))

  it.each(["2023-02-29", "2023-13-40", "12023-04-26", "busan_rgb.tiff", "2017-06-13T25:00", "20171301", "2017-06_13", "120170613", "201706131", "13.06.2017", "06132017", "00120613", "99990101", "Forest_20.tif", ""])(
    "finds none in \"%s\"",
    (text) => expect(timeIn(text)).toBeNaN()
  )

  it("takes the first that is a date", () => expect(timeIn("20179999_20170613_20180101")).toBe(june))

  it("reads back every day", () => {
    fc.assert(fc.property(fc.date({ min: new Date("1900-01-01"), max: new Date("2099-12-31"), noInvalidDate: true }), (date) => {
      const day = date.toISOString().slice(0, 10), expected = Date.parse(day)
      expect([timeIn(day), timeIn(day.replaceAll("-", "")), timeIn(`a/${day.replaceAll("-", "/")}/b`)]).toEqual([expected, expected, expected])
    }))
  })
})

describe("timeOf", () => {
  it.each([
    ["2017-06-13", june],
    [" 20170613 ", june],
    ["2017/06/13", june],
    ["20170613T101031Z", at],
    ["2017-06-13 10:10:31", at],
    ["2017-06-13T10:10:31.25Z", at + 250],
    ["2017-06-13 12:10:31 +0200", at],
    ["2017-06-13 12:10:31+02", at],
    ["2017-06-13T05:10:31 -05:00", at],
    ["2017-06-13 10:10:31 UTC", at],
    ["2017-06-13 9:05:00", Date.UTC(2017, 5, 13, 9, 5)],
    ["2017-06-13 9:05", Date.UTC(2017, 5, 13, 9, 5)]
  ])("takes %s", (text, expected) => expect(timeOf(text)).toBe(expected))

  it.each(["2017-06-13 10:00:00 PM", "2017-06-13 10:00:00 CET", "2017-06-13 10", "2017-06-13 10:0", "2017-06-13 25:00", "2017-06-31", "2017-06-13/2017-06-15", "on 2017-06-13", "2017-06-13T10:00+99", "13.06.2017", ""])(
    "refuses \"%s\" as a whole",
    (text) => expect(timeOf(text)).toBeNaN()
  )
})

describe("dateReader", () => {
  it.each([
    ["%d.%m.%Y", "ort_13.06.2017_x.tif", june],
    ["%m-%d-%y", "06-13-17", june],
    ["%d%b%Y", "13Jun2017", june],
    ["A%Y%j", "MOD09A1.A2017164.h18v03", june],
    ["%Y%j", "2016366", Date.UTC(2016, 11, 31)],
    ["%Y%m%dT%H%M%S", "x_20170613T101031", at],
    ["%Y_%m", "mosaic_2017_06_v1", Date.UTC(2017, 5, 1)],
    ["naip(%Y)", "naip(2017).tif", Date.UTC(2017, 0, 1)],
    ["%y%%", "69%", Date.UTC(1969, 0, 1)],
    ["%y%%", "68%", Date.UTC(2068, 0, 1)],
    ["%d%m%Y", "99999999 13062017", june]
  ])("%s in %s", (pattern, text, expected) => expect(dateReader(pattern)(text)).toBe(expected))

  it.each([["%d.%m.%Y", "31.02.2017"], ["%Y%j", "2017366"], ["%Y%m%d", "120170613"], ["%Y%m%d", "201706130"], ["naip(%Y)", "naip2017"], ["%d.%m.%Y", "13x06x2017"]])("%s finds none in %s", (pattern, text) => {
    expect(dateReader(pattern)(text)).toBeNaN()
  })

  it("is linear in the text, whatever the text", () => {
    const text = "2017-06-13T10:10:31.".repeat(20_000)
    const before = performance.now()
    expect(dateReader("%d.%m.%Y %H:%M:%S")(text)).toBeNaN()
    expect(timeIn("2".repeat(400_000))).toBeNaN()
    expect(performance.now() - before).toBeLessThan(1000)
  })

  it.each([
    ["%d.%m", "has no year"],
    ["yyyyMMdd", "has no year"],
    ["%Y-%Q", "\"%Q\" in the date pattern \"%Y-%Q\" is not known"],
    ["%Y %Y", "%Y stands twice"],
    ["%Y%", "\"%\" in the date pattern"]
  ])("refuses %s", (pattern, message) => {
    const exit = Schema.decodeUnknownExit(DatePattern)(pattern)
    expect(Exit.isFailure(exit) ? String(exit.cause) : "").toContain(message)
  })
})
