/** What a run or a plan leaves to report on, and how its nodes fall into what is compared. */
import type { Output } from "../cache/action.ts"
import { assignment } from "../engine/axes.ts"
import type { Grid, Node } from "../engine/expand.ts"
import { LostOutput, type Tables } from "../engine/tables.ts"
import type { Table } from "../schemas/table.ts"

/** What is needed of a run or a plan to read its results. */
export interface Finished {
  readonly grid: Grid
  readonly tables: Tables
  readonly keys: ReadonlyArray<string | undefined>
  readonly outputs: ReadonlyArray<{ readonly outputs: Readonly<Record<string, Output>> } | undefined>
}

/** The replicates of each choice of the compared axes, for the stages that give a table of this kind. */
export const groups = ({ grid, outputs }: Finished, table: string): Array<{ readonly axes: Record<string, string>; readonly stage: string; readonly nodes: ReadonlyArray<Node>; readonly output: string }> => {
  const replicate = new Set(grid.cells.columns.filter((column) => column.replicate).map((column) => column.name))
  const found = new Map<string, { axes: Record<string, string>; stage: string; nodes: Set<Node>; output: string }>()
  for (const stage of grid.stages) {
    if (grid.cells.count === 0) continue
    const { implementation } = grid.nodeOf(stage, 0)
    const output = Object.entries(implementation.stage.gives).find(([, schema]) => schema.name === table)?.[0]
    if (output === undefined) continue
    for (let cell = 0; cell < grid.cells.count; cell++) {
      const axes = Object.fromEntries(Object.entries(assignment(grid.cells, cell)).filter(([name]) => !replicate.has(name)))
      const id = `${stage}\0${JSON.stringify(axes)}`
      let group = found.get(id)
      if (group === undefined) {
        group = { axes, stage, nodes: new Set(), output }
        found.set(id, group)
      }
      const node = grid.nodeOf(stage, cell)
      if (outputs[node.index] !== undefined) group.nodes.add(node)
    }
  }
  return [...found.values()].filter(({ nodes }) => nodes.size > 0).map((group) => ({ ...group, nodes: [...group.nodes] }))
}

/** A finished node's table; `undefined` where it is lost and a run has to make it again. */
export const tableOf = ({ keys, outputs, tables }: Finished, node: Node, output: string): Table | undefined => {
  try {
    return tables.table(keys[node.index]!, outputs[node.index]!.outputs[output]!)
  } catch (cause) {
    if (cause instanceof LostOutput) return undefined
    throw cause
  }
}
