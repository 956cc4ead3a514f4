import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Annotations, Samples, Split, Stage, Weights } from "outcrop"
import { pixelsOf } from "../../imagery/pixels.ts"
import { suggest } from "../../schemas/spelling.ts"
import { vocabularyOf } from "../../math/vocabulary.ts"
import { type OpenColumn, takeColumn } from "../../schemas/column.ts"

const Name = Schema.NonEmptyString
const With = Schema.Struct({
  classes: Schema.optionalKey(
    Schema.NonEmptyArray(Name).check(Schema.isUnique()).annotate({ description: "the labels there are, in the order of the targets; without, those of the training samples in byte order" })
  ),
  raster: Schema.optionalKey(
    Schema.Struct({
      band: Name.annotate({ description: "asset of the sample that holds a class number a pixel" }),
      classes: Schema.Record(Schema.String.check(Schema.isPattern(/^-?\d+$/)), Name).annotate({ description: "what the numbers mean, { 1: water, 2: trees }; numbers of one name are one class" }),
      threshold: Stage.withDefault(
        Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1, exclusiveMinimum: true })).annotate({ description: "a class is present from this share of the pixels on" }),
        0.05
      )
    }).annotate({ description: "take labels from a land-cover raster instead of `labels`" })
  ),
  unlabelled: Stage.withDefault(
    Schema.Literals(["drop", "keep"]).annotate({ description: "samples without labels: left out, as SoftCon does, or kept with targets of 0, which a loss takes as unlabelled" }),
    "drop"
  )
})
type Parameters = typeof With.Type

const needs = {
  samples: Stage.needs(Samples, "labels", "assets", "window"),
  split: Stage.optional(Stage.needs(Split)),
  annotations: Stage.optional(Stage.withOpen(Stage.needs(Annotations), "all"))
}
type SampleColumns = Stage.Inputs<typeof needs>["samples"]

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))

/** The labels of a sample; `most`: the one that most of its ground has, where that is known. */
interface Labelled {
  readonly labels: ReadonlyArray<string>
  readonly most?: string
}
const none: Labelled = { labels: [] }

/** The labels of each row by the shares of its pixels; pixels of the file's nodata value and of no number (NaN) are none of the ground. */
const fromRaster = Effect.fnUntraced(function*(samples: SampleColumns, { band, classes, threshold }: NonNullable<Parameters["raster"]>) {
  const found = Array.from({ length: samples.rows }, () => none), strangers = new Map<number, number>()
  const names = vocabularyOf(Object.values(classes)), idOf = new Map(Object.entries(classes).map(([value, name]) => [Number(value), names.indexOf(name)]))
  let pixels = 0, empty = 0
  yield* Stream.runForEach(pixelsOf(samples, { bands: [band], stretch: "none" }), Effect.fnUntraced(function*(read) {
    if (read.pixels.bands !== 1) return yield* fail(`sample ${samples.sample_id[read.row]}: "${band}" has ${read.pixels.bands} bands, and a land-cover raster has one; name the asset of one band`)
    const counts = new Float64Array(names.length), nodata = read.pixels.nodata[0]!
    let ground = 0
    for (const value of read.pixels.values) {
      if (Number.isNaN(value) || value === nodata) continue
      ground++
      const id = idOf.get(value)
      if (id === undefined) strangers.set(value, (strangers.get(value) ?? 0) + 1)
      else counts[id]!++
    }
    pixels += read.pixels.values.length
    empty += read.pixels.values.length - ground
    const labels = names.filter((_, id) => counts[id]! / ground >= threshold)
    if (labels.length > 0) found[read.row] = { labels, most: names[counts.indexOf(Math.max(...counts))]! }
  }))
  const unknown = [...strangers.values()].reduce((sum, count) => sum + count, 0)
  return {
    found,
    notices: [
      ...empty > 0 ? [`pixels of ${band} without data: ${empty} of ${pixels}`] : [],
      ...unknown > 0 ? [`pixels of ${band} that are of no class in \`raster.classes\`: ${unknown} of ${pixels} (values ${[...strangers.keys()].toSorted((a, b) => a - b).slice(0, 10).join(", ")})`] : []
    ]
  }
})

