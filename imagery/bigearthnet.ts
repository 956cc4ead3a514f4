/** What both versions of BigEarthNet share: a patch is a folder that bears its name, with one TIFF a band. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { sentinel1, sentinel2 } from "./sentinel.ts"
import { join, openSource, parameters as reading } from "./source.ts"

/** Parameters of the readers of BigEarthNet. The folders named say what is read: both of them make one sample of both satellites. */
export const parameters = {
  s2: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder of the Sentinel-2 patches" })),
  s1: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder of the Sentinel-1 patches; with s2, a sample has the bands of both" })),
  bands: Schema.optionalKey(
    Schema.NonEmptyArray(Schema.Literals([...sentinel2, ...sentinel1])).annotate({ description: "which bands, in this order: [B04, B03, B02, VV]; without, all of the folders named" })
  ),
  missing: Stage.withDefault(Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where a patch that is listed has no folder, or a folder is not listed" }), "stop"),
  onError: reading.onError
}
interface Parameters {
  readonly s2?: string
  readonly s1?: string
  readonly bands?: readonly [string, ...ReadonlyArray<string>]
}

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** One satellite's view of a patch. */
export interface Shot {
  readonly folder: string
  readonly name: string
}
/** A patch to be opened. */
export interface Patch {
  readonly s2?: Shot | undefined
  readonly s1?: Shot | undefined
}

/** The bands to be read, of the folders named. Fails where there is none, or a band of a satellite without a folder. */
export const bandsOf = ({ bands, s1, s2 }: Parameters): Effect.Effect<ReadonlyArray<string>, Stage.StageError> => {
  if (s1 === undefined && s2 === undefined) return fail("name the folder of the Sentinel-2 patches in `s2`, of the Sentinel-1 patches in `s1`, or both")
  if (bands === undefined) return Effect.succeed([...(s2 === undefined ? [] : sentinel2), ...(s1 === undefined ? [] : sentinel1)])
  const twice = bands.find((band, i) => bands.indexOf(band) < i)
  if (twice !== undefined) return fail(`the band ${twice} is asked for twice`)
  const stray = bands.find((band) => (ofS1(band) ? s1 : s2) === undefined)
  if (stray !== undefined) return fail(`the band ${stray} is one of Sentinel-${ofS1(stray) ? 1 : 2}, whose folder is not named: give \`${ofS1(stray) ? "s1" : "s2"}\``)
  return Effect.succeed(bands)
}
const ofS1 = (band: string): boolean => sentinel1.some((name) => name === band)

/**
 * Opens the bands of a patch, `<folder>/<name>/<name>_<band>.tif`, in the order asked for, and an extra file as an asset of the name
 * given. Headers only, unless `onError` is skip. Fails where a band is missing, is no single band, or lies elsewhere than the others.
 */
export const openPatch = Effect.fn("openPatch")(function*(patch: Patch, bands: ReadonlyArray<string>, onError: "stop" | "skip", extra?: { readonly band: string; readonly path: string }) {
  const files = yield* Stage.Files
  const paths: Array<string> = []
  const listings = new Map<string, ReadonlyArray<string>>()
  for (const band of bands) {
    const shot = ofS1(band) ? patch.s1 : patch.s2
    if (shot === undefined) return yield* fail(`there is no patch for the band ${band}`)
    const folder = join(shot.folder, shot.name), file = `${shot.name}_${band}.tif`
    const names = listings.get(folder) ?? (yield* files.list(folder))
    listings.set(folder, names)
    if (!names.includes(file)) return yield* fail(`${folder} lacks the band ${band}: there is no ${file}`)
    paths.push(join(folder, file))
  }
  const [first, ...rest] = extra === undefined ? paths : [...paths, extra.path]
  const [name, ...names] = extra === undefined ? bands : [...bands, extra.band]
  if (first === undefined || name === undefined) return yield* fail("no band is asked for")
  return yield* openSource([first, ...rest], { bands: [name, ...names], onError })
})

/**
 * The square of the Sentinel-2 tiling grid that a patch is, as `33UUP_61_39` (tile, column, row): what the satellites' names of one patch
 * share, and patches of one place on other dates.
 */
export const squareOf = (name: string): string | undefined => /_T?(\d{2}[A-Z]{3}_\d+_\d+)$/.exec(name)?.[1]
