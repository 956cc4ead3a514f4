/** `outcrop lineage`: what stands behind a number, down to the rows of a sample, and upward to every metric that something reached. */
import * as Effect from "effect/Effect"
import { Tables } from "../engine/tables.ts"
import { valuesOf } from "../engine/graph.ts"
import { makers } from "../engine/history.ts"
import { builtIn, type Defaults, defaultsOf } from "../lineage/defaults.ts"
import { dot, mermaid } from "../lineage/diagram.ts"
import { lossOf } from "../lineage/loss.ts"
import { Results, type Value } from "../lineage/metric.ts"
import { closureOf, type Records, tell } from "../lineage/node.ts"
import { NoTarget, type Target, targetOf, valuesAt } from "../lineage/target.ts"
import { behind, cellsByNode, chainOf, sharedBy, varying } from "../lineage/trace.ts"
import { short, treeText } from "../lineage/tree.ts"
import { counted, style, textTable } from "../report/terminal.ts"
import { userError } from "./error.ts"
import { openScope, type Scope } from "./scope.ts"
import type { SessionFlags } from "./session.ts"
import { readWords, showSeconds } from "./words.ts"

export interface LineageFlags extends SessionFlags {
  readonly words: ReadonlyArray<string>
  readonly run: string | undefined
  readonly format: "tree" | "mermaid" | "dot" | "json"
  readonly expand: boolean
  readonly full: boolean
  readonly sample: string | undefined
  readonly uses: string | undefined
  readonly json: boolean
}

/** Of so many nodes of a step the records are read; of more than these the first ones stand for all, and that is said. */
const mostRead = 200
/** Values that are listed; of more their range is told, and of so many that reading them takes long only how many they are. */
const listed = 12, mostValues = 1000

const number = (value: number) => Number.isNaN(value) ? "–" : String(Number(value.toPrecision(6)))
const interval = ({ high, low }: Value) => Number.isNaN(low) ? "" : `${number(low)} to ${number(high)}`

interface Row extends Value {
  readonly node: number
  readonly cells: ReadonlySet<number>
}

/** The lines that stand above a chain: what was asked for, and its values. */
const heading = ({ graph }: Scope, { metric, nodes, output }: Target, rows: ReadonlyArray<Row>): string => {
  const axes = varying(graph), fixed = sharedBy(graph, [0], graph.axes.map(({ name }) => name).filter((name) => !axes.includes(name)))
  const cells = `${counted(graph.cells, "cell")}${fixed === "" ? "" : ` of ${fixed}`}`
  const where = graph.cells === 1 ? fixed : cells
  if (metric === undefined) return `${style("bold", [...new Set(nodes.map((node) => `${graph.nodes[node]!.stage}${output === undefined ? "" : `.${output}`}`))].join(", "))}${where === "" ? "" : `  ${where}`}`
  if (nodes.length > mostValues) return `${style("bold", metric)}  ${nodes.length.toLocaleString("en")} values of ${cells}; pick cells with axis=value to see values`
  if (rows.length === 0) return `${style("bold", metric)}  ${style("yellow", "no value")}  ${where}`
  const [first] = rows
  if (rows.length === 1) return `${style("bold", `${metric} = ${number(first!.value)}`)}${first!.class === "" ? "" : ` of ${first!.class}`}  ${first!.split}, n ${first!.n}${interval(first!) === "" ? "" : `, 95% ${interval(first!)}`}${where === "" ? "" : `\n${where}`}`
  const values = rows.map(({ value }) => value).filter((value) => !Number.isNaN(value))
  const range = values.length === 0 ? "undefined" : `${number(Math.min(...values))} to ${number(Math.max(...values))}`
  const title = `${style("bold", `${metric} = ${range}`)}  ${[...new Set(rows.map(({ split }) => split))].join(", ")}, ${cells}`
  if (rows.length > listed) return `${title}; pick cells with axis=value to see values`
  return `${title}\n${textTable([...axes, ...(first!.class === "" ? [] : ["class"]), `>${metric}`, ">n", "95%"], rows.map((row) => {
    const values = [...row.cells].map((cell) => valuesOf(graph, cell))
    return [...axes.map((axis) => new Set(values.map((each) => each[axis])).size > 1 ? "*" : values[0]![axis] ?? ""), ...(first!.class === "" ? [] : [row.class]), number(row.value), String(row.n), interval(row)]
  }))}`
}

const finite = (value: number) => Number.isFinite(value) ? value : null

