import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Samples, Split, Stage, stream } from "outcrop"
import { csvLines, needColumns, textOf } from "../../imagery/listing.ts"
import { dayOf } from "../../math/calendar.ts"
import { first } from "../../math/fraction.ts"
import { leakNotice, leakOf } from "../../math/leak.ts"
import { byTime, contradiction, divide, type Part, parts } from "../../math/partition.ts"
import { countOf, encode } from "../../math/strata.ts"

const Fraction = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1, exclusiveMaximum: true }))
const Groups = Schema.Struct({ groups: Schema.NonEmptyArray(Schema.String) })
const Day = Schema.String.check(Schema.makeFilter((text) => !Number.isNaN(dayOf(text)) || `"${text}" is no day; write it as 2022-06-01`))
const Times = Schema.Union([
  Schema.Struct({ from: Day }),
  Schema.Struct({ months: Schema.NonEmptyArray(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))) })
])
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const File = Schema.NonEmptyString

const With = Schema.Struct({
  by: Stage.withDefault(
    Schema.Array(Schema.NonEmptyString).annotate({
      description: "stratify by these columns together: label, labels (as combinations), location, or integer columns of the annotations"
    }),
    []
  ),
  test: Stage.withDefault(
    Schema.Union([Fraction, Groups, Times, Schema.Literal("fold")]).annotate({
      description:
        "a fraction of the samples; { groups: [names] }; { from: 2022-06-01 }: taken on that day (UTC) or later; { months: [12, 1, 2] }: in these months of any year; or `fold`: fold number `fold` is the test set, each group in turn where `folds` is not given"
    }),
    0.2
  ),
  val: Schema.optionalKey(
    Schema.Union([Fraction, Groups, Times]).annotate({ description: "validation set, drawn from what is not test: a fraction of it, { groups: [names] }, { from: day } or { months: [numbers] }" })
  ),
  folds: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(1)).annotate({ description: "deal into this many folds; fold number `fold` is the validation set, the others train" })),
  fold: Schema.optionalKey(Count.annotate({ description: "which fold, from 0" })),
  group: Schema.optionalKey(Schema.Literals(["location", "h3"]).annotate({ description: "samples of one location, or of one H3 cell, stay together" })),
  resolution: Stage.withDefault(
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 15 })).annotate({ description: "of the H3 cells: 3 has sides of about 69 km, 5 of 10 km, 7 of 1.4 km" }),
    5
  ),
  buffer: Stage.withDefault(Count.annotate({ description: "rings of H3 cells around test cells that are left unused, so that train and test do not touch" }), 0),
  given: Schema.optionalKey(
    Schema.Union([
      Schema.Struct({
        file: File,
        id: Stage.withDefault(Schema.NonEmptyString, "sample_id"),
        split: Stage.withDefault(Schema.NonEmptyString, "split")
      }),
      Schema.Struct({ train: Schema.optionalKey(File), val: Schema.optionalKey(File), test: Schema.optionalKey(File) })
    ]).annotate({ description: "take the split from a CSV with a column of ids and one of splits; or from a list of ids for each split, one a line" })
  ),
  fraction: Schema.optionalKey(
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1, exclusiveMinimum: true })).annotate({
      description: "keep this share of the training and of the validation samples, stratified by `by`, and leave the others unused; with one seed the smaller share is part of the larger"
    })
  ),
  seed: Stage.Seed
})
type Parameters = typeof With.Type

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))
const few = (names: ReadonlyArray<string>): string => names.slice(0, 3).join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "")
const ownColumns = ["label", "labels", "location"]
const annotated = ({ by }: Parameters) => by.filter((name) => !ownColumns.includes(name))

// ---- as given -------------------------------------------------------------------------------------------------------------------

/** Reads which samples are listed under which split. */
const listed = Effect.fnUntraced(function*(given: NonNullable<Parameters["given"]>) {
  if (!("file" in given)) {
    const lists = yield* Effect.forEach(parts.slice(0, 3), (part) => {
      const path = given[part as keyof typeof given]
      return path === undefined ? Effect.succeed([]) : Effect.map(textOf(path), (content) => content.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "").map((id) => [id, part] as const))
    })
    return lists.flat()
  }
  const { header, lines } = yield* csvLines(given.file)
  yield* needColumns(given.file, header, [given.id, given.split])
  return yield* Effect.forEach(lines, ({ record }, i) => {
    const id = record[given.id]!, split = record[given.split]!
    const part = parts.find((name) => name === split || (name === "val" && (split === "validation" || split === "valid")))
    return part === undefined ? fail(`${given.file}, row ${i + 1}: "${split}" is no split; use train, val, test or unused`) : Effect.succeed([id, part] as const)
  })
})

