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

/** What is averaged: the finished nodes of one choice of the compared axes. */
export interface Group {
  readonly axes: Readonly<Record<string, string>>
  readonly stage: string
  readonly nodes: ReadonlyArray<Node>
  readonly output: string
  /** By the name of each replicate ("fold=0 seed=1"), its node; several share one where the work does not depend on it. */
  readonly replicates: ReadonlyMap<string, Node>
}

/** The replicates of each choice of the compared axes, for the stages that give a table of this kind. */
export const groups = ({ grid, outputs }: Finished, table: string): Array<Group> => {
  const replicate = new Set(grid.cells.columns.filter((column) => column.replicate).map((column) => column.name))
  const found = new Map<string, Omit<Group, "nodes" | "replicates"> & { readonly replicates: Map<string, Node> }>()
  for (const stage of grid.stages) {
    if (grid.cells.count === 0) continue
    const { implementation } = grid.nodeOf(stage, 0)
    const output = Object.entries(implementation.stage.gives).find(([, schema]) => schema.name === table)?.[0]
    if (output === undefined) continue
    for (let cell = 0; cell < grid.cells.count; cell++) {
      const values = Object.entries(assignment(grid.cells, cell)), axes = Object.fromEntries(values.filter(([name]) => !replicate.has(name)))
      const id = `${stage}\0${JSON.stringify(axes)}`
      let group = found.get(id)
      if (group === undefined) {
        group = { axes, stage, output, replicates: new Map() }
        found.set(id, group)
      }
      const node = grid.nodeOf(stage, cell)
      if (outputs[node.index] !== undefined) group.replicates.set(values.filter(([name]) => replicate.has(name)).map(([name, value]) => `${name}=${value}`).join(" "), node)
    }
  }
  return [...found.values()].filter(({ replicates }) => replicates.size > 0).map((group) => ({ ...group, nodes: [...new Set(group.replicates.values())] }))
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
