/**
 * What a pipeline came to: its nodes with their keys, what each took from which, and which node serves which cell. It explains itself without
 * the pipeline, its code or the grid that it was made of, and is kept with every run; runs that came to the same share one.
 */
import { pick } from "./axes.ts"
import type { Grid } from "./expand.ts"

export interface GraphNode {
  readonly stage: string
  /** Stage and the axes it depends on. */
  readonly address: string
  /** The implementation. */
  readonly uses: string
  /** Null: it has no result. */
  readonly key: string | null
  /** Port, node and output of everything it took in. */
  readonly up: ReadonlyArray<readonly [port: string, node: number, output: string]>
}

export interface Graph {
  readonly version: 1
  readonly axes: ReadonlyArray<{ readonly name: string; readonly replicate: boolean; readonly labels: ReadonlyArray<string> }>
  /** Value of each axis in each cell, by its place in `labels`; -1: the cell has none. [cells, axes] */
  readonly codes: ReadonlyArray<number>
  readonly cells: number
  /** Upstream before downstream. */
  readonly nodes: ReadonlyArray<GraphNode>
  /** The node of each stage in each cell. */
  readonly of: Readonly<Record<string, ReadonlyArray<number>>>
}

/** The graph of a grid with the keys that its nodes have now. */
export const graphOf = ({ cells, nodeOf, nodes, stages }: Grid, keys: ReadonlyArray<string | undefined>): Graph => ({
  version: 1,
  axes: cells.columns.map(({ labels, name, replicate }) => ({ name, replicate, labels })),
  codes: Array.from(cells.codes.subarray(0, cells.count * cells.columns.length)),
  cells: cells.count,
  nodes: nodes.map(({ address, bindings, implementation, index, stage }) => ({
    stage,
    address,
    uses: implementation.uses,
    key: keys[index] ?? null,
    up: bindings.map(({ node, output, port }) => [port, node, output])
  })),
  of: Object.fromEntries(stages.map((stage) => [stage, Array.from({ length: cells.count }, (_, cell) => nodeOf(stage, cell).index)]))
})

/** The values of a cell by axis. */
export const valuesOf = ({ axes, codes }: Graph, cell: number): Readonly<Record<string, string>> =>
  Object.fromEntries(axes.flatMap(({ labels, name }, i) => {
    const label = labels[codes[cell * axes.length + i]!]
    return label === undefined ? [] : [[name, label]]
  }))

/** The part of a graph that some of its cells are: all of its nodes, and only the cells that match. Throws `InvalidPipeline` where none does. */
export const picked = (graph: Graph, picks: Readonly<Record<string, ReadonlyArray<string>>>): Graph => {
  const width = graph.axes.length, columns = graph.axes.map(({ labels, name, replicate }) => ({ name, replicate, labels: [...labels], values: [], paths: [] }))
  const { codes, count } = pick({ columns, count: graph.cells, codes: Int32Array.from(graph.codes) }, picks)
  if (count === graph.cells) return graph
  // those that match stand in the order of all
  const kept: Array<number> = []
  for (let cell = 0; cell < graph.cells && kept.length < count; cell++) {
    let same = true
    for (let i = 0; i < width && same; i++) same = codes[kept.length * width + i] === graph.codes[cell * width + i]
    if (same) kept.push(cell)
  }
  return { ...graph, codes: [...codes], cells: count, of: Object.fromEntries(Object.entries(graph.of).map(([stage, nodes]) => [stage, kept.map((cell) => nodes[cell]!)])) }
}
