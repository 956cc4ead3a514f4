import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect, type Row } from "../../imagery/collection.ts"
import type { Box } from "../../imagery/crop.ts"
import { wrongDegrees } from "../../imagery/georeference.ts"
import { csvLines, folderOf, needColumns, present } from "../../imagery/listing.ts"
import { misfit } from "../../imagery/misfit.ts"
import { join, openAll, openSource, parameters as reading, timeOf } from "../../imagery/source.ts"

const Column = Schema.NonEmptyString
const With = Schema.Struct({
  file: Schema.NonEmptyString.annotate({ description: "the CSV, with a header, relative to the data root" }),
  delimiter: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "what stands between two fields" }), ","),
  images: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder that the paths are relative to; without, that of the CSV" })),
  path: Stage.withDefault(Column.annotate({ description: "column of the image's path" }), "path"),
  id: Schema.optionalKey(Column.annotate({ description: "column of unique ids; without, the path, with the row's number where there are boxes" })),
  label: Schema.optionalKey(Column.annotate({ description: "column of the class" })),
  labels: Schema.optionalKey(Column.annotate({ description: "column of several classes, with `;` between them" })),
  box: Schema.optionalKey(Schema.Tuple([Column, Column, Column, Column]).annotate({ description: "columns of xmin, ymin, xmax and ymax in px of the image" })),
  lat: Schema.optionalKey(Column.annotate({ description: "column of degrees north; without, from georeferenced files" })),
  lon: Schema.optionalKey(Column.annotate({ description: "column of degrees east; without, from georeferenced files" })),
  time: Schema.optionalKey(Column.annotate({ description: "column of the date, ISO 8601; UTC where no zone is given" })),
  location: Schema.optionalKey(Column.annotate({ description: "column of the place" })),
  missing: Stage.withDefault(Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where listed images have no file" }), "stop"),
  ...reading
})
type Record = Readonly<globalThis.Record<string, string>>

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/**
 * Reads a CSV of images, one row a sample; parameters say which column holds what, and columns not named are not read.
 *
 * A row may have a box; several rows may then share an image, and their window is the whole of it. A split in the same CSV is read by
 * `ingest/split` (`given: { file, id, split }`). Boxes that are to be cut out are `ingest/boxes`.
 */
export default Stage.make({
  name: "ingest/csv",
  version: 1,
  summary: "a CSV of images with classes, boxes, coordinates, dates and places",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/csv")(function*(_, parameters) {
    const { box, delimiter, file, id, label, labels, lat, location, lon, missing, onError, path, time } = parameters
    const { header, lines } = yield* csvLines(file, delimiter)
    yield* needColumns(file, header, [path, id, label, labels, lat, lon, time, location, ...(box ?? [])])
    if ((lat === undefined) !== (lon === undefined)) return yield* fail(`\`${lat === undefined ? "lon" : "lat"}\` is half a place: name the columns of both \`lat\` and \`lon\``)
    const folder = parameters.images ?? folderOf(file)
    const where = (row: number) => `${file}, row ${row + 1}`
    /** The number in a column; NaN where the column is not named or the field is empty. */
    const number = (record: Record, row: number, column: string | undefined) => {
      const field = column === undefined ? "" : record[column]!
      const value = field === "" ? Number.NaN : Number(field)
      return field !== "" && !Number.isFinite(value) ? fail(`${where(row)}: "${field}" in column ${column} is not a number`) : Effect.succeed(value)
    }
    const named = lines.map(({ record }, row) => ({ at: join(folder, record[path]!), record, row }))
    const paths = [...new Set(named.map(({ at }) => at))]
    const there = yield* present(paths, file, missing, parameters.images)
    const sources = new Map(yield* openAll(paths.filter((at) => there.has(at)), onError, (at) => Effect.map(openSource([at], parameters), (source) => [at, source] as const)))

    const rows: Array<Row> = []
    for (const { at, record, row } of named) {
      const source = sources.get(at)
      if (source === undefined) continue
      const edges = yield* Effect.forEach(box ?? [], (column) => number(record, row, column))
      const [xmin = Number.NaN, ymin = Number.NaN, xmax = Number.NaN, ymax = Number.NaN] = edges
      const bounds: Box | undefined = edges.every(Number.isNaN) ? undefined : [xmin, ymin, xmax, ymax]
      const unfit = bounds === undefined ? undefined : misfit(bounds, source)
      if (unfit !== undefined) return yield* fail(`${where(row)}: ${unfit}`)
      const date = time === undefined ? "" : record[time]!
      if (date !== "" && Number.isNaN(timeOf(date))) return yield* fail(`${where(row)}: "${date}" in column ${time} is no date as 2023-04-26 or 2023-04-26T10:30:00Z`)
      const degrees = { lat: yield* number(record, row, lat), lon: yield* number(record, row, lon) }
      const place = lat === undefined || lon === undefined ? source.locate(source.width / 2, source.height / 2) : degrees
      if (Number.isNaN(degrees.lat) !== Number.isNaN(degrees.lon)) return yield* fail(`${where(row)}: there is no number in column ${Number.isNaN(degrees.lat) ? lat : lon}, so its place is half given; fill it in, or empty both`)
      const nowhere = wrongDegrees(place.lat, place.lon)
      if (nowhere !== undefined) return yield* fail(`${where(row)}: ${nowhere}`)
      rows.push({
        id: id !== undefined ? record[id]! : box === undefined ? record[path]! : `${record[path]!}/${String(row + 1).padStart(6, "0")}`,
        from: where(row),
        assets: source.assets,
        // a box has a place in a window of known size; without a box "the whole image" is left unsaid, as other readers leave it
        window: bounds === undefined ? undefined : [0, 0, source.width, source.height],
        label: label === undefined || record[label] === "" ? undefined : record[label],
        labels: labels === undefined ? [] : record[labels]!.split(";").map((name) => name.trim()).filter((name) => name !== ""),
        box: bounds,
        ...place,
        time: timeOf(date),
        location: location === undefined || record[location] === "" ? undefined : record[location]
      })
    }
    return { samples: yield* collect(rows) }
  })
})
