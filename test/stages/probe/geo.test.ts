import { describe, expect, it } from "vitest"
import { Annotations } from "outcrop"
import { stream } from "../../../math/random.ts"
import { greatCircle, unitVectors } from "../../../math/sphere.ts"
import { make } from "../../../schemas/table.ts"
import geo from "../../../stages/probe/geo.ts"
import { layerOf, measure, predictions } from "./labels.ts"
import { type Row, runStage, tablesOf } from "./run.ts"

type Placed = Row & { readonly place: readonly [number, number] }
/** Places about a centre, within some degrees, and embeddings that hold the point on the sphere beside noise. */
const study = (n: number, [lat, lon]: readonly [number, number], { noise = 0, spread = 10 } = {}): ReadonlyArray<Placed> =>
  Array.from({ length: n }, (_, i) => {
    const random = stream(0, "study", i), north = lat + spread * (2 * random.uniform() - 1), east = lon + spread * (2 * random.uniform() - 1)
    const place = [north, east > 180 ? east - 360 : east] as const, point = unitVectors([place[0]], [place[1]])
    return {
      id: String(i).padStart(4, "0"),
      split: i % 10 < 5 ? "test" : i % 10 < 7 ? "val" : "train",
      place,
      embedding: [...Array.from(point, (x) => x + noise * random.normal()), random.normal(), random.normal()]
    }
  })
const annotated = (rows: ReadonlyArray<Placed>, idOf: (row: Placed) => number, names?: ReadonlyArray<string>) => ({
  ...tablesOf(rows),
  annotations: make(Annotations, { sample_id: rows.map(({ id }) => id), open: { place: Int32Array.from(rows, idOf) }, metadata: names === undefined ? {} : { place: JSON.stringify(names) } })
})
const given = { bootstrap: 0 }

