/** Image files as readers find them: their size, bands and position, and what is to be done where one cannot be read. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Asset, Stage } from "outcrop"
import { greatCircle } from "../math/sphere.ts"
import { type GeoReference, locator, wrongDegrees } from "./georeference.ts"
import { decode, headerAt } from "./raster.ts"
import type { Size } from "./window.ts"

export { timeIn, timeOf } from "./dates.ts"

/** An image in one file or several, one a band; pixels are those of the first file. */
export interface Source extends Size {
  readonly assets: ReadonlyArray<Asset>
  /** Where the image lies; undefined: the file does not say. */
  readonly geo: GeoReference | undefined
  /** Degrees of WGS84 at a pixel position; NaN where the file does not say. */
  readonly locate: (x: number, y: number) => { readonly lat: number; readonly lon: number }
}

/** Parameters of the readers of image files. */
export const parameters = {
  bands: Schema.optionalKey(
    Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "names of the bands in the order of the file ([B04, B03, B02]); without, a picture's bands are R, G and B" })
  ),
  onError: Stage.withDefault(
    Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where an image does not decode; `skip` decodes every image to find out, `stop` reads headers only" }),
    "stop"
  )
}
export interface Reading {
  readonly bands?: readonly [string, ...ReadonlyArray<string>]
  readonly onError: "stop" | "skip"
}

/** Metres a pixel at a latitude: exact for UTM; Mercator's metres shrink with the latitude; degrees are taken along the meridian. */
export const gsdOf = ({ epsg, resolution: [, down] }: GeoReference, lat: number): number => {
  if (epsg === 4326) return Math.abs(down) * 111_320
  return Math.abs(down) * (epsg === 3857 || epsg === 3395 ? Math.cos(lat * Math.PI / 180) : 1)
}

/**
 * Opens one file with all of its bands, or files of one band each; among several, the one called `image` may have several bands, as a picture
 * beside its mask. Fails with a `StageError` that names the file: it cannot be read, has other bands than named, lies outside the degrees of
 * the earth, or does not cover the ground of the first one. Corners may lie a pixel of the coarser file apart: grids of 10 and 60 m do not
 * meet to the pixel.
 */
export const openSource = Effect.fn("openSource")(function*(paths: readonly [string, ...ReadonlyArray<string>], { bands, onError }: Reading) {
  const files = yield* Stage.Files
  const opened = yield* Effect.forEach(paths, Effect.fnUntraced(function*(path, i) {
    const header = yield* onError === "skip" ? Effect.flatMap(files.read(path), (bytes) => decode(bytes, path)) : headerAt(path)
    const named = paths.length === 1 ? bands : bands![i] === "image" ? undefined : [bands![i]!]
    if (named !== undefined && named.length !== header.bands) {
      return yield* Effect.fail(new Stage.StageError({ message: `${path} has ${header.bands} bands, but ${named.length} names are given: ${named.join(", ")}` }))
    }
    const { geo, height, width } = header
    const locate = yield* Effect.promise(async () => geo === undefined ? () => ({ lat: Number.NaN, lon: Number.NaN }) : await locator(geo))
    const centre = locate(width / 2, height / 2)
    const wrong = Number.isNaN(centre.lat) ? undefined : wrongDegrees(centre.lat, centre.lon)
    if (wrong !== undefined) return yield* Effect.fail(new Stage.StageError({ message: `the centre of ${path} lies at ${wrong}` }))
    const gsd = geo === undefined ? Number.NaN : gsdOf(geo, centre.lat)
    const asset = { path, digest: yield* files.digest(path), gsd }
    const assets: ReadonlyArray<Asset> = named === undefined ? [{ band: "image", index: -1, ...asset }] : named.map((band, index) => ({ band, index, ...asset }))
    return { assets, corners: [locate(0, 0), locate(width, height)], geo, gsd, height, locate, path, width }
  }))
  const { corners, geo, gsd, height, locate, path, width } = opened[0]!
  for (const other of opened) {
    const apart = Math.max(...corners.map(({ lat, lon }, i) => greatCircle(lat, lon, other.corners[i]!.lat, other.corners[i]!.lon)))
    // the sphere's metres are up to 0.6% off
    if (apart > 1.006 * Math.max(gsd, other.gsd)) {
      return yield* Effect.fail(new Stage.StageError({ message: `${path} and ${other.path} are no bands of one image: their corners lie ${apart < 10 ? apart.toFixed(1) : Math.round(apart)} m apart` }))
    }
  }
  return { assets: opened.flatMap((one) => one.assets), geo, height, locate, width } satisfies Source
})

