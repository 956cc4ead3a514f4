/**
 * Epochs that trainings ran, where some of a grid were asked to stop early: methods that stopped at different points are not the same
 * experiment, so the comparison says it.
 */
import type { Node } from "../engine/expand.ts"
import { type Finished, tableOf } from "./finished.ts"

export interface Epochs {
  /** Of the trainings behind a result: fewest and most epochs run. */
  readonly low: number
  readonly high: number
  /** The most epochs asked for, where some training stopped before its own. */
  readonly asked: number | undefined
}

const parameter = ({ parameters }: Node, name: string): unknown => typeof parameters === "object" && parameters !== null ? Reflect.get(parameters, name) : undefined

/** The trainings a node depends on, itself included: nodes that learn a history. */
const trainings = ({ nodes }: Finished["grid"], start: ReadonlyArray<Node>): ReadonlyArray<readonly [node: Node, output: string]> => {
  const seen = new Set(start)
  for (const node of seen) for (const { node: upstream } of node.bindings) seen.add(nodes[upstream]!)
  return [...seen].flatMap((node) => {
    const { gives, learns } = node.implementation.stage
    const output = Object.entries({ ...gives, ...learns }).find(([, { name }]) => name === "history")?.[0]
    return output === undefined ? [] : [[node, output] as const]
  })
}

/**
 * Tells the epochs of the trainings behind some nodes; `undefined` where there are none, or their histories are lost. Where no training of the
 * grid may stop before its last epoch there is nothing to tell, and no history is read.
 */
export const epochsBehind = (finished: Finished): (nodes: ReadonlyArray<Node>) => Epochs | undefined => {
  if (!finished.grid.nodes.some((node) => Number(parameter(node, "patience") ?? 0) > 0)) return () => undefined
  return (nodes) => {
    const found = trainings(finished.grid, nodes).flatMap(([node, output]) => {
      const rows = finished.outputs[node.index] === undefined ? undefined : tableOf(finished, node, output)?.rows
      return rows === undefined ? [] : [{ rows, asked: Number(parameter(node, "epochs") ?? rows) }]
    })
    if (found.length === 0) return undefined
    const ran = found.map(({ rows }) => rows)
    return { low: Math.min(...ran), high: Math.max(...ran), asked: found.some(({ asked, rows }) => rows < asked) ? Math.max(...found.map(({ asked }) => asked)) : undefined }
  }
}

/** "100", or "37–80 of 100" where some were stopped. */
export const showEpochs = ({ asked, high, low }: Epochs): string => `${low === high ? low : `${low}–${high}`}${asked === undefined ? "" : ` of ${asked}`}`
