/**
 * Where two results part: their chains are walked from the top, stage by stage, and the first stages whose output differs are found, with
 * the least set of key parts that explains each. What differs below only because of what came in is no finding; what differs by itself and
 * changes nothing is told as such.
 */
import type { Action, Output } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import type { Document } from "../cache/canonical.ts"
import { closureOf } from "../engine/closure-text.ts"
import { type Graph, type GraphNode, valuesOf } from "../engine/graph.ts"
import { type Cause, differences } from "../engine/why.ts"
import { lossOf } from "./loss.ts"

/** One of the two that are compared. */
export interface Side {
  readonly graph: Graph
  /** What was said of nodes that failed, by address. */
  readonly failures: ReadonlyMap<string, string>
}

/** The nodes of one stage that are compared, by their places in the two graphs. */
export type Pair = readonly [a: number, b: number]

export interface Finding {
  readonly stage: string
  /** All with these causes. */
  readonly pairs: ReadonlyArray<Pair>
  readonly causes: ReadonlyArray<Cause>
  /** Names of the outputs that differ. */
  readonly outputs: ReadonlyArray<string>
  /** Digests of the closures, where their code differs and both have one implementation. */
  readonly code?: readonly [a: string, b: string]
}

export interface Diff {
  /** Cells that both have, by their places. */
  readonly cells: ReadonlyArray<Pair>
  readonly onlyA: ReadonlyArray<number>
  readonly onlyB: ReadonlyArray<number>
  readonly stagesOnlyA: ReadonlyArray<string>
  readonly stagesOnlyB: ReadonlyArray<string>
  /** The output differs and nothing that came in does. */
  readonly first: ReadonlyArray<Finding>
  /** What came in differs, and so does something of the stage itself. */
  readonly further: ReadonlyArray<Finding>
  /** Something of the stage differs, its output does not. */
  readonly withoutEffect: ReadonlyArray<Finding>
  /** All pairs of nodes by stage. */
  readonly pairs: ReadonlyMap<string, ReadonlyArray<Pair>>
}

/** Cells with the same values. */
const sameCells = (a: Graph, b: Graph) => {
  const idOf = (graph: Graph, cell: number) => JSON.stringify(Object.entries(valuesOf(graph, cell)).toSorted(([x], [y]) => x < y ? -1 : 1))
  const inB = new Map(Array.from({ length: b.cells }, (_, cell) => [idOf(b, cell), cell]))
  const cells: Array<Pair> = [], onlyA: Array<number> = []
  for (let cell = 0; cell < a.cells; cell++) {
    const id = idOf(a, cell), other = inB.get(id)
    if (other === undefined) onlyA.push(cell)
    else cells.push([cell, other])
    inB.delete(id)
  }
  return { cells, onlyA, onlyB: [...inB.values()] }
}

/** The nodes that stand for each other: those of one stage; a stage that has another name is found by the port it is bound to. */
const pairsOf = (a: Graph, b: Graph, cells: ReadonlyArray<Pair>): Map<string, Array<Pair>> => {
  const pairs = new Map<string, Array<Pair>>(), seen = new Set<string>()
  const add = (stage: string, i: number, j: number): void => {
    if (seen.has(`${i} ${j}`)) return
    seen.add(`${i} ${j}`)
    const known = pairs.get(stage)
    if (known === undefined) pairs.set(stage, [[i, j]])
    else known.push([i, j])
    for (const [port, up] of a.nodes[i]!.up) {
      const other = b.nodes[j]!.up.find(([name]) => name === port)?.[1]
      if (other === undefined) continue
      const from = a.nodes[up]!.stage, to = b.nodes[other]!.stage
      if (!(from in b.of) && !(to in a.of)) add(`${from} -> ${to}`, up, other)
    }
  }
  for (const [cellA, cellB] of cells) for (const stage of Object.keys(a.of)) if (stage in b.of) add(stage, a.of[stage]![cellA]!, b.of[stage]![cellB]!)
  return pairs
}

/** Whether two outputs hold the same. */
const sameOutput = (a: Output | undefined, b: Output | undefined): boolean => {
  const content = ({ columns, metadata, rows }: Output) => JSON.stringify([rows, Object.entries(columns).map(([name, { digest }]) => [name, digest]).toSorted(), Object.entries(metadata).toSorted()])
  return a === b || (a !== undefined && b !== undefined && content(a) === content(b))
}
/** The names of those that do not. */
export const otherOutputs = (a: Action["outputs"], b: Action["outputs"]): Array<string> => [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !sameOutput(a[name], b[name]))

/** The least of the parts in which the keys differ that still explains the others. */
const least = (causes: ReadonlyArray<Cause>): Array<Cause> => {
  const implementation = causes.find(({ part }) => part === "stage"), code = causes.some(({ part }) => part === "code.closure")
  const oneSided = ({ after, before }: Cause) => before === null || after === null
  return causes.filter((cause) => {
    if (cause.kind === "parameter") return implementation === undefined || !oneSided(cause)
    if (cause.kind === "code") return cause === implementation || (implementation === undefined && !(cause.part === "version" && code))
    return !(cause.kind === "engine" && oneSided(cause) && code)
  })
}

const closureIn = (preimage: Document) => typeof preimage === "object" && preimage !== null && "code" in preimage ? closureOf(preimage.code) : undefined

