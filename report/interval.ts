/**
 * Intervals over test samples: every measure taken anew of resampled test samples, the same resamples for all results, so that differences have
 * intervals too. How much results vary from one replicate to another is not in them.
 */
import { type Interval, percentiles } from "../math/bootstrap.ts"
import type { Statistics } from "../math/measure.ts"
import { resamples, type Units } from "../math/paired-bootstrap.ts"
import { stream } from "../math/random.ts"
import type { Node } from "../engine/expand.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import { type Finished, tableOf } from "./finished.ts"
import { gather, measured, type Predictions } from "./predictions.ts"
import type { Result } from "./result.ts"

const replicates = 1000

export interface Sampled {
  /** 95% interval of a result, or of a result less another; undefined where its measure cannot be taken of its predictions. */
  readonly interval: (result: Result, less?: Result) => Interval | undefined
  readonly samples: number
  /** Nodes whose predictions are lost from the cache. */
  readonly lost: number
  /** What is drawn: samples within their label, whole locations, or samples. */
  readonly units: "label" | "location" | "sample"
}

/** The tables of one kind that nodes are made of, each once. */
const upstream = (finished: Finished, nodes: ReadonlyArray<Node>, kind: string) => {
  const seen = new Set(nodes), found = new Map<string, readonly [node: Node, output: string]>()
  for (const node of seen) {
    for (const { node: index, output } of node.bindings) {
      const above = finished.grid.nodes[index]!, given = finished.outputs[index]?.outputs[output]
      if (given?.table === kind) found.set(given.blob, [above, output])
      seen.add(above)
    }
  }
  return [...found.values()].flatMap(([node, output]) => tableOf(finished, node, output) ?? [])
}

/** How the samples are drawn: whole locations where samples have one, else within labels where they have one. */
const unitsOf = (finished: Finished, nodes: ReadonlyArray<Node>, ids: ReadonlyArray<string>): readonly [Units, Sampled["units"]] => {
  const labels = new Map<string, string>(), locations = new Map<string, string>()
  for (const { columns } of upstream(finished, nodes, "samples")) {
    const column = (name: string) => columns.get(name)!.column as ColumnTypes["optionalText"]
    for (const [row, id] of (columns.get("sample_id")!.column as ColumnTypes["text"]).entries()) {
      const label = column("label")[row], location = column("location")[row]
      if (label != null) labels.set(id, label)
      if (location != null) locations.set(id, location)
    }
  }
  if (ids.some((id) => locations.has(id))) return [{ clusters: ids.map((id) => locations.get(id) ?? `\0${id}`) }, "location"]
  return [{ strata: ids.map((id) => labels.get(id) ?? "") }, labels.size > 0 ? "label" : "sample"]
}

const leaves = (result: Result): ReadonlyArray<Result> => result.members?.flat() ?? [result]
const nodesOf = ({ each }: Result) => [...new Set(each.map(({ node }) => node))]

/** Resamples the test samples behind results. */
export const sampled = (finished: Finished, split: string, results: ReadonlyArray<Result>): Sampled => {
  const wanted = Map.groupBy(results.flatMap(leaves).flatMap((result) => nodesOf(result).map((node) => ({ node, result }))), ({ node }) => node)
  const numbers = new Map<string, number>()
  const rowOf = (id: string) => {
    const row = numbers.get(id) ?? numbers.size
    numbers.set(id, row)
    return row
  }
  interface Task {
    readonly rows: Int32Array
    readonly counts: Float64Array
    readonly statistics: Statistics
    /** Where each measure stands among the statistics, and what it comes to in each resample. */
    readonly measures: ReadonlyArray<readonly [at: number, drawn: Float64Array]>
  }
  const drawn = new Map<string, Float64Array>(), tasks: Array<Task> = []
  let lost = 0
  for (const [index, of] of wanted) {
    const node = finished.grid.nodes[index]!
    const output = Object.entries(finished.outputs[index]?.outputs ?? {}).find(([, { table }]) => table === "predictions")?.[0]
    const table = output === undefined ? undefined : tableOf(finished, node, output)
    if (output !== undefined && table === undefined) lost++
    if (table === undefined) continue
    const byTask = new Map<string, Predictions>()
    gather(table, split, byTask)
    for (const [task, predictions] of byTask) {
      const asked = of.filter(({ result }) => result.task === task)
      const found: Array<Statistics> = []
      const all = measured(predictions, asked.map(({ result }) => result.metric), (_, statistics) => {
        found.push(statistics)
        return []
      })
      const measures = asked.flatMap(({ result }) => {
        const at = all.findIndex(({ metric, of }) => of === "" && metric === result.metric), value = result.each.find((each) => each.node === index)!.value
        // A probe of the user's may mean something else by the name.
        if (at < 0 || !(Math.abs(all[at]!.value - value) <= 1e-3 * Math.max(1, Math.abs(value)))) return []
        const values = new Float64Array(replicates)
        drawn.set(`${index} ${task}.${result.metric}`, values)
        return [[at, values] as const]
      })
      const [statistics] = found
      if (measures.length > 0 && statistics !== undefined) tasks.push({ rows: Int32Array.from(predictions.ids, rowOf), counts: new Float64Array(predictions.ids.length), statistics, measures })
    }
  }
  const ids = [...numbers.keys()], [units, name] = unitsOf(finished, [...wanted.keys()].map((index) => finished.grid.nodes[index]!), ids)
  let at = 0
  for (const counts of resamples(units, replicates, stream(0, "interval"))) {
    for (const task of tasks) {
      for (let i = 0; i < task.rows.length; i++) task.counts[i] = counts[task.rows[i]!]!
      const values = task.statistics(task.counts)
      for (const [place, into] of task.measures) into[at] = values[place]!
    }
    at++
  }
  const meanOf = (parts: ReadonlyArray<Float64Array | undefined>): Float64Array | undefined =>
    parts.length === 0 || parts.includes(undefined) ? undefined : Float64Array.from({ length: replicates }, (_, i) => parts.reduce((sum, part) => sum + part![i]!, 0) / parts.length)
  const known = new Map<Result, Float64Array | undefined>()
  const of = (result: Result): Float64Array | undefined => {
    if (!known.has(result)) {
      known.set(result, result.members === undefined ?
        meanOf(nodesOf(result).map((node) => drawn.get(`${node} ${result.task}.${result.metric}`))) :
        meanOf(result.members.map((block) => meanOf(block.map(of)))))
    }
    return known.get(result)
  }
  return {
    samples: ids.length,
    lost,
    units: name,
    interval: (result, less) => {
      const values = of(result), other = less === undefined ? undefined : of(less)
      if (values === undefined || (less !== undefined && other === undefined)) return undefined
      return percentiles(other === undefined ? values : values.map((value, i) => value - other[i]!))
    }
  }
}
