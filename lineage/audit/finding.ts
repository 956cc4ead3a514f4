/** What an audit says: findings, each with the samples that show it, and a line a check of what became of it. */
import type { Boxes } from "./cells.ts"

/** `failed`: the figures do not mean what they seem to. `warning`: they may not. `note`: what a reader has to know to read them. */
export type Level = "failed" | "warning" | "note"

/** What a check finds in one split, fit or result. */
export interface Found {
  readonly level: Level
  /** Alike in all that are one finding, told once with the greatest count. */
  readonly kind: string
  readonly what: string
  /** Samples, cells or keys that it is about. */
  readonly count: number
  readonly examples: ReadonlyArray<string>
  readonly cells: Iterable<number>
}

/** What came of a check: what it looked at and found, or why there was nothing to look at. */
export type Outcome = { readonly looked: string; readonly found: ReadonlyArray<Found> } | { readonly inapplicable: string }

export interface Finding {
  readonly check: string
  readonly level: Level
  readonly what: string
  readonly count: number
  readonly examples: ReadonlyArray<string>
  /** The cells it concerns: each entry picks some, together all of them. */
  readonly cells: ReadonlyArray<string>
}

const mostExamples = 5

/** The findings of a check: those of one kind are told once, by the one that counts most, with the cells of all. */
export const findingsOf = (check: string, found: ReadonlyArray<Found>, collapse: Boxes): ReadonlyArray<Finding> =>
  [...Map.groupBy(found, ({ kind, level }) => `${level} ${kind}`).values()].map((alike) => {
    const { count, examples, level, what } = alike.reduce((a, b) => b.count > a.count ? b : a)
    const cells = new Set(alike.flatMap((one) => [...one.cells]))
    return { check, level, what, count, examples: examples.slice(0, mostExamples), cells: collapse(cells) }
  })