/** Opens many images, eight at a time; those that cannot be read stop the stage, or are left out, counted and listed. */
export const openAll = Effect.fn("openAll")(function*<A, B>(
  items: ReadonlyArray<A>,
  onError: Reading["onError"],
  open: (item: A) => Effect.Effect<B, Stage.StageError | Stage.FileError, Stage.Files>
) {
  const report = yield* Stage.Report
  const lost: Array<string> = []
  let done = 0
  const found = yield* Effect.forEach(items, (item) =>
    Effect.flatMap(
      Effect.catchTag(open(item), "StageError", (error) => {
        if (onError === "stop") return Effect.fail(new Stage.StageError({ message: `${error.message}; \`onError: skip\` goes on without it` }))
        lost.push(error.message)
        return Effect.succeed(undefined)
      }),
      (result) => Effect.as(++done % 64 === 0 ? report.progress(done, items.length) : Effect.void, result)
    ), { concurrency: 8 })
  if (lost.length > 0) yield* Stage.notice(`images left out because they cannot be read: ${lost.length} of ${items.length} (${lost.toSorted().join("; ")})`)
  return found.flatMap((one) => one === undefined ? [] : [one])
})

const extensions = ["avif", "bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"]
/** Whether a file's name says that it is an image. */
export const isImage = (path: string): boolean => extensions.includes(path.slice(path.lastIndexOf(".") + 1).toLowerCase())

/** A path of a folder and a name in it; "." is the root. */
export const join = (folder: string, name: string): string => {
  const clean = folder.replace(/^(\.\/)+|\/+$/g, "")
  return clean === "" || clean === "." ? name : `${clean}/${name}`
}

/** A path without its extension. */
export const stemOf = (path: string): string => {
  const dot = path.lastIndexOf(".")
  return dot > path.lastIndexOf("/") + 1 ? path.slice(0, dot) : path
}

/** All files below a folder, as paths below the root, in byte order. */
export const filesBelow = (folder: string): Effect.Effect<ReadonlyArray<string>, Stage.FileError, Stage.Files> =>
  Effect.gen(function*() {
    const files = yield* Stage.Files
    const names = yield* files.list(folder)
    const nested = yield* Effect.forEach(names, (name) => name.endsWith("/") ? filesBelow(join(folder, name)) : Effect.succeed([join(folder, name)]))
    return nested.flat()
  })

/** Says that nothing was found in the folders of these parameters. */
export const noneIn = (folders: Readonly<Record<string, string | undefined>>): string => {
  const named = Object.entries(folders).flatMap(([name, folder]) => folder === undefined ? [] : [`\`${name}: ${folder}\``])
  return `none was found in ${named.join(", ")}: is that the right folder?`
}

/**
 * What there is no file for stops the stage, or is left out with a count; all of it stops the stage in any case. `what` says what is lost, of
 * how many; `advice` what may be wrong where nothing is left.
 */
export const leaveOut = (what: string, lost: ReadonlyArray<string>, total: number, missing: "stop" | "skip", advice: string): Effect.Effect<void, Stage.StageError, Stage.Report> => {
  if (lost.length === 0) return Effect.void
  const message = `${what}: ${lost.length} of ${total} (${lost.slice(0, 5).join(", ")}${lost.length > 5 ? ", ..." : ""})`
  if (lost.length === total) return Effect.fail(new Stage.StageError({ message: `${message}; ${advice}` }))
  return missing === "skip" ? Stage.notice(message) : Effect.fail(new Stage.StageError({ message: `${message}; \`missing: skip\` goes on without them` }))
}
