import { describe, expect, it } from "vitest"
import { kmeans, lloyd, nearest } from "../../math/kmeans.ts"
import type { Matrix } from "../../math/matrix.ts"
import { stream } from "../../math/random.ts"
import { chordOf, greatCircle, placeOf, unitVectors } from "../../math/sphere.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

interface Case {
  readonly k: number
  readonly init: Rows
  readonly centers: Rows
  readonly inertia: number
  readonly labels: ReadonlyArray<number>
}
const expected = oracle<{ readonly kmeans: { readonly points: Rows; readonly cases: ReadonlyArray<Case> } }>("probes")

/** Whether two labellings are the same up to the names of the labels. */
const alike = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  const pairs = new Set(Array.from(a, (label, i) => `${label} ${b[i]}`))
  return pairs.size === new Set(Array.from(a)).size && pairs.size === new Set(Array.from(b)).size
}

describe.skipIf(expected === undefined)("Lloyd's iterations against scikit-learn (skipped without the oracles)", () => {
  for (const [i, { centers, inertia, init, k, labels }] of (expected?.kmeans.cases ?? []).entries()) {
    it(`${k} clusters from given centres, case ${i}`, () => {
      const found = lloyd(matrix(expected!.kmeans.points), matrix(init))
      expect(found.inertia).toBeCloseTo(inertia, 9)
      expect(alike(found.labels, labels)).toBe(true)
      const sorted = centers.toSorted((a, b) => a[0]! - b[0]!)
      for (const [j, value] of sorted.flat().entries()) expect(found.centres.values[j]).toBeCloseTo(value, 9)
    })
  }
})

const clouds = (n: number, means: Rows, seed: number) => {
  const random = stream(seed, "clouds")
  return matrix(Array.from({ length: n }, (_, i) => means[i % means.length]!.map((mean) => mean + 0.3 * random.normal())))
}

/** Lloyd's iterations as they are defined: every row asks every centre. No cluster may lose its last row. */
const plainLloyd = (x: Matrix, start: Matrix, most: number) => {
  const k = start.rows, { columns: d } = x, values = Float64Array.from(start.values), centres = { rows: k, columns: d, values }
  let { labels } = nearest(x, centres)
  for (let iteration = 0; iteration < most; iteration++) {
    values.fill(0)
    const counts = new Int32Array(k)
    for (const [i, label] of labels.entries()) {
      counts[label]!++
      for (let j = 0; j < d; j++) values[label * d + j]! += x.values[i * d + j]!
    }
    if (counts.includes(0)) return undefined
    for (let c = 0; c < k; c++) for (let j = 0; j < d; j++) values[c * d + j]! /= counts[c]!
    labels = nearest(x, centres).labels
  }
  return { centres: [...values], labels: [...labels] }
}

describe("lloyd", () => {
  it("leaves out only what cannot be nearer: the same bits as asking every centre, ties and coincident centres among them", () => {
    let compared = 0
    for (let seed = 0; seed < 60; seed++) {
      const random = stream(seed, "lloyd"), n = 20 + random.integer(300), d = 1 + random.integer(4), k = 2 + random.integer(12)
      // Rows on a coarse grid: many at the same place, many as near to one centre as to another.
      const x = { rows: n, columns: d, values: Float64Array.from({ length: n * d }, () => seed % 2 === 0 ? random.integer(6) : random.normal()) }
      const start = { rows: k, columns: d, values: x.values.slice(0, k * d) }, plain = plainLloyd(x, start, 4)
      if (plain === undefined) continue
      compared++
      const found = lloyd(x, start, 4), order = [...Array(k).keys()].map((c) => plain.centres.slice(c * d, c * d + d))
      expect(Array.from(found.labels, (label) => [...found.centres.values.subarray(label * d, label * d + d)])).toEqual(plain.labels.map((label) => order[label]))
    }
    expect(compared).toBeGreaterThan(20)
  })
})

