import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, type Random, Samples, Split, Stage, stream } from "outcrop"
import { dealFolds, dealGroups, drawFraction, encode } from "../../math/strata.ts"

const Fraction = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1, exclusiveMaximum: true }))
const Groups = Schema.Struct({ groups: Schema.NonEmptyArray(Schema.String) })
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
    Schema.Union([Fraction, Groups, Schema.Literal("fold")]).annotate({
      description: "a fraction of the samples; { groups: [names] }; or `fold`: fold number `fold` is the test set, each group in turn where `folds` is not given"
    }),
    0.2
  ),
  val: Schema.optionalKey(Schema.Union([Fraction, Groups]).annotate({ description: "validation set, drawn from what is not test: a fraction of it, or { groups: [names] }" })),
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
  seed: Stage.Seed
})
type Parameters = typeof With.Type
type Part = "train" | "val" | "test" | "unused"
const parts: ReadonlyArray<Part> = ["train", "val", "test", "unused"]

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))
const few = (names: ReadonlyArray<string>): string => names.slice(0, 3).join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "")
const ownColumns = ["label", "labels", "location"]
const annotated = ({ by }: Parameters) => by.filter((name) => !ownColumns.includes(name))

// ---- as given -------------------------------------------------------------------------------------------------------------------

/** Reads which samples are listed under which split. */
const listed = Effect.fnUntraced(function*(given: NonNullable<Parameters["given"]>) {
  const files = yield* Stage.Files
  const { parse } = yield* Effect.promise(() => import("csv-parse/sync"))
  const text = (path: string) => Effect.map(files.read(path), (bytes) => new TextDecoder().decode(bytes))
  if (!("file" in given)) {
    const lists = yield* Effect.forEach(parts.slice(0, 3), (part) => {
      const path = given[part as keyof typeof given]
      return path === undefined ? Effect.succeed([]) : Effect.map(text(path), (content) => content.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "").map((id) => [id, part] as const))
    })
    return lists.flat()
  }
  const content = yield* text(given.file)
  const rows = yield* Effect.try({
    try: (): ReadonlyArray<Record<string, string>> => parse(content, { columns: true, bom: true, skip_empty_lines: true, trim: true }),
    catch: (cause) => new Stage.StageError({ message: `${given.file} is not a readable CSV: ${cause instanceof Error ? cause.message : String(cause)}` })
  })
  return yield* Effect.forEach(rows, (row, i) => {
    const id = row[given.id], split = row[given.split]
    if (id === undefined || split === undefined) return fail(`${given.file} has no column "${id === undefined ? given.id : given.split}"; it has ${Object.keys(row).join(", ")}`)
    const part = parts.find((name) => name === split || (name === "val" && (split === "validation" || split === "valid")))
    return part === undefined ? fail(`${given.file}, row ${i + 1}: "${split}" is no split; use train, val, test or unused`) : Effect.succeed([id, part] as const)
  })
})

