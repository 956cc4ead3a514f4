/**
 * Replay: a chain of nodes is computed again in an empty cache, so that nothing of what is on record can serve it, and what comes out is
 * compared with the record node by node, output by output.
 */
import * as Effect from "effect/Effect"
import type { Action, Output } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import type { Grid } from "../engine/expand.ts"
import { run, type RunEvent } from "../engine/run.ts"
import { LostOutput } from "../engine/tables.ts"
import type { Table } from "../schemas/table.ts"
import { type Equality, equality, type Likeness } from "./equality.ts"

/** What an action says of how a result was made. */
export type Made = Pick<Action, "key" | "outputs" | "preimage" | "seconds" | "host" | "node" | "started">

/** What is on record of the nodes of a grid. */
export interface Recorded {
  /** By node; nodes without a record are run where others need them, and not compared. */
  readonly actions: ReadonlyArray<Made | undefined>
  /** The table of a node on record; `undefined` where it cannot be had. */
  readonly tableOf: (node: number, output: string) => Promise<Table | undefined>
}

export interface Circumstances {
  readonly key: string
  readonly seconds: number
  readonly host: string
  readonly node: string
  /** The numeric engine, where the stage has a choice. */
  readonly backend: string | null
  readonly started: string
}

export interface ReplayedNode {
  readonly address: string
  readonly stage: string
  readonly uses: string
  readonly recorded: Circumstances
  /** Undefined where it could not be made again. */
  readonly replayed: Circumstances | undefined
  readonly failure: string | undefined
  readonly outputs: ReadonlyArray<Equality & { readonly output: string; readonly table: string }>
}

export interface Replay {
  /** `equal`, `close`: all outputs are; `differs`: some are not; `failed`: some could not be made. */
  readonly verdict: "equal" | "close" | "differs" | "failed"
  readonly nodes: ReadonlyArray<ReplayedNode>
  /** The tables as they came out now. */
  readonly tableOf: (node: number, output: string) => Table | undefined
}

export interface ReplayOptions {
  readonly grid: Grid
  /** An empty cache. */
  readonly cache: Cache
  readonly recorded: Recorded
  readonly tolerance: number
  readonly jobs: number
  readonly memory: number
  readonly backend: string | undefined
  readonly onEvent: (event: RunEvent) => void
}

const circumstances = ({ host, key, node, preimage, seconds, started }: Made): Circumstances => {
  const backend = (preimage as { readonly backend?: string }).backend
  return { key, seconds, host, node, started, backend: backend ?? null }
}

/**
 * The verdict over all nodes. An output whose distance is unknown (its recorded table is not there) counts as close where something was made
 * from it that speaks for it, else as different.
 */
const verdictOf = (grid: Grid, nodes: ReadonlyArray<ReplayedNode>): Replay["verdict"] => {
  if (nodes.some(({ replayed }) => replayed === undefined)) return "failed"
  const used = new Set(grid.nodes.flatMap(({ bindings }) => bindings.map(({ node }) => grid.nodes[node]!.address)))
  const found = nodes.flatMap(({ address, outputs }) => outputs.map(({ likeness }): Likeness => likeness !== "unknown" ? likeness : used.has(address) ? "close" : "differs"))
  return found.includes("differs") ? "differs" : found.includes("close") ? "close" : "equal"
}

/** Runs a grid in an empty cache and compares. Fails only where that cache does. */
export const replay = Effect.fn("lineage/replay")(function*({ cache, grid, recorded, tolerance, ...options }: ReplayOptions) {
  const { failures, keys, outputs, states, tables } = yield* run({ ...options, grid, cache, force: new Set(), failFast: false, rehash: false })
  const messages = new Map(failures.map(({ message, node }) => [node.index, message]))
  const tableOf = (node: number, output: string): Table | undefined => {
    const key = keys[node], made = outputs[node]?.outputs[output]
    if (key === undefined || made === undefined) return undefined
    try {
      return tables.table(key, made)
    } catch (cause) {
      if (cause instanceof LostOutput) return undefined
      throw cause
    }
  }
  const compare = async (node: number, output: string, old: Output, now: Output | undefined): Promise<Equality> =>
    now === undefined ? { likeness: "differs", rows: old.rows, columns: [], note: "it was not given" } : await equality(old, now, { before: () => recorded.tableOf(node, output), after: async () => tableOf(node, output) }, tolerance)
  const nodes: Array<ReplayedNode> = []
  for (const { address, implementation, index, stage } of grid.nodes) {
    const before = recorded.actions[index], key = keys[index]
    if (before === undefined) continue
    const after = key === undefined ? undefined : cache.index.action(key)
    const outputs: Array<ReplayedNode["outputs"][number]> = []
    for (const [output, old] of Object.entries(after === undefined ? {} : before.outputs)) {
      outputs.push({ output, table: old.table, ...yield* Effect.promise(() => compare(index, output, old, after?.outputs[output])) })
    }
    nodes.push({
      address,
      stage,
      uses: implementation.uses,
      recorded: circumstances(before),
      replayed: after === undefined ? undefined : circumstances(after),
      failure: after !== undefined ? undefined : messages.get(index) ?? (states[index] === "skipped" ? "an upstream node failed" : "it has no result"),
      outputs
    })
  }
  const done: Replay = { verdict: verdictOf(grid, nodes), nodes, tableOf }
  return done
})
