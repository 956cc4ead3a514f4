import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import { json, present } from "../../imagery/listing.ts"
import { join, openAll, openSource, parameters as reading } from "../../imagery/source.ts"

const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Shares = Schema.Record(Schema.NonEmptyString, Schema.Array(Schema.Tuple([Schema.NonEmptyString, Share])))

const With = Schema.Struct({
  labels: Schema.NonEmptyString.annotate({ description: "the JSON of genera and their shares by image, {\"a.tif\": [[\"Picea\", 0.8], ...]}" }),
  images: Schema.NonEmptyString.annotate({ description: "folder of one sensor's images (aerial/60m)" }),
  threshold: Stage.withDefault(Share.annotate({ description: "the least share of the image's area with which a genus counts" }), 0),
  names: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "names of the genera; one that is not among them is an error" })),
  missing: Stage.withDefault(Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where listed images have no file" }), "stop"),
  ...reading
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/**
 * Reads images with several labels as TreeSatAI has them: a JSON of tree genera and the share of each in an image.
 *
 * `labels` are the genera with at least `threshold` of the area (0: all that are listed), `label` the one with the largest share of these,
 * the first in name order where several are largest. An image in which none reaches the threshold stays, without labels, and is counted. Ids
 * are the names of the files, so the data set's lists are a split: `ingest/split` with `given: { train: train_filenames.lst, test:
 * test_filenames.lst }`. `lat` and `lon` come from georeferenced files.
 */
export default Stage.make({
  name: "ingest/treesatai",
  version: 1,
  summary: "images with the shares of tree genera in a JSON (TreeSatAI): several labels by a threshold",
  paper: "TreeSatAI",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/treesatai")(function*(_, parameters) {
    const { images, labels: list, missing, names, onError, threshold } = parameters
    const shares = yield* Effect.mapError(Schema.decodeUnknownEffect(Shares)(yield* json(list)), (issue) => new Stage.StageError({ message: `${list} is not a list of genera and their shares (0 to 1): ${issue.message}` }))
    const listed = Object.entries(shares).map(([name, genera]) => ({ name, at: join(images, name), genera }))
    for (const { genera, name } of listed) {
      const stranger = names === undefined ? undefined : genera.find(([genus]) => !names.includes(genus))
      if (stranger !== undefined) return yield* fail(`${name} of ${list} has the genus "${stranger[0]}", which is not among ${names!.join(", ")}`)
    }
    const there = yield* present(listed.map(({ at }) => at), list, missing, images)
    const rows = yield* openAll(listed.filter(({ at }) => there.has(at)), onError, ({ at, genera, name }) =>
      Effect.map(openSource([at], parameters), (source) => {
        const counted = genera.filter(([, share]) => share >= threshold)
        const most = Math.max(...counted.map(([, share]) => share))
        return {
          id: name,
          from: `${name} of ${list}`,
          assets: source.assets,
          label: counted.filter(([, share]) => share === most).map(([genus]) => genus).toSorted()[0],
          labels: counted.map(([genus]) => genus).toSorted(),
          ...source.locate(source.width / 2, source.height / 2)
        }
      }))
    const bare = rows.filter(({ labels }) => labels.length === 0).length
    if (bare > 0) yield* Stage.notice(`images in which no genus has a share of ${threshold}, and thus without labels: ${bare} of ${rows.length}`)
    return { samples: yield* collect(rows) }
  })
})
