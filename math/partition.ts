/**
 * Divides rows into train, val and test: by seed (fractions and folds, each class in proportion, groups whole), by the names of groups, or by
 * time.
 */
import { dayOf, monthOf } from "./calendar.ts"
import { type Random, stream } from "./random.ts"
import { dealFolds, dealGroups, drawFraction, encode } from "./strata.ts"

export const parts = ["train", "val", "test", "unused"] as const
export type Part = (typeof parts)[number]

/** What is known of the rows. */
export interface Rows {
  /** Stratum of each row. */
  readonly classes: Int32Array
  /** Group of each row; undefined: every row is its own. */
  readonly groups: Int32Array | undefined
  /** Names of the groups. */
  readonly names: ReadonlyArray<string>
  /** UTC milliseconds since 1970 of each row; NaN: unknown. */
  readonly time: Float64Array
}

/** By time: from a day on (2022-06-01, UTC), or in months of any year (1 to 12). */
export type Times = { readonly from: string } | { readonly months: ReadonlyArray<number> }
type Share = number | { readonly groups: ReadonlyArray<string> } | Times

/** How rows are divided; the parameters of `ingest/split` of the same names. */
export interface Division {
  readonly test: Share | "fold"
  readonly val?: Share
  readonly folds?: number
  readonly fold?: number
  readonly group?: string
  readonly seed: number
}

const timed = (part: Share | "fold" | undefined): part is Times => typeof part === "object" && !("groups" in part)

/** Whether a part is by time, so that rows without one belong nowhere. */
export const byTime = ({ test, val }: Division): boolean => timed(test) || timed(val)

/** What contradicts itself in a division; undefined: nothing. */
export const contradiction = (division: Division, names: ReadonlyArray<string>): string | undefined => {
  const { fold, folds, group, test, val } = division
  for (const part of [test, val]) {
    if (typeof part !== "object" || timed(part)) continue
    if (group === undefined) return `groups are named for a part, but not what a group is: add \`group: location\``
    const unknown = part.groups.find((name) => !names.includes(name))
    if (unknown !== undefined) return `there is no group "${unknown}"; there are ${names.toSorted().join(", ")}`
  }
  if (group !== undefined && byTime(division)) return `\`group: ${group}\` keeps places whole, which a division by time does not: leave one of them out`
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
  return undefined
}

/** Draws a part of the rows that are still free; the mask covers all rows. */
const drawPart = (rows: Rows, free: ReadonlyArray<number>, part: Share, random: Random): Uint8Array => {
  const mask = new Uint8Array(rows.classes.length)
  if (timed(part)) {
    const isIn = "from" in part ? (time: number) => time >= dayOf(part.from) : (time: number) => part.months.includes(monthOf(time))
    for (const row of free) mask[row] = isIn(rows.time[row]!) ? 1 : 0
    return mask
  }
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

/**
 * The part of each row, and the parts that were asked for: test first, then from the rest a fold or a part that validates. Where a part is by
 * time, rows without one are unused. The division must not contradict itself. The order of the rows is that of the draws.
 */
export const divide = (rows: Rows, division: Division): { readonly split: Array<Part>; readonly asked: ReadonlyArray<Part> } => {
  const { fold = 0, folds, seed, test, val } = division
  const lost = byTime(division)
  const split = Array.from(rows.time, (time): Part => lost && Number.isNaN(time) ? "unused" : "train")
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
  const validates = (val !== undefined && val !== 0) || (test !== "fold" && folds !== undefined)
  return { split, asked: ["train", ...validates ? ["val" as const] : [], ...test === 0 ? [] : ["test" as const]] }
}
