/** Rows of a collection as readers make them, brought into the columns of the samples table. */
import * as Effect from "effect/Effect"
import { type Asset, Stage } from "outcrop"
import type { Box } from "./crop.ts"
import type { Window } from "./window.ts"

export interface Row {
  readonly id: string
  /** Where the row comes from, for messages: a file, a line of a list. */
  readonly from: string
  readonly assets: ReadonlyArray<Asset>
  /** Undefined: the whole image. */
  readonly window?: Window | undefined
  readonly label?: string | undefined
  readonly labels?: ReadonlyArray<string>
  readonly box?: Box | undefined
  readonly lat?: number
  readonly lon?: number
  /** UTC milliseconds. */
  readonly time?: number
  readonly location?: string | undefined
}

const none = [Number.NaN, Number.NaN, Number.NaN, Number.NaN] as const

/** The samples table of rows. Fails where there are none, and where two have one id, naming where both come from. */
export const collect = (rows: ReadonlyArray<Row>) =>
  Effect.gen(function*() {
    if (rows.length === 0) return yield* Effect.fail(new Stage.StageError({ message: "no sample is left: every image or box was missing or dropped" }))
    const seen = new Map<string, string>()
    for (const { from, id } of rows) {
      const other = seen.get(id)
      if (other !== undefined) return yield* Effect.fail(new Stage.StageError({ message: `"${id}" would be the id of two samples: ${other}, and ${from}` }))
      seen.set(id, from)
    }
    return {
      sample_id: rows.map(({ id }) => id),
      assets: rows.map(({ assets }) => assets),
      window: { width: 4, values: Float32Array.from(rows.flatMap(({ window }) => window ?? none)) },
      label: rows.map(({ label }) => label ?? null),
      labels: rows.map(({ labels }) => labels ?? []),
      box: { width: 4, values: Float32Array.from(rows.flatMap(({ box }) => box ?? none)) },
      lat: Float64Array.from(rows, ({ lat }) => lat ?? Number.NaN),
      lon: Float64Array.from(rows, ({ lon }) => lon ?? Number.NaN),
      time: Float64Array.from(rows, ({ time }) => time ?? Number.NaN),
      location: rows.map(({ location }) => location ?? null)
    }
  })
