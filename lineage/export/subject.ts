/** What an export tells of: a part of a pipeline's graph, with what is on record of every node, as it is now or as a run left it. */
import { basename, dirname, resolve } from "node:path"
import type { Action } from "../../cache/action.ts"
import type { Cache } from "../../cache/cache.ts"
import type { Graph } from "../../engine/graph.ts"
import { makers, type Run, runs } from "../../engine/history.ts"
import { lossOf } from "../loss.ts"

/** `failed`: it was tried and has no result; `skipped`: an upstream node has none; `lost`: its record is gone from the cache. */
export type NodeState = "done" | "failed" | "skipped" | "lost"

export interface SubjectNode {
  readonly state: NodeState
  /** Why there is no result, and what brings it. */
  readonly message: string | undefined
  readonly action: Action | undefined
}

export interface Subject {
  readonly pipeline: { readonly name: string; readonly file: string; readonly text: string }
  /** The folder that the YAML lies in. */
  readonly folder: string
  /** `--set` and `--backend` that it was run with. */
  readonly set: ReadonlyArray<string>
  readonly backend: string | undefined
  readonly graph: Graph
  /** By node of the graph. */
  readonly nodes: ReadonlyArray<SubjectNode>
  /** The run that it is of, or the one that made the newest of these results; undefined where none is on record. */
  readonly run: Run | undefined
}

/** The part of a graph that its cells need of the given stages (all, where none is named), renumbered. */
export const needed = (graph: Graph, until: ReadonlyArray<string>): Graph => {
  const wanted = new Set(until.length === 0 ? Object.keys(graph.of) : until), kept = new Set<number>()
  const keep = (node: number): void => {
    if (kept.has(node)) return
    kept.add(node)
    const { stage, up } = graph.nodes[node]!
    wanted.add(stage)
    for (const [, from] of up) keep(from)
  }
  // a set gives what is added to it while it is walked through
  for (const stage of wanted) graph.of[stage]!.forEach(keep)
  const order = [...kept].toSorted((a, b) => a - b), place = new Map(order.map((node, i) => [node, i]))
  return {
    ...graph,
    nodes: order.map((node) => ({ ...graph.nodes[node]!, up: graph.nodes[node]!.up.map(([port, up, output]) => [port, place.get(up)!, output] as const) })),
    of: Object.fromEntries(Object.entries(graph.of).filter(([stage]) => wanted.has(stage)).map(([stage, nodes]) => [stage, nodes.map((node) => place.get(node)!)]))
  }
}

/**
 * What the cache has on record of every node of a graph. `failures`: messages by address; `again`: the command that computes anew; `came`: the
 * keys are those that a run came to (not those that one would), so what has no record had one.
 */
const nodesOf = ({ index, store }: Cache, graph: Graph, failures: ReadonlyMap<string, string>, again: string, came: boolean): Array<SubjectNode> => {
  const nodes: Array<SubjectNode> = []
  for (const { address, key, up } of graph.nodes) {
    const action = key === null ? undefined : index.action(key)
    const failure = failures.get(address)
    if (action !== undefined) nodes.push({ state: "done", message: undefined, action })
    else if (came && key !== null) nodes.push({ state: "lost", message: `its record ${lossOf(store, key)}; "${again}" makes it again`, action })
    else if (failure !== undefined) nodes.push({ state: "failed", message: failure, action })
    else if (up.some(([, node]) => nodes[node]!.state !== "done")) nodes.push({ state: "skipped", message: "what it needs has no result", action })
    else nodes.push({ state: "skipped", message: `it has not run; "${again}" does`, action })
  }
  return nodes
}

const failuresOf = (run: Run | undefined) => new Map(run?.failures.map(({ address, message }) => [address, message]))

/** What the cache holds now of a graph of the pipeline as it is. */
export const subjectNow = (cache: Cache, source: Pick<Subject, "pipeline" | "set" | "backend" | "graph">): Subject => {
  const all = runs(cache).runs, { file, name } = source.pipeline
  const last = all.findLast(({ pipeline, state }) => pipeline.name === name && state !== "running")
  const nodes = nodesOf(cache, source.graph, failuresOf(last), `outcrop run ${file}`, false)
  const newest = nodes.flatMap(({ action }) => action ?? []).toSorted((a, b) => a.started < b.started ? -1 : 1).at(-1)
  const maker = newest === undefined || nodes.some(({ state }) => state === "failed") ? undefined : makers(cache, all)(newest).at(-1)
  // the key that a node would have is not that of a result
  const graph = { ...source.graph, nodes: source.graph.nodes.map((node, i) => nodes[i]!.state === "done" ? node : { ...node, key: null }) }
  return { ...source, graph, pipeline: { ...source.pipeline, file: basename(file) }, folder: dirname(resolve(file)), nodes, run: maker ?? last }
}

/** Words with values among those that `run` takes. */
const valued = new Set(["--cache", "--data", "--set", "--backend", "--force", "--jobs", "-j", "--memory"])

/** The values of a flag among the words of a run. */
const flagOf = (asked: ReadonlyArray<string>, flag: string): Array<string> =>
  asked.flatMap((word, i) => word.startsWith(`${flag}=`) ? [word.slice(flag.length + 1)] : word === flag && !valued.has(asked[i - 1] ?? "") ? [asked[i + 1]!] : [])

/** What a run left. */
export const subjectOfRun = (cache: Cache, run: Run, graph: Graph): Subject => ({
  pipeline: { name: run.pipeline.name, file: basename(run.pipeline.file), text: run.pipeline.text },
  folder: dirname(run.pipeline.file),
  set: flagOf(run.asked, "--set"),
  backend: flagOf(run.asked, "--backend").at(-1),
  graph,
  nodes: nodesOf(cache, graph, failuresOf(run), `outcrop ${run.asked.join(" ")}`, true),
  run
})

/** Values of the axes that all cells of a graph have: the picks that lead to these cells. */
export const picksOf = ({ axes, cells, codes }: Graph): Record<string, ReadonlyArray<string>> =>
  Object.fromEntries(axes.flatMap(({ labels, name }, i) => {
    const used = new Set(Array.from({ length: cells }, (_, cell) => codes[cell * axes.length + i]!))
    return used.has(-1) ? [] : [[name, labels.filter((_, code) => used.has(code))]]
  }))
