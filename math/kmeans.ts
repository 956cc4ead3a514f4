/**
 * k-means: Lloyd's iterations from k-means++ starts (Arthur & Vassilvitskii, SODA 2007), the best of several. Exact and deterministic. Of points on
 * the unit sphere also spherical k-means (Dhillon & Modha, Machine Learning 42, 2001): centres are brought back to the sphere.
 */
import type { Matrix } from "./matrix.ts"
import type { Random } from "./random.ts"

export interface Clustering {
  /** [k, d] float64, in lexicographic order of the centres, so that the same clusters have the same ids whatever the start was. */
  readonly centres: Matrix
  /** Cluster of each row [n]. */
  readonly labels: Int32Array
  /** Sum over rows of the squared distance to the row's centre. */
  readonly inertia: number
}

const squaredDistance = (x: Matrix, i: number, centres: Matrix, c: number): number => {
  let sum = 0
  for (let j = 0; j < x.columns; j++) sum += (x.values[i * x.columns + j]! - centres.values[c * x.columns + j]!) ** 2
  return sum
}

/** The nearest centre of each row; of equally near ones the first. */
export const nearest = (x: Matrix, centres: Matrix): { readonly labels: Int32Array; readonly distances: Float64Array } => {
  const labels = new Int32Array(x.rows), distances = new Float64Array(x.rows).fill(Infinity)
  for (let i = 0; i < x.rows; i++) {
    for (let c = 0; c < centres.rows; c++) {
      const distance = squaredDistance(x, i, centres, c)
      if (distance < distances[i]!) {
        distances[i] = distance
        labels[i] = c
      }
    }
  }
  return { labels, distances }
}

/**
 * The nearest centre of each row, as `nearest` gives it to the bit, from labels that are right for most rows. A centre that is more than
 * twice as far from a row's own centre as the row is cannot be nearer to the row (triangle inequality; Phillips, ALENEX 2002), so the others are
 * asked in the order of their distance from it, until the first such.
 */
const nearestFrom = (x: Matrix, centres: Matrix, old: Int32Array): { readonly labels: Int32Array; readonly distances: Float64Array } => {
  const { columns: d, rows: n, values } = x, k = centres.rows, means = centres.values
  const order = new Int32Array(k * k), gaps = new Float64Array(k * k), own = new Float64Array(k)
  for (let c = 0; c < k; c++) {
    for (let o = 0; o < k; o++) own[o] = squaredDistance(centres, c, centres, o)
    // The centre itself comes first: of those at distance 0 whichever does is asked or equal.
    order.set(Int32Array.from(own.keys()).toSorted((a, b) => own[a]! - own[b]!), c * k)
    for (let at = 0; at < k; at++) gaps[c * k + at] = own[order[c * k + at]!]!
  }
  const labels = new Int32Array(n), distances = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const from = old[i]! * k, row = i * d
    let label = 0, least = Infinity, bound = Infinity
    for (let at = from; at < from + k && gaps[at]! <= bound; at++) {
      const c = order[at]!, centre = c * d
      let distance = 0
      for (let j = 0; j < d; j++) {
        const difference = values[row + j]! - means[centre + j]!
        distance += difference * difference
      }
      if (distance < least || (distance === least && c < label)) {
        least = distance
        label = c
      }
      // In squares, and by more than rounding moves them.
      if (at === from) bound = 4 * distance * (1 + 1e-9) + 1e-300
    }
    labels[i] = label
    distances[i] = least
  }
  return { labels, distances }
}

const rowOf = (x: Matrix, i: number): Float64Array => Float64Array.from(x.values.subarray(i * x.columns, (i + 1) * x.columns))

/** k rows of x as centres: the first at random, each further one with a chance that grows with the squared distance to those before. */
export const plusPlus = (x: Matrix, k: number, random: Random): Matrix => {
  const values = new Float64Array(k * x.columns)
  const centres: Matrix = { rows: k, columns: x.columns, values }
  const distances = new Float64Array(x.rows).fill(Infinity)
  let chosen = random.integer(x.rows)
  for (let c = 0; c < k; c++) {
    values.set(rowOf(x, chosen), c * x.columns)
    let total = 0
    for (let i = 0; i < x.rows; i++) {
      distances[i] = Math.min(distances[i]!, squaredDistance(x, i, centres, c))
      total += distances[i]!
    }
    let left = random.uniform() * total
    for (let i = 0; i < x.rows; i++) {
      if (distances[i] === 0) continue
      chosen = i
      left -= distances[i]!
      if (left < 0) break
    }
  }
  return centres
}

