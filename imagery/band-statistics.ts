/** Statistics of bands over many images: how they are counted, how they lie in a `Weights` table, and how an encoder finds its bands there. */
import * as Effect from "effect/Effect"
import { Stage, type Weights } from "outcrop"
import type { TableInput, TableOf } from "../schemas/table.ts"
import { isHole } from "./nodata.ts"

/** What is known of a band after the pixels met so far. */
export interface Tally {
  n: number
  mean: number
  /** Sum of squared deviations from the mean. */
  squares: number
  min: number
  max: number
  /** Pixels that hold no value. */
  holes: number
}

export const tally = (): Tally => ({ n: 0, mean: 0, squares: 0, min: Infinity, max: -Infinity, holes: 0 })

/**
 * Adds the pixels of a band to its tally; holes (see `isHole`) are counted as such. Moments of one image are taken in two passes and
 * joined to those before (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979), so
 * that no precision is lost over a million images.
 */
export const count = (into: Tally, band: Float32Array, nodata: number): void => {
  let n = 0, sum = 0
  for (const value of band) {
    if (isHole(value, nodata)) continue
    n++
    sum += value
    into.min = Math.min(into.min, value)
    into.max = Math.max(into.max, value)
  }
  into.holes += band.length - n
  if (n === 0) return
  const mean = sum / n
  let squares = 0
  for (const value of band) if (!isHole(value, nodata)) squares += (value - mean) ** 2
  const apart = mean - into.mean, together = into.n + n
  into.squares += squares + apart ** 2 * into.n * n / together
  into.mean += apart * n / together
  into.n = together
}

const known = ({ n }: Tally, value: number): number => n === 0 ? Number.NaN : value
const layers: Readonly<Record<string, (of: Tally) => number>> = {
  mean: (of) => known(of, of.mean),
  sd: ({ n, squares }) => Math.sqrt(squares / n),
  min: (of) => known(of, of.min),
  max: (of) => known(of, of.max),
  nodata: ({ holes, n }) => holes / (holes + n),
  n: ({ n }) => n
}

/** The table of the tallies of bands: one layer a statistic, one value a band; the names are in the metadata `bands`, as a JSON list. */
export const tableOf = (names: ReadonlyArray<string>, tallies: ReadonlyArray<Tally>): TableInput<typeof Weights.columns> => ({
  layer: Object.keys(layers),
  shape: Object.keys(layers).map(() => Float64Array.of(tallies.length)),
  values: Object.values(layers).map((layer) => Float64Array.from(tallies, layer)),
  metadata: { bands: JSON.stringify(names) }
})

const digits = (value: number) => String(Number(value.toPrecision(5)))

/** A tally as a line of text. */
export const inWords = (name: string, of: Tally): string => {
  if (of.n === 0) return `${name}: no value in ${of.holes} pixels`
  const [mean, sd, min, max, nodata] = Object.values(layers).map((layer) => layer(of))
  return `${name}: mean ${digits(mean!)}, sd ${digits(sd!)}, min ${digits(min!)}, max ${digits(max!)}, nodata ${digits(100 * nodata!)}%, n ${of.n}`
}

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** Mean and deviation of each of the bands, in the order given. */
export interface Scale {
  readonly mean: ReadonlyArray<number>
  readonly std: ReadonlyArray<number>
}

/**
 * Finds bands in a table of statistics by their names. A band that does not vary is divided by 1. Fails with a `StageError` where the table
 * holds other weights, where it lacks bands, or where no value of a band was met.
 */
export const scaleOf = (table: TableOf<typeof Weights.columns>, names: ReadonlyArray<string>): Effect.Effect<Scale, Stage.StageError> => {
  const layer = (name: string) => table.values[table.layer.indexOf(name)]
  const mean = layer("mean"), sd = layer("sd"), list = table.metadata["bands"]
  if (mean === undefined || sd === undefined || list === undefined) {
    return fail(`the port "statistics" holds no statistics of bands (its layers are ${table.layer.join(", ")}); bind what ingest/band-statistics gives`)
  }
  const there: ReadonlyArray<string> = JSON.parse(list)
  const missing = names.filter((name) => !there.includes(name))
  if (missing.length > 0) return fail(`the statistics have no band ${missing.join(", ")}; they have ${there.join(", ")}. Give ingest/band-statistics the same "bands"`)
  const empty = names.filter((name) => Number.isNaN(mean[there.indexOf(name)]!))
  if (empty.length > 0) return fail(`no training sample has a value in band ${empty.join(", ")}, so nothing is known of its mean; leave it out of "bands"`)
  return Effect.succeed({ mean: names.map((name) => mean[there.indexOf(name)]!), std: names.map((name) => sd[there.indexOf(name)]! || 1) })
}
