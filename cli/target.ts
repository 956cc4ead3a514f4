/** What the names of a command narrow it to: stages, and metrics of the stages that measure them. */
import type { Cache } from "../cache/cache.ts"
import type { Graph } from "../engine/graph.ts"
import { LostOutput, Tables } from "../engine/tables.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import { suggest } from "../schemas/spelling.ts"
import { userError } from "./error.ts"

export interface Target {
  /** Stages to go to; empty: all. */
  readonly until: ReadonlyArray<string>
  /** `task.metric`. */
  readonly metrics: ReadonlyArray<string>
}

/** Metrics that the nodes of a graph have, with the stages that measure them. */
const measured = (cache: Cache, graph: Graph): Map<string, Set<string>> => {
  const tables = new Tables(cache, 1 << 28), found = new Map<string, Set<string>>()
  for (const { key, stage } of graph.nodes) {
    for (const output of Object.values(key === null ? {} : cache.index.entry(key)?.outputs ?? {})) {
      if (output.table !== "metrics") continue
      try {
        const { columns, rows } = tables.table(key!, output)
        const text = (name: string) => columns.get(name)!.column as ColumnTypes["text"]
        for (let row = 0; row < rows; row++) {
          const name = `${text("task")[row]}.${text("metric")[row]}`
          found.set(name, (found.get(name) ?? new Set()).add(stage))
        }
      } catch (cause) {
        if (!(cause instanceof LostOutput)) throw cause
      }
    }
  }
  return found
}

/** Reads names as stages (`probe`, `probe.metrics`) or metrics (`class.accuracy`, or `accuracy`). Throws `CommandError`. */
export const targetOf = (cache: Cache, graph: Graph, names: ReadonlyArray<string>): Target => {
  const stages = Object.keys(graph.of), until = new Set<string>(), metrics = new Set<string>()
  for (const name of names) {
    const stage = name.split(".")[0]!
    if (stages.includes(stage)) {
      until.add(stage)
      continue
    }
    const known = measured(cache, graph)
    const found = [...known].filter(([metric]) => metric === name || metric.split(".")[1] === name)
    if (found.length === 0) throw userError(`there is no stage and no metric "${name}"${suggest(name, [...stages, ...known.keys()])}; stages are ${stages.join(", ")}${known.size === 0 ? "" : `, metrics ${[...known.keys()].join(", ")}`}`)
    for (const [metric, by] of found) {
      metrics.add(metric)
      for (const each of by) until.add(each)
    }
  }
  return { until: [...until], metrics: [...metrics] }
}
