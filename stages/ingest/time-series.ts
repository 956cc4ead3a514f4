import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
import { collect } from "../../imagery/collection.ts"
import { dateReader, dating } from "../../imagery/dates.ts"
import { json } from "../../imagery/listing.ts"
import { bandName } from "../../imagery/sentinel.ts"
import { isImage, join, leaveOut, noneIn, openAll, openSource, parameters as reading, stemOf } from "../../imagery/source.ts"
import { suggest } from "../../schemas/spelling.ts"

/** The classes of Dynamic World, by number; those of SSL4EO-S12-ML. */
const dynamicWorld = ["water", "trees", "grass", "flooded vegetation", "crops", "shrub & scrub", "built", "bare", "snow & ice"] as const

const With = Schema.Struct({
  images: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "folder of one folder a place, in it one folder a date, in it one file a band" }), "."),
  s1: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "folder of the same layout with Sentinel-1 images of the same places: each date gets the bands of the one nearest in time" })),
  labels: Schema.optionalKey(Schema.NonEmptyString.annotate({ description: "JSON of the classes, { place: { date's folder: [class numbers] } }, as ssl4eo_multilabel.json" })),
  classes: Stage.withDefault(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "names of the classes in `labels`, by number" }), dynamicWorld),
  missing: Stage.withDefault(Schema.Literals(["stop", "skip"]).annotate({ description: "what to do where a place or date has no image, or no Sentinel-1 image" }), "stop"),
  ...dating,
  bands: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "which bands, in this order: [B04, B03, B02, VV]; without, all" })),
  onError: reading.onError
})

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))
const few = (names: ReadonlyArray<string>): string => names.slice(0, 3).join(", ") + (names.length > 3 ? ", ..." : "")

/** One date of a place. */
interface Visit {
  readonly place: string
  /** Name of its folder. */
  readonly name: string
  readonly folder: string
  readonly time: number
  /** Names of the files in the folder, by band. */
  readonly files: ReadonlyMap<string, string>
  /** The Sentinel-1 image that goes with it. */
  readonly radar?: Visit
}

/** Path of the file that has a band; undefined: there is none. */
const pathOf = ({ files, folder, radar }: Visit, band: string): string | undefined => {
  const file = files.get(band)
  return file === undefined ? radar && pathOf(radar, band) : join(folder, file)
}

