/**
 * Why a node runs, or ran: the least set of parts of its key that differ from an earlier result. The earlier result is the last one under the
 * same name in this pipeline; else the last that was asked to do the same; else the nearest of that implementation.
 */
import type { Cache } from "../cache/cache.ts"
import type { Document } from "../cache/canonical.ts"
import { evictions } from "../cache/evictions.ts"
import { fewNodes } from "../cache/index.ts"
import type { Grid, Node } from "./expand.ts"
import { observer } from "./files.ts"
import type { PlanResult } from "./plan.ts"

export type CauseKind = "never ran" | "code" | "parameter" | "input" | "file" | "engine" | "output lost" | "removed" | "forced" | "upstream" | "impossible"

export interface Cause {
  readonly kind: CauseKind
  /** Which part: a parameter's path, `port.column`, a file. */
  readonly part: string
  readonly before: Document
  readonly after: Document
}

const isMapping = (value: Document | undefined): value is { readonly [key: string]: Document | undefined } => typeof value === "object" && value !== null && !Array.isArray(value)

const kindOf = (path: ReadonlyArray<string>): CauseKind => {
  switch (path[0]) {
    case "with":
      return "parameter"
    case "code":
      return path[1] === "packages" ? "engine" : "code"
    case "version":
    case "stage":
      return "code"
    case "backend":
      return "engine"
    case "files":
      return "file"
    default:
      return "input"
  }
}

