/**
 * Expansion: from cells to nodes. A node is a distinct piece of work: an implementation, its resolved parameters and the upstream nodes it
 * really uses. Its identity is a hash of just that, so cells that ask for the same work share a node before anything runs: renamed stages
 * and axes, reordered keys, a parameter written at its default, a new axis at the old value make no new identity.
 *
 * Cost: cells are walked once a stage with integers only; everything else happens once a distinct combination of the axes a stage depends on.
 */
import { dirname, resolve } from "node:path"
import * as Result from "effect/Result"
import { type Document, digestOf, settle } from "../cache/canonical.ts"
import { InvalidPipeline, invalid, type Mistake, mistakesOf, type Path } from "../schemas/diagnostic.ts"
import { suggest } from "../schemas/spelling.ts"
import { type Cells, enumerate, matcher, pick } from "./axes.ts"
import { bind, type Upstream } from "./bind.ts"
import { commandStage, isCommand } from "./command.ts"
import { type Implementation, type Library, UnknownImplementation } from "./library.ts"
import type { PipelineFile } from "./source.ts"
import { type Assignment, originOf, references, substitute, UnknownReference } from "./substitute.ts"

/** One table that a node takes in: which port, from which node, which of its outputs. */
export interface Binding {
  readonly port: string
  readonly node: number
  readonly output: string
}

export interface Node {
  readonly index: number
  /** The stage of the YAML that asked for it first. */
  readonly stage: string
  readonly implementation: Implementation
  readonly parameters: unknown
  /** Only the ports that are read with these parameters, in the order of the implementation. */
  readonly bindings: ReadonlyArray<Binding>
  readonly identity: string
  /** A cell that asked for it. */
  readonly cell: number
  /** Stage and the labels of the axes it depends on: how a person names it, and how its history is kept. */
  readonly address: string
}

export interface Grid {
  readonly file: PipelineFile
  /** Folder below which data paths are. */
  readonly dataRoot: string
  readonly cells: Cells
  /** Upstream before downstream. */
  readonly nodes: ReadonlyArray<Node>
  /** Stage names in an order that respects needs. */
  readonly stages: ReadonlyArray<string>
  /** The node of a stage in a cell. */
  readonly nodeOf: (stage: string, cell: number) => Node
}

interface Plan {
  readonly name: string
  readonly columns: ReadonlyArray<number>
  readonly upstream: Upstream
}

/** Splits `stage.output`; a stage's name has no dot. */
const splitNeed = (need: string): readonly [stage: string, output: string | undefined] => {
  const dot = need.indexOf(".")
  return dot < 0 ? [need, undefined] : [need.slice(0, dot), need.slice(dot + 1)]
}

/** Orders the stages; a circle is a mistake that shows its path. */
const order = (needs: ReadonlyMap<string, ReadonlyArray<string>>, mistakes: Array<Mistake>): Array<string> => {
  const done = new Set<string>(), sorted: Array<string> = []
  const visit = (name: string, above: ReadonlyArray<string>): boolean => {
    if (done.has(name)) return true
    if (above.includes(name)) {
      const circle = [...above.slice(above.indexOf(name)), name]
      mistakes.push({ path: ["stages", name, "needs"], message: `the stages need each other in a circle: ${circle.join(" needs ")}` })
      return false
    }
    for (const need of needs.get(name) ?? []) if (!visit(need, [...above, name])) return false
    done.add(name)
    sorted.push(name)
    return true
  }
  for (const name of needs.keys()) if (!visit(name, [])) break
  return sorted
}

/** The report speaks of axes and values that there are. */
const checkReport = ({ baseline, columns: across, heatmap }: PipelineFile["pipeline"]["report"], columns: Cells["columns"], mistakes: Array<Mistake>): void => {
  matcher(columns, baseline ?? {}, ["report", "baseline"], mistakes)
  const names = columns.map(({ name }) => name), compared = columns.flatMap(({ name, replicate }) => replicate ? [] : [name])
  if (across !== undefined && !compared.includes(across)) {
    mistakes.push({ path: ["report", "columns"], message: names.includes(across) ? `"${across}" is a replicate, which metrics are averaged over; columns are ${compared.join(", ")}` : `there is no axis "${across}"${suggest(across, compared)}; axes are ${compared.join(", ")}` })
  }
  if (heatmap === undefined) return
  matcher(columns, heatmap.where ?? {}, ["report", "heatmap", "where"], mistakes)
  for (const side of ["x", "y"] as const) {
    if (!names.includes(heatmap[side])) mistakes.push({ path: ["report", "heatmap", side], message: `there is no axis "${heatmap[side]}"${suggest(heatmap[side], names)}; axes are ${names.join(", ")}` })
  }
}

