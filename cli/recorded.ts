/** What a run on record came to, for the reports that else are made of a pipeline as it is. Neither its file nor its code is asked. */
import { Tables } from "../engine/tables.ts"
import type { Grid, Node } from "../engine/expand.ts"
import type { Graph } from "../engine/graph.ts"
import { parsePipeline } from "../engine/source.ts"
import { mapping } from "../lineage/node.ts"
import type { Finished } from "../report/finished.ts"
import { InvalidPipeline } from "../schemas/diagnostic.ts"
import type { Pipeline } from "../schemas/pipeline.ts"
import { tableSchemas } from "../schemas/tables.ts"
import type { Scope } from "./scope.ts"

/** The value that a label most likely stands for. */
const valueOf = (label: string): unknown => label !== "" && String(Number(label)) === label ? Number(label) : label

/** What reports ask of the stage of a node: which tables it gives. All nodes of an implementation give what one of them did; a command gives what its own did. */
const stageOf = ({ nodes }: Graph, outputs: Finished["outputs"]) => {
  const known = new Map<string, Pick<Node["implementation"]["stage"], "gives" | "learns">>()
  return (node: number) => {
    const { uses } = nodes[node]!, id = uses.endsWith("/command") ? `${uses} ${node}` : uses
    if (!known.has(id)) {
      const found = outputs[node] ?? (id === uses ? outputs.find((each, i) => each !== undefined && nodes[i]!.uses === uses) : undefined)
      known.set(id, { gives: Object.fromEntries(Object.entries(found?.outputs ?? {}).map(([name, { table }]) => [name, tableSchemas[table]!])), learns: {} })
    }
    return known.get(id)!
  }
}

/** The results of a run as the cache holds them now; `remade`: addresses of figures that came out otherwise when they were made again after it. */
export const finishedThen = ({ cache, dataRoot, graph, run }: Scope): Finished & { readonly missing: number; readonly remade: ReadonlyArray<string> } => {
  const outputs = graph.nodes.map(({ key }) => key === null ? undefined : cache.index.entry(key)), stage = stageOf(graph, outputs)
  const actions = graph.nodes.map(({ key }) => key === null ? undefined : cache.index.action(key))
  const nodes = graph.nodes.map((node, index) => ({
    index,
    stage: node.stage,
    address: node.address,
    implementation: { uses: node.uses, stage: stage(index) },
    parameters: mapping(mapping(actions[index]?.preimage)["with"]),
    bindings: node.up.map(([port, from, output]) => ({ port, node: from, output }))
  })) as unknown as ReadonlyArray<Node>
  const grid: Pick<Grid, "dataRoot" | "cells" | "nodes" | "stages" | "nodeOf"> = {
    dataRoot,
    cells: { columns: graph.axes.map(({ labels, name, replicate }) => ({ name, replicate, labels: [...labels], values: labels.map(valueOf), paths: [] })), count: graph.cells, codes: Int32Array.from(graph.codes) },
    nodes,
    stages: Object.keys(graph.of),
    nodeOf: (stage, cell) => nodes[graph.of[stage]![cell]!]!
  }
  const served = new Set(Object.values(graph.of).flat()), tables = (node: number) => Object.values(outputs[node]?.outputs ?? {}).map(({ table }) => table)
  const end = run === undefined ? Infinity : Date.parse(run.started) + run.seconds * 1000
  return {
    grid: grid as Grid,
    tables: new Tables(cache, 1 << 28),
    keys: graph.nodes.map(({ key }) => key ?? undefined),
    outputs,
    missing: [...served].filter((node) => outputs[node] === undefined).length,
    // what was measured of an earlier result of a stage before has a key of its own
    remade: [...served].flatMap((node) => tables(node).some((table) => table === "metrics" || table === "predictions") && actions[node]?.earlier !== undefined && Date.parse(actions[node].started) > end ? [graph.nodes[node]!.address] : [])
  }
}

/** What the pipeline of a run asked of its report; nothing, where this version of outcrop would read it no more. */
export const reportThen = ({ run }: Scope): Pipeline["report"] => {
  const plain = (name: string) => parsePipeline(name, `name: ${name}\nstages: { samples: { uses: ingest/synthetic } }\n`).pipeline.report
  if (run === undefined) return plain("none")
  try {
    return parsePipeline(run.pipeline.file, run.pipeline.text).pipeline.report
  } catch (cause) {
    if (cause instanceof InvalidPipeline) return plain("none")
    throw cause
  }
}