const nameOf = (id: string): string => id.slice(id.lastIndexOf("/") + 1)
const bare = (id: string): string => id.replace(/\.[A-Za-z]\w{1,4}$/, "")

/**
 * The sample an entry of a list means: the one of that id, or the only one whose id ends in "/" and that name, or else the only one that has
 * that id or name with another extension, or with one (EuroSAT's lists name the JPEG files, also for those who have the TIFFs).
 */
const asGiven = Effect.fnUntraced(function*(ids: ReadonlyArray<string>, given: NonNullable<Parameters["given"]>) {
  const rows = new Map(ids.map((id, row) => [id, row]))
  const byName = Map.groupBy(ids.keys(), (row) => nameOf(ids[row]!))
  const byBareName = Map.groupBy(ids.flatMap((id, row) => [...new Set([bare(id), bare(nameOf(id))])].map((name) => ({ name, row }))), ({ name }) => name)
  const found = new Map<number, Part>()
  const strangers: Array<string> = []
  for (const [id, part] of yield* listed(given)) {
    const named = byName.get(id) ?? byBareName.get(bare(id))?.map(({ row }) => row) ?? []
    if (!rows.has(id) && named.length > 1) return yield* fail(`"${id}" of the given split is the name of ${named.length} samples (${few(named.map((row) => ids[row]!))}); list whole ids`)
    const row = rows.get(id) ?? named[0]
    if (row === undefined) strangers.push(id)
    else if ((found.get(row) ?? part) !== part) return yield* fail(`"${id}" is listed both under ${found.get(row)} and under ${part}`)
    else found.set(row, part)
  }
  if (strangers.length > 0) yield* Stage.notice(`ids of the given split that are no samples here: ${strangers.length} (${few(strangers)})`)
  const unlisted = ids.length - found.size
  if (unlisted > 0) yield* Stage.notice(`samples in no list, left unused: ${unlisted} of ${ids.length}`)
  return { split: ids.map((_, row): Part => found.get(row) ?? "unused"), asked: [...new Set(found.values())] }
})

// ---- strata, buffer, fraction, leak ---------------------------------------------------------------------------------------------

const needs = {
  samples: Stage.needs(Samples, "label", "labels", "location", "lat", "lon", "time"),
  annotations: Stage.when(Stage.withOpen(Stage.needs(Annotations), annotated), (parameters: Parameters) => annotated(parameters).length > 0)
}
type Inputs = Stage.Inputs<typeof needs>

/** What each column of `by` says of a row: no class, one, or several (`labels`). */
const columnsOf = Effect.fnUntraced(function*({ annotations, samples }: Inputs, by: ReadonlyArray<string>) {
  const rowOf = new Map(annotations?.sample_id.map((id, row) => [id, row]))
  const one = (name: string | null | undefined) => name === null || name === undefined ? [] : [name]
  const columns: Array<(row: number) => ReadonlyArray<string>> = []
  for (const name of by) {
    const open = annotations?.open[name]
    if (name === "label") columns.push((row) => one(samples.label[row]))
    else if (name === "location") columns.push((row) => one(samples.location[row]))
    else if (name === "labels") columns.push((row) => samples.labels[row]!.toSorted())
    else if (annotations === undefined) return yield* fail(`to stratify by "${name}", bind \`annotations\` to the stage that gives it; samples have ${ownColumns.join(", ")}`)
    else if (!(open instanceof Int32Array)) return yield* fail(`"${name}" is not a column of class ids; only such columns make strata`)
    else {
      columns.push((row) => {
        const id = open[rowOf.get(samples.sample_id[row]!) ?? -1] ?? -1
        return id < 0 ? [] : [String(id)]
      })
    }
  }
  return columns
})
type ClassColumns = Effect.Success<ReturnType<typeof columnsOf>>

/** Leaves the samples near test cells unused. */
const leaveBuffer = Effect.fnUntraced(function*(split: Array<Part>, cells: ReadonlyArray<string>, rings: number) {
  const { gridDisk } = yield* Effect.promise(() => import("h3-js"))
  const near = new Set([...new Set(cells.filter((_, row) => split[row] === "test"))].flatMap((cell) => gridDisk(cell, rings)))
  let dropped = 0
  for (let row = 0; row < split.length; row++) {
    if (split[row] === "test" || !near.has(cells[row]!)) continue
    split[row] = "unused"
    dropped++
  }
  yield* Stage.notice(`samples left unused because their cell is near a test cell (${rings} ${rings === 1 ? "ring" : "rings"}): ${dropped} of ${split.length}`)
})