/** The sample an entry of a list means: the one of that id, or the only one whose id ends in "/" and that name. */
const asGiven = Effect.fnUntraced(function*(ids: ReadonlyArray<string>, given: NonNullable<Parameters["given"]>) {
  const rows = new Map(ids.map((id, row) => [id, row]))
  const byName = Map.groupBy(ids.keys(), (row) => ids[row]!.slice(ids[row]!.lastIndexOf("/") + 1))
  const found = new Map<number, Part>()
  const strangers: Array<string> = []
  for (const [id, part] of yield* listed(given)) {
    const named = byName.get(id) ?? []
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

// ---- drawn ----------------------------------------------------------------------------------------------------------------------

interface Rows {
  /** Stratum of each row. */
  readonly classes: Int32Array
  /** Group of each row; undefined: every row is its own. */
  readonly groups: Int32Array | undefined
  /** Names of the groups. */
  readonly names: ReadonlyArray<string>
}

/** Draws a part of the rows that are still free; the mask covers all rows. */
const drawPart = (rows: Rows, free: ReadonlyArray<number>, part: number | { readonly groups: ReadonlyArray<string> }, random: Random): Uint8Array => {
  const mask = new Uint8Array(rows.classes.length)
  if (typeof part !== "number") {
    const ids = new Set(part.groups.map((name) => rows.names.indexOf(name)))
    for (const row of free) mask[row] = ids.has(rows.groups![row]!) ? 1 : 0
    return mask
  }
  if (part === 0) return mask
  const classes = encode(free.map((row) => String(rows.classes[row]))).ids
  if (rows.groups === undefined) {
    drawFraction(classes, part, random).forEach((drawn, i) => mask[free[i]!] = drawn)
  } else {
    const groups = encode(free.map((row) => String(rows.groups![row]))).ids
    dealGroups(classes, groups, [part, 1 - part], random).forEach((to, i) => mask[free[i]!] = to === 0 ? 1 : 0)
  }
  return mask
}

/** Fold of each of the free rows. */
const foldsOf = (rows: Rows, free: ReadonlyArray<number>, folds: number, random: Random): Int32Array => {
  const classes = encode(free.map((row) => String(rows.classes[row]))).ids
  if (rows.groups === undefined) return dealFolds(classes, folds, random)
  const groups = encode(free.map((row) => String(rows.groups![row]))).ids
  return dealGroups(classes, groups, Array.from({ length: folds }, () => 1 / folds), random)
}

/** What contradicts itself in the parameters. */
const contradiction = ({ buffer, fold, folds, group, test, val }: Parameters, names: ReadonlyArray<string>): string | undefined => {
  for (const part of [test, val]) {
    if (typeof part !== "object") continue
    if (group === undefined) return `groups are named for a part, but not what a group is: add \`group: location\``
    const unknown = part.groups.find((name) => !names.includes(name))
    if (unknown !== undefined) return `there is no group "${unknown}"; there are ${names.toSorted().join(", ")}`
  }
  if (test === "fold") {
    if (folds === undefined && group === undefined) return "`test: fold` needs `folds`, or a `group` to leave out one at a time"
    if (fold === undefined) return "`test: fold` needs `fold`: which fold, or group, is the test set"
    const last = (folds ?? names.length) - 1
    if (fold > last) return `fold ${fold} is beyond the last: ${folds === undefined ? `there are ${names.length} groups` : `there are ${folds} folds`}, numbered from 0 to ${last}`
  } else if (folds !== undefined) {
    if (val !== undefined) return "`folds` and `val` both say what the validation set is; give one of them"
    if (fold === undefined) return "`folds` needs `fold`: which of them is the validation set"
    if (fold >= folds) return `fold ${fold} is beyond the last: there are ${folds} folds, numbered from 0 to ${folds - 1}`
  } else if (fold !== undefined) return "`fold` needs `folds`, or `test: fold`"
  if (buffer > 0 && group !== "h3") return "`buffer` counts rings of H3 cells: it needs `group: h3`"
  return undefined
}

/** The split by the parameters; rows are in the order of the table, which is that of the ids. */
const drawn = Effect.fnUntraced(function*(rows: Rows, parameters: Parameters) {
  const wrong = contradiction(parameters, rows.names)
  if (wrong !== undefined) return yield* fail(wrong)
  const { fold = 0, folds, seed, test, val } = parameters
  const split = Array.from(rows.classes, (): Part => "train")
  const free = () => split.flatMap((part, row) => part === "train" ? [row] : [])
  const assign = (mask: ArrayLike<number>, part: Part) => {
    for (let row = 0; row < split.length; row++) if (mask[row] === 1) split[row] = part
  }
  const assignFold = (part: Part) => {
    const left = free()
    foldsOf(rows, left, folds ?? 0, stream(seed, "folds")).forEach((of, i) => {
      if (of === fold) split[left[i]!] = part
    })
  }
  if (test !== "fold") assign(drawPart(rows, free(), test, stream(seed, "test")), "test")
  else if (folds !== undefined) assignFold("test")
  else assign(drawPart(rows, free(), { groups: [rows.names.toSorted()[fold]!] }, stream(seed, "test")), "test")
  if (val !== undefined) assign(drawPart(rows, free(), val, stream(seed, "val")), "val")
  else if (test !== "fold" && folds !== undefined) assignFold("val")
  const asked: ReadonlyArray<Part> = ["train", ...(val !== undefined && val !== 0 || (test !== "fold" && folds !== undefined) ? ["val" as const] : []), ...(test === 0 ? [] : ["test" as const])]
  return { split, asked }
})

// ---- strata and groups ----------------------------------------------------------------------------------------------------------

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
 * Which samples train, validate and test: drawn by a seed, or as given.
 *
 * Drawn: `test` first, then either `folds` (fold `fold` validates) or `val` from the rest. Class counts are those of scikit-learn:
 * fractions as in `train_test_split(stratify)`, rounded up, largest remainder; folds as in `StratifiedKFold(shuffle=True)`. TG-MATL's
 * protocol is `by: [label, <box column of mine/box-clusters>], test: 0.7, folds: 8, fold: $fold`. Folds do not depend on `fold`: over
 * all of its values they cover what is not test exactly once.
 *
 * By group (`location`, or H3 cells of lat and lon) no group straddles two parts; fractions are met as nearly as whole groups allow.
 * `buffer` leaves cells around test cells unused, because neighbours leak: a random split inflates scores. Rings of cells, not metres,
 * so that membership follows from the cell alone.
 *
 * A part that was asked for and comes out empty is an error.
 */
export default Stage.make({
  name: "ingest/split",
  version: 1,
  summary: "train, val and test: stratified, in folds, by group, by H3 cell with a buffer, or as given",
  with: With,
  needs: {
    samples: Stage.needs(Samples, "label", "labels", "location", "lat", "lon"),
    annotations: Stage.when(Stage.withOpen(Stage.needs(Annotations), annotated), (parameters: Parameters) => annotated(parameters).length > 0)
  },
  gives: { split: Split },
  run: Effect.fn("ingest/split")(function*({ samples, annotations }, parameters) {
    const ids = samples.sample_id
    if (ids.length === 0) return yield* fail("there are no samples to split")
    const finish = Effect.fnUntraced(function*({ asked, split }: { readonly split: ReadonlyArray<Part>; readonly asked: ReadonlyArray<Part> }) {
      const empty = asked.find((part) => !split.includes(part)) ?? (split.includes("train") ? undefined : "train")
      if (empty !== undefined) {
        const counts = parts.map((part) => `${part} ${split.filter((name) => name === part).length}`).join(", ")
        return yield* fail(`the ${empty} set is empty (${counts}): ask for other fractions, folds or groups`)
      }
      return { split: { sample_id: ids, split } }
    })
    if (parameters.given !== undefined) return yield* finish(yield* asGiven(ids, parameters.given))

    const rowOf = new Map(annotations?.sample_id.map((id, row) => [id, row]))
    const columns: Array<(row: number) => string | undefined> = []
    for (const name of parameters.by) {
      const open = annotations?.open[name]
      if (name === "label") columns.push((row) => samples.label[row] ?? undefined)
      else if (name === "location") columns.push((row) => samples.location[row] ?? undefined)
      else if (name === "labels") columns.push((row) => samples.labels[row]!.length === 0 ? undefined : samples.labels[row]!.toSorted().join("+"))
      else if (annotations === undefined) return yield* fail(`to stratify by "${name}", bind \`annotations\` to the stage that gives it; samples have ${ownColumns.join(", ")}`)
      else if (!(open instanceof Int32Array)) return yield* fail(`"${name}" is not a column of class ids; only such columns make strata`)
      else {
        columns.push((row) => {
          const id = open[rowOf.get(ids[row]!) ?? -1] ?? -1
          return id < 0 ? undefined : String(id)
        })
      }
    }
    const strata = ids.map((_, row) => columns.map((column) => column(row) ?? "(none)").join(" / "))
    const without = ids.filter((_, row) => columns.some((column) => column(row) === undefined))
    if (without.length > 0) yield* Stage.notice(`samples without ${parameters.by.join(" or ")} are strata of their own: ${without.length} (${few(without)})`)
    const { ids: classes, names: classNames } = encode(strata)

    const cells: Array<string> = []
    if (parameters.group === "h3") {
      const { latLngToCell } = yield* Effect.promise(() => import("h3-js"))
      const lost = ids.filter((_, row) => !Number.isFinite(samples.lat[row]) || !Number.isFinite(samples.lon[row]))
      if (lost.length > 0) return yield* fail(`\`group: h3\` needs coordinates; samples without: ${lost.length} of ${ids.length} (${few(lost)})`)
      for (let row = 0; row < ids.length; row++) cells.push(latLngToCell(samples.lat[row]!, samples.lon[row]!, parameters.resolution))
    } else if (parameters.group === "location") {
      const lost = ids.filter((_, row) => samples.location[row] === null)
      if (lost.length > 0) return yield* fail(`\`group: location\` needs locations; samples without: ${lost.length} of ${ids.length} (${few(lost)})`)
      for (const name of samples.location) cells.push(name ?? "")
    }
    const groups = encode(cells)

    const result = yield* drawn({ classes, groups: parameters.group === undefined ? undefined : groups.ids, names: groups.names }, parameters)
    if (parameters.buffer > 0) yield* leaveBuffer(result.split, cells, parameters.buffer)
    const wanted = parameters.folds ?? result.asked.length
    const free = new Map(classNames.map((name) => [name, 0]))
    strata.forEach((name, row) => {
      if (parameters.folds === undefined || parameters.test === "fold" || result.split[row] !== "test") free.set(name, free.get(name)! + 1)
    })
    const small = [...free].filter(([, count]) => count < wanted)
    if (small.length > 0 && parameters.by.length > 0) {
      yield* Stage.notice(
        `classes with fewer samples than the ${wanted} ${parameters.folds === undefined ? "parts" : "folds"}, so that some lack them: ${small.length} of ${classNames.length} ` +
          `(${few(small.map(([name, count]) => `${name} has ${count}`))})`
      )
    }
    return yield* finish(result)
  })
})
