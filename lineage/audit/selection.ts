/** Choices that test figures may have made: the best of several settings is better on test than the setting is. */
import { assignment } from "../../engine/axes.ts"
import type { Evidence } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

/** Cells of one method that differ in settings only and are measured on the same test samples. */
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
 */
export const choicesOf = ({ finished: { grid: { cells } }, measured, partitionOf, cellsOf }: Evidence): ReadonlyArray<Choice> => {
  const width = cells.columns.length
  const nested = cells.columns.map((_, i) => Array.from({ length: cells.count }, (_, cell) => cells.codes[cell * width + i]!).includes(-1))
  const isSetting = cells.columns.map(({ replicate, values }, i) => !replicate && values.length > 1 && (nested[i] || values.every((value) => typeof value === "number")))
  const names = (wanted: (column: number) => boolean, values: Readonly<Record<string, string>>) =>
    Object.fromEntries(cells.columns.flatMap(({ name }, i) => wanted(i) && values[name] !== undefined ? [[name, values[name]]] : []))
  const groups = new Map<string, { readonly of: Choice["of"]; readonly settings: Map<string, Set<string>>; readonly cells: Set<number> }>()
  for (const node of measured) {
    const partition = partitionOf(node)
    if (partition === undefined) continue
    for (const cell of cellsOf(node)) {
      const values = assignment(cells, cell), of = names((i) => !isSetting[i] && !cells.columns[i]!.replicate, values)
      const setting = JSON.stringify(names((i) => isSetting[i]!, values)), id = JSON.stringify([of, node.stage])
      const group = groups.get(id) ?? { of, settings: new Map<string, Set<string>>(), cells: new Set<number>() }
      groups.set(id, group)
      const on = group.settings.get(setting) ?? new Set<string>()
      group.settings.set(setting, on.add(partition.id))
      group.cells.add(cell)
    }
  }
  return [...groups.values()].flatMap(({ cells: own, of, settings }) => {
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

/** No setting is chosen by a test figure; stages that select had validation rows to select on. */
export const testUnseen = (evidence: Evidence): Outcome => {
  const { actionOf, cellsOf, lineage, measured, report: { split } } = evidence
  if (measured.length === 0) return { inapplicable: "nothing is measured yet" }
  const choices = split === "test" ? choicesOf(evidence) : []
  const found = choices.map((choice): Found => ({
    level: "note",
    kind: JSON.stringify(choice.of),
    what: `${choiceLabel(choice, split)}: whoever takes the best of them has chosen by the test set; choose by \`report: { split: val }\`, then read the test figure of that one`,
    count: choice.count,
    examples: choice.examples,
    cells: choice.cells
  }))
  const fits = new Set(measured.flatMap((node) => lineage(node)).filter((node) => node.implementation.stage.validates && actionOf(node)?.handed !== undefined))
  const blind = [...fits].filter((node) => (actionOf(node)!.handed!.roles["val"] ?? 0) === 0)
  for (const node of blind) {
    found.push({
      level: "note",
      kind: `${node.stage} blind`,
      what: `"${node.stage}" (${node.implementation.uses}) can select on validation rows and was handed none: it selects nothing, or by training rows`,
      count: 1,
      examples: [node.address],
      cells: cellsOf(node)
    })
  }
  return { looked: `figures of ${split}${fits.size > 0 ? `, ${fits.size - blind.length} of ${fits.size} fits that select had validation rows` : ""}`, found }
}