/** The labels of each row, from lists or from a raster. */
const labelsOf = (samples: SampleColumns, { raster }: Parameters) =>
  raster === undefined ? Effect.succeed({ found: samples.labels.map((labels): Labelled => ({ labels: [...new Set(labels)] })), notices: [] }) : fromRaster(samples, raster)

/** Fails where `classes` were given and a label is not among them. */
const checkClasses = Effect.fnUntraced(function*(found: ReadonlyArray<Labelled>, ids: ReadonlyArray<string>, classes: ReadonlyArray<string> | undefined) {
  if (classes === undefined) return
  const known = new Set(classes)
  for (const [row, { labels }] of found.entries()) {
    const strange = labels.find((label) => !known.has(label))
    if (strange !== undefined) return yield* fail(`sample ${ids[row]} has the label "${strange}", which is not in \`classes\`${suggest(strange, classes)}; they are ${classes.join(", ")}`)
  }
})

/**
 * Multi-hot targets of several labels a sample, for the soft targets of SoftCon (Wang, Albrecht and Zhu, arXiv 2405.20462). Gives the annotations
 * `labels` (target vectors [K] of 0 and 1; names in the metadata) and `dominant` (int32, one label a sample; -1: none) beside those of the
 * `annotations` port. Learns `statistics` of the rows to fit on: `count` [K], `share` [K] of those with labels, `cooccurrence` [K, K] (its
 * diagonal is `count`) and `labels_per_sample` [K + 1], how many rows have 0, 1, ... labels; names in the metadata.
 *
 * Labels are those of the samples, or, by `raster`, the classes that cover at least `threshold` of the pixels with data in a sample's window
 * (numbers that `classes` does not name count as ground of no class). Classes are never interpolated. K are `classes`, those of the raster, or
 * the labels of the training rows; labels that only other rows have are then left out, with a count.
 *
 * `dominant` is ours, for losses of one class a sample (SupCon, triplets): by raster the class of most pixels, else the label that the fewest
 * training rows have, which tells most about a sample and keeps the classes as even as labels allow; of equal ones the first.
 *
 * Samples without labels are dropped, as SoftCon drops those of SSL4EO-S12-ML, or kept. Samples that the split leaves `unused` count as
 * unlabelled whatever their labels are: outside a label fraction no label may be seen.
 */