export interface ExpandOptions {
  /** Overrides the folder that the YAML names. */
  readonly dataRoot: string | undefined
  /** Only cells whose values match: axis to patterns. */
  readonly picks: Readonly<Record<string, ReadonlyArray<string>>>
  /** Only these stages and what they need; all, where empty. */
  readonly until: ReadonlyArray<string>
}

/** Expands a pipeline. Rejects with `InvalidPipeline`. */
export const expand = async (file: PipelineFile, library: Library, { dataRoot, picks, until }: ExpandOptions): Promise<Grid> => {
  const { narrowed = false, pipeline, source } = file
  const folder = dirname(resolve(source.file))
  const mistakes: Array<Mistake> = []
  const stop = () => {
    if (mistakes.length > 0) throw invalid(source, mistakes)
  }
  const names = Object.keys(pipeline.stages)
  if (names.length === 0) mistakes.push({ path: ["stages"], message: "a pipeline needs at least one stage" })
  const all = enumerate(pipeline, mistakes, narrowed)
  if (mistakes.length === 0 && !narrowed) checkReport(pipeline.report, all.columns, mistakes)
  const cells = pick(all, picks)
  const { columns } = cells

  const needsOf = new Map<string, Plan["upstream"]>()
  for (const name of names) {
    const path: Path = ["stages", name, "needs"]
    const { needs } = pipeline.stages[name]!
    const entries: Array<readonly [string | undefined, string | null, Path]> = needs === undefined ? [] : typeof needs === "string" ? [[undefined, needs, path]] : Object.entries(needs).map(([port, need]) => [port, need, [...path, port]])
    needsOf.set(name, entries.flatMap(([port, need, at]) => {
      const [stage, output] = splitNeed(need ?? port ?? "")
      if (stage in pipeline.stages) return [[port, stage, output] as const]
      mistakes.push({ path: at, onKey: need === null, message: `there is no stage "${stage}"${suggest(stage, names)}; stages are ${names.join(", ")}` })
      return []
    }))
  }
  const sorted = order(new Map(names.map((name) => [name, needsOf.get(name)!.map(([, stage]) => stage)])), mistakes)
  stop()
  const wanted = new Set<string>()
  const want = (name: string): void => {
    if (!(name in pipeline.stages)) throw new InvalidPipeline({ message: `there is no stage "${name}"${suggest(name, names)}; stages are ${names.join(", ")}` })
    if (wanted.has(name)) return
    wanted.add(name)
    for (const [, stage] of needsOf.get(name)!) want(stage)
  }
  for (const name of until) want(name)
  const stages = until.length === 0 ? sorted : sorted.filter((name) => wanted.has(name))

  const plans = new Map<string, Plan>()
  for (const name of stages) {
    const own = references([pipeline.stages[name]!.uses, pipeline.stages[name]!.with ?? {}], columns)
    for (const [, stage] of needsOf.get(name)!) for (const column of plans.get(stage)!.columns) own.add(column)
    plans.set(name, { name, columns: [...own].toSorted((a, b) => a - b), upstream: needsOf.get(name)! })
  }

  // distinct combinations a stage depends on: a number for each, mixed radix over its columns
  const width = columns.length
  const combinations = (plan: Plan) => {
    const radix = plan.columns.map((column) => columns[column]!.labels.length + 1)
    const small = radix.reduce((n, r) => n * r, 1) < Number.MAX_SAFE_INTEGER
    const codeOf = small ?
      (cell: number): number | string => {
        let code = 0
        for (let i = 0; i < radix.length; i++) code = code * radix[i]! + cells.codes[cell * width + plan.columns[i]!]! + 1
        return code
      } :
      (cell: number): number | string => plan.columns.map((column) => cells.codes[cell * width + column]).join()
    const first = new Map<number | string, number>()
    for (let cell = 0; cell < cells.count; cell++) {
      const code = codeOf(cell)
      if (!first.has(code)) first.set(code, cell)
    }
    return { codeOf, first }
  }

  const nodes: Array<Node> = []
  const byIdentity = new Map<string, Node>()
  const nodesOf = new Map<string, { readonly codeOf: (cell: number) => number | string; readonly nodes: ReadonlyMap<number | string, Node> }>()
  const nodeOf = (stage: string, cell: number): Node => {
    const { codeOf, nodes } = nodesOf.get(stage)!
    return nodes.get(codeOf(cell))!
  }
  const implementations = new Map<string, Implementation>()
  const decoded = new Map<string, Result.Result<unknown, { readonly issue: Parameters<typeof mistakesOf>[0] }>>()

  // a stage with a mistake has no nodes to bind to: of those that need it only the parameters are looked at, so that mistakes come all at once
  const broken = new Set<string>()
  for (const name of stages) {
    const plan = plans.get(name)!, raw = pipeline.stages[name]!
    const unbound = plan.upstream.some(([, stage]) => broken.has(stage))
    const before = mistakes.length
    const { codeOf, first } = combinations(plan)
    const made = new Map<number | string, Node>()
    const used = new Set<string>()
    const portNames = new Set<string>()
    let kind: string | undefined, whole = true
    for (const [code, cell] of first) {
      if (mistakes.length > before + 20) {
        whole = false
        break
      }
      const at: Assignment = { columns, codes: cells.codes.subarray(cell * width, (cell + 1) * width) }
      try {
        const uses = substitute(raw.uses, at, ["stages", name, "uses"])
        if (typeof uses !== "string") throw new UnknownReference(["stages", name, "uses"], `"uses" must come out as a stage's name, got ${JSON.stringify(uses)}`)
        const given = substitute(raw.with ?? {}, at, ["stages", name, "with"])
        let implementation = isCommand(uses) ? commandStage(uses, given, plan.upstream.map(([port, stage]) => port ?? stage), folder) : implementations.get(uses)
        if (implementation === undefined) {
          implementation = await library.find(uses, folder)
          implementations.set(uses, implementation)
        }
        const { stage } = implementation
        if (!used.has(uses)) {
          kind ??= stage.kind
          if (stage.kind !== kind) mistakes.push({ path: ["stages", name, "uses"], message: `all values of "uses" are of one kind; here are ${kind} and ${stage.kind} (${uses})` })
          used.add(uses)
          for (const port of Object.keys(stage.needs)) portNames.add(port)
        }

        const memo = `${uses}\n${JSON.stringify(given)}`
        let parameters = decoded.get(memo)
        if (parameters === undefined) {
          parameters = implementation.decode(given)
          if (Result.isSuccess(parameters)) settle(parameters.success as Document & object)
          decoded.set(memo, parameters)
        }
        if (Result.isFailure(parameters)) {
          const { keysAt } = await import("./parameters.ts")
          const found = mistakesOf(parameters.failure.issue, [], (path) => keysAt(stage, path))
          for (const mistake of found) {
            const origin = originOf(raw.with ?? {}, at, ["stages", name, "with"], mistake.path)
            mistakes.push({ ...mistake, path: origin, message: `${mistake.message}${mistake.onKey === true ? "" : ` (parameter of ${uses})`}` })
          }
          continue
        }
        if (unbound) continue
        const value = parameters.success
        const bindings = bind(stage.needs, value, plan.upstream, name, cell, nodeOf, uses, mistakes)
        if (bindings === undefined) continue
        const identity = digestOf("identity", {
          uses: implementation.uses,
          version: stage.version,
          with: value as Document,
          ports: Object.fromEntries(bindings.map((binding) => [binding.port, [nodes[binding.node]!.identity, binding.output]]))
        })
        let node = byIdentity.get(identity)
        if (node === undefined) {
          let address = name
          for (const column of plan.columns) {
            const code = at.codes[column]!
            if (code >= 0) address += ` ${columns[column]!.name}=${columns[column]!.labels[code]!}`
          }
          node = { index: nodes.length, stage: name, implementation, parameters: value, bindings, identity, cell, address }
          nodes.push(node)
          byIdentity.set(identity, node)
        }
        made.set(code, node)
      } catch (cause) {
        whole = false
        if (cause instanceof UnknownReference) mistakes.push({ path: cause.path, message: cause.message })
        else if (cause instanceof UnknownImplementation) mistakes.push({ path: originOf(raw.uses, at, ["stages", name, "uses"], []), message: cause.message })
        else throw cause
      }
    }
    for (const [port] of plan.upstream) {
      // cells that were left out, and what could not be looked at, may have the implementation that has the port
      if (port !== undefined && Object.keys(picks).length === 0 && !narrowed && !portNames.has(port) && used.size > 0 && whole) {
        mistakes.push({ path: ["stages", name, "needs", port], onKey: true, message: `${[...used].join(", ")} ${used.size === 1 ? "has" : "have"} no port "${port}"${suggest(port, portNames)}; its ports are ${[...portNames].join(", ") || "none"}` })
      }
    }
    if (unbound || mistakes.length > before) broken.add(name)
    nodesOf.set(name, { codeOf, nodes: made })
  }
  stop()
  return {
    file,
    dataRoot: dataRoot !== undefined ? resolve(dataRoot) : pipeline.data === undefined ? folder : resolve(folder, pipeline.data.root),
    cells,
    nodes,
    stages,
    nodeOf
  }
}
