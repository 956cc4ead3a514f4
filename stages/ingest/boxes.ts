import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import type { Box } from "../../imagery/crop.ts"
import { cut, parameters as cutting, type Thing } from "../../imagery/cut.ts"
import { dateReader, dating } from "../../imagery/dates.ts"
import { type GeoReference, pixelAt } from "../../imagery/georeference.ts"
import { csvLines, folderOf, type Line, needColumns, present } from "../../imagery/listing.ts"
import { misfit } from "../../imagery/misfit.ts"
import { join, openAll, openSource, parameters as reading } from "../../imagery/source.ts"
import type { Size } from "../../imagery/window.ts"

const edges = ["xmin", "ymin", "xmax", "ymax"] as const

const With = Schema.Struct({
  file: Schema.NonEmptyString.annotate({ description: "the CSV with columns image_path, xmin, ymin, xmax, ymax and label, in any order" }),
  images: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder that the paths are relative to; without, that of the CSV" })),
  units: Stage.withDefault(
    Schema.Literals(["px", "map"]).annotate({ description: "px: of the image, from its upper left corner; map: units of the georeferenced image's own reference system (metres of UTM)" }),
    "px"
  ),
  names: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "class names; a label that is not among them is an error" })),
  missing: Stage.withDefault(Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where listed images have no file" }), "stop"),
  ...dating,
  ...reading,
  ...cutting
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** A box in map units, in px of the image. North is up in most grids, so the corner of the largest y is the upper one. */
const onGrid = (geo: GeoReference, [xmin, ymin, xmax, ymax]: Box): Box => {
  const [x0, y0] = pixelAt(geo, [xmin, ymin]), [x1, y1] = pixelAt(geo, [xmax, ymax])
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)]
}

/**
 * Reads images with boxes as DeepForest lists them (NEON's trees, EverWatch's birds): a CSV of `image_path, xmin, ymin, xmax, ymax, label`, one
 * line a box. A line whose box is `0,0,0,0` stands for an image without boxes, as DeepForest has it.
 *
 * Samples are crops (`crop`), tiles (`tiles`), or whole images. A crop's id is the image's path and the number of its line among the rows;
 * `location` is the image, so that a split by location keeps its crops together; `time` the date in its path; `lat` and `lon` come from
 * georeferenced files. A box that does not lie inside its image stops the reader with its line.
 */
export default Stage.make({
  name: "ingest/boxes",
  version: 1,
  summary: "a CSV of boxes in pixels or map units (DeepForest, EverWatch): crops, tiles or whole images",
  paper: "DeepForest",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/boxes")(function*(_, parameters) {
    const { date, file, missing, names, onError, units } = parameters, timeOf = dateReader(date)
    const { header, lines } = yield* csvLines(file)
    yield* needColumns(file, header, ["image_path", ...edges, "label"])
    const folder = parameters.images ?? folderOf(file)
    const listed = Map.groupBy(lines.entries(), ([, { record }]) => record["image_path"]!)
    const at = (path: string) => join(folder, path)
    const there = yield* present([...listed.keys()].map(at), file, missing, parameters.images)

    /** The labelled box of a line, in px; undefined: the line stands for an image without boxes. */
    const thingOf = Effect.fnUntraced(function*(row: number, { line, record }: Line, size: Size, geo: GeoReference | undefined) {
      const where = `${file}, line ${line}`
      const numbers = edges.map((edge) => record[edge] === "" ? Number.NaN : Number(record[edge]))
      const bad = numbers.findIndex((value) => !Number.isFinite(value))
      if (bad >= 0) return yield* fail(`${where}: "${record[edges[bad]!]}" in column ${edges[bad]} is not a number`)
      const [xmin = 0, ymin = 0, xmax = 0, ymax = 0] = numbers
      if (numbers.every((value) => value === 0)) return undefined
      const label = record["label"]!
      if (label === "") return yield* fail(`${where}: the box has no label`)
      if (names !== undefined && !names.includes(label)) return yield* fail(`${where}: the label "${label}" is not among ${names.join(", ")}`)
      const given: Box = [xmin, ymin, xmax, ymax]
      const box = geo === undefined ? given : onGrid(geo, given)
      const wrong = xmin < xmax && ymin < ymax ? misfit(box, size) : misfit(given, size)
      if (wrong === undefined) return { name: String(row + 1).padStart(6, "0"), label, box } satisfies Thing
      const hint = geo !== undefined
        ? `; in map units it is ${given.join(", ")}, and the image begins at ${geo.origin.join(", ")} (EPSG:${geo.epsg})`
        : numbers.some((value) => Math.abs(value) > 100_000)
        ? "; are these units of a map? then `units: map`"
        : ""
      return yield* fail(`${where}: ${wrong}${hint}`)
    })

    const opened = yield* openAll([...listed].filter(([path]) => there.has(at(path))), onError, Effect.fnUntraced(function*([path, rows]) {
      const source = yield* openSource([at(path)], parameters)
      const geo = units === "map" ? source.geo : undefined
      if (units === "map" && geo === undefined) return yield* fail(`${at(path)} is not georeferenced, so boxes in map units cannot be placed in it: give \`units: px\``)
      return { geo, path, rows, source }
    }))
    const images = yield* Effect.forEach(opened, Effect.fnUntraced(function*({ geo, path, rows, source }) {
      const things = yield* Effect.forEach(rows, ([row, line]) => thingOf(row, line, source, geo))
      return { name: path, from: `${path} of ${file}`, source, things: things.filter((thing) => thing !== undefined), location: path, time: timeOf(path) }
    }))
    const empty = images.filter(({ things }) => things.length === 0).length
    if (empty > 0) yield* Stage.notice(`images listed as without boxes: ${empty} of ${images.length}`)
    return { samples: yield* collect(yield* cut(images, parameters)) }
  })
})