/** The parts in which two keys differ. A file that was not there differs from one that was not looked for in nothing. */
export const differences = (before: Document | undefined, after: Document | undefined, path: ReadonlyArray<string> = []): Array<Cause> => {
  if (isMapping(before) && isMapping(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted().flatMap((key) => differences(before[key], after[key], [...path, key]))
  }
  if (JSON.stringify(before) === JSON.stringify(after) || (path[0] === "files" && (before ?? "absent") === "absent" && (after ?? "absent") === "absent")) return []
  const part = path[0] === "ports" ? path.slice(1).filter((step) => step !== "columns").join(".") : path[0] === "with" || path[0] === "files" ? path.slice(1).join(".") : path.join(".")
  return [{ kind: kindOf(path), part, before: before ?? null, after: after ?? null }]
}

export interface Why {
  readonly node: Node
  readonly state: PlanResult["nodes"][number]["state"]
  readonly key: string | undefined
  /** Key of the earlier result compared with. */
  readonly previous: string | undefined
  readonly causes: ReadonlyArray<Cause>
}

const neverRan = (node: Node): Cause => ({ kind: "never ran", part: node.implementation.stage.name, before: null, after: null })

/** Explains every node of a plan that `wanted` accepts. */
export const why = ({ cache, grid, result, wanted }: { readonly cache: Cache; readonly grid: Grid; readonly result: PlanResult; readonly wanted: (node: Node) => boolean }): Array<Why> => {
  const { index } = cache
  const asked = new Set(result.nodes.flatMap(({ node }) => wanted(node) ? [node] : []))
  const { name } = grid.file.pipeline, history = asked.size > fewNodes ? index.addresses(name) : undefined
  let evicted: ReturnType<typeof evictions> | undefined
  /** The removal on record of one of these results or blobs. */
  const removal = (names: ReadonlyArray<string | undefined>): ReadonlyArray<Cause> => {
    evicted ??= evictions(cache.store)
    for (const name of names) {
      const eviction = name === undefined ? undefined : evicted.get(name)
      if (eviction !== undefined) return [{ kind: "removed", part: `by ${eviction.by === "gc" ? "gc" : "verify --repair"} on ${eviction.at.slice(0, 10)}`, before: null, after: null }]
    }
    return []
  }
  return result.nodes.flatMap((planned): Array<Why> => {
    const { forced, key, missing, node, state } = planned
    if (!asked.has(node)) return []
    const own = history === undefined ? index.address(name, node.address) : history.get(node.address)
    if (state === "cached") {
      // up to date: tell why it last ran
      const before = own?.key === key ? own?.previous : own?.key
      const now = key === undefined ? undefined : index.action(key)
      if (now?.because !== undefined) return [{ node, state, key, previous: key, causes: [{ kind: now.because, part: node.stage, before: null, after: null }] }]
      if (before === undefined) return [{ node, state, key, previous: undefined, causes: [neverRan(node)] }]
      const then = index.action(before)
      return [{ node, state, key, previous: before, causes: now === undefined || then === undefined ? [] : differences(then.preimage, now.preimage) }]
    }
    const previousKey = own?.key ?? index.byIdentity(node.identity)?.key
    if (forced) return [{ node, state, key, previous: previousKey, causes: [{ kind: "forced", part: node.stage, before: null, after: null }] }]
    if (state === "restored") {
      const removed = removal(Object.values(planned.entry!.outputs).map(({ blob }) => blob))
      return [{ node, state, key, previous: key, causes: removed.length > 0 ? removed : [{ kind: "output lost", part: node.stage, before: null, after: null }] }]
    }
    if (missing?.done === "never") return [{ node, state, key, previous: previousKey, causes: [{ kind: "impossible", part: missing.message, before: null, after: null }] }]
    if (missing === undefined) {
      const upstream = node.bindings.filter((binding) => result.nodes[binding.node]!.state !== "cached")
      const causes = upstream.map((binding): Cause => ({ kind: "upstream", part: `${binding.port} <- ${grid.nodes[binding.node]!.address}`, before: null, after: result.nodes[binding.node]!.state }))
      const known = previousKey === undefined ? nearest(cache, node, undefined) : previousKey
      const then = known === undefined ? undefined : index.action(known)
      const parameters = then === undefined ? [] : differences(partOf(then.preimage), { stage: node.implementation.stage.name, version: node.implementation.stage.version, code: node.implementation.code, with: withoutFiles(node.parameters as Document, then.preimage) })
      return [{ node, state, key, previous: known, causes: [...parameters, ...causes] }]
    }
    // the key of an ingest result is known only by its name
    const removed = removal([key ?? (own !== undefined && index.entry(own.key) === undefined ? own.key : undefined)])
    if (removed.length > 0) return [{ node, state, key, previous: undefined, causes: removed }]
    const known = previousKey ?? nearest(cache, node, missing.preimage)
    const then = known === undefined ? undefined : index.action(known)
    if (then === undefined) return [{ node, state, key, previous: undefined, causes: [neverRan(node)] }]
    // an ingest stage's files are found while it runs; those it met last time tell what changed
    const files = missing.staticKey === undefined ? [] : [...index.traces(missing.staticKey)].filter((trace) => trace.key === known).flatMap(({ trace }) => {
      const { look } = observer(index, grid.dataRoot, false)
      return differences({ files: trace }, { files: Object.fromEntries(Object.keys(trace).map((path) => [path, look(path)])) })
    })
    const { files: _, ...before } = then.preimage as Readonly<Record<string, Document>>
    const causes = [...differences(missing.staticKey === undefined ? then.preimage : before, missing.preimage), ...files]
    return [{ node, state, key, previous: known, causes: causes.length > 0 ? causes : [{ kind: "output lost", part: "its record", before: null, after: null }] }]
  })
}

/** The parts of a pre-image that are known without the inputs. */
const partOf = (preimage: Document): Document => {
  const { ports: _, files: __, backend: ___, ...rest } = preimage as Readonly<Record<string, Document>>
  return rest
}
/** Parameters as a pre-image holds them: file parameters stand there as digests and are left as they were. */
const withoutFiles = (parameters: Document, preimage: Document): Document => {
  const before = (preimage as Readonly<Record<string, Document>>)["with"]
  if (!isMapping(parameters) || !isMapping(before)) return parameters
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => {
    const old = before[name]
    return [name, isMapping(old) && "file" in old ? old : value]
  }))
}

/** The earlier result of an implementation that differs in the fewest parts. */
const nearest = ({ index }: Cache, node: Node, preimage: Document | undefined): string | undefined => {
  const target = preimage ?? { with: node.parameters as Document }
  let best: string | undefined, least = Infinity
  for (const key of index.recent(node.implementation.stage.name, 64)) {
    const action = index.action(key)
    if (action === undefined) continue
    const compared = preimage === undefined ? { with: (action.preimage as Readonly<Record<string, Document>>)["with"] } : action.preimage
    const count = differences(compared, target).length
    if (count < least) {
      least = count
      best = key
    }
  }
  return best
}
