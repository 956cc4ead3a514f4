/** How far test samples lie from training samples, in metres along the ground. */
import { within } from "../../math/proximity.ts"
import { greatCircle, unitVectors } from "../../math/sphere.ts"
import { looked, noSplit } from "./disjoint.ts"
import type { Evidence, Partition } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

/** Half the way around the earth: nothing is farther. */
const farthest = 20_100_000

interface Pair {
  readonly from: number
  readonly to: number
  readonly metres: number
}

/** For each test sample with a training sample within `metres`, one such; and the pair that is nearest of all, however far. */
const nearby = ({ rows, samples: { lat, lon } }: Partition, metres: number): { readonly near: ReadonlyArray<Pair>; readonly nearest: Pair | undefined } => {
  const placed = (row: number) => Number.isFinite(lat[row]) && Number.isFinite(lon[row])
  // a place is asked once, however many samples it has
  const places = (of: ReadonlyArray<number>) => [...Map.groupBy(of.filter(placed), (row) => `${lat[row]} ${lon[row]}`).values()]
  const test = places(rows.test), train = places(rows.train).map(([row]) => row!)
  if (test.length === 0 || train.length === 0) return { near: [], nearest: undefined }
  const points = unitVectors(lat, lon), near: Array<Pair> = []
  let nearest: Pair | undefined
  for (let reach = metres; nearest === undefined; reach = Math.min(reach * 4, farthest)) {
    const ask = within(points, train, reach)
    for (const alike of test) {
      let own: Pair | undefined
      ask(alike[0]!, (to) => {
        const pair = { from: alike[0]!, to, metres: greatCircle(lat[alike[0]!]!, lon[alike[0]!]!, lat[to]!, lon[to]!) }
        if (own === undefined || pair.metres < own.metres) own = pair
        return false
      })
      if (own === undefined) continue
      if (nearest === undefined || own.metres < nearest.metres) nearest = own
      if (reach === metres) for (const from of alike) near.push({ ...own, from })
    }
    if (reach === farthest) break
  }
  return { near, nearest }
}

const show = (metres: number) => metres < 1000 ? `${Math.round(metres)} m` : `${(metres / 1000).toFixed(metres < 100_000 ? 1 : 0)} km`

/** No training sample within so many metres of a test sample; failed where the split leaves cells between them free (`buffer`), else a warning. */
export const distanceKept = ({ partitions }: Pick<Evidence, "partitions">, metres: number): Outcome => {
  if (partitions.length === 0) return { inapplicable: noSplit }
  const all = partitions.map((partition) => ({ partition, ...nearby(partition, metres) })), known = all.flatMap(({ nearest }) => nearest === undefined ? [] : [nearest.metres])
  if (known.length === 0) return { inapplicable: "no test sample, or no training sample, has coordinates" }
  const found = all.flatMap(({ near, nearest, partition: { asked, cells, divider, rows, samples } }): ReadonlyArray<Found> => {
    if (near.length === 0) return []
    const claim = asked["group"] === "h3" && Number(asked["buffer"]) > 0
    return [{
      level: claim ? "failed" : "warning",
      kind: "distance",
      what: `${near.length} of ${rows.test.length} test samples lie within ${show(metres)} of a training sample, the nearest ${show(nearest!.metres)} away` +
        (claim ? `, though "${divider.stage}" leaves a buffer of H3 cells between them` : ": neighbours look alike, and the test flatters; `group: h3` with a `buffer` keeps them apart"),
      count: near.length,
      examples: near.toSorted((a, b) => a.metres - b.metres).map(({ from, metres, to }) => `${samples.sample_id[from]} is ${show(metres)} from ${samples.sample_id[to]}`),
      cells
    }]
  })
  return { looked: `${looked(partitions)}; the nearest training sample is ${show(Math.min(...known))} from a test sample`, found }
}
