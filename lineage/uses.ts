/**
 * Upward: which metrics a sample, a file of the data, or the code of a stage reached. Code and files reach whatever lies downstream. A sample reaches a
 * metric by its role there: it was measured on (test), learned from (train), selected on (val), or neither.
 */
import type { Action, Output } from "../cache/action.ts"
import type { Document } from "../cache/canonical.ts"
import type { Graph } from "../engine/graph.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import { closureOf, mapping } from "./node.ts"
import type { Results } from "./metric.ts"
import { ahead, behind, cellsByNode } from "./trace.ts"

/** Something that was used, and the nodes that used it. */
interface Use {
  readonly kind: "code" | "file" | "sample"
  readonly what: string
  readonly nodes: ReadonlyArray<number>
  /** The samples that it is, where it is no more than those. */
  readonly samples?: ReadonlySet<string>
}

/** What something reached at one stage that gives metrics. */
export interface Reach {
  readonly kind: Use["kind"]
  readonly what: string
  readonly stage: string
  readonly metrics: ReadonlyArray<string>
  /** A node that gave the metrics: its key, how many cells it serves, and which roles the samples have there. */
  readonly nodes: ReadonlyArray<{ readonly address: string; readonly key: string; readonly cells: number; readonly roles: ReadonlyArray<string> }>
}

export interface Looked {
  readonly graph: Graph
  readonly results: Results
  readonly action: (key: string) => Action | undefined
  /** Digest of a file below the data root as it is now. */
  readonly digest: (path: string) => string | undefined
}

const text = (table: { readonly columns: ReadonlyMap<string, { readonly column: unknown }> }, name: string) => table.columns.get(name)!.column as ColumnTypes["text"]

