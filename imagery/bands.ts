/**
 * Bands as a parameter names them: those of the files, and bands derived from these pixel by pixel, such as the ratio of the two
 * polarisations of a radar. Derived bands are made of the values of the files, on the common grid, before any stretch.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Stage } from "outcrop"
import { isHole } from "./nodata.ts"
import { type Located, pixelReader, type Pixels, pixelsOf, type Request as FileRequest } from "./pixels.ts"
import { type Stretch, stretchInPlace } from "./stretch.ts"

const Name = Schema.NonEmptyString
const Two = Schema.Tuple([Name, Name])

/**
 * One band. A name is that of an asset (`B04`); or R, G or B of a picture (a grey picture serves as all three); `image` is every band of
 * the asset of that name. Or it is derived:
 * - `{ db: VV }`: 10 log10 of power; power below 1e-10, zero and negative power too, counts as 1e-10 (-100 dB);
 * - `{ difference: [VV, VH] }`: the first minus the second; of values that are in dB already (BigEarthNet's) it is their ratio in dB;
 * - `{ ratio: [VV, VH] }`: the first over the second; NaN, a hole, where the second is 0.
 *
 * All three are NaN where a value that they take is not finite, or what its file declares as no data: -9999 minus -9999 would be a measurement of 0.
 */
export const Band = Schema.Union([Name, Schema.Struct({ db: Name }), Schema.Struct({ difference: Two }), Schema.Struct({ ratio: Two })])
export type Band = typeof Band.Type

/** Which bands, in which order. */
export const Bands = Schema.NonEmptyArray(Band).annotate({
  description: "the bands, in the order that the encoder takes them: [R, G, B], [B04, B03, B02], or [image]: all bands of a picture; derived ones as " +
    "{ db: VV } (10 log10 of power), { difference: [VV, VH] } (a ratio where values are in dB), { ratio: [VV, VH] }"
})

/** What is read of each sample. */
export interface Request {
  readonly bands: ReadonlyArray<Band>
  readonly stretch: Stretch
}

/** What a band is called in tables and messages. */
export const nameOf = (band: Band): string => {
  if (typeof band === "string") return band
  if ("db" in band) return `dB(${band.db})`
  return "difference" in band ? band.difference.join(" - ") : band.ratio.join(" / ")
}

/**
 * What the `planes` planes that were read for `bands` are called: the bands' names, or `image[0]`, `image[1]`, ... where one entry stands
 * for all of a picture. Undefined where it is one of several entries that does.
 */
export const planeNames = (bands: ReadonlyArray<Band>, planes: number): ReadonlyArray<string> | undefined => {
  const names = bands.map(nameOf)
  if (names.length === planes) return names
  return names.length === 1 ? Array.from({ length: planes }, (_, i) => `${names[0]}[${i}]`) : undefined
}

const sourcesOf = (band: Band): ReadonlyArray<string> =>
  typeof band === "string" ? [band] : "db" in band ? [band.db] : "difference" in band ? band.difference : band.ratio

const leastPower = 1e-10

/** The values of a derived band, made of those of its sources. */
const valuesOf = (band: Exclude<Band, string>, [a, b]: ReadonlyArray<Float32Array>): Float32Array => {
  if ("db" in band) return a!.map((power) => 10 * Math.log10(Math.max(leastPower, power)))
  return a!.map("difference" in band ? (value, i) => value - b![i]! : (value, i) => b![i] === 0 ? Number.NaN : value / b![i]!)
}

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** What to read of the files for a request, and how to make its bands of that. */
const planOf = ({ bands, stretch }: Request): Effect.Effect<{
  readonly files: FileRequest
  readonly derive: (pixels: Pixels, id: string) => Effect.Effect<Pixels, Stage.StageError>
}, Stage.StageError> => {
  const derived = bands.find((band) => typeof band !== "string")
  if (derived === undefined) return Effect.succeed({ files: { bands: bands.map(nameOf), stretch }, derive: Effect.succeed })
  if (stretch !== "none" && "sigma" in stretch) {
    return fail(`"stretch: { sigma }" takes the deviation of the bands of a file, and ${nameOf(derived)} is derived from them; give its bounds, for example "stretch: { range: [-25, 0] }" for dB`)
  }
  const names = [...new Set(bands.flatMap(sourcesOf))]
  const derive = (pixels: Pixels, id: string) => {
    if (pixels.bands !== names.length) {
      return fail(`sample ${id}: ${names.join(", ")} are ${pixels.bands} bands, and beside ${nameOf(derived)} each name has to be one; name the bands of a picture one by one`)
    }
    const size = pixels.height * pixels.width
    const planes = new Map(names.map((name, i) => [name, pixels.values.subarray(i * size, (i + 1) * size)]))
    const nodata = new Map(names.map((name, i) => [name, pixels.nodata[i]!]))
    const measured = (name: string) => planes.get(name)!.map((value) => isHole(value, nodata.get(name)!) ? Number.NaN : value)
    const values = new Float32Array(bands.length * size)
    for (const [i, band] of bands.entries()) values.set(typeof band === "string" ? planes.get(band)! : valuesOf(band, sourcesOf(band).map(measured)), i * size)
    if (stretch !== "none") stretchInPlace(values, stretch.range)
    return Effect.succeed({
      ...pixels,
      bands: bands.length,
      values,
      bytes: stretch !== "none",
      nodata: bands.map((band) => typeof band === "string" ? nodata.get(band)! : Number.NaN)
    })
  }
  return Effect.succeed({ files: { bands: names, stretch: "none" }, derive })
}

/** Makes a function that reads the bands of a row, as `pixelReader` does, derived ones included. Fails where a stretch by sigma is asked of derived bands. */
export const bandReader = Effect.fn("bandReader")(function*(request: Request) {
  const { derive, files } = yield* planOf(request)
  const read = yield* pixelReader(files)
  return (samples: Located, row: number): Effect.Effect<Pixels, Stage.StageError | Stage.FileError> => Effect.flatMap(read(samples, row), (pixels) => derive(pixels, samples.sample_id[row]!))
})

/** The bands of all samples, file by file, as `pixelsOf` gives them, derived ones included. Fails where a stretch by sigma is asked of derived bands. */
export const bandsOf = (samples: Located, request: Request) =>
  Stream.unwrap(Effect.map(planOf(request), ({ derive, files }) =>
    Stream.mapEffect(pixelsOf(samples, files), ({ pixels, row }) => Effect.map(derive(pixels, samples.sample_id[row]!), (made) => ({ row, pixels: made })))))