/**
 * Keeps a share of the training samples and leaves the others unused. Each has a rank of its own, drawn by seed and id, so that what one
 * share keeps a larger one keeps too. Several labels of a sample are classes each, not a combination.
 */
const keepFraction = Effect.fnUntraced(function*(part: "train" | "val", split: Array<Part>, ids: ReadonlyArray<string>, columns: ClassColumns, fraction: number, seed: number) {
  const rows = split.flatMap((own, row) => own === part ? [row] : [])
  if (rows.length === 0) return
  const names = rows.map((row) =>
    columns.reduce<ReadonlyArray<string>>((all, column) => {
      const own = new Set(column(row))
      return all.flatMap((name) => own.size === 0 ? [`${name} / (none)`] : [...own].map((more) => `${name} / ${more}`))
    }, [""])
  )
  const { ids: flat, names: classNames } = encode(names.flat())
  let at = 0
  const sets = names.map((own) => own.map(() => flat[at++]!))
  const ranks = Float64Array.from(rows, (row) => stream(seed, "fraction", ids[row]!).uniform())
  const kept = first(sets, ranks, countOf(fraction, rows.length))
  for (const row of rows) split[row] = "unused"
  for (const i of kept) split[rows[i]!] = part
  const met = new Set(kept.flatMap((i) => sets[i]!))
  const without = classNames.filter((_, id) => !met.has(id)).map((name) => name.slice(3))
  yield* Stage.notice(
    `${part === "train" ? "training" : "validation"} samples that the label fraction keeps: ${kept.length} of ${rows.length}, the others are unused` +
      (without.length > 0 ? `; classes of which it keeps none: ${without.length} of ${classNames.length} (${few(without)})` : "")
  )
})

/** Says how many test samples lie near a training sample. */
const sayLeak = Effect.fnUntraced(function*(samples: Inputs["samples"], split: ReadonlyArray<Part>) {
  if (!split.includes("test")) return
  const text = leakNotice(leakOf(samples, split, 1000), "1 km")
  if (text !== undefined) yield* Stage.notice(text)
})

/**
 * Which samples train, validate and test: drawn by a seed, or as given.
 *
 * Drawn: `test` first, then either `folds` (fold `fold` validates) or `val` from the rest. Class counts are those of scikit-learn:
 * fractions as in `train_test_split(stratify)`, rounded up, largest remainder; folds as in `StratifiedKFold(shuffle=True)`. TG-MATL's
 * protocol is `by: [label, <box column of mine/box-clusters>], test: 0.7, folds: 8, fold: $fold`. Folds do not depend on `fold`: over
 * all of its values they cover what is not test exactly once.
 *
 * By group (`location`, or H3 cells of lat and lon) no group straddles two parts; fractions are met as nearly as whole groups allow. Groups are
 * dealt by their classes and sizes, the seed draws among equal ones only: where a seed divides as seed 0 does, a notice says so.
 * `buffer` leaves cells around test cells unused, because neighbours leak: a random split inflates scores. Rings of cells, not metres,
 * so that membership follows from the cell alone.
 *
 * By time (`from` a day on, or in `months`: a shift of season) samples without a time are unused. Times are UTC.
 *
 * `fraction` keeps a share of the training and of the validation samples, also of a given split, and leaves the test set whole (what selects
 * on validation labels, or fits again with them, may have no more of them than training has): the nested, stratified label
 * fractions of SoftCon's pipeline (see `math/fraction.ts`; which samples a published fraction holds is not known to us). A split that is
 * given, or whose test set is drawn at random, says how many test samples lie within 1 km of a training sample or in the same place.
 *
 * A part that was asked for and comes out empty is an error.
 */
