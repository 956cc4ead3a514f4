import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect, type Row } from "../../imagery/collection.ts"
import { areaOf, type Box } from "../../imagery/crop.ts"
import { join, openAll, openSource, parameters as reading, timeIn } from "../../imagery/source.ts"

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
 * A row may have a box; several rows may then share an image. A split in the same CSV is read by `ingest/split` (`given: { file, id,
 * split }`).
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
    const files = yield* Stage.Files
    const { parse } = yield* Effect.promise(() => import("csv-parse/sync"))
    const text = new TextDecoder().decode(yield* files.read(file))
    const records = yield* Effect.try({
      try: (): ReadonlyArray<Record> => parse(text, { columns: true, delimiter, bom: true, skip_empty_lines: true, trim: true }),
      catch: (cause) => new Stage.StageError({ message: `${file} is not a readable CSV: ${cause instanceof Error ? cause.message : String(cause)}` })
    })
    const [first] = records
    if (first === undefined) return yield* fail(`${file} has no rows`)
    for (const column of [path, id, label, labels, lat, lon, time, location, ...(box ?? [])]) {
      if (column !== undefined && !(column in first)) return yield* fail(`${file} has no column "${column}"; it has ${Object.keys(first).join(", ")}`)
    }

    const folder = parameters.images ?? file.slice(0, Math.max(0, file.lastIndexOf("/")))
    const where = (row: number) => `${file}, row ${row + 1}`
    /** The number in a column; NaN where the column is not named or the field is empty. */
    const number = (record: Record, row: number, column: string | undefined) => {
      const field = column === undefined ? "" : record[column]!
      const value = field === "" ? Number.NaN : Number(field)
      return field !== "" && !Number.isFinite(value) ? fail(`${where(row)}: "${field}" in column ${column} is not a number`) : Effect.succeed(value)
    }
    const named = records.map((record, row) => ({ at: join(folder, record[path]!), record, row }))
    const paths = [...new Set(named.map(({ at }) => at))]
    const there = new Set(yield* Effect.filter(paths, (at) => files.exists(at), { concurrency: 8 }))
    if (there.size < paths.length) {
      const lost = paths.filter((at) => !there.has(at))
      const message = `images listed in ${file} that have no file: ${lost.length} of ${paths.length} (${lost.slice(0, 5).join(", ")}${lost.length > 5 ? ", ..." : ""})`
      if (missing === "stop") return yield* fail(`${message}; \`missing: skip\` goes on without them`)
      yield* Stage.notice(message)
    }
    const sources = new Map(yield* openAll(paths.filter((at) => there.has(at)), onError, (at) => Effect.map(openSource([at], parameters), (source) => [at, source] as const)))

    const rows: Array<Row> = []
    for (const { at, record, row } of named) {
      const source = sources.get(at)
      if (source === undefined) continue
      const edges = yield* Effect.forEach(box ?? [], (column) => number(record, row, column))
      const [xmin = Number.NaN, ymin = Number.NaN, xmax = Number.NaN, ymax = Number.NaN] = edges
      const bounds: Box | undefined = edges.every(Number.isNaN) ? undefined : [xmin, ymin, xmax, ymax]
      if (bounds !== undefined && !(areaOf(bounds) > 0)) return yield* fail(`${where(row)}: the box ${bounds.join(", ")} (xmin, ymin, xmax, ymax) has no area`)
      const date = time === undefined ? "" : record[time]!
      if (date !== "" && Number.isNaN(timeIn(date))) return yield* fail(`${where(row)}: "${date}" in column ${time} is no date as 2023-04-26 or 2023-04-26T10:30:00Z`)
      const degrees = { lat: yield* number(record, row, lat), lon: yield* number(record, row, lon) }
      const place = lat === undefined || lon === undefined ? source.locate(source.width / 2, source.height / 2) : degrees
      if (Math.abs(place.lat) > 90 || Math.abs(place.lon) > 180) return yield* fail(`${where(row)}: latitude ${place.lat} and longitude ${place.lon} are no degrees of WGS84`)
      rows.push({
        id: id !== undefined ? record[id]! : box === undefined ? record[path]! : `${record[path]!}/${String(row + 1).padStart(6, "0")}`,
        from: where(row),
        assets: source.assets,
        label: label === undefined || record[label] === "" ? undefined : record[label],
        labels: labels === undefined ? [] : record[labels]!.split(";").map((name) => name.trim()).filter((name) => name !== ""),
        box: bounds,
        ...place,
        time: timeIn(date),
        location: location === undefined || record[location] === "" ? undefined : record[location]
      })
    }
    return { samples: yield* collect(rows) }
  })
})