/** Compares two graphs of one cache. Where each has one cell these are compared whatever their values; else those of equal values are. */
export const diffGraphs = ({ index, store }: Cache, sideA: Side, sideB: Side): Diff => {
  const a = sideA.graph, b = sideB.graph
  const { cells, onlyA, onlyB } = a.cells === 1 && b.cells === 1 ? { cells: [[0, 0]] as const, onlyA: [], onlyB: [] } : sameCells(a, b)
  const pairs = pairsOf(a, b, cells)
  const paired = new Set([...pairs.values()].flat().map(([i, j]) => `${i} ${j}`))

  interface Compared {
    readonly same: boolean
    readonly inherited: boolean
    readonly causes: ReadonlyArray<Cause>
    readonly outputs: ReadonlyArray<string>
    readonly code?: readonly [a: string, b: string]
  }
  const compared = new Map<string, Compared>()
  const addressOf = ({ nodes }: Graph, node: number) => nodes[node]!.address
  const absence = (side: string, { failures }: Side, { address, key }: GraphNode): Array<Cause> =>
    key === null ? [{ kind: "impossible", part: `no result in ${side}${failures.has(address) ? `: ${failures.get(address)!.split("\n")[0]!}` : ""}`, before: null, after: null }] : []

  const compare = (i: number, j: number): Compared => {
    const id = `${i} ${j}`, known = compared.get(id)
    if (known !== undefined) return known
    const result = comparison(i, j)
    compared.set(id, result)
    return result
  }
  const comparison = (i: number, j: number): Compared => {
    const x = a.nodes[i]!, y = b.nodes[j]!
    if (x.key === y.key) return { same: true, inherited: false, causes: [], outputs: [] }
    const bound = x.up.flatMap(([port, from]) => {
      const to = y.up.find(([name]) => name === port)?.[1]
      return to === undefined ? [] : [{ port, from, to, upstream: paired.has(`${from} ${to}`) ? compare(from, to) : undefined }]
    })
    if (x.key === null || y.key === null) {
      const inherited = bound.some(({ upstream }) => upstream?.same === false)
      return { same: false, inherited, outputs: [], causes: inherited ? [] : [...absence("A", sideA, x), ...absence("B", sideB, y)] }
    }
    const before = index.action(x.key), after = index.action(y.key)
    if (before === undefined || after === undefined) {
      const lost = [before === undefined ? [x] : [], after === undefined ? [y] : []].flat()
      return { same: false, inherited: false, outputs: [], causes: lost.map(({ address, key }): Cause => ({ kind: "impossible", part: `the record of ${address} (${key!.slice(0, 12)}) ${lossOf(store, key!)}`, before: null, after: null })) }
    }
    let inherited = false
    const inputs: Array<Cause> = [], asides: Array<Cause> = [], own: Array<Cause> = [], rewired = new Set<string>()
    for (const cause of differences(before.preimage, after.preimage)) {
      if (cause.kind !== "input") {
        own.push(cause)
        continue
      }
      const port = bound.find(({ port }) => cause.part === port || cause.part.startsWith(`${port}.`))
      if (port === undefined) asides.push(cause)
      else if (port.upstream === undefined) {
        if (!rewired.has(port.port)) inputs.push({ kind: "input", part: port.port, before: addressOf(a, port.from), after: addressOf(b, port.to) })
        rewired.add(port.port)
      } else if (!port.upstream.same) inherited = true
      // which columns are read follows from the parameters; the same column of the same result with another content does not
      else (cause.before === null || cause.after === null ? asides : inputs).push(cause)
    }
    const local = [...inputs, ...least(own)]
    const outputs = otherOutputs(before.outputs, after.outputs), closures = [closureIn(before.preimage), closureIn(after.preimage)] as const
    return {
      same: outputs.length === 0,
      inherited,
      outputs,
      causes: local.length > 0 || inherited ? local : asides,
      ...(closures[0] !== undefined && closures[1] !== undefined && closures[0] !== closures[1] && before.uses === after.uses ? { code: [closures[0], closures[1]] as const } : {})
    }
  }

  const findings = (wanted: (compared: Compared) => boolean): Array<Finding> => {
    const groups = new Map<string, Finding & { readonly pairs: Array<Pair> }>()
    for (const [stage, own] of pairs) {
      for (const pair of own) {
        const result = compare(...pair)
        if (!wanted(result)) continue
        const { causes, code, outputs } = result, id = JSON.stringify([stage, causes, outputs]), known = groups.get(id)
        if (known === undefined) groups.set(id, { stage, pairs: [pair], causes, outputs, ...(code === undefined ? {} : { code }) })
        else known.pairs.push(pair)
      }
    }
    // what differs in more comes first: a training may differ in its history alone
    return [...groups.values()].toSorted((x, y) => y.outputs.length - x.outputs.length)
  }
  return {
    cells,
    onlyA,
    onlyB,
    stagesOnlyA: Object.keys(a.of).filter((stage) => !(stage in b.of)),
    stagesOnlyB: Object.keys(b.of).filter((stage) => !(stage in a.of)),
    first: findings(({ inherited, same }) => !same && !inherited),
    further: findings(({ causes, inherited, same }) => !same && inherited && causes.length > 0),
    withoutEffect: findings(({ causes, same }) => same && causes.length > 0),
    pairs
  }
}
