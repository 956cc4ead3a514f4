import { describe, expect, it } from "vitest"
import { decode } from "../../../imagery/raster.ts"
import * as Effect from "effect/Effect"
import synthetic from "../../../stages/ingest/synthetic.ts"
import { digestOf, ingest } from "./services.ts"

describe("ingest/synthetic", () => {
  it("gives even species, places on two or more dates, and pixels under their digest", async () => {
    const { kept, table } = await ingest(synthetic, ".", { samples: 61, size: 32 })
    expect(table.rows).toBe(61)
    expect(["cow", "deer", "horse"].map((name) => table.label.filter((label) => label === name).length)).toEqual([21, 20, 20])
    const visits = new Map<string, Array<number>>()
    table.location.forEach((place, row) => visits.set(place!, [...(visits.get(place!) ?? []), row]))
    for (const rows of visits.values()) {
      expect(rows.length).toBeGreaterThanOrEqual(2)
      expect(new Set(rows.map((row) => table.time[row])).size).toBe(rows.length)
      expect(new Set(rows.map((row) => table.lat[row])).size).toBe(1)
    }
    for (let row = 0; row < 61; row++) {
      expect(table.labels[row]!.length).toBeGreaterThan(0)
      expect(Math.abs(table.lat[row]!)).toBeLessThan(90)
      expect(Math.abs(table.lon[row]!)).toBeLessThan(180)
      const [asset] = table.assets[row]!
      expect(asset!.gsd).toBeGreaterThan(0)
      expect(digestOf(kept.get(asset!.path)!)).toBe(asset!.digest)
    }
    const first = table.assets[0]![0]!
    const { bands, height, names, width } = await Effect.runPromise(decode(kept.get(first.path)!, first.path))
    expect({ bands, height, names, width }).toEqual({ bands: 3, height: 32, names: ["R", "G", "B"], width: 32 })
  })

  it("depends on the seed alone, and a larger collection begins with the smaller one", async () => {
    const [a, again, other, more] = await Promise.all([{}, {}, { seed: 1 }, { samples: 40 }].map((given) => ingest(synthetic, ".", { samples: 20, size: 16, ...given })))
    const digests = ({ table }: typeof a & {}) => table.assets.map(([asset]) => asset!.digest)
    expect(digests(a!)).toEqual(digests(again!))
    expect(digests(a!)).not.toEqual(digests(other!))
    // the last place takes the visits that are left over
    expect(digests(more!).slice(0, 15)).toEqual(digests(a!).slice(0, 15))
  })

  it("covers many land covers at its default size", async () => {
    const { table } = await ingest(synthetic, ".", { size: 16 })
    expect(table.rows).toBe(240)
    expect(new Set(table.labels.flat()).size).toBe(9)
  })
})