export default Stage.make({
  name: "ingest/split",
  version: 1,
  summary: "train, val and test: stratified, in folds, by group, by H3 cell with a buffer, by time, or as given; and label fractions",
  with: With,
  needs,
  gives: { split: Split },
  run: Effect.fn("ingest/split")(function*({ annotations, samples }, parameters) {
    const { buffer, fraction, given, group, seed, test } = parameters
    const ids = samples.sample_id
    if (ids.length === 0) return yield* fail("there are no samples to split")
    const finish = Effect.fnUntraced(function*({ asked, split }: { readonly split: Array<Part>; readonly asked: ReadonlyArray<Part> }, random: boolean) {
      if (fraction !== undefined && fraction < 1) {
        const columns = yield* columnsOf({ annotations, samples }, parameters.by)
        for (const part of ["train", "val"] as const) yield* keepFraction(part, split, ids, columns, fraction, seed)
      }
      const empty = asked.find((part) => !split.includes(part)) ?? (split.includes("train") ? undefined : "train")
      if (empty !== undefined) {
        const counts = parts.map((part) => `${part} ${split.filter((name) => name === part).length}`).join(", ")
        return yield* fail(`the ${empty} set is empty (${counts}): ask for other fractions, folds, groups or dates`)
      }
      if (random) yield* sayLeak(samples, split)
      return { split: { sample_id: ids, split } }
    })
    if (given !== undefined) return yield* finish(yield* asGiven(ids, given), true)

    const columns = yield* columnsOf({ annotations, samples }, parameters.by)
    const strata = ids.map((_, row) => columns.map((column) => column(row)).map((names) => names.length === 0 ? "(none)" : names.join("+")).join(" / "))
    const without = ids.filter((_, row) => columns.some((column) => column(row).length === 0))
    if (without.length > 0) yield* Stage.notice(`samples without ${parameters.by.join(" or ")} are strata of their own: ${without.length} (${few(without)})`)
    const { ids: classes, names: classNames } = encode(strata)

    const cells: Array<string> = []
    if (group === "h3") {
      const { latLngToCell } = yield* Effect.promise(() => import("h3-js"))
      const lost = ids.filter((_, row) => !Number.isFinite(samples.lat[row]) || !Number.isFinite(samples.lon[row]))
      if (lost.length > 0) return yield* fail(`\`group: h3\` needs coordinates; samples without: ${lost.length} of ${ids.length} (${few(lost)})`)
      for (let row = 0; row < ids.length; row++) cells.push(latLngToCell(samples.lat[row]!, samples.lon[row]!, parameters.resolution))
    } else if (group === "location") {
      const lost = ids.filter((_, row) => samples.location[row] === null)
      if (lost.length > 0) return yield* fail(`\`group: location\` needs locations; samples without: ${lost.length} of ${ids.length} (${few(lost)})`)
      for (const name of samples.location) cells.push(name ?? "")
    }
    const groups = encode(cells)

    const wrong = contradiction(parameters, groups.names)
    if (wrong !== undefined) return yield* fail(wrong)
    if (buffer > 0 && group !== "h3") return yield* fail("`buffer` counts rings of H3 cells: it needs `group: h3`")
    if (byTime(parameters)) {
      const timeless = ids.filter((_, row) => Number.isNaN(samples.time[row]))
      if (timeless.length === ids.length) return yield* fail("a division by time needs times, and no sample has one; a reader takes them from a column or from file names")
      if (timeless.length > 0) yield* Stage.notice(`samples without a time, left unused: ${timeless.length} of ${ids.length} (${few(timeless)})`)
    }
    const rows = { classes, groups: group === undefined ? undefined : groups.ids, names: groups.names, time: samples.time }
    const result = divide(rows, parameters)
    if (group !== undefined && typeof test === "number" && seed !== 0) {
      const other = divide(rows, { ...parameters, seed: 0 }).split
      if (result.split.every((part, row) => part === other[row])) {
        yield* Stage.notice(`seed ${seed} divides as seed 0 does: whole groups are dealt by their classes and sizes, and only equal ones are drawn for. Another seed is no other split here; \`test: fold\` has each group as the test set in turn`)
      }
    }
    if (buffer > 0) yield* leaveBuffer(result.split, cells, buffer)
    const wanted = parameters.folds ?? result.asked.length
    const free = new Map(classNames.map((name) => [name, 0]))
    strata.forEach((name, row) => {
      if (parameters.folds === undefined || test === "fold" || result.split[row] !== "test") free.set(name, free.get(name)! + 1)
    })
    const small = [...free].filter(([, count]) => count < wanted)
    if (small.length > 0 && parameters.by.length > 0) {
      yield* Stage.notice(
        `classes with fewer samples than the ${wanted} ${parameters.folds === undefined ? "parts" : "folds"}, so that some lack them: ${small.length} of ${classNames.length} ` +
          `(${few(small.map(([name, count]) => `${name} has ${count}`))})`
      )
    }
    return yield* finish(result, group === undefined && !(typeof test === "object"))
  })
})