describe("probe/geo", () => {
  const rows = study(200, [47, 10], { noise: 0.02 })

  it("reads a place that the embedding holds, far better than the mean of the places does", async () => {
    const run = await runStage(geo, tablesOf(rows))
    expect(run.notices).toEqual([])
    const median = measure(run, "geo", "median_km")!
    expect(median.value).toBeLessThan(250)
    expect(median.n).toBe(100)
    expect(median.low).toBeLessThan(median.value)
    expect(median.high).toBeGreaterThan(median.value)
    expect(measure(run, "geo", "baseline_median_km")!.value).toBeGreaterThan(2 * median.value)
    const shares = [1, 25, 200, 750, 2500].map((km) => measure(run, "geo", `within_${km}km`)!.value)
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    expect(shares.at(-1)).toBe(1)
  })

  it("keeps the places predicted, in degrees, from which the metrics follow", async () => {
    const run = await runStage(geo, tablesOf(rows), given), km = predictions(run).map(({ predicted, truth }) => greatCircle(truth[0]!, truth[1]!, predicted[0]!, predicted[1]!) / 1000).toSorted((a, b) => a - b)
    expect((km[49]! + km[50]!) / 2).toBeCloseTo(measure(run, "geo", "median_km")!.value, 9)
    expect(km.filter((distance) => distance <= 200).length / 100).toBe(measure(run, "geo", "within_200km")!.value)
  })

  it("is exact where the embedding is the point itself: at the date line, at a pole, and in Europe alike", async () => {
    for (const centre of [[0, 179], [85, 0], [47, 10]] as const) {
      const run = await runStage(geo, tablesOf(study(200, centre, { spread: 4 })), { ...given, alpha: [1e-8] })
      expect(measure(run, "geo", "median_km")!.value).toBeLessThan(1)
    }
  })

  it("reads nothing where the embedding is noise: then it is as far off as the baseline", async () => {
    const run = await runStage(geo, tablesOf(rows.map((row, i) => ({ ...row, embedding: Array.from({ length: 5 }, () => stream(1, "noise", i).normal()) }))), given)
    expect(measure(run, "geo", "median_km")!.value / measure(run, "geo", "baseline_median_km")!.value).toBeGreaterThan(0.85)
  })

  it("answers, as the baseline, the mean direction of the rows fitted: two places, of which one is answered halfway", async () => {
    const ends = rows.map((row, i) => ({ ...row, place: [0, Math.floor(i / 10) % 2 === 0 ? 170 : -170] as const }))
    const run = await runStage(geo, tablesOf(ends), given)
    expect(measure(run, "geo", "baseline_median_km")!.value).toBeCloseTo(greatCircle(0, 170, 0, 180) / 1000, 6)
  })

  it("learns nothing from test rows", async () => {
    const moved = rows.map((row) => row.split === "test" ? { ...row, place: [-40, 100] as const, embedding: row.embedding!.map((x) => -x) } : row)
    const [run, other] = [await runStage(geo, tablesOf(rows), given), await runStage(geo, tablesOf(moved), given)]
    expect(other.columns("weights")).toEqual(run.columns("weights"))
  })

  it("leaves samples without coordinates out, with a count; without any it is an error, and so are places not on earth", async () => {
    const nowhere = (row: Placed): Row => ({ id: row.id, split: row.split, embedding: row.embedding! })
    const run = await runStage(geo, tablesOf(rows.map((row, i) => i < 20 ? nowhere(row) : row)), given)
    expect(run.notices).toEqual(["20 of 200 samples have no coordinates and are left out"])
    expect(measure(run, "geo", "median_km")!.n).toBe(90)
    await expect(runStage(geo, tablesOf(rows.map(nowhere)))).rejects.toThrow("no training sample has coordinates (lat, lon)")
    await expect(runStage(geo, tablesOf(study(20, [40, -100]).map((row) => ({ ...row, place: [row.place[1], row.place[0]] as const }))))).rejects.toThrow(/sample 000\d lies at latitude -\d+\.\d+, longitude \d+\.\d+, which is not on earth/)
  })

  it("refuses to choose alpha without validation rows", async () => {
    await expect(runStage(geo, tablesOf(rows.map((row) => row.split === "val" ? { ...row, split: "train" as const } : row)))).rejects.toThrow("alpha has 6 values to choose from on validation rows")
  })

  it("tells clusters apart where annotations are bound: by name where they have names", async () => {
    const quarter = (row: Placed) => (row.place[0] > 47 ? 2 : 0) + (row.place[1] > 10 ? 1 : 0)
    const run = await runStage(geo, annotated(rows, quarter, ["south-west", "south-east", "north-west", "north-east"]), given)
    expect(run.notices).toEqual([])
    expect(measure(run, "cluster", "accuracy")!.value).toBeGreaterThan(0.75)
    expect(measure(run, "cluster", "f1", "north-east")!.value).toBeGreaterThan(0.7)
    expect(measure(run, "geo", "median_km")).toBeDefined()
    expect(measure(await runStage(geo, annotated(rows, quarter), given), "cluster", "f1", "3")!.value).toBe(measure(run, "cluster", "f1", "north-east")!.value)
    expect(layerOf(run, "cluster.C")).toHaveLength(1)
  })

  it("leaves samples in no cluster out, counts a cluster of test samples alone as wrong, and leaves a single cluster be", async () => {
    const run = await runStage(geo, annotated(rows, (row) => Number(row.id) < 10 ? -1 : row.split === "test" && Number(row.id) < 100 ? 7 : row.place[0] > 47 ? 1 : 0), given)
    expect(run.notices).toEqual(["10 of 200 samples are in no cluster and are left out of the task cluster", "no training sample is in the cluster \"7\", which 45 other samples are in: it is never predicted"])
    expect(measure(run, "cluster", "accuracy")!.n).toBe(95)
    const single = await runStage(geo, annotated(rows, () => 0), given)
    expect(single.notices).toEqual(["the training samples are in 1 cluster of place, and to tell clusters apart takes two: the task cluster is left out"])
    expect(measure(single, "cluster", "accuracy")).toBeUndefined()
  })

  it("refuses an annotation that holds no class ids", async () => {
    const scores = make(Annotations, { sample_id: rows.map(({ id }) => id), open: { place: new Float32Array(rows.length) } })
    await expect(runStage(geo, { ...tablesOf(rows), annotations: scores })).rejects.toThrow("the annotation column place holds no class ids (int32)")
  })
})
