import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Samples } from "outcrop"
import { greatCircle } from "../../../math/sphere.ts"
import { make } from "../../../schemas/table.ts"
import temporalPositives from "../../../stages/mine/temporal-positives.ts"
import { runStage } from "../probe/run.ts"

interface Visit {
  readonly id: string
  readonly location?: string
  readonly at?: readonly [lat: number, lon: number]
  readonly time?: string
}
const tables = (visits: ReadonlyArray<Visit>) => ({
  samples: make(Samples, {
    sample_id: visits.map(({ id }) => id),
    assets: visits.map(() => []),
    location: visits.map(({ location }) => location ?? null),
    lat: Float64Array.from(visits, ({ at }) => at?.[0] ?? Number.NaN),
    lon: Float64Array.from(visits, ({ at }) => at?.[1] ?? Number.NaN),
    time: Float64Array.from(visits, ({ time }) => time === undefined ? Number.NaN : Date.parse(time))
  })
})
/** "anchor positive weight", a line a row. */
const mined = async (visits: ReadonlyArray<Visit>, parameters = {}) => {
  const run = await runStage(temporalPositives, tables(visits), parameters)
  const { anchor, positive, weight } = run.columns("pairs") as unknown as { anchor: ReadonlyArray<string>; positive: ReadonlyArray<string>; weight: Float32Array }
  return { rows: anchor.map((id, i) => `${id} ${positive[i]} ${Math.round(weight[i]! * 1000) / 1000}`), notices: run.notices }
}

/** Ten images: three dates of port (one of them twice), two of farm, one of hill, and four without a location around 0 N, 180 E. */
const ten: ReadonlyArray<Visit> = [
  { id: "a", location: "port", at: [10, 10], time: "2021-01-01T09:00Z" },
  { id: "b", location: "port", at: [10, 10], time: "2021-01-01T15:00Z" },
  { id: "c", location: "port", at: [10, 10], time: "2021-01-11T09:00Z" },
  { id: "d", location: "port", at: [10, 10], time: "2022-01-01T09:00Z" },
  { id: "e", location: "farm", time: "2021-06-01T23:59Z" },
  { id: "f", location: "farm", time: "2021-06-02T00:01Z" },
  { id: "g", location: "hill", at: [10, 10], time: "2021-06-01" },
  { id: "h", at: [0, 179.9996], time: "2021-03-01" },
  { id: "i", at: [0, -179.9999], time: "2021-04-01" },
  { id: "j", at: [0, -179.9994], time: "2021-05-01" }
]

describe("mine/temporal-positives", () => {
  it("pairs other days of a location, by hand", async () => {
    expect(await mined(ten)).toEqual({
      rows: ["a c 0.5", "a d 0.5", "b c 0.5", "b d 0.5", "c a 0.333", "c b 0.333", "c d 0.333", "d a 0.333", "d b 0.333", "d c 0.333", "e f 1", "f e 1", "g g 1", "h h 1", "i i 1", "j j 1"],
      notices: ["4 of 10 samples have no other date and are their own positive (3 without a location)"]
    })
  })

  it("finds neighbours across the date line within a radius, each pair by itself", async () => {
    // h and i lie 56 m apart, i and j too, h and j 111 m
    const { notices, rows } = await mined(ten, { radius: 60 })
    expect(rows.slice(13)).toEqual(["h i 1", "i h 0.5", "i j 0.5", "j i 1"])
    expect(rows[12]).toBe("g g 1")
    expect(notices).toEqual(["1 of 10 samples have no other date and are their own positive"])
  })

  it("keeps to the least and the greatest gap in days", async () => {
    const of = async (parameters: object) => (await mined(ten.slice(0, 4), parameters)).rows
    expect(await of({ minGapDays: 11 })).toEqual(["a d 1", "b d 1", "c d 1", "d a 0.333", "d b 0.333", "d c 0.333"])
    expect(await of({ maxGapDays: 10 })).toEqual(["a c 1", "b c 1", "c a 0.5", "c b 0.5", "d d 1"])
    expect(await of({ minGapDays: 0, maxGapDays: 0 })).toEqual(["a b 1", "b a 1", "c c 1", "d d 1"])
  })

  it("a sample without a time is its own positive and nobody's", async () => {
    const { notices, rows } = await mined([...ten.slice(4, 6), { id: "x", location: "farm" }], { minGapDays: 0 })
    expect(rows).toEqual(["e f 1", "f e 1", "x x 1"])
    expect(notices).toEqual(["1 of 3 samples have no other date and are their own positive (1 without a time)"])
  })

  it("is what comparing all pairs gives, both directions of each, weights of an anchor adding up to 1", async () => {
    const visit = fc.record({ near: fc.constantFrom([0, 180], [89.99, 0], [45, 7]), north: fc.double({ min: -0.01, max: 0.01, noNaN: true }), east: fc.double({ min: -0.01, max: 0.01, noNaN: true }), day: fc.integer({ min: 1, max: 9 }), location: fc.constantFrom(undefined, undefined, "p", "q") })
    await fc.assert(fc.asyncProperty(fc.array(visit, { minLength: 1, maxLength: 25 }), fc.constantFrom(1, 300, 2000), async (drawn, radius) => {
      const visits = drawn.map(({ day, east, location, near, north }, i): Visit => ({ id: String(i).padStart(2, "0"), at: [Math.min(90, near[0]! + north), near[1]! + east], time: `2021-01-0${day}`, ...location !== undefined && { location } }))
      const expected = visits.flatMap((a) => {
        const own = visits.filter((b) => b.time !== a.time && a.location === b.location && (a.location !== undefined || greatCircle(a.at![0], a.at![1], b.at![0], b.at![1]) <= radius))
        return (own.length === 0 ? [a] : own).map((b) => `${a.id} ${b.id} ${Math.round(1000 / Math.max(1, own.length)) / 1000}`)
      })
      expect((await mined(visits, { radius })).rows).toEqual(expected)
    }), { numRuns: 50 })
  })

  it.each([
    [[{ id: "a", location: "p" }], {}, "none of the 1 samples has a time, so there are no other dates"],
    [[{ id: "a", at: [1, 2], time: "2021-01-01" }], {}, "no sample has a location; `radius: 100` takes samples within 100 m of each other"],
    [[{ id: "a", time: "2021-01-01" }], { radius: 10 }, "none of the 1 samples has a location or coordinates"],
    [[{ id: "a", at: [139.7, 35.7], time: "2021-01-01" }], { radius: 10 }, "sample a lies at latitude 139.7, longitude 35.7, which is not on earth; are the two swapped"],
    [ten, { minGapDays: 5, maxGapDays: 4 }, "`minGapDays: 5` is above `maxGapDays: 4`"]
  ] satisfies ReadonlyArray<[ReadonlyArray<Visit>, object, string]>)("refuses %j with %j", async (visits, parameters, message) => {
    await expect(mined(visits, parameters)).rejects.toThrow(message)
  })
})
