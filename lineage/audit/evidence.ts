/**
 * What an audit reads: the results that are cached, how they hang together, and the partitions behind them (a collection and what divides it
 * into train, val and test). What many cells share is read once: partitions and lists of ids are told apart by the digests of their content.
 */
import type { Action, Output } from "../../cache/action.ts"
import type { Cache } from "../../cache/cache.ts"
import type { Binding, Node } from "../../engine/expand.ts"
import type { Pipeline } from "../../schemas/pipeline.ts"
import { type Finished, tableOf } from "../../report/finished.ts"
import { Samples } from "../../schemas/samples.ts"
import { Split } from "../../schemas/split.ts"
import { type Table, type TableOf, view } from "../../schemas/table.ts"

export type Role = "train" | "val" | "test"

/** A collection with the role of each sample, as the metrics of some nodes have it. */
export interface Partition {
  /** Digest of what it holds. */
  readonly id: string
  readonly samples: TableOf<(typeof Samples)["columns"]>
  /** Role of each row of the samples; undefined: the split does not name it. */
  readonly roles: ReadonlyArray<string | undefined>
  /** Rows of the samples by role. */
  readonly rows: Readonly<Record<Role, ReadonlyArray<number>>>
  readonly roleOf: ReadonlyMap<string, string>
  /** The stage that divided it. */
  readonly divider: Node
  /** What the divider was asked for. */
  readonly asked: Readonly<Record<string, unknown>>
  readonly cells: ReadonlySet<number>
}

export interface Evidence {
  readonly cache: Cache
  readonly finished: Finished
  readonly report: Pipeline["report"]
  /** Finished nodes that give metrics. */
  readonly measured: ReadonlyArray<Node>
  readonly partitions: ReadonlyArray<Partition>
  readonly partitionOf: (measured: Node) => Partition | undefined
  /** A node and all that it is made of, upstream first. */
  readonly lineage: (node: Node) => ReadonlyArray<Node>
  /** Cells that a node serves; of those that it measures, or that its result reaches. */
  readonly cellsOf: (node: Node) => ReadonlyArray<number>
  readonly outputOf: (binding: Pick<Binding, "node" | "output">) => Output | undefined
  readonly table: (binding: Pick<Binding, "node" | "output">) => Table | undefined
  /** Nodes whose tables were asked for and are lost from the cache: what was to be looked at there was not. */
  readonly lost: ReadonlySet<Node>
  /** The distinct ids of a table, ascending; undefined: it is not one of samples, or lost. */
  readonly idsOf: (binding: Pick<Binding, "node" | "output">) => ReadonlyArray<string> | undefined
  readonly actionOf: (node: Node) => Action | undefined
}

/** Whether some output of a node is a table of this name, and which. */
export const gives = ({ implementation: { stage } }: Node, table: string): string | undefined => Object.entries(stage.gives).find(([, { name }]) => name === table)?.[0]

const memo = <K, A>(make: (key: K) => A) => {
  const known = new Map<K, A>()
  return (key: K): A => {
    if (!known.has(key)) known.set(key, make(key))
    return known.get(key)!
  }
}

export const evidenceOf = (cache: Cache, finished: Finished, report: Pipeline["report"]): Evidence => {
  const { grid, keys, outputs } = finished
  const { nodes } = grid
  const outputOf: Evidence["outputOf"] = ({ node, output }) => outputs[node]?.outputs[output]
  const lost = new Set<Node>()
  const table: Evidence["table"] = ({ node, output }) => {
    const read = outputs[node] === undefined ? undefined : tableOf(finished, nodes[node]!, output)
    if (outputs[node] !== undefined && read === undefined) lost.add(nodes[node]!)
    return read
  }

  const ids = new Map<string, ReadonlyArray<string> | undefined>()
  const idsOf: Evidence["idsOf"] = (binding) => {
    const digest = outputOf(binding)?.columns["sample_id"]?.digest
    if (digest === undefined) return undefined
    if (!ids.has(digest)) {
      const read = table(binding)?.columns.get("sample_id")?.column as ReadonlyArray<string> | undefined
      ids.set(digest, read === undefined ? undefined : [...new Set(read)])
    }
    return ids.get(digest)
  }

  const lineage = memo((node: Node): ReadonlyArray<Node> => [...new Set([...node.bindings.flatMap((binding) => lineage(nodes[binding.node]!)), node])])
  /** The table of this name that a node is bound to; else the one nearest upstream. */
  const nearest = (node: Node, name: string): Binding | undefined => {
    const queue = [...node.bindings]
    for (const binding of queue) {
      if (outputOf(binding)?.table === name) return binding
      queue.push(...nodes[binding.node]!.bindings)
    }
    return undefined
  }

  const served = new Map<number, Set<number>>()
  for (const stage of grid.stages) {
    for (let cell = 0; cell < grid.cells.count; cell++) {
      const { index } = grid.nodeOf(stage, cell)
      const own = served.get(index)
      if (own === undefined) served.set(index, new Set([cell]))
      else own.add(cell)
    }
  }
  const cellsOf = (node: Node) => [...served.get(node.index) ?? []]

  const measured = nodes.filter((node) => outputs[node.index] !== undefined && gives(node, "metrics") !== undefined)
  const partitions = new Map<string, Partition & { readonly cells: Set<number> }>(), owners = new Map<number, Partition>()
  /** Those of the metrics; where nothing is measured yet, those of the splits there are. */
  const users = measured.length > 0 ? measured : nodes.filter((node) => outputs[node.index] !== undefined && gives(node, "split") !== undefined)
  for (const node of users) {
    const own = gives(node, "split")
    const split = own === undefined ? node.bindings.find((binding) => outputOf(binding)?.table === "split") : { node: node.index, output: own }
    const samples = nearest(node, "samples")
    if (split === undefined || samples === undefined) continue
    const divider = nodes[split.node]!, asked = divider.parameters as Partition["asked"]
    const id = JSON.stringify([split, samples].map((binding) => Object.values(outputOf(binding)!.columns).map(({ digest }) => digest)).concat([[divider.implementation.uses, JSON.stringify(asked)]]))
    let partition = partitions.get(id)
    if (partition === undefined) {
      const divided = table(split), collection = table(samples)
      if (divided === undefined || collection === undefined) continue
      const { sample_id, split: parts } = view(divided, Object.keys(Split.columns)) as unknown as TableOf<(typeof Split)["columns"]>
      const own = view(collection, Object.keys(Samples.columns)) as unknown as Partition["samples"]
      const roleOf = new Map(sample_id.map((sample, row) => [sample, parts[row]!])), roles = own.sample_id.map((sample) => roleOf.get(sample))
      const rowsOf = (role: Role) => roles.flatMap((one, row) => one === role ? [row] : [])
      partition = { id, samples: own, roles, roleOf, rows: { train: rowsOf("train"), val: rowsOf("val"), test: rowsOf("test") }, divider, asked, cells: new Set() }
      partitions.set(id, partition)
    }
    for (const cell of cellsOf(node)) partition.cells.add(cell)
    owners.set(node.index, partition)
  }

  return {
    cache,
    finished,
    report,
    measured,
    partitions: [...partitions.values()],
    partitionOf: ({ index }) => owners.get(index),
    lineage,
    cellsOf,
    outputOf,
    table,
    lost,
    idsOf,
    actionOf: memo(({ index }: Node) => keys[index] === undefined ? undefined : cache.index.action(keys[index]))
  }
}
