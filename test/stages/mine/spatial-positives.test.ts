import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Samples } from "outcrop"
import { greatCircle } from "../../../math/sphere.ts"
import { make } from "../../../schemas/table.ts"
import spatialPositives from "../../../stages/mine/spatial-positives.ts"
import { runStage } from "../probe/run.ts"

type Place = readonly [lat: number, lon: number]
const name = (i: number) => `s${String(i).padStart(3, "0")}`
const mined = async (places: ReadonlyArray<Place>, radius: number) => {
  const samples = make(Samples, { sample_id: places.map((_, i) => name(i)), assets: places.map(() => []), lat: Float64Array.from(places, ([lat]) => lat), lon: Float64Array.from(places, ([, lon]) => lon) })
  const run = await runStage(spatialPositives, { samples }, { radius })
  const { anchor, positive, weight } = run.columns("pairs") as unknown as { anchor: ReadonlyArray<string>; positive: ReadonlyArray<string>; weight: Float32Array }
  return { rows: anchor.map((id, i) => `${id} ${positive[i]} ${Math.round(weight[i]! * 1000) / 1000}`), notices: run.notices }
}
const failure = (work: Promise<unknown>) => work.then(() => "it went through", (cause: Error) => cause.message)

describe("images that lie near each other", () => {
  it("pair in both directions, across the date line too; one without a neighbour is its own positive", async () => {
    const { notices, rows } = await mined([[0, 179.9996], [0, -179.9999], [0, -179.9994], [40, 0]], 100)
    expect(rows).toEqual(["s000 s001 1", "s001 s000 0.5", "s001 s002 0.5", "s002 s001 1", "s003 s003 1"])
    expect(notices).toEqual(["1 of 4 samples have no neighbour within 100 m and are their own positive"])
  })
  it("are exactly those that the great circle says, wherever they lie", async () => {
    const place = fc.tuple(fc.double({ min: -90, max: 90, noNaN: true }), fc.double({ min: -180, max: 180, noNaN: true }))
    await fc.assert(fc.asyncProperty(fc.array(place, { minLength: 1, maxLength: 12 }), fc.double({ min: 1000, max: 2e7, noNaN: true }), async (places, radius) => {
      const expected = places.flatMap((a, i) => {
        const near = places.flatMap((b, j) => i !== j && greatCircle(a[0], a[1], b[0], b[1]) <= radius ? [j] : [])
        return (near.length === 0 ? [i] : near).map((j) => `${name(i)} ${name(j)}`)
      })
      expect((await mined(places, radius)).rows.map((row) => row.slice(0, 9))).toEqual(expected)
    }), { numRuns: 30 })
  })
  it("coordinates that are swapped, or absent, are told", async () => {
    expect(await failure(mined([[120, 40]], 100))).toMatch(/latitude 120, longitude 40, which is not on earth; are the two swapped/)
    expect(await failure(mined([[Number.NaN, Number.NaN]], 100))).toMatch(/none of the 1 samples has coordinates/)
  })
})
