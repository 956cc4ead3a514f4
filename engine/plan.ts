/**
 * What a run would do, found by the same look-ups: which nodes are cached, which will run, which may be cut off because their inputs may come
 * out as before; how many rows would be embedded, and how long it may take, from history.
 */
import type { Output } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import type { Entry } from "../cache/index.ts"
import { countRows, type RowCounts, viewsOf } from "./embedding.ts"
import type { Grid, Node } from "./expand.ts"
import { columnsRead } from "./key.ts"
import { type Impossible, lookup, type Missing } from "./lookup.ts"
import { LostOutput, Tables } from "./tables.ts"

/** `run`: will run. `maybe`: has a result, and runs only if an upstream that will run gives something new. `restored`: its output is lost and needed. */
export type PlanState = "cached" | "run" | "maybe" | "restored" | "failed"

export interface PlannedNode {
  readonly node: Node
  readonly state: PlanState
  /** The key, where it can be known before anything runs. */
  readonly key: string | undefined
  readonly entry: Entry | undefined
  /** What the look-up said, where it could be made. */
  readonly missing: Missing | Impossible | undefined
  readonly forced: boolean
}

export interface PlanResult {
  readonly nodes: ReadonlyArray<PlannedNode>
  readonly rows: RowCounts
  /** Seconds of work on one core, from the history of each implementation; nodes never seen count as nothing. */
  readonly seconds: number
  /** Nodes whose implementation has no history. */
  readonly unpriced: number
  readonly bytes: number
}

export const plan = (options: { readonly grid: Grid; readonly cache: Cache; readonly force: ReadonlySet<string>; readonly rehash: boolean; readonly backend: string | undefined }): PlanResult => {
  const { cache, force, grid } = options
  const { index } = cache
  const { find, missingFile } = lookup({ grid, index, rehash: options.rehash, backend: options.backend })
  const tables = new Tables(cache, 1 << 28)
  const planned: Array<PlannedNode> = []
  const outputOf = (node: number, output: string): Output => planned[node]!.entry!.outputs[output]!
  let embedded = 0, cachedRows = 0
  for (const node of grid.nodes) {
    const upstream = node.bindings.map((binding) => planned[binding.node]!)
    const open = upstream.some(({ entry }) => entry === undefined)
    const forced = force.has(node.stage)
    const message = missingFile(node)
    if (message !== undefined) {
      planned.push({ node, state: "failed", key: undefined, entry: undefined, missing: { done: "never", message }, forced })
      continue
    }
    if (open) {
      const state = upstream.some(({ state }) => state === "failed") ? "failed" : forced || index.byIdentity(node.identity) === undefined ? "run" : "maybe"
      planned.push({ node, state, key: undefined, entry: undefined, missing: undefined, forced })
      continue
    }
    const found = find(node, outputOf, forced)
    if (found.done === "never") planned.push({ node, state: "failed", key: undefined, entry: undefined, missing: found, forced })
    else if (found.done) {
      planned.push({ node, state: "cached", key: found.entry.key, entry: found.entry, missing: undefined, forced })
      if (node.implementation.stage.embed !== undefined) for (const output of Object.values(found.entry.outputs)) if (output.kept === "rows") cachedRows += output.rows
    } else {
      planned.push({ node, state: "run", key: found.key, entry: undefined, missing: found, forced })
      const { stage } = node.implementation
      const binding = node.bindings.find((each) => outputOf(each.node, each.output).table === "samples")
      if (stage.embed === undefined || binding === undefined) continue
      const output = outputOf(binding.node, binding.output), views = viewsOf(node).length
      // what is learned first is in the keys of the rows, which cannot be counted then
      if (Object.keys(stage.learns).length > 0) {
        embedded += output.rows * views
        continue
      }
      try {
        const counts = countRows(cache, node, found.preimage, tables.table(planned[binding.node]!.key!, output), columnsRead(node, binding.port, output))
        embedded += counts.embedded
        cachedRows += counts.cached
      } catch (cause) {
        if (!(cause instanceof LostOutput)) throw cause
        embedded += output.rows * views
      }
    }
  }
  // a lost output is made again only where a result of the pipeline or a node that runs needs it
  const needed = new Set<number>()
  const leaves = new Set(grid.nodes.map((node) => node.index))
  for (const node of grid.nodes) for (const binding of node.bindings) leaves.delete(binding.node)
  for (let i = planned.length - 1; i >= 0; i--) {
    const current = planned[i]!
    if (current.state === "cached" && current.entry?.hasBlobs === true && (needed.has(i) || leaves.has(i)) && !Object.values(current.entry.outputs).every((output) => tables.there(output))) {
      planned[i] = { ...current, state: "restored" }
    }
    if (planned[i]!.state !== "cached") for (const binding of current.node.bindings) needed.add(binding.node)
  }
  let seconds = 0, unpriced = 0, bytes = 0
  const prices = new Map<string, number | undefined>()
  for (const { entry, node, state } of planned) {
    if (entry !== undefined && state === "restored") for (const output of Object.values(entry.outputs)) bytes += output.bytes
    if (state !== "run" && state !== "restored") continue
    const { name } = node.implementation.stage
    if (!prices.has(name)) prices.set(name, index.meanSeconds(name))
    const price = prices.get(name)
    if (price === undefined) unpriced++
    else seconds += price
  }
  return { nodes: planned, rows: { embedded, cached: cachedRows }, seconds, unpriced, bytes }
}
