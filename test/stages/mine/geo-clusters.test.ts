import { latLngToCell } from "h3-js"
import { describe, expect, it } from "vitest"
import { Annotations, Samples, Split } from "outcrop"
import { stream } from "../../../math/random.ts"
import { greatCircle } from "../../../math/sphere.ts"
import { make, type Table } from "../../../schemas/table.ts"
import geoClusters from "../../../stages/mine/geo-clusters.ts"
import { runStage } from "../probe/run.ts"

interface Place {
  readonly lat: number
  readonly lon: number
  readonly split?: "train" | "val" | "test"
}
const ids = (places: ReadonlyArray<Place>) => places.map((_, i) => String(i).padStart(4, "0"))
const tables = (places: ReadonlyArray<Place>): Record<string, Table> => ({
  samples: make(Samples, { sample_id: ids(places), assets: places.map(() => []), lat: Float64Array.from(places, ({ lat }) => lat), lon: Float64Array.from(places, ({ lon }) => lon) }),
  split: make(Split, { sample_id: ids(places), split: places.map(({ split }) => split ?? "train") })
})
const mine = async (places: ReadonlyArray<Place>, parameters: object, ports = tables(places)) => {
  const run = await runStage(geoClusters, ports, parameters), { layer, values } = run.columns("clusters") as unknown as { layer: ReadonlyArray<string>; values: ReadonlyArray<Float64Array> }
  const learned = (name: string) => [...values[layer.indexOf(name)]!], flat = learned("centres")
  return {
    ...run,
    place: [...run.columns("annotations").open["place"] as Int32Array],
    centres: Array.from({ length: flat.length / 2 }, (_, c) => [flat[2 * c]!, flat[2 * c + 1]!] as const),
    sizes: learned("sizes"),
    names: JSON.parse(run.tables["annotations"]!.metadata["place"]!) as ReadonlyArray<string>
  }
}
const wrap = (lon: number) => lon > 180 ? lon - 360 : lon
/** n places within two degrees of the ground of a point, in turn for each of the points. */
const around = (points: ReadonlyArray<readonly [number, number]>, n: number): ReadonlyArray<Place> => {
  const random = stream(0, "around")
  return Array.from({ length: n * points.length }, (_, i) => {
    const [lat, lon] = points[i % points.length]!
    return { lat: lat + 4 * random.uniform() - 2, lon: wrap(lon + 4 * random.uniform() - 2) }
  })
}
/** Whether two labellings are the same up to names. */
const alike = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => new Set(a.map((id, i) => `${id} ${b[i]}`)).size === new Set(a).size && new Set(a).size === new Set(b).size

