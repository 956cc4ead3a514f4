/**
 * The chain behind chosen nodes of a graph: everything they took in, up to the files. Nodes of one stage and implementation stand together as
 * one step ("x24"), so that the chain of a grid is as short as that of a cell; expanded, each stands by itself.
 */
import type { Graph } from "../engine/graph.ts"

export interface Step {
  readonly stage: string
  readonly uses: string
  /** Places in the graph, ascending. */
  readonly nodes: ReadonlyArray<number>
  /** What its nodes took in, by port: which output of which step. */
  readonly up: ReadonlyArray<{ readonly port: string; readonly output: string; readonly step: number }>
}

export interface Chain {
  /** Upstream before downstream. */
  readonly steps: ReadonlyArray<Step>
  /** The steps of the nodes asked for. */
  readonly ends: ReadonlyArray<number>
}

/** The given nodes and all upstream of them, ascending. */
export const behind = ({ nodes }: Graph, targets: Iterable<number>): ReadonlyArray<number> => {
  const reached = new Set(targets)
  for (const node of reached) for (const [, up] of nodes[node]!.up) reached.add(up)
  return [...reached].toSorted((a, b) => a - b)
}

/** Which nodes are among the given ones or downstream of one: a flag for each node of the graph. */
export const ahead = ({ nodes }: Graph, sources: Iterable<number>): ReadonlyArray<boolean> => {
  const reached: Array<boolean> = nodes.map(() => false)
  for (const node of sources) reached[node] = true
  nodes.forEach(({ up }, node) => reached[node] ||= up.some(([, from]) => reached[from]))
  return reached
}

/** The nodes that serve the cells of a graph and that no other node of those cells takes in. */
export const leavesOf = (graph: Graph): ReadonlyArray<number> => {
  const served = new Set(Object.values(graph.of).flat()), taken = new Set(Array.from(served, (node) => graph.nodes[node]!.up.map(([, from]) => from)).flat())
  return [...served].filter((node) => !taken.has(node)).toSorted((a, b) => a - b)
}

/** The chain behind the given nodes. */
export const chainOf = (graph: Graph, targets: ReadonlyArray<number>, expanded: boolean): Chain => {
  const places = new Map<string, number>(), stepOf = new Map<number, number>()
  const steps: Array<{ readonly stage: string; readonly uses: string; readonly nodes: Array<number>; readonly up: Array<Step["up"][number]> }> = []
  for (const node of behind(graph, targets)) {
    const { stage, up, uses } = graph.nodes[node]!, name = expanded ? String(node) : `${stage}\0${uses}`
    let place = places.get(name)
    if (place === undefined) {
      place = steps.push({ stage, uses, nodes: [], up: [] }) - 1
      places.set(name, place)
    }
    stepOf.set(node, place)
    const step = steps[place]!
    step.nodes.push(node)
    for (const [port, from, output] of up) {
      const source = stepOf.get(from)!
      if (!step.up.some((known) => known.port === port && known.output === output && known.step === source)) step.up.push({ port, output, step: source })
    }
  }
  return { steps, ends: [...new Set(targets.map((node) => stepOf.get(node)!))] }
}

/** The cells that each of some nodes serves under any stage. */
export const cellsByNode = ({ of }: Graph, nodes: Iterable<number>): ReadonlyMap<number, ReadonlySet<number>> => {
  const cells = new Map(Array.from(nodes, (node) => [node, new Set<number>()]))
  for (const served of Object.values(of)) served.forEach((node, cell) => cells.get(node)?.add(cell))
  return cells
}

/** The axes that the cells of a graph differ in. */
export const varying = ({ axes, cells, codes }: Graph): ReadonlyArray<string> =>
  axes.flatMap(({ name }, i) => {
    for (let cell = 1; cell < cells; cell++) if (codes[cell * axes.length + i] !== codes[i]) return [name]
    return []
  })

/** The values of the given axes that all of some cells have, as a person writes them. */
export const sharedBy = ({ axes, codes }: Graph, cells: Iterable<number>, names: ReadonlyArray<string>): string => {
  const [first, ...others] = cells
  if (first === undefined) return ""
  return axes.flatMap(({ labels, name }, i) => {
    const code = codes[first * axes.length + i]!
    return code < 0 || !names.includes(name) || others.some((cell) => codes[cell * axes.length + i] !== code) ? [] : [`${name}=${labels[code]}`]
  }).join(" ")
}
