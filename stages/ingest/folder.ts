import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import { dateReader, dating } from "../../imagery/dates.ts"
import { folderOf } from "../../imagery/listing.ts"
import { eurosat } from "../../imagery/sentinel.ts"
import { filesBelow, isImage, openAll, openSource, parameters as reading } from "../../imagery/source.ts"

const With = Schema.Struct({
  images: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "folder that holds one folder a class" }), "."),
  ...dating,
  ...reading,
  bands: Schema.optionalKey(
    Schema.Union([Schema.NonEmptyArray(Schema.NonEmptyString), Schema.Literal("eurosat")])
      .annotate({ description: "names of the bands in the order of the file ([B04, B03, B02]); eurosat: the 13 of its TIFFs, B8A last; without, a picture's bands are R, G and B" })
  )
})

const few = (names: ReadonlyArray<string>): string => names.slice(0, 3).join(", ") + (names.length > 3 ? ", ..." : "")

/** Fails, or says so, where the classes look like folders that classes lie in: images may be asked for from too high a folder. */
const sayClasses = Effect.fnUntraced(function*(images: ReadonlyArray<{ readonly id: string; readonly path: string }>, root: string) {
  const classes = [...new Set(images.map(({ id }) => id.slice(0, id.indexOf("/"))))]
  const holders = [...new Set(images.map(({ path }) => folderOf(path)))]
  const deep = images.every(({ id }) => id.split("/").length > 2)
  if (deep && classes.length === 1 && holders.length > 1) {
    const above = [...new Set(holders.map(folderOf))].map((folder) => `\`images: ${folder}\``)
    return yield* Effect.fail(new Stage.StageError({
      message: `every image would be of one class, "${classes[0]}", the folder in ${root}, though they lie deeper in ${holders.length} folders (${few(holders)}); to take these for the classes, give ${above.slice(0, 3).join(" or ")}`
    }))
  }
  if (classes.length === 1) yield* Stage.notice(`all ${images.length} images are of one class, "${classes[0]}", the folder in ${root}`)
  else if (deep) yield* Stage.notice(`no image lies right in the folder of its class: classes are the folders in ${root} (${few(classes)}), images lie deeper (in ${holders[0]} first)`)
})

/**
 * Reads images whose folder is their class, as EuroSAT's (Helber et al. 2019, arXiv 1709.00029): `AnnualCrop/AnnualCrop_1.tif`, 13 bands
 * (`bands: eurosat` names them), or `.jpg`, in colour.
 *
 * Images in folders deeper down belong to the class above; where that would leave one class of all folders, `images` is refused as too high.
 * The sample's id is its path below `images`. `time` is the date in the path, if there is one; `lat` and `lon` come from georeferenced files.
 */
export default Stage.make({
  name: "ingest/folder",
  version: 1,
  summary: "images whose folder is their class (EuroSAT)",
  paper: "EuroSAT (arXiv 1709.00029)",
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
    yield* sayClasses(images, parameters.images)

    const { bands, date, onError } = parameters
    const names = bands === "eurosat" ? eurosat : bands
    const timeOf = dateReader(date)
    const rows = yield* openAll(images, onError, ({ id, path }) =>
      Effect.map(openSource([path], names === undefined ? { onError } : { bands: names, onError }), (source) => ({
        id,
        from: path,
        assets: source.assets,
        label: id.slice(0, id.indexOf("/")),
        ...source.locate(source.width / 2, source.height / 2),
        time: timeOf(id)
      })))
    const dateless = rows.filter(({ time }) => Number.isNaN(time))
    if (dateless.length > 0 && (date !== undefined || dateless.length < rows.length)) {
      yield* Stage.notice(`images without a date in their path: ${dateless.length} of ${rows.length} (${dateless[0]!.id} first)`)
    }
    return { samples: yield* collect(rows) }
  })
})
