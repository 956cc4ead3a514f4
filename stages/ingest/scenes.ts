import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { BlockCache } from "../../imagery/blocks.ts"
import { collect, type Row } from "../../imagery/collection.ts"
import { dateReader, dating } from "../../imagery/dates.ts"
import { type Image, openImage } from "../../imagery/image.ts"
import { isHole } from "../../imagery/nodata.ts"
import { filesBelow, openSource, parameters as reading, stemOf } from "../../imagery/source.ts"
import { tilesOf } from "../../imagery/tiles.ts"
import { rescale, type Size, whole, type Window } from "../../imagery/window.ts"

const Pixels = Schema.Int.check(Schema.isGreaterThan(0))
const With = Schema.Struct({
  images: Stage.withDefault(
    Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)]).annotate({ description: "folder of the scenes, or a list of files and folders" }),
    "."
  ),
  bands: reading.bands,
  size: Pixels.annotate({ description: "side of a window, px of the first band" }),
  stride: Schema.optionalKey(Pixels.annotate({ description: "from one window to the next, px; without, `size`: windows that touch" })),
  nodata: Stage.withDefault(
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({ description: "the largest share of a window that may be nodata; 0: windows without a hole only" }),
    0
  ),
  ...dating
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

interface Scene {
  readonly name: string
  readonly paths: readonly [string, ...ReadonlyArray<string>]
}

/** Bytes of decoded tiles to hold while windows are looked at. */
const heldBlocks = 2 ** 26

/**
 * Brings files to scenes. A name that has one of the bands in it as a word of its own ("T32TMT_20200613_B04.tif") is that band of the scene that
 * the rest of the name says; any other file is a scene by itself, with all bands.
 */
const scenesOf = Effect.fnUntraced(function*(paths: ReadonlyArray<string>, bands: ReadonlyArray<string>) {
  const parted = new Map<string, Map<string, string>>(), scenes: Array<Scene> = []
  for (const path of paths) {
    const folder = path.slice(0, path.lastIndexOf("/") + 1), words = stemOf(path.slice(folder.length)).split(/(?<=[_.\-() ])|(?=[_.\-() ])/)
    const band = bands.find((name) => words.includes(name))
    if (band === undefined) {
      scenes.push({ name: stemOf(path), paths: [path] })
      continue
    }
    const name = folder + words.filter((word) => word !== band).join("").replace(/([_.\- ])[_.\- ]+/g, "$1").replace(/^[_.\- ]+|[_.\- ]+$/g, "")
    const files = parted.get(name) ?? new Map<string, string>()
    const other = files.get(band)
    if (other !== undefined) return yield* fail(`${other} and ${path} would both be band ${band} of one scene`)
    parted.set(name, files.set(band, path))
  }
  for (const [name, files] of parted) {
    const lost = bands.filter((band) => !files.has(band))
    if (lost.length > 0) return yield* fail(`the scene of ${[...files.values()][0]!} has no file for ${lost.join(", ")}; there are ${[...files.keys()].join(", ")}`)
    const [first, ...rest] = bands.map((band) => files.get(band)!)
    scenes.push({ name: name.replace(/\/$/, ""), paths: [first!, ...rest] })
  }
  return scenes.toSorted((a, b) => a.name < b.name ? -1 : 1)
})

/** The share of a window that is nodata, in the band that has most of it. */
const holesIn = Effect.fnUntraced(function*(images: ReadonlyArray<Image>, window: Window, scene: Size) {
  let most = 0
  for (const image of images) {
    const [x, y, width, height] = whole(rescale(window, scene, image)), values = new Float32Array(width * height)
    for (let band = 0; band < image.bands; band++) {
      yield* image.read(band, [Math.min(x, image.width - width), Math.min(y, image.height - height), width, height], { width, height }, values)
      most = Math.max(most, values.reduce((count, value) => isHole(value, image.nodata) ? count + 1 : count, 0) / values.length)
    }
  }
  return most
})

/**
 * Cuts GeoTIFF scenes into square windows: one sample a window, row by row, of those that lie wholly inside the scene. `location` is the scene, so that a
 * split by location keeps it together; `time` is the date in its name; `lat` and `lon` are those of the window's centre.
 *
 * A scene is a file with all its bands, which get the names `bands`, or one file a band with the band in its name. Windows with more than a share of `nodata`
 * (the value that a file declares, and what is not finite in files of floats) in any band are left out with a count; pixels are looked at only in files that can have it.
 * Scenes are read by window, so one may be larger than memory.
 */
export default Stage.make({
  name: "ingest/scenes",
  version: 1,
  summary: "GeoTIFF scenes cut into windows",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/scenes")(function*(_, { bands, date, images, nodata, size, stride = size }) {
    const report = yield* Stage.Report
    const isScene = (path: string) => /\.(tiff?|gtiff)$/i.test(path)
    const listed = yield* Effect.forEach(typeof images === "string" ? [images] : images, (path) => isScene(path) ? Effect.succeed([path]) : filesBelow(path))
    const paths = [...new Set(listed.flat())].filter(isScene)
    if (paths.length === 0) return yield* fail(`there are no TIFFs in ${String(images)}`)
    const scenes = yield* scenesOf(paths, bands ?? [])
    const timeOf = dateReader(date), cache = new BlockCache(heldBlocks)
    const rows: Array<Row> = [], small: Array<string> = [], lost: Array<string> = []
    let holes = 0, all = 0
    for (const [done, { name, paths }] of scenes.entries()) {
      const source = yield* openSource(paths, { ...(bands === undefined ? {} : { bands }), onError: "stop" })
      const files = [...new Map(source.assets.map(({ digest, path }) => [path, { digest, path }])).values()]
      const opened = yield* Effect.forEach(files, (file) => openImage(file, cache))
      const holed = opened.filter((image) => image.floats || !Number.isNaN(image.nodata))
      const windows = tilesOf(source, size, stride)
      if (windows.length === 0) small.push(name)
      if (Number.isNaN(source.locate(0, 0).lat)) lost.push(name)
      all += windows.length
      for (const window of windows) {
        const [x, y] = window
        if (holed.length > 0 && (yield* holesIn(holed, window, source)) > nodata) {
          holes++
          continue
        }
        rows.push({
          id: `${name}/${String(y).padStart(5, "0")}-${String(x).padStart(5, "0")}`,
          from: paths[0],
          assets: source.assets,
          window,
          ...source.locate(x + size / 2, y + size / 2),
          time: timeOf(paths[0]),
          location: name
        })
      }
      yield* report.progress(done + 1, scenes.length)
    }
    if (small.length > 0) yield* Stage.notice(`scenes smaller than a window of ${size} px, which give none: ${small.length} of ${scenes.length} (${small.join(", ")})`)
    if (lost.length > 0) yield* Stage.notice(`scenes of which the place on the earth is not known: ${lost.length} of ${scenes.length} (${lost.join(", ")})`)
    if (holes > 0) yield* Stage.notice(`windows left out because more than ${nodata} of them is nodata: ${holes} of ${all}`)
    return { samples: yield* collect(rows) }
  })
})