/** All uses of something in a graph. */
const usesOf = (name: string, { action, digest, graph, results }: Looked): ReadonlyArray<Use> => {
  const actionAt = (node: number) => {
    const { key } = graph.nodes[node]!
    return key === null ? undefined : action(key)
  }
  const byUses = Map.groupBy(graph.nodes.keys(), (node) => graph.nodes[node]!.uses)
  const hex = /^[0-9a-f]{6,64}$/.test(name) ? name : undefined
  const matches = (found: string | undefined, wanted: string | undefined) => found !== undefined && wanted !== undefined && found.startsWith(wanted)
  const file = hex ?? digest(name), path = name.replace(/^\.\//, "")
  const uses: Array<Use> = [], readers: Array<number> = []
  for (const [implementation, nodes] of byUses) {
    // one run has one code of an implementation; a command's is what its parameters name
    let first: Action | undefined
    for (let i = 0; first === undefined && i < nodes.length; i++) first = actionAt(nodes[i]!)
    if (first === undefined) continue
    const command = implementation.endsWith("/command"), looks = first.trace !== undefined
    const wanted = new Set(nodes.filter((node) => graph.nodes[node]!.stage === name || implementation === name || first.uses === name))
    const byCode = Map.groupBy(hex === undefined ? [...wanted] : nodes, (node) => closureOf(((command ? actionAt(node) : first)?.preimage as Readonly<Record<string, Document>> | undefined)?.["code"] ?? null).join(" "))
    // a name of the letters a to f and digits alone may be that of a stage too
    for (const [code, nodes] of byCode) {
      const used = code === "" ? [] : hex !== undefined && code.split(" ").some((each) => matches(each, hex)) ? nodes : nodes.filter((node) => wanted.has(node))
      if (used.length > 0) uses.push({ kind: "code", what: `${first.uses} ${code.split(" ").map((each) => each.slice(0, 12)).join(" ")}`, nodes: used })
    }
    const named = Object.values(mapping(mapping(first.preimage)["with"])).some((value) => typeof mapping(value)["file"] === "string")
    if (looks || named) for (const node of nodes) {
      const { preimage, trace } = actionAt(node) ?? first
      const met = Object.entries(trace ?? {}).some(([each, found]) => each === path || each === `${path}/` || hex !== undefined && matches(found, hex))
      if (met || Object.values(mapping(mapping(preimage)["with"])).some((value) => matches(String(mapping(value)["file"] ?? ""), file))) readers.push(node)
    }
  }
  const samples: Array<number> = [], pictured: Array<number> = [], own = new Set<string>()
  // tables of the same content are read once
  const looked = new Map<string, { readonly named: boolean; readonly pictured: ReadonlyArray<string> }>()
  const look = (node: number, output: Output) => {
    let known = looked.get(output.blob)
    if (known === undefined) {
      const table = results.table(node, output), ids = table === undefined ? [] : text(table, "sample_id"), assets = table?.columns.get("assets")?.column as ColumnTypes["assets"] | undefined
      known = { named: ids.includes(name), pictured: ids.filter((_, row) => assets?.[row]?.some((asset) => asset.path === path || asset.path.startsWith(`${path}/`) || matches(asset.digest, hex))) }
      looked.set(output.blob, known)
    }
    return known
  }
  for (const node of results.giving("samples")) for (const [, output] of results.named(node, "samples")) {
    const found = look(node, output)
    if (found.named) samples.push(node)
    if (found.pictured.length > 0) pictured.push(node)
    for (const id of found.pictured) own.add(id)
  }
  if (samples.length > 0) uses.push({ kind: "sample", what: name, nodes: samples, samples: new Set([name]) })
  // a file that is pictures only reaches as far as its samples; one that was read otherwise, as far as whoever read it
  if (pictured.length > 0) uses.push({ kind: "file", what: `${path} (${own.size} sample${own.size === 1 ? "" : "s"})`, nodes: pictured, samples: own })
  else if (readers.length > 0) uses.push({ kind: "file", what: path, nodes: readers })
  return uses
}

/** Tells the roles of some samples in the split that stands behind a node; of several splits, in the one that the node itself takes in. */
const rolesOf = (samples: ReadonlySet<string>, { graph, results }: Looked): (node: number) => ReadonlyArray<string> => {
  const splits = new Set(results.giving("split")), known = new Map<string, ReadonlyArray<string>>()
  const read = (split: number, output: Output): ReadonlyArray<string> => {
    const table = results.table(split, output)
    if (table === undefined) return []
    const roles = text(table, "split")
    return [...new Set(text(table, "sample_id").flatMap((id, row) => samples.has(id) ? [roles[row]!] : []))]
  }
  return (node) => {
    const own = graph.nodes[node]!.up.find(([, from]) => splits.has(from))?.[1], split = own ?? behind(graph, [node]).find((each) => splits.has(each))
    const [found] = split === undefined ? [] : results.named(split, "split")
    if (split === undefined || found === undefined) return []
    const [, output] = found
    if (!known.has(output.blob)) known.set(output.blob, read(split, output))
    return known.get(output.blob)!
  }
}

/** Nodes of a stage whose metrics are read: what one gives, all do. */
const most = 20

/** What something reached in a graph. */
export const reachOf = (name: string, given: Looked): ReadonlyArray<Reach> => {
  const { graph, results } = given, measuring = new Set(results.giving("metrics"))
  return usesOf(name, given).flatMap(({ kind, nodes, samples, what }) => {
    const reached = ahead(graph, nodes), own = graph.nodes.flatMap(({ key, stage }, node) => reached[node] === true && key !== null && measuring.has(node) ? [{ stage, node, key }] : [])
    const cells = cellsByNode(graph, own.map(({ node }) => node)), rolesAt = samples === undefined ? () => [] : rolesOf(samples, given)
    return Array.from(Map.groupBy(own.filter(({ node }) => cells.get(node)!.size > 0), ({ stage }) => stage), ([stage, own]): Reach => ({
      kind,
      what,
      stage,
      metrics: [...new Set(own.slice(0, most).flatMap(({ node }) => results.metrics(node) ?? []).map(({ metric, task }) => `${task}.${metric}`))],
      nodes: own.map(({ key, node }) => ({ address: graph.nodes[node]!.address, key, cells: cells.get(node)!.size, roles: rolesAt(node) }))
    }))
  })
}
