/** Metrics of a graph: which of its nodes give which, and their values. */
import type { Output } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import type { Graph } from "../engine/graph.ts"
import { LostOutput, Tables } from "../engine/tables.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"

export interface Value {
  readonly task: string
  readonly metric: string
  /** Empty: of all classes. */
  readonly class: string
  readonly split: string
  readonly value: number
  readonly n: number
  readonly low: number
  readonly high: number
}

/** The rows of a metrics table. */
export const valuesIn = (table: Table): ReadonlyArray<Value> => {
  const text = (name: string) => table.columns.get(name)!.column as ColumnTypes["text"]
  const number = (name: string) => table.columns.get(name)!.column as ArrayLike<number>
  return Array.from({ length: table.rows }, (_, row) => ({
    task: text("task")[row]!,
    metric: text("metric")[row]!,
    class: text("class")[row]!,
    split: text("split")[row]!,
    value: number("value")[row]!,
    n: number("n")[row]!,
    low: number("ci_low")[row]!,
    high: number("ci_high")[row]!
  }))
}

/** Reads the tables of a graph's nodes. */
export class Results {
  readonly #graph: Graph
  readonly #cache: Cache
  readonly #tables: Tables
  readonly #outputs = new Map<number, Readonly<Record<string, Output>>>()
  readonly #metrics = new Map<number, ReadonlyArray<Value> | undefined>()

  constructor(graph: Graph, cache: Cache) {
    this.#graph = graph
    this.#cache = cache
    this.#tables = new Tables(cache, 1 << 28)
  }

  /** What a node gave, by output; nothing where it has no result. */
  outputs(node: number): Readonly<Record<string, Output>> {
    let known = this.#outputs.get(node)
    if (known === undefined) {
      const { key } = this.#graph.nodes[node]!
      known = key === null ? {} : this.#cache.index.entry(key)?.outputs ?? {}
      this.#outputs.set(node, known)
    }
    return known
  }

  /** The outputs of a node that are tables of a kind. */
  named(node: number, table: string): ReadonlyArray<readonly [output: string, found: Output]> {
    return Object.entries(this.outputs(node)).filter(([, output]) => output.table === table)
  }

  /** The nodes that give tables of a kind. What one node of an implementation gives, all do; a command gives what its parameters say. */
  giving(table: string): ReadonlyArray<number> {
    const byUses = Map.groupBy(this.#graph.nodes.keys(), (node) => this.#graph.nodes[node]!.uses)
    return [...byUses].flatMap(([uses, nodes]) => {
      if (uses.endsWith("/command")) return nodes.filter((node) => this.named(node, table).length > 0)
      const first = nodes.find((node) => Object.keys(this.outputs(node)).length > 0)
      return first === undefined || this.named(first, table).length === 0 ? [] : nodes
    }).toSorted((a, b) => a - b)
  }

  there(output: Output): boolean {
    return this.#tables.there(output)
  }

  /** A table; undefined where it is lost. */
  table(node: number, output: Output): Table | undefined {
    try {
      return this.#tables.table(this.#graph.nodes[node]!.key!, output)
    } catch (cause) {
      if (cause instanceof LostOutput) return undefined
      throw cause
    }
  }

  /** The metrics that a node gave; undefined where it gives none, or they are lost. */
  metrics(node: number): ReadonlyArray<Value> | undefined {
    if (!this.#metrics.has(node)) this.#metrics.set(node, this.#read(node))
    return this.#metrics.get(node)
  }

  #read(node: number): ReadonlyArray<Value> | undefined {
    const [found] = this.named(node, "metrics"), table = found === undefined ? undefined : this.table(node, found[1])
    if (table === undefined) return undefined
    return valuesIn(table)
  }
}

/** Whether a name, `metric` or `task.metric`, is that of a value. */
export const isNamed = (name: string) => ({ metric, task }: Value): boolean => name === metric || name === `${task}.${metric}`