export default Stage.make({
  name: "mine/soft-labels",
  version: 1,
  summary: "multi-hot targets from label lists or a land-cover raster, a dominant label, and label statistics",
  paper: "SoftCon (arXiv 2405.20462)",
  with: With,
  needs,
  gives: { annotations: Annotations },
  learns: { statistics: Weights },
  fit: Effect.fn("mine/soft-labels.fit")(function*({ samples }, parameters) {
    const { classes, raster } = parameters
    if (classes !== undefined && raster !== undefined) return yield* fail("`classes` and `raster.classes` both say which classes there are; leave `classes` out")
    const { found } = yield* labelsOf(samples, parameters)
    yield* checkClasses(found, samples.sample_id, classes)
    const names = classes ?? vocabularyOf(raster === undefined ? found.flatMap(({ labels }) => labels) : Object.values(raster.classes)), k = names.length
    const labelled = found.filter(({ labels }) => labels.length > 0).length
    if (labelled === 0) {
      return yield* fail(`none of the ${samples.rows} samples to fit on has labels${raster === undefined ? "; mine/classes takes one label a sample, and `raster` takes labels from land cover" : ` from ${raster.band}`}`)
    }
    const idOf = new Map(names.map((name, id) => [name, id]))
    const together = new Float64Array(k * k), sizes = new Float64Array(k + 1)
    for (const { labels } of found) {
      const ids = labels.map((label) => idOf.get(label)!)
      sizes[ids.length]!++
      for (const a of ids) for (const b of ids) together[a * k + b]!++
    }
    const count = Float64Array.from(names, (_, id) => together[id * k + id]!)
    return {
      statistics: {
        layer: ["count", "share", "cooccurrence", "labels_per_sample"],
        shape: [Float64Array.of(k), Float64Array.of(k), Float64Array.of(k, k), Float64Array.of(k + 1)],
        values: [count, count.map((rows) => rows / labelled), together, sizes],
        metadata: { labels: JSON.stringify(names) }
      }
    }
  }),
  apply: Effect.fn("mine/soft-labels.apply")(function*({ statistics }, { annotations, samples, split }, parameters) {
    const taken = ["labels", "dominant"].find((name) => annotations?.open[name] !== undefined)
    if (taken !== undefined) return yield* fail(`the annotations handed to mine/soft-labels have a column "${taken}" already, which it makes itself; bind an earlier stage's annotations`)
    const vocabulary = statistics.metadata?.["labels"] ?? "[]", names = JSON.parse(vocabulary) as ReadonlyArray<string>, k = names.length
    const idOf = new Map(names.map((name, id) => [name, id])), count = statistics.values[statistics.layer.indexOf("count")]!

    const seen = Int32Array.from({ length: samples.rows }, (_, row) => row).filter((row) => split?.split[row] !== "unused")
    const ids = takeColumn(samples.sample_id, seen)
    const { found, notices } = yield* labelsOf(
      { ...samples, rows: seen.length, sample_id: ids, labels: takeColumn(samples.labels, seen), assets: takeColumn(samples.assets, seen), window: takeColumn(samples.window, seen) },
      parameters
    )
    yield* checkClasses(found, ids, parameters.classes)
    for (const text of notices) yield* Stage.notice(text)

    const targets = new Float32Array(samples.rows * k), dominant = new Int32Array(samples.rows).fill(-1), strangers = new Map<string, number>()
    for (const [i, { labels, most }] of found.entries()) {
      const row = seen[i]!
      for (const label of labels) {
        const id = idOf.get(label)
        if (id === undefined) {
          strangers.set(label, (strangers.get(label) ?? 0) + 1)
          continue
        }
        targets[row * k + id] = 1
        const other = dominant[row]!
        if (other < 0 || count[id]! < count[other]! || (count[id] === count[other] && id < other)) dominant[row] = id
      }
      if (most !== undefined) dominant[row] = idOf.get(most) ?? -1
    }
    if (strangers.size > 0) yield* Stage.notice(`labels that no training sample has, left out of the targets: ${[...strangers].map(([label, rows]) => `${label} (${rows})`).join(", ")}; give \`classes\` to keep their places`)
    const unused = samples.rows - seen.length
    if (unused > 0) yield* Stage.notice(`${unused} of ${samples.rows} samples are unused in the split; their labels are not looked at`)
    const without = dominant.filter((id) => id < 0).length - unused, kept = parameters.unlabelled === "keep"
    if (without > 0) yield* Stage.notice(`${without} of ${samples.rows} samples have no labels and are ${kept ? "kept with targets of 0" : "left out"}`)

    const rows = Int32Array.from(dominant.keys()).filter((row) => kept || dominant[row]! >= 0)
    const open: Record<string, OpenColumn> = { ...annotations?.open, labels: { width: k, values: targets }, dominant }
    return {
      annotations: {
        sample_id: takeColumn(samples.sample_id, rows),
        open: Object.fromEntries(Object.entries(open).map(([name, column]) => [name, takeColumn(column, rows)])),
        metadata: { ...annotations?.metadata, labels: vocabulary, dominant: vocabulary }
      }
    }
  })
})
