import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import type { Box } from "../../imagery/crop.ts"
import { cut, parameters as cutting, type Thing } from "../../imagery/cut.ts"
import { dateReader, dating } from "../../imagery/dates.ts"
import { folderOf, present, textOf } from "../../imagery/listing.ts"
import { misfit } from "../../imagery/misfit.ts"
import { filesBelow, join, openAll, openSource, parameters as reading, stemOf } from "../../imagery/source.ts"
import type { Size } from "../../imagery/window.ts"

/** Numbers stand in XML as text; one that is none is said with its element. Decimal only: JavaScript takes an empty text for 0, and "0x10" for 16. */
const Num = Schema.String
  .check(Schema.isPattern(/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, { expected: "a decimal number" }))
  .pipe(Schema.decodeTo(Schema.Finite, SchemaTransformation.numberFromString))
const Objects = Schema.Array(Schema.Struct({
  name: Schema.NonEmptyString,
  bndbox: Schema.Struct({ xmin: Num, ymin: Num, xmax: Num, ymax: Num })
}))
const Annotation = Schema.Struct({
  annotation: Schema.Struct({
    filename: Schema.NonEmptyString,
    size: Schema.optionalKey(Schema.Struct({ width: Num, height: Num })),
    object: Schema.optionalKey(Objects)
  })
})
type Annotation = (typeof Annotation.Type)["annotation"]

const With = Schema.Struct({
  annotations: Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)]).annotate({
    description: "folder of the XML files, folders in it too; or a list of XML files"
  }),
  images: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder of the images (PASCAL VOC: JPEGImages); without, each lies beside its XML" })),
  names: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "class names; a name in an XML that is not among them is an error" })),
  first: Stage.withDefault(
    Schema.Literals([0, 1]).annotate({ description: "number of an image's first pixel: 0 as in DeepForest's files; 1 in PASCAL VOC's own data, where a box's maxima lie in it" }),
    0
  ),
  missing: Stage.withDefault(Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where annotated images have no file" }), "stop"),
  ...dating,
  ...reading,
  ...cutting
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** The largest XML that is read: some 50,000 boxes. */
const largest = 2 ** 24

/**
 * The annotation in an XML file. A DTD is refused, so that nothing can define entities, let alone fetch them: the five that XML itself knows
 * are all there is.
 */
const annotationIn = Effect.fnUntraced(function*(path: string) {
  const files = yield* Stage.Files
  const bytes = yield* files.read(path)
  if (bytes.byteLength > largest) return yield* fail(`${path} has ${bytes.byteLength} bytes; annotations of more than ${largest} are not read`)
  const text = yield* textOf(path)
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) return yield* fail(`${path} declares a DTD or entities, which are not read; remove the <!DOCTYPE>`)
  const { XMLParser } = yield* Effect.promise(() => import("fast-xml-parser"))
  const parser = new XMLParser({ parseTagValue: false, isArray: (name) => name === "object" })
  const tree = yield* Effect.try({
    try: (): unknown => parser.parse(text, true),
    catch: (cause) => new Stage.StageError({ message: `${path} is not XML: ${(cause instanceof Error ? cause.message : String(cause)).slice(0, 200)}` })
  })
  const { annotation } = yield* Effect.mapError(Schema.decodeUnknownEffect(Annotation)(tree), (issue) => new Stage.StageError({ message: `${path} is not a PASCAL VOC annotation: ${issue.message.slice(0, 200)}` }))
  return annotation
})

/** The labelled boxes of an annotation, in px of its image from 0, maxima exclusive. */
const thingsIn = ({ object = [] }: Annotation, path: string, size: Size, { first, names }: Pick<typeof With.Type, "first" | "names">): Effect.Effect<ReadonlyArray<Thing>, Stage.StageError> =>
  Effect.forEach(object, ({ bndbox: { xmax, xmin, ymax, ymin }, name }, i) => {
    const box: Box = [xmin - first, ymin - first, xmax, ymax]
    const wrong = names !== undefined && !names.includes(name) ? `the class "${name}" is not among ${names.join(", ")}` : misfit(box, size)
    return wrong === undefined ? Effect.succeed({ name: String(i + 1).padStart(6, "0"), label: name, box }) : fail(`${path}, object ${i + 1} (${name}): ${wrong}`)
  })

/**
 * Reads images with boxes as PASCAL VOC annotates them, one XML an image, as NEON's trees (DeepForest) have it too.
 *
 * Samples are crops (`crop`), tiles (`tiles`), or whole images. Their ids begin with the XML's name; `label` is the object's `name`,
 * `location` the image, so that a split by location keeps its crops together; `time` the date in its name. `difficult` and `truncated`
 * objects are kept. Parts of an object and `folder` are not read.
 */
export default Stage.make({
  name: "ingest/voc",
  version: 1,
  summary: "images with boxes in PASCAL VOC's XML: crops, tiles or whole images",
  paper: "PASCAL VOC",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/voc")(function*(_, parameters) {
    const { annotations, date, images, missing, onError } = parameters, timeOf = dateReader(date)
    const all = typeof annotations === "string" ? yield* filesBelow(annotations) : annotations
    const paths = typeof annotations === "string" ? all.filter((path) => /\.xml$/i.test(path)) : all
    if (paths.length === 0) return yield* fail(`there are no .xml files in ${String(annotations)}`)

    const annotated = yield* Effect.forEach(paths, (path) => Effect.map(annotationIn(path), (annotation) => ({ annotation, path, at: join(images ?? folderOf(path), annotation.filename) })), { concurrency: 8 })
    const shared = [...Map.groupBy(annotated, ({ at }) => at)].filter(([, files]) => files.length > 1)
    if (shared.length > 0) yield* Stage.notice(`images that several XML files annotate, thus samples of each of these: ${shared.length} (${shared[0]![0]} first, of ${shared[0]![1].map(({ path }) => path).join(" and ")})`)
    const there = yield* present(annotated.map(({ at }) => at), "the XML files", missing, images)
    const opened = yield* openAll(annotated.filter(({ at }) => there.has(at)), onError, Effect.fnUntraced(function*({ annotation, at, path }) {
      const source = yield* openSource([at], parameters), { size } = annotation
      if (size !== undefined && (size.width !== source.width || size.height !== source.height)) {
        return yield* fail(`${at} is ${source.width} x ${source.height} px, but ${path} says ${size.width} x ${size.height}, so its boxes would be off`)
      }
      return { annotation, at, path, source }
    }))
    const cuttable = yield* Effect.forEach(opened, ({ annotation, at, path, source }) =>
      Effect.map(thingsIn(annotation, path, source, parameters), (things) => {
        const name = stemOf(typeof annotations === "string" ? path.slice(join(annotations, "").length) : path)
        return { name, from: path, source, things, location: name, time: timeOf(at) }
      }))
    return { samples: yield* collect(yield* cut(cuttable, parameters)) }
  })
})