/** Names of image files by band. Fails where two would be the same band. */
const byBand = (folder: string, names: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, string>, Stage.StageError> => {
  const found = new Map<string, string>()
  for (const file of names) {
    const band = bandName(stemOf(file)), other = found.get(band)
    if (other !== undefined) return fail(`both ${other} and ${file} in ${folder} would be the band ${band}`)
    found.set(band, file)
  }
  return Effect.succeed(found)
}

/** All dates of all places of a folder; of a place, in the order of time. Folders and files that do not belong are counted. */
const visitsIn = Effect.fn("ingest/time-series.visits")(function*(parameter: "images" | "s1", folder: string, { date, missing }: typeof With.Type) {
  const files = yield* Stage.Files
  const timeOf = dateReader(date)
  const split = (names: ReadonlyArray<string>) => ({ folders: names.flatMap((name) => name.endsWith("/") ? [name.slice(0, -1)] : []), loose: names.filter((name) => !name.endsWith("/")) })
  const root = split(yield* files.list(folder))
  let loose = root.loose.length
  // a million dates have the same few lists of files, which are kept once
  const layouts = new Map<string, ReadonlyMap<string, string>>()
  const places = yield* Effect.forEach(root.folders, Effect.fnUntraced(function*(place) {
    const { folders, loose: beside } = split(yield* files.list(join(folder, place)))
    loose += beside.length
    const visits = yield* Effect.forEach(folders, Effect.fnUntraced(function*(name) {
      const at = join(join(folder, place), name), names = (yield* files.list(at)).filter(isImage), key = names.join("/")
      const found = layouts.get(key) ?? (yield* byBand(at, names))
      layouts.set(key, found)
      const time = timeOf(name)
      if (found.size > 0 && Number.isNaN(time)) {
        return yield* fail(`there is no date in the name of ${at}${date === undefined ? "; `date` says how it stands there, as \"%d.%m.%Y\"" : ` as "${date}" has it`}`)
      }
      return { place, name, folder: at, time, files: found } satisfies Visit
    }))
    return { place, visits: visits.toSorted((a, b) => a.time - b.time) }
  }), { concurrency: 8 })
  if (places.length === 0) return yield* fail(`there are no folders in ${folder}; one a place is expected, in it one a date`)
  if (loose > 0) yield* Stage.notice(`files in ${folder} beside the folders of dates, left out: ${loose}`)
  const empty = places.flatMap(({ place, visits }) => visits.length === 0 ? [place] : visits.flatMap(({ files, folder }) => files.size === 0 ? [folder] : []))
  yield* leaveOut(`folders in ${folder} without images of a date`, empty, places.reduce((sum, { visits }) => sum + Math.max(1, visits.length), 0), missing, noneIn({ [parameter]: folder }))
  return new Map(places.map(({ place, visits }) => [place, visits.filter(({ files }) => files.size > 0)]))
})

/** Adds to each date the Sentinel-1 image of the same place that is nearest in time. */
const withRadar = Effect.fn("ingest/time-series.radar")(function*(visits: ReadonlyArray<Visit>, radar: ReadonlyMap<string, ReadonlyArray<Visit>>, missing: "stop" | "skip") {
  const lost: Array<string> = [], days: Array<number> = [], joined: Array<Visit> = []
  for (const visit of visits) {
    const [nearest] = (radar.get(visit.place) ?? []).toSorted((a, b) => Math.abs(a.time - visit.time) - Math.abs(b.time - visit.time))
    if (nearest === undefined) {
      lost.push(visit.folder)
      continue
    }
    const both = [...nearest.files.keys()].find((band) => visit.files.has(band))
    if (both !== undefined) return yield* fail(`${visit.folder} and ${nearest.folder} both have a band ${both}; \`s1\` is for bands that the images lack`)
    days.push(Math.abs(nearest.time - visit.time) / 86_400_000)
    joined.push({ ...visit, radar: nearest })
  }
  yield* leaveOut("dates of places without a Sentinel-1 image", lost, visits.length, missing, "are `images` and `s1` folders of the same places?")
  const apart = days.toSorted((a, b) => a - b), middle = apart[Math.floor(apart.length / 2)], most = apart.at(-1)
  if (middle !== undefined && most !== undefined) yield* Stage.notice(`days between an image and its Sentinel-1 image: median ${middle.toFixed(1)}, most ${most.toFixed(1)}`)
  return joined
})

const Labels = Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Array(Schema.String)))

/** Reads the classes of each date; undefined where it is in no list. An empty list means that nothing is known. */
const labelsOf = Effect.fn("ingest/time-series.labels")(function*(path: string, visits: ReadonlyArray<Visit>, classes: ReadonlyArray<string>) {
  const given = yield* json(path)
  const lists = yield* Effect.mapError(Schema.decodeUnknownEffect(Labels)(given), (issue) => new Stage.StageError({ message: `${path} is not { place: { date's folder: [class numbers] } }: ${issue.message}` }))
  const named = yield* Effect.forEach(visits, ({ name, place }) => {
    const list = Object.hasOwn(lists, place) && Object.hasOwn(lists[place]!, name) ? lists[place]![name] : undefined
    const names = list?.map((label) => /^\d+$/.test(label) ? classes[Number(label)] : classes.find((one) => one === label))
    const stray = names?.indexOf(undefined) ?? -1
    return stray < 0
      ? Effect.succeed(names?.flatMap((one) => one ?? []))
      : fail(`${path}: "${list![stray]}" of ${place}, ${name} is no class${suggest(list![stray]!, classes)}; they are numbered from 0 (${classes[0]}) to ${classes.length - 1} (${classes.at(-1)})`)
  })
  const listed = named.filter((names) => names !== undefined), empty = listed.filter((names) => names.length === 0).length
  if (listed.length === 0) return yield* fail(`${path} lists none of the ${visits.length} dates: it has ${few(Object.entries(lists).flatMap(([place, dates]) => Object.keys(dates).map((name) => `${place}/${name}`)))}, and here is ${visits[0]?.place}/${visits[0]?.name}`)
  if (empty > 0) yield* Stage.notice(`dates whose list of classes in ${path} is empty, thus without labels: ${empty} of ${visits.length}`)
  if (listed.length < visits.length) yield* Stage.notice(`dates that ${path} does not list, thus without labels: ${visits.length - listed.length} of ${visits.length}`)
  return named
})

