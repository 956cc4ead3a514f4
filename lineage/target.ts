/**
 * What a lineage is asked of: a stage, `stage.output`, a metric (`accuracy`, `class.accuracy`), a metric of one of several stages, or, without a
 * word, whatever nothing else takes in.
 */
import { suggest } from "../schemas/spelling.ts"
import type { Graph } from "../engine/graph.ts"
import { isNamed, type Results, type Value } from "./metric.ts"
import { leavesOf } from "./trace.ts"

export interface Target {
  /** Places in the graph. */
  readonly nodes: ReadonlyArray<number>
  /** `task.metric` */
  readonly metric?: string
  readonly output?: string
}

/** The target has no name here, or several things have it: says what there is. */
export class NoTarget extends Error {}

/** A stage that gives metrics, and those that it gives. */
interface Measuring {
  readonly stage: string
  /** `task.metric` to `metric` */
  readonly names: ReadonlyMap<string, string>
}

/** As a metric comes from one implementation of a stage with certain parameters, some nodes of a stage are looked at first, not all. */
const looked = 20

const measuring = (graph: Graph, results: Results, looked: number): ReadonlyArray<Measuring> =>
  Object.entries(graph.of).flatMap(([stage, nodes]) => {
    const names = new Map<string, string>(), distinct = [...new Set(nodes)]
    for (let i = 0; i < distinct.length; i += Math.max(1, Math.floor(distinct.length / looked))) {
      for (const { metric, task } of results.metrics(distinct[i]!) ?? []) names.set(`${task}.${metric}`, metric)
    }
    return names.size === 0 ? [] : [{ stage, names }]
  })

const nodesOf = (graph: Graph, stage: string): ReadonlyArray<number> => [...new Set(graph.of[stage])].toSorted((a, b) => a - b)

/** Of more nodes it is not looked which give a metric: their stage does. */
const most = 1000

/** What some words ask for. Throws `NoTarget`. */
export const targetOf = (words: ReadonlyArray<string>, graph: Graph, results: Results): Target => {
  const stages = Object.keys(graph.of)
  if (words.length === 0) return { nodes: leavesOf(graph) }
  const isOutput = (word: string) => {
    const [stage = "", output = ""] = word.split(".")
    return stages.includes(stage) && nodesOf(graph, stage).some((node) => output in results.outputs(node))
  }
  const [stage, ...others] = words.filter((word) => stages.includes(word) || isOutput(word)), names = words.filter((word) => word !== stage && !others.includes(word))
  if (others.length > 0 || names.length > 1) throw new NoTarget(`a lineage is of one thing: a stage, stage.output or a metric; got ${words.join(", ")}`)
  const [name] = names
  if (name?.endsWith(" (pooled)") === true) throw new NoTarget(`"${name}" is not of one result: the table computes it from the predictions of all replicates; "${name.slice(0, -9)}" is what stands behind each`)
  if (stage !== undefined && name === undefined) {
    const [own = "", output] = stage.split(".")
    return { nodes: nodesOf(graph, own), ...(output === undefined ? {} : { output }) }
  }
  const lookAt = (looked: number) => {
    const measured = measuring(graph, results, looked).filter((each) => stage === undefined || each.stage === stage)
    return { measured, found: measured.flatMap(({ names, stage }) => [...names].filter((spellings) => spellings.includes(name!)).map(([full]) => ({ stage, full }))) }
  }
  const some = lookAt(looked), { found, measured } = some.found.length > 0 ? some : lookAt(most)
  const all = new Map(measured.flatMap(({ names }) => [...names]))
  if (found.length > 1) {
    const several = new Set(found.map(({ full }) => full)).size > 1
    throw new NoTarget(`"${name}" is ${found.length} metrics here; name one:\n${found.map(({ full, stage }) => `  ${found.some((other) => other.full === full && other.stage !== stage) ? `${stage} ` : ""}${several ? full : name}`).join("\n")}`)
  }
  const [one] = found
  if (one === undefined) {
    const metrics = all.size === 0 ? "no metrics are there yet" : `metrics are ${[...all.keys()].join(", ")}`
    throw new NoTarget(`there is no stage and no metric "${name}"${suggest(name!, [...stages, ...[...all].flat()])}; stages are ${stages.join(", ")}; ${metrics}`)
  }
  const nodes = nodesOf(graph, one.stage)
  return { nodes: nodes.length > most ? nodes : nodes.filter((node) => results.metrics(node)?.some(isNamed(one.full)) !== false), metric: one.full }
}

/** The values of a target's metric at a node: those of all classes together, where there are such, and of the test samples, where some were tested. */
export const valuesAt = (node: number, metric: string, results: Results): ReadonlyArray<Value> => {
  const all = (results.metrics(node) ?? []).filter(isNamed(metric)), whole = all.filter((value) => value.class === ""), found = whole.length > 0 ? whole : all
  const tested = found.filter(({ split }) => split === "test")
  return tested.length > 0 ? tested : found
}