describe("kmeans", () => {
  it("finds clouds that stand apart, and names them the same from any seed", () => {
    const x = clouds(90, [[5, 0], [0, 0], [0, 5]], 0)
    for (let seed = 0; seed < 5; seed++) {
      const { labels } = kmeans(x, 3, 5, stream(seed, "start"))
      // In the order of the centres: (0, 0), (0, 5), (5, 0) by their first and then second coordinate.
      expect(new Set(labels.filter((_, i) => i % 3 === 0))).toEqual(new Set([2]))
      expect(new Set(labels).size).toBe(3)
    }
  })
  it("leaves every row with its nearest centre, and every centre at the mean of its rows", () => {
    const x = clouds(200, [[0, 0]], 1), { centres, inertia, labels } = kmeans(x, 7, 3, stream(0, "start"))
    const { distances, labels: near } = nearest(x, centres)
    expect(labels).toEqual(near)
    expect(distances.reduce((sum, distance) => sum + distance, 0)).toBeCloseTo(inertia, 12)
    for (let c = 0; c < 7; c++) {
      const own = [...labels.keys()].filter((i) => labels[i] === c)
      expect(own.length).toBeGreaterThan(0)
      for (let j = 0; j < 2; j++) expect(own.reduce((sum, i) => sum + x.values[i * 2 + j]!, 0) / own.length).toBeCloseTo(centres.values[c * 2 + j]!, 12)
    }
  })
  it("gives an emptied cluster the row that is worst off", () => {
    // The third centre lies so far out that it has no row at first.
    const { inertia, labels } = lloyd(matrix([[0], [1], [10], [11]]), matrix([[0], [10], [1000]]))
    expect(new Set(labels).size).toBe(3)
    expect(inertia).toBeCloseTo(0.5, 12)
  })
  it("makes one cluster a row where there are as many, and none where there are fewer rows", () => {
    expect(kmeans(matrix([[3], [1], [2]]), 3, 1, stream(0, "start")).labels).toEqual(Int32Array.of(2, 0, 1))
    expect(() => kmeans(matrix([[3], [1]]), 3, 1, stream(0, "start"))).toThrow("2 rows make no 3 clusters")
  })
})

describe("spherical k-means", () => {
  it("brings centres back to the sphere: two places on a parallel have their centre between them, along the ground", () => {
    const x = { rows: 4, columns: 3, values: unitVectors([60, 60, -20, -20], [179, -179, 40, 44]) }
    const { centres, inertia } = lloyd(x, { rows: 2, columns: 3, values: Float64Array.from([...x.values.subarray(0, 3), ...x.values.subarray(6, 9)]) }, undefined, "sphere")
    const places = [0, 3].map((at) => placeOf(centres.values[at]!, centres.values[at + 1]!, centres.values[at + 2]!))
    // The middle of a great circle lies further from the equator than its ends: tan of its latitude is tan(ends) / cos(half the way in longitude).
    const middle = (lat: number, half: number) => Math.atan(Math.tan(lat * Math.PI / 180) / Math.cos(half * Math.PI / 180)) * 180 / Math.PI
    expect(places[0]!.lat).toBeCloseTo(middle(60, 1), 9)
    expect(Math.abs(places[0]!.lon)).toBeCloseTo(180, 9)
    expect(places[1]!.lat).toBeCloseTo(middle(-20, 2), 9)
    expect(places[1]!.lon).toBeCloseTo(42, 9)
    const squared = (lat: number, lon: number, half: number) => chordOf(greatCircle(lat, lon, middle(lat, half), lon + half)) ** 2
    expect(inertia).toBeCloseTo(2 * squared(60, 0, 1) + 2 * squared(-20, 0, 2), 12)
  })
  it("takes the first of rows that cancel out", () => {
    const { centres } = lloyd(matrix([[1, 0, 0], [-1, 0, 0]]), matrix([[0, 0, 1]]), undefined, "sphere")
    expect([...centres.values]).toEqual([1, 0, 0])
  })
  it("does not get worse from one iteration to the next", () => {
    const random = stream(0, "globe"), n = 300
    const x = { rows: n, columns: 3, values: unitVectors(Float64Array.from({ length: n }, () => Math.asin(2 * random.uniform() - 1) * 180 / Math.PI), Float64Array.from({ length: n }, () => 360 * random.uniform())) }
    const start = { rows: 9, columns: 3, values: Float64Array.from(x.values.subarray(0, 27)) }
    const inertias = Array.from({ length: 12 }, (_, most) => lloyd(x, start, most + 1, "sphere").inertia)
    for (const [i, inertia] of inertias.entries()) expect(inertia).toBeLessThanOrEqual((inertias[i - 1] ?? Infinity) + 1e-12)
    expect(inertias.at(-1)).toBeLessThan(inertias[0]!)
  })
})