/** Where centres lie: anywhere, or on the unit sphere, as the rows then do. */
export type Surface = "flat" | "sphere"

/** Brings the mean of the rows of a cluster to length 1; rows that cancel out to nothing leave the first of them. */
const toSphere = (x: Matrix, centres: Matrix, labels: Int32Array): void => {
  const { columns: d, values } = centres
  for (let c = 0; c < centres.rows; c++) {
    const centre = values.subarray(c * d, (c + 1) * d)
    let length = Math.hypot(...centre)
    if (length < 1e-12) {
      centre.set(rowOf(x, labels.indexOf(c)))
      length = Math.hypot(...centre)
    }
    for (let j = 0; j < d; j++) centre[j]! /= length
  }
}

/** Centres in lexicographic order, and each row's label after it. */
const canonical = (centres: Matrix, labels: Int32Array, inertia: number): Clustering => {
  const rows = Array.from({ length: centres.rows }, (_, c) => ({ c, centre: rowOf(centres, c) }))
  rows.sort((a, b) => {
    const j = a.centre.findIndex((value, j) => value !== b.centre[j])
    return j < 0 ? a.c - b.c : a.centre[j]! - b.centre[j]!
  })
  const values = new Float64Array(centres.values.length), rank = new Int32Array(centres.rows)
  for (const [at, { c, centre }] of rows.entries()) {
    values.set(centre, at * centres.columns)
    rank[c] = at
  }
  return { centres: { ...centres, values }, labels: labels.map((c) => rank[c]!), inertia }
}

/**
 * Lloyd's iterations from given centres [k, d] until no label changes, at most so many. A cluster that loses its last row takes the row that
 * is farthest from its own centre, as in scikit-learn.
 */
export const lloyd = (x: Matrix, start: Matrix, most = 300, surface: Surface = "flat"): Clustering => {
  const { columns: d, rows: n } = x, k = start.rows
  const values = Float64Array.from(start.values)
  const centres: Matrix = { rows: k, columns: d, values }
  let { distances, labels } = nearest(x, centres)
  for (let iteration = 0; iteration < most; iteration++) {
    const counts = new Int32Array(k)
    for (const label of labels) counts[label]!++
    for (let c = 0; c < k; c++) {
      if (counts[c]! > 0) continue
      let farthest = -1
      for (let i = 0; i < n; i++) if (counts[labels[i]!]! > 1 && (farthest < 0 || distances[i]! > distances[farthest]!)) farthest = i
      if (farthest < 0) break
      counts[labels[farthest]!]!--
      labels[farthest] = c
      distances[farthest] = 0
      counts[c] = 1
    }
    values.fill(0)
    for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) values[labels[i]! * d + j]! += x.values[i * d + j]!
    for (let c = 0; c < k; c++) for (let j = 0; j < d; j++) values[c * d + j]! /= Math.max(1, counts[c]!)
    if (surface === "sphere") toSphere(x, centres, labels)
    const next = nearestFrom(x, centres, labels)
    let settled = true
    for (let i = 0; i < n && settled; i++) settled = next.labels[i] === labels[i]
    labels = next.labels
    distances = next.distances
    if (settled) break
  }
  return canonical(centres, labels, distances.reduce((sum, distance) => sum + distance, 0))
}

/** The clustering of least inertia among `restarts` runs from k-means++ starts. Throws a RangeError where there are fewer rows than clusters. */
export const kmeans = (x: Matrix, k: number, restarts: number, random: Random, surface: Surface = "flat"): Clustering => {
  if (x.rows < k) throw new RangeError(`${x.rows} rows make no ${k} clusters`)
  let best: Clustering | undefined
  for (let run = 0; run < restarts; run++) {
    const found = lloyd(x, plusPlus(x, k, random), undefined, surface)
    // Runs that differ by rounding alone found the same clusters: keep the first.
    if (best === undefined || found.inertia < best.inertia * (1 - 1e-12)) best = found
  }
  return best!
}
