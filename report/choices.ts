/** Choices that figures may have made: the best of several settings is better in the figures that it was chosen by than the setting is. */
import { assignment } from "../engine/axes.ts"
import { type Finished, groups } from "./finished.ts"
import type { Result } from "./result.ts"

/** Cells of one method that differ in settings only and are measured on the same samples. */
export interface Choice {
  /** The values that they share. */
  readonly of: Readonly<Record<string, string>>
  /** The axes of settings, as `top, more`. */
  readonly settings: ReadonlyArray<string>
  /** How many settings are compared. */
  readonly count: number
  readonly examples: ReadonlyArray<string>
  readonly cells: ReadonlySet<number>
}

/**
 * The choices of a grid. A setting is an axis, not a replicate, of numbers or inside a value of another axis (`axes:` of one method); axes of
 * names (method, encoder) are what is compared. Cells tested on other samples are no alternatives: an axis of label fractions or seasons is none.
 *
 * @param splitOf names the split that a node is measured by, the same for equal ones; undefined where there is none
 */
export const choicesOf = (finished: Finished, splitOf: (node: number) => string | undefined): ReadonlyArray<Choice> => {
  const { cells, nodeOf } = finished.grid, width = cells.columns.length
  const nested = cells.columns.map((_, i) => Array.from({ length: cells.count }, (_, cell) => cells.codes[cell * width + i]!).includes(-1))
  const isSetting = cells.columns.map(({ replicate, values }, i) => !replicate && values.length > 1 && (nested[i] || values.every((value) => typeof value === "number")))
  if (!isSetting.includes(true)) return []
  const names = (wanted: (column: number) => boolean, values: Readonly<Record<string, string>>) =>
    Object.fromEntries(cells.columns.flatMap(({ name }, i) => wanted(i) && values[name] !== undefined ? [[name, values[name]]] : []))
  const rivals = new Map<string, { readonly of: Choice["of"]; readonly settings: Map<string, Set<string>>; readonly cells: Set<number> }>()
  for (const stage of new Set(groups(finished, "metrics").map(({ stage }) => stage))) {
    for (let cell = 0; cell < cells.count; cell++) {
      const { index } = nodeOf(stage, cell), split = finished.outputs[index] === undefined ? undefined : splitOf(index)
      if (split === undefined) continue
      const values = assignment(cells, cell), of = names((i) => !isSetting[i] && !cells.columns[i]!.replicate, values)
      const setting = JSON.stringify(names((i) => isSetting[i]!, values)), id = JSON.stringify([of, stage])
      const group = rivals.get(id) ?? { of, settings: new Map<string, Set<string>>(), cells: new Set<number>() }
      rivals.set(id, group)
      const on = group.settings.get(setting) ?? new Set<string>()
      group.settings.set(setting, on.add(split))
      group.cells.add(cell)
    }
  }
  return [...rivals.values()].flatMap(({ cells: own, of, settings }) => {
    // those measured on the same splits are alternatives to each other
    const alike = [...Map.groupBy(settings, ([, on]) => [...on].toSorted().join("\n")).values()].reduce((a, b) => b.length > a.length ? b : a)
    if (alike.length < 2) return []
    const documents = alike.map(([setting]) => JSON.parse(setting) as Readonly<Record<string, string>>)
    const settingNames = [...new Set(documents.flatMap((document) => Object.keys(document)))].filter((name) => new Set(documents.map((document) => document[name])).size > 1)
    return [{ of, settings: settingNames, count: alike.length, cells: own, examples: documents.map((document) => Object.entries(document).map(([name, value]) => `${name}=${value}`).join(" ")) }]
  })
}

/** How a choice is told where figures are: `method=tg-matl: best of 24 on test (top, more)`. */
export const choiceLabel = ({ count, of, settings }: Choice, split: string): string => {
  const values = Object.entries(of).map(([name, value]) => `${name}=${value}`).join(" ")
  return `${values === "" ? "" : `${values}: `}best of ${count} on ${split} (${settings.join(", ")})`
}

/** What a table says of the choices among its rows, where they are measured on test; nothing of settings that it averages over. */
export const choicesNote = (choices: ReadonlyArray<Choice>, split: string, shown: ReadonlyArray<Result>): ReadonlyArray<string> =>
  split !== "test" ? [] : [...new Set(choices.flatMap(({ count, settings }) => {
    const told = settings.filter((name) => new Set(shown.flatMap(({ axes }) => axes[name] ?? [])).size > 1)
    return told.length < settings.length ? [] : [`rows that differ only in ${settings.join(" and ")}: whoever takes the best of them takes the best of ${count} on test; outcrop audit says how to choose`]
  }))]