export const lineageCommand = Effect.fn("cli/lineage")(function*(flags: LineageFlags) {
  const words = readWords(flags.words), scope = yield* openScope(words, flags, flags.run)
  const { cache, graph, remedy } = scope
  const results = new Results(graph, cache), format = flags.json ? "json" : flags.format
  if (flags.uses !== undefined) {
    if (flags.sample !== undefined || words.names.length > 0) return yield* userError(`--uses goes upward from one thing; ${flags.sample === undefined ? `"${words.names.join(", ")}" is` : "--sample goes down: they are"} not asked together with it`)
    const { showUses } = yield* Effect.promise(() => import("./uses.ts"))
    return yield* showUses(flags.uses, scope, results, format === "json")
  }
  let target: Target
  try {
    target = targetOf(words.names, graph, results)
  } catch (cause) {
    if (cause instanceof NoTarget) return yield* userError(cause.message)
    throw cause
  }
  if (flags.sample !== undefined) {
    const { showSample } = yield* Effect.promise(() => import("./sample.ts"))
    return yield* showSample(flags.sample, scope, results, behind(graph, target.nodes), format === "json")
  }
  const tables = new Tables(cache, 1 << 28), madeBy = makers(cache, scope.runs)
  const records: Records = { action: (key) => cache.index.action(key), there: (output) => tables.there(output), makers: madeBy }
  const { metric, output } = target
  const nodes = behind(graph, target.nodes), cells = cellsByNode(graph, nodes)
  const rows = metric === undefined || format !== "json" && target.nodes.length > mostValues ? [] : target.nodes.flatMap((node) => valuesAt(node, metric, results).map((value): Row => ({ ...value, node, cells: cells.get(node)! })))
  const of = { pipeline: scope.run?.pipeline.file ?? words.file, run: scope.run?.id ?? null }
  if (format === "json") {
    // by their place in this document: those of the grid depend on which cells were asked for
    const place = new Map(nodes.map((node, i) => [node, i]))
    const values = rows.map(({ cells, class: name, high, low, n, node, split, task, value, metric }) => ({ task, metric, class: name, split, value: finite(value), n, low: finite(low), high: finite(high), node: place.get(node)!, cells: [...cells].map((cell) => valuesOf(graph, cell)) }))
    const told = nodes.map((node) => {
      const { result, ...named } = tell(graph, node, records)
      return { ...named, node: place.get(node)!, cells: cells.get(node)!.size, result: result === null ? null : { ...result, took: result.took.map((took) => ({ ...took, node: place.get(took.node)! })) } }
    })
    console.log(JSON.stringify({ version: 1, of, metric: metric ?? null, output: output ?? null, targets: target.nodes.map((node) => place.get(node)!), values, nodes: told }))
    return
  }
  const cellsOf = (nodes: ReadonlyArray<number>) => new Set(nodes.flatMap((node) => [...cells.get(node)!]))
  const axes = varying(graph), chain = chainOf(graph, target.nodes, flags.expand)
  if (format !== "tree") {
    const labels = chain.steps.map(({ nodes, stage, uses }) => [nodes.length > 1 ? `${stage} x${nodes.length}` : `${stage} ${sharedBy(graph, cellsOf(nodes), axes)}`.trim(), uses, ...(nodes.length > 1 ? [] : [short(graph.nodes[nodes[0]!]!.key ?? "no result")])])
    const values = rows.map(({ value }) => value), title = metric === undefined ? [...new Set(target.nodes.map((node) => graph.nodes[node]!.stage))].join(", ") : values.length === 1 ? `${metric} = ${number(values[0]!)}` : metric
    console.log((format === "mermaid" ? mermaid : dot)(chain, { labels, title }))
    return
  }
  const steps = chain.steps.map(({ nodes }) => nodes.slice(0, mostRead).map((node) => tell(graph, node, records)))
  const defaults = yield* Effect.promise(() => Promise.all(steps.map(async (told): Promise<Defaults> => {
    const codes = new Set(told.flatMap(({ result }) => result === null ? [] : closureOf(result.code))), [code] = codes
    if (code === undefined || codes.size > 1) return {}
    const stage = scope.stages.get(code) ?? await builtIn(code)
    return stage === undefined ? {} : defaultsOf(stage)
  })))
  const tree = treeText(chain, { steps: steps.map((told, i) => ({ told, defaults: defaults[i]!, cells: sharedBy(graph, cellsOf(chain.steps[i]!.nodes), axes) })), full: flags.full, remedy, seconds: showSeconds, loss: (digest) => lossOf(cache.store, digest) })
  console.log(`${scope.run === undefined ? "" : `${style("dim", scope.name)}\n`}${heading(scope, target, rows)}\n\n${tree}`)
})
