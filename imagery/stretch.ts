/** Brings the values of a scene (16-bit reflectance, float backscatter) to 0..255, the range that most encoders were trained on. */
import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { isHole } from "./nodata.ts"
import type { Values } from "./raster.ts"

const Range = Schema.Tuple([Schema.Finite, Schema.Finite]).check(
  Schema.makeFilter(([low, high]) => low < high || `the lower bound ${low} is not below the upper bound ${high}`)
)

/**
 * How values are brought to 0..255:
 * - `none`: they stay as they are in the file;
 * - `{ range: [low, high] }`: clipped to low..high, which become 0 and 255;
 * - `{ sigma: k, over: band }`: each band is clipped to its mean +- k standard deviations over the whole scene (the file, not the window),
 *   which become 0 and 255. With k = 2 the input rule of SoftCon (Wang, Albrecht and Zhu 2024, released code), which takes mean and
 *   deviation over its data set;
 * - `{ sigma: k, over: scene }`: the same with one mean and deviation of all bands asked for together, which keeps the colours.
 *
 * Results are not rounded to whole levels (the papers' 8-bit files are).
 */
export const Stretch = Schema.Union([
  Schema.Literal("none"),
  Schema.Struct({ range: Range }),
  Schema.Struct({
    sigma: Schema.Finite.check(Schema.isGreaterThan(0)),
    over: Stage.withDefault(Schema.Literals(["band", "scene"]), "band")
  })
]).annotate({
  description: "how values become 0..255: none; { range: [low, high] }; { sigma: k, over: band | scene }: mean +- k sd of each band of the scene, or of all bands together"
})
export type Stretch = typeof Stretch.Type

/** The values that become 0 and 255. */
export type Bounds = readonly [low: number, high: number]

/** Count, mean and sum of squared deviations of the values of a band. */
export interface Moments {
  readonly count: number
  readonly mean: number
  readonly squares: number
}

/** Moments of a band; holes (see `isHole`) do not count. */
export const momentsOf = (band: Values, nodata: number): Moments => {
  let count = 0, sum = 0
  for (let i = 0; i < band.length; i++) {
    if (isHole(band[i]!, nodata)) continue
    count++
    sum += band[i]!
  }
  const mean = count === 0 ? 0 : sum / count
  let squares = 0
  for (let i = 0; i < band.length; i++) if (!isHole(band[i]!, nodata)) squares += (band[i]! - mean) ** 2
  return { count, mean, squares }
}

/** Mean +- `sigma` standard deviations (population) of bands taken together. NaN where they hold no value at all. */
export const spread = (sigma: number, bands: ReadonlyArray<Moments>): Bounds => {
  const count = bands.reduce((sum, band) => sum + band.count, 0)
  const mean = bands.reduce((sum, band) => sum + band.count * band.mean, 0) / count
  const squares = bands.reduce((sum, band) => sum + band.squares + band.count * (band.mean - mean) ** 2, 0)
  const reach = sigma * Math.sqrt(squares / count)
  return [mean - reach, mean + reach]
}

/**
 * Clips values to the bounds and scales them to 0..255, in place. NaN (a hole) becomes 0. Where both bounds are the same value (a flat
 * band), that value becomes 127.5, as the mean of any other band does.
 */
export const stretchInPlace = (values: Float32Array, [low, high]: Bounds): void => {
  const factor = 255 / (high - low)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (Number.isNaN(value) || Number.isNaN(low)) values[i] = 0
    else values[i] = low === high ? (value < low ? 0 : value > high ? 255 : 127.5) : (Math.min(high, Math.max(low, value)) - low) * factor
  }
}
