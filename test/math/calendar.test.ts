import { describe, expect, it } from "vitest"
import { dayOf, monthOf } from "../../math/calendar.ts"

describe("dayOf", () => {
  it("is the beginning of a day in UTC", () => expect(dayOf("2022-06-01")).toBe(Date.UTC(2022, 5, 1)))
  it.each(["2022-02-31", "2022-13-01", "2022-6-1", "2022-06-01T10:00", "", "soon"])("is NaN for %j", (text) => expect(dayOf(text)).toBeNaN())
})

describe("monthOf", () => {
  it("is that of UTC", () => {
    expect([Date.UTC(2022, 0, 1), Date.UTC(2022, 0, 1) - 1, Date.UTC(1969, 5, 30)].map(monthOf)).toEqual([1, 12, 6])
  })
})
