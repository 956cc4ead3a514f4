/** `outcrop lineage --uses WHAT`: which metrics something reached, now and in every run on record. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { fileDigest } from "../cache/fingerprint.ts"
import type { Action } from "../cache/action.ts"
import { graphAt, type Run } from "../engine/history.ts"
import { Results } from "../lineage/metric.ts"
import { when } from "../lineage/tree.ts"
import { type Looked, type Reach, reachOf } from "../lineage/uses.ts"
import { style, textTable } from "../report/terminal.ts"
import { userError } from "./error.ts"
import type { Scope } from "./scope.ts"

/** Metrics that are named in a line. */
const most = 8

interface Found extends Reach {
  /** The run on record; null: the pipeline as it is now. */
  readonly run: Run | null
}

export const showUses = Effect.fnUntraced(function*(what: string, { cache, dataRoot, graph, run, runs }: Scope, results: Results, json: boolean) {
  const actions = new Map<string, Action | undefined>()
  const action = (key: string) => {
    if (!actions.has(key)) actions.set(key, cache.index.action(key))
    return actions.get(key)
  }
  const looked = (graph: Looked["graph"], results: Results, root: string): Looked => ({ graph, results, action, digest: (path) => path.includes("\0") ? undefined : fileDigest(cache.index, join(root, path), false) })
  const found: Array<Found> = [], seen = new Set<string>()
  /** A result is told of the newest run that has it. */
  const keep = (reach: Reach, run: Run | null) => {
    const nodes = reach.nodes.filter(({ key }) => !seen.has(`${reach.what}\0${key}`))
    for (const { key } of nodes) seen.add(`${reach.what}\0${key}`)
    if (nodes.length > 0) found.push({ ...reach, nodes, run })
  }
  for (const reach of reachOf(what, looked(graph, results, dataRoot))) keep(reach, run ?? null)
  if (run === undefined) {
    const graphs = new Set<string>()
    for (const past of runs.toReversed()) {
      if (past.graph === null || graphs.has(past.graph)) continue
      graphs.add(past.graph)
      const graph = graphAt(cache, past.graph)
      if (graph !== undefined) for (const reach of reachOf(what, looked(graph, new Results(graph, cache), past.dataRoot))) keep(reach, past)
    }
  }
  if (json) {
    console.log(JSON.stringify({ version: 1, uses: what, reached: found.map(({ run, ...reach }) => ({ run: run?.id ?? null, ...reach })) }))
    return
  }
  if (found.length === 0) {
    return yield* userError(`"${what}" reached no metric ${run === undefined ? "of the pipeline as it is or of any run on record" : `of run ${run.id}`}: it is the name of no stage, of no sample and of no file that a stage read, and no code or file has a digest that begins so`)
  }
  const parts = Array.from(Map.groupBy(found, ({ kind, what }) => `${kind} ${what}`), ([title, reaches]) => {
    const roles = ["test", "train", "val", "unused"].filter((role) => reaches.some(({ nodes }) => nodes.some((node) => node.roles.includes(role))))
    const heads: Readonly<Record<string, string>> = { test: ">tested on it", train: ">trained on it", val: ">selected on it", unused: ">left it out" }
    const cells = (nodes: Reach["nodes"]) => nodes.reduce((sum, { cells }) => sum + cells, 0)
    const table = textTable(["in", "stage", ">cells", ">metrics", ...roles.map((role) => heads[role]!)], reaches.map(({ metrics, nodes, run, stage }) => [
      run === null ? "the pipeline as it is now" : `run ${run.id} of ${when(run.started)} (${run.pipeline.name})`,
      stage,
      String(cells(nodes)),
      String(metrics.length),
      ...roles.map((role) => String(cells(nodes.filter((node) => node.roles.includes(role)))))
    ]))
    const metrics = [...new Set(reaches.flatMap(({ metrics }) => metrics))]
    return `${style("bold", `${title} reached`)}\n${table}\n${style("dim", `metrics: ${metrics.slice(0, most).join(", ")}${metrics.length > most ? ` and ${metrics.length - most} more` : ""}`)}`
  })
  console.log(parts.join("\n\n"))
})
