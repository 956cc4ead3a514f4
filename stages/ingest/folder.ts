import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import { filesBelow, isImage, openAll, openSource, parameters as reading, timeIn } from "../../imagery/source.ts"

const With = Schema.Struct({
  images: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "folder that holds one folder a class" }), "."),
  ...reading
})

/**
 * Reads images whose folder is their class, as EuroSAT's: `AnnualCrop/AnnualCrop_1.tif`.
 *
 * Images in folders deeper down belong to the class above; the sample's id is its path below `images`. `time` is the date in the path,
 * if there is one; `lat` and `lon` come from georeferenced files.
 */
export default Stage.make({
  name: "ingest/folder",
  version: 1,
  summary: "images whose folder is their class (EuroSAT)",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/folder")(function*(_, parameters) {
    const all = yield* filesBelow(parameters.images)
    const root = parameters.images.replace(/^(\.\/)+|\/+$/g, "")
    const named = all.map((path) => ({ path, id: root === "" || root === "." ? path : path.slice(root.length + 1) }))
    const images = named.filter(({ id, path }) => isImage(path) && id.includes("/"))
    if (images.length === 0) {
      return yield* Effect.fail(new Stage.StageError({ message: `there are no images in folders of ${parameters.images}; the folder of an image is its class` }))
    }
    const loose = named.filter(({ id, path }) => isImage(path) && !id.includes("/"))
    if (loose.length > 0) yield* Stage.notice(`images in no class's folder, left out: ${loose.length} of ${loose.length + images.length} (${loose[0]!.id} first)`)
    const others = all.length - images.length - loose.length
    if (others > 0) yield* Stage.notice(`files that are no images, left out: ${others}`)

    const rows = yield* openAll(images, parameters.onError, ({ id, path }) =>
      Effect.map(openSource([path], parameters), (source) => ({
        id,
        from: path,
        assets: source.assets,
        label: id.slice(0, id.indexOf("/")),
        ...source.locate(source.width / 2, source.height / 2),
        time: timeIn(id)
      })))
    return { samples: yield* collect(rows) }
  })
})