describe("mine/geo-clusters", () => {
  it("keeps together what the date line parts: Fiji is one cluster on the sphere, two on the plane", async () => {
    const places = around([[-17, 180], [48, 8], [40, -100]], 40), truth = places.map((_, i) => i % 3)
    const sphere = await mine(places, { k: 3 })
    expect(alike(sphere.place, truth)).toBe(true)
    const [lat, lon] = sphere.centres[sphere.place[0]!]!
    expect(greatCircle(lat, lon, -17, 180)).toBeLessThan(50_000)
    expect(sphere.sizes).toEqual([40, 40, 40])
    const plane = await mine(places, { k: 3, method: "plane" })
    expect(alike(plane.place, truth)).toBe(false)
    expect(new Set(places.flatMap((_, i) => i % 3 === 0 ? [plane.place[i]!] : [])).size).toBe(2)
  })

  it("keeps together what lies around a pole", async () => {
    // two stations by the south pole, far apart in longitude only, and one at 60 S
    const places = Array.from({ length: 60 }, (_, i): Place => i % 2 === 0 ? { lat: -89.5, lon: -179 + 6 * i } : { lat: -60, lon: 6 * (i % 20) / 20 })
    const truth = places.map((_, i) => i % 2)
    const sphere = await mine(places, { k: 2 })
    expect(alike(sphere.place, truth)).toBe(true)
    expect(sphere.centres.some(([lat]) => lat < -89.9)).toBe(true)
    expect(alike((await mine(places, { k: 2, method: "plane" })).place, truth)).toBe(false)
  })

  it("gives each sample the centre that is nearest along the ground", async () => {
    const random = stream(1, "world"), places = Array.from({ length: 400 }, (): Place => ({ lat: Math.asin(2 * random.uniform() - 1) * 180 / Math.PI, lon: 360 * random.uniform() - 180 }))
    const { centres, place, sizes } = await mine(places, { k: 12 })
    for (const [i, { lat, lon }] of places.entries()) {
      const distances = centres.map((centre) => greatCircle(lat, lon, ...centre))
      expect(distances[place[i]!]).toBeCloseTo(Math.min(...distances), 3)
    }
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(400)
    expect(sizes).toEqual(centres.map((_, c) => place.filter((id) => id === c).length))
  })

  it("is the same again, and its ids stay those of the places for another seed", async () => {
    const places = around([[10, 10], [-30, 150], [60, -120], [0, 60]], 20)
    const [a, b, c] = await Promise.all([0, 0, 5].map((seed) => mine(places, { k: 4, seed })))
    expect(a!.tables).toEqual(b!.tables)
    expect(c!.place).toEqual(a!.place)
  })

  it("takes H3 cells; a cell without a training sample is no class", async () => {
    const places: ReadonlyArray<Place> = [{ lat: 48, lon: 8 }, { lat: 48.01, lon: 8 }, { lat: -17, lon: 179.9 }, { lat: 0, lon: 0, split: "test" }, { lat: -17, lon: 179.9, split: "test" }]
    const run = await mine(places, { method: "h3", resolution: 3 })
    const cells = [latLngToCell(48, 8, 3), latLngToCell(-17, 179.9, 3)].toSorted()
    expect(run.names).toEqual(cells)
    expect(run.place).toEqual(places.map(({ lat, lon }) => cells.indexOf(latLngToCell(lat, lon, 3))))
    expect(run.place[3]).toBe(-1)
    expect(run.sizes.toSorted()).toEqual([1, 2])
    expect(run.notices).toEqual(["1 of 5 samples lie in an H3 cell without a training sample; their place is -1"])
  })

  it("learns from training rows only, unless the protocol is the released one", async () => {
    const train = around([[10, 10], [50, 50]], 10), moved = (lat: number) => [...train, ...Array.from({ length: 10 }, (_, i): Place => ({ lat: lat + i / 10, lon: -90, split: "test" }))]
    const centres = async (lat: number, parameters: object) => (await mine(moved(lat), { k: 2, ...parameters })).centres
    expect(await centres(-60, {})).toEqual(await centres(70, {}))
    expect(await centres(-60, { protocol: "released" })).not.toEqual(await centres(70, { protocol: "released" }))
  })

  it("gives -1 without coordinates, and hands on the annotations it is given, with names for its own", async () => {
    const places = [...around([[10, 10], [50, 50]], 5), { lat: Number.NaN, lon: 4 }], cls = Int32Array.from(places.keys())
    const annotations = (name: string) => ({ ...tables(places), annotations: make(Annotations, { sample_id: ids(places), open: { [name]: cls }, metadata: { [name]: "[]" } }) })
    const run = await mine(places, { k: 2 }, annotations("class"))
    expect(run.columns("annotations").open["class"]).toEqual(cls)
    expect(run.tables["annotations"]!.metadata["class"]).toBe("[]")
    expect(run.place.at(-1)).toBe(-1)
    expect(run.names).toEqual(run.centres.map(([lat, lon]) => `${lat.toFixed(5)}, ${lon.toFixed(5)}`))
    expect(run.notices).toEqual(["1 of 11 samples have no coordinates; their place is -1"])
    await expect(mine(places, { k: 2 }, annotations("place"))).rejects.toThrow('have a column "place" already')
  })

  it.each([
    [around([[0, 0]], 5), { k: 6 }, "6 clusters need as many places, and the 5 samples to fit on have 5; ask for fewer by `k`"],
    [Array.from({ length: 9 }, () => ({ lat: 1, lon: 2 })), { k: 2 }, "2 clusters need as many places, and the 9 samples to fit on have 1"],
    [[{ lat: Number.NaN, lon: Number.NaN }], {}, "none of the 1 samples to fit on has coordinates"],
    [[{ lat: 139.7, lon: 35.7 }], { method: "h3" }, "sample 0000 lies at latitude 139.7, longitude 35.7, which is not on earth; are the two swapped"]
  ] satisfies ReadonlyArray<[ReadonlyArray<Place>, object, string]>)("refuses %#", async (places, parameters, message) => {
    await expect(mine(places, parameters)).rejects.toThrow(message)
  })
})
