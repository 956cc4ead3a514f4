/** The figures of two sides beside each other, cell by cell: metrics of the test split that are not of one class. */
import type { Cache } from "../cache/cache.ts"
import type { Graph } from "../engine/graph.ts"
import { LostOutput, Tables } from "../engine/tables.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import type { Diff } from "./diff.ts"

export interface MetricDiff {
  readonly stage: string
  /** Address of the probe's node, in each. */
  readonly nodes: readonly [a: string, b: string]
  readonly task: string
  readonly metric: string
  /** NaN: not there, or not defined. */
  readonly a: number
  readonly b: number
}

export interface MetricsDiff {
  readonly rows: ReadonlyArray<MetricDiff>
  /** Pairs of nodes that are one result: their figures are the same. */
  readonly same: number
  /** Addresses of nodes whose table is lost. */
  readonly lost: { readonly a: ReadonlyArray<string>; readonly b: ReadonlyArray<string> }
}

/** `all`: figures that did not change too. */
export const diffMetrics = (cache: Cache, a: Graph, b: Graph, { pairs }: Diff, all: boolean): MetricsDiff => {
  const tables = new Tables(cache, 1 << 26), rows: Array<MetricDiff> = [], lost: Record<"a" | "b", Array<string>> = { a: [], b: [] }
  let same = 0
  const figures = (side: "a" | "b", node: number): ReadonlyMap<string, number> => {
    const { address, key } = (side === "a" ? a : b).nodes[node]!, found = new Map<string, number>()
    for (const output of key === null ? [] : Object.values(cache.index.entry(key)?.outputs ?? {})) {
      if (output.table !== "metrics") continue
      try {
        const { columns, rows } = tables.table(key!, output)
        const text = (name: string) => columns.get(name)!.column as ColumnTypes["text"]
        const value = columns.get("value")!.column as ColumnTypes["number"]
        for (let row = 0; row < rows; row++) if (text("split")[row] === "test" && text("class")[row] === "") found.set(`${text("task")[row]!}\0${text("metric")[row]!}`, value[row]!)
      } catch (cause) {
        if (!(cause instanceof LostOutput)) throw cause
        lost[side].push(address)
      }
    }
    return found
  }
  const measures = ({ key }: Graph["nodes"][number]) => key !== null && Object.values(cache.index.entry(key)?.outputs ?? {}).some(({ table }) => table === "metrics")
  for (const [stage, own] of pairs) {
    for (const [i, j] of own) {
      const x = a.nodes[i]!, y = b.nodes[j]!
      if (!measures(x) && !measures(y)) continue
      if (x.key === y.key) same++
      if (x.key === y.key && !all) continue
      const before = figures("a", i), after = figures("b", j)
      for (const id of new Set([...before.keys(), ...after.keys()])) {
        const [task, metric] = id.split("\0") as [string, string], from = before.get(id) ?? Number.NaN, to = after.get(id) ?? Number.NaN
        if (all || !Object.is(from, to)) rows.push({ stage, nodes: [x.address, y.address], task, metric, a: from, b: to })
      }
    }
  }
  return { rows, same, lost }
}
