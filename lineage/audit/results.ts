/** Results that came out differently when the same key was run again. */
import type { Evidence } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

/** No key has two different results on record: what is behind the metrics, whenever it was run again, came out the same. */
export const resultsRepeat = ({ actionOf, cellsOf, finished: { grid, outputs } }: Evidence): Outcome => {
  const done = grid.nodes.filter(({ index }) => outputs[index] !== undefined)
  if (done.length === 0) return { inapplicable: "nothing has run yet" }
  const found = done.flatMap((node): ReadonlyArray<Found> => {
    const action = actionOf(node), earlier = action?.earlier ?? []
    if (action === undefined || earlier.length === 0) return []
    const last = earlier.at(-1)!
    const ports = [...new Set(Object.entries(action.outputs).flatMap(([port, { columns }]) =>
      Object.entries(columns).flatMap(([name, { digest }]) => last.columns[`${port}.${name}`] === digest ? [] : [`${port}.${name}`])))]
    return [{
      level: "failed",
      kind: node.stage,
      what: `"${node.stage}" (${node.implementation.uses}) came out differently when it was run again under the same key (${ports.slice(0, 4).join(", ")}): what is built on it cannot be made again`,
      count: earlier.length + 1,
      examples: [`${node.address}: ${last.started.slice(0, 19).replace("T", " ")} on ${last.host}, ${action.started.slice(0, 19).replace("T", " ")} on ${action.host}`],
      cells: cellsOf(node)
    }]
  })
  return { looked: `${done.length} results`, found }
}
