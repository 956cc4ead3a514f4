import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import { cut, parameters as cutting, type Thing } from "../../imagery/cut.ts"
import { textOf } from "../../imagery/listing.ts"
import { filesBelow, isImage, openAll, openSource, parameters as reading, stemOf, timeIn } from "../../imagery/source.ts"
import type { Size } from "../../imagery/window.ts"

const With = Schema.Struct({
  images: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "folder of the images and their .txt files; folders in it are read too" }), "."),
  names: Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "class names, by class number" }),
  ...reading,
  ...cutting
})

/** The boxes of a .txt: a line is `class cx cy w h`, the last four relative to the size of the image. */
const thingsIn = (text: string, path: string, { height, width }: Size, names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Thing>, Stage.StageError> => {
  const things: Array<Thing> = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue
    const fields = line.trim().split(/\s+/).map(Number)
    const [id = Number.NaN, cx = 0, cy = 0, w = 0, h = 0] = fields
    const wrong = fields.length !== 5 || !fields.every(Number.isFinite)
      ? `"${line.trim()}" is not \`class cx cy w h\``
      : names[id] === undefined
      ? `class ${id} has no name: \`names\` has ${names.length}, numbered from 0`
      : [cx, cy, w, h].some((value) => value < 0 || value > 1)
      ? `"${line.trim()}" is not relative to the image: numbers beyond 0..1`
      : undefined
    if (wrong !== undefined) return Effect.fail(new Stage.StageError({ message: `${path}, line ${i + 1}: ${wrong}` }))
    things.push({
      name: String(i).padStart(4, "0"),
      label: names[id]!,
      box: [(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height]
    })
  }
  return Effect.succeed(things)
}

/**
 * Reads images with YOLO boxes: a `.txt` of `class cx cy w h` beside each image, as in TG-MATL's aerial wildlife (AWIR).
 *
 * Samples are crops (`crop: 300` is the paper's), tiles (`tiles`), or whole images. `location` is the image, so that a split by location
 * keeps its crops together; `time` the date in its name. An image without `.txt` has no boxes; how many there are is said.
 */
export default Stage.make({
  name: "ingest/yolo",
  version: 1,
  summary: "images with YOLO boxes in .txt files beside them (TG-MATL's layout): crops, tiles or whole images",
  paper: "TG-MATL's layout",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/yolo")(function*(_, parameters) {
    const all = yield* filesBelow(parameters.images)
    const texts = new Set(all.filter((path) => path.endsWith(".txt")))
    const paths = all.filter(isImage)
    if (paths.length === 0) return yield* Effect.fail(new Stage.StageError({ message: `there are no images in ${parameters.images}` }))
    const bare = paths.filter((path) => !texts.has(`${stemOf(path)}.txt`))
    if (bare.length === paths.length) {
      return yield* Effect.fail(new Stage.StageError({ message: `no image in ${parameters.images} has a .txt beside it: ${stemOf(paths[0]!)}.txt is not there, for one` }))
    }
    if (bare.length > 0) yield* Stage.notice(`images without a .txt beside them, and thus without boxes: ${bare.length} of ${paths.length}`)

    const images = yield* openAll(paths, parameters.onError, (path) =>
      Effect.map(openSource([path], parameters), (source) => ({ path, source })))
    const annotated = yield* Effect.forEach(images, Effect.fnUntraced(function*({ path, source }) {
      const text = `${stemOf(path)}.txt`
      const things = texts.has(text) ? yield* thingsIn(yield* textOf(text), text, source, parameters.names) : []
      return { name: path, from: path, source, things, location: path, time: timeIn(path) }
    }), { concurrency: 8 })
    return { samples: yield* collect(yield* cut(annotated, parameters)) }
  })
})
