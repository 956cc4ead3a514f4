/** Choices that test figures may have made: the best of several settings is better on test than the setting is. */
import { choiceLabel, choicesOf } from "../../report/choices.ts"
import type { Evidence } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

/** No setting is chosen by a test figure; stages that select had validation rows to select on. */
export const testUnseen = (evidence: Evidence): Outcome => {
  const { actionOf, cellsOf, finished, lineage, measured, partitionOf, report: { split } } = evidence
  if (measured.length === 0) return { inapplicable: "nothing is measured yet" }
  const choices = split === "test" ? choicesOf(finished, (node) => partitionOf(finished.grid.nodes[node]!)?.id) : []
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