/**
 * Reads places on several dates, `<place>/<date ...>/<band>.tif`: SeCo (Seasonal Contrast, Mañas et al. 2021, arXiv 2103.16607) and
 * SSL4EO-S12 (Wang et al. 2022, arXiv 2211.07044: its folders `s1`, `s2a` and `s2c`).
 *
 * A sample is one date of one place: its id `<place>/<date's folder>`, its `location` the place, its `time` the first date in the name of
 * the folder. Bands are named after their files, one way (`B2.tif` is B02). Every date must have the same bands. With `s1`, a date also
 * has the bands of the Sentinel-1 image of its place that is nearest in time (how near is said; two dates may share one); `bands` may
 * then ask for those alone. `labels` takes several classes a date, as SSL4EO-S12-ML has them (SoftCon, arXiv 2405.20462): an empty list
 * means unlabelled. `lat` and `lon` are the centre, from the files. Files are opened for their headers only.
 */
export default Stage.make({
  name: "ingest/time-series",
  version: 1,
  summary: "places on several dates, a folder a date, a file a band (SeCo, SSL4EO-S12), with several classes a date",
  paper: "SeCo (arXiv 2103.16607), SSL4EO-S12 (arXiv 2211.07044)",
  with: With,
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/time-series")(function*(_, parameters) {
    const { classes, images, labels, missing, onError, s1 } = parameters
    const alone: ReadonlyArray<Visit> = [...(yield* visitsIn("images", images, parameters)).values()].flat()
    const visits = s1 === undefined ? alone : yield* withRadar(alone, yield* visitsIn("s1", s1, parameters), missing)
    const layouts = new Set(visits.flatMap(({ files, radar }) => radar === undefined ? [files] : [files, radar.files]))
    const there = [...new Set([...layouts].flatMap((files) => [...files.keys()]))].toSorted()
    const bands = parameters.bands?.map(bandName) ?? there
    for (const band of bands) if (!there.includes(band)) return yield* fail(`no date has a band ${band}; there are ${there.join(", ")}`)
    const labelled = labels === undefined ? undefined : yield* labelsOf(labels, visits, classes)

    const rows = yield* openAll([...visits.entries()], onError, Effect.fnUntraced(function*([row, visit]) {
      const { folder, name, place, time } = visit
      const lost = bands.filter((band) => pathOf(visit, band) === undefined)
      const [first, ...rest] = bands.flatMap((band) => pathOf(visit, band) ?? []), [band, ...others] = bands
      if (lost.length > 0 || first === undefined || band === undefined) return yield* fail(`${folder} lacks ${lost.join(", ")}, which other dates have`)
      const source = yield* openSource([first, ...rest], { bands: [band, ...others], onError })
      return {
        id: `${place}/${name}`,
        from: folder,
        assets: source.assets,
        labels: labelled?.[row] ?? [],
        ...source.locate(source.width / 2, source.height / 2),
        time,
        location: place
      }
    }))
    const nowhere = rows.filter(({ lat }) => Number.isNaN(lat)).length
    if (nowhere > 0) yield* Stage.notice(`samples without coordinates, because their files have none in a reference system that is known: ${nowhere} of ${rows.length}`)
    return { samples: yield* collect(rows) }
  })
})
