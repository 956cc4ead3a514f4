/** `outcrop diff A B`: the figures of two cells, runs or revisions beside each other, and the first stages in which they part. */
import * as Effect from "effect/Effect"
import type { Output } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import { closureText } from "../engine/closure-text.ts"
import { LostOutput, Tables } from "../engine/tables.ts"
import { differences } from "../engine/why.ts"
import { type CodeDiff, diffCode } from "../lineage/code-diff.ts"
import { type Diff, diffGraphs, type Finding, otherOutputs } from "../lineage/diff.ts"
import { lossOf } from "../lineage/loss.ts"
import { diffMetrics } from "../lineage/metrics-diff.ts"
import { diffTables, type TableDiff } from "../lineage/table-diff.ts"
import { style, textTable } from "../report/terminal.ts"
import { suggest } from "../schemas/spelling.ts"
import { userError } from "./error.ts"
import type { SessionFlags } from "./session.ts"
import { type Compared, openSides, type Sides } from "./sides.ts"
import { describeCause } from "./why.ts"

export interface DiffFlags extends SessionFlags {
  readonly words: ReadonlyArray<string>
  readonly stage: string | undefined
  readonly full: boolean
  readonly json: boolean
}

/** How much is shown without --full. */
const most = { figures: 24, findings: 5, causes: 8, lines: 40 }

type TableFinding = { readonly output: string } & ({ readonly diff: TableDiff } | { readonly lost: string })

/** The tables of a pair of nodes that differ. */
const tablesOf = ({ a, b, cache }: Sides, [i, j]: readonly [number, number]): Array<TableFinding> => {
  const x = a.graph.nodes[i]!, y = b.graph.nodes[j]!
  if (x.key === null || y.key === null) return []
  const { index } = cache, tables = new Tables(cache, 1 << 28)
  const before = index.entry(x.key)?.outputs ?? {}, after = index.entry(y.key)?.outputs ?? {}
  const read = (key: string, output: Output, { again }: Compared, address: string) => {
    try {
      return tables.table(key, output)
    } catch (cause) {
      if (cause instanceof LostOutput) throw new LostOutput(`the table of ${address} ${lossOf(cache.store, output.blob)} and cannot be compared; this makes it again: ${again}`)
      throw cause
    }
  }
  return otherOutputs(before, after).flatMap((output): Array<TableFinding> => {
    const own = before[output], other = after[output]
    if (own === undefined || other === undefined || own.table !== other.table) return []
    try {
      return [{ output, diff: diffTables(read(x.key!, own, a, x.address), read(y.key!, other, b, y.address)) }]
    } catch (cause) {
      if (cause instanceof LostOutput) return [{ output, lost: cause.message }]
      throw cause
    }
  })
}

/** The changed lines; a text where they cannot be had. */
const codeOf = async (cache: Cache, [a, b]: readonly [string, string]): Promise<CodeDiff | string> => {
  const before = closureText(cache.store, a), after = closureText(cache.store, b)
  if (before !== undefined && after !== undefined) return await diffCode(before, after)
  return `the lines cannot be shown: the text of ${[...(before === undefined ? ["A"] : []), ...(after === undefined ? ["B"] : [])].join(" and ")} is not in the cache (lost, or made before texts were kept)`
}

const number = (value: number) => Number.isNaN(value) ? "-" : Math.abs(value) >= 1000 || value === 0 ? value.toPrecision(6).replace(/\.?0+$/, "") : value.toFixed(4)
const size = (value: number) => value === 0 ? "0" : value.toPrecision(3)
const change = (a: number, b: number) => Number.isNaN(a) || Number.isNaN(b) ? "" : a === b ? "=" : `${b > a ? "+" : "-"}${number(Math.abs(b - a)) === "0.0000" ? size(Math.abs(b - a)) : number(Math.abs(b - a))}`
const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`
const indent = (text: string, by: string) => text.split("\n").map((line) => `${by}${line}`.trimEnd()).join("\n")

const tableText = (stage: string, found: TableFinding): string => {
  const name = `${stage}.${found.output}`
  if ("lost" in found) return `${name}: ${found.lost}`
  const { columns, examples, metadata, rows, table } = found.diff
  const both = rows.a - rows.onlyA
  const head = [`${count(both, "row")} in both${both === 0 ? "" : rows.changed === 0 ? ", none changed" : rows.changed === both ? ", all changed" : `, ${rows.changed} changed`}`, ...(rows.onlyA > 0 ? [`${rows.onlyA} only in A`] : []), ...(rows.onlyB > 0 ? [`${rows.onlyB} only in B`] : [])]
  const lines = [`${name} (${table}): ${head.join(", ")}`]
  const listed = (side: string, some: ReadonlyArray<string>, all: number) => some.length === 0 ? [] : [`  only in ${side}: ${some.join(", ")}${all > some.length ? `, and ${all - some.length} more` : ""}`]
  lines.push(...listed("A", examples.onlyA, rows.onlyA), ...listed("B", examples.onlyB, rows.onlyB))
  if (columns.length > 0) {
    const vectors = columns.some(({ cosine }) => cosine !== undefined), numbers = columns.some(({ max }) => max !== undefined)
    const headers = ["column", "kind", ">rows changed", ...(numbers ? [">max |change|", ">mean"] : []), ...(vectors ? [">least cosine", ">mean"] : [])]
    lines.push(indent(textTable(headers, columns.map(({ changed, cosine, kind, max, mean, name, only, widths }) => [
      name,
      widths === undefined ? kind : `${kind} ${widths.join(" -> ")}`,
      only === undefined ? String(changed) : `only in ${only.toUpperCase()}`,
      ...(numbers ? [max === undefined ? "" : size(max), mean === undefined ? "" : size(mean)] : []),
      ...(vectors ? [cosine === undefined ? "" : cosine.least.toFixed(4), cosine === undefined ? "" : cosine.mean.toFixed(4)] : [])
    ])), "  "))
  }
  if (metadata.length > 0) lines.push(`  metadata that differ: ${metadata.join(", ")}`)
  for (const { row, values } of examples.changed) lines.push(`  ${row}: ${values.map(({ a, b, column }) => `${column} ${a} -> ${b}`).join("; ")}`)
  if (examples.changed.length > 0 && rows.changed > examples.changed.length) lines.push(style("dim", `  ... and ${rows.changed - examples.changed.length} more rows`))
  return lines.join("\n")
}

const codeText = (code: CodeDiff | string, full: boolean): string => {
  if (typeof code === "string") return code
  const shown = full ? code.lines : code.lines.slice(0, most.lines)
  const coloured = shown.map((line) => line.startsWith("@@") ? style("cyan", line) : line.startsWith("+") ? style("green", line) : line.startsWith("-") ? style("red", line) : line)
  return [`its code: ${count(code.removed, "line")} out, ${count(code.added, "line")} in`, ...coloured, ...(shown.length < code.lines.length ? [style("dim", `... ${code.lines.length - shown.length} more lines (--full)`)] : [])].join("\n")
}

/** A finding with all that is told of it. */
interface Told extends Finding {
  readonly tables: ReadonlyArray<TableFinding>
  readonly lines: CodeDiff | string | undefined
}

const tell = async (sides: Sides, finding: Finding, withTables: boolean): Promise<Told> => ({
  ...finding,
  tables: withTables ? tablesOf(sides, finding.pairs[0]!) : [],
  lines: finding.code === undefined ? undefined : await codeOf(sides.cache, finding.code)
})

const nodesOf = ({ a, b }: Sides, { pairs }: Finding) => {
  const [i, j] = pairs[0]!
  return [a.graph.nodes[i]!.address, b.graph.nodes[j]!.address] as const
}

const findingText = (sides: Sides, finding: Told, full: boolean): string => {
  const [a, b] = nodesOf(sides, finding), { causes, lines, pairs, stage, tables } = finding
  const shown = full ? causes : causes.slice(0, most.causes)
  return [
    `${style("bold", a === b ? a : `${a} | ${b}`)}${pairs.length > 1 ? ` and ${pairs.length - 1} more` : ""}`,
    ...shown.map((cause) => `  ${describeCause(cause)}`),
    ...(shown.length < causes.length ? [`  ... and ${causes.length - shown.length} more parts (--full)`] : []),
    ...(lines === undefined ? [] : [indent(codeText(lines, full), "  ")]),
    ...tables.map((table) => indent(tableText(stage, table), "  "))
  ].join("\n")
}

/** The stage that was asked for: every part in which its keys differ, and its tables. */
const asked = ({ a, b, cache }: Sides, { pairs }: Diff, stage: string): ReadonlyArray<Finding> => (pairs.get(stage) ?? []).flatMap(([i, j]) => {
  const x = a.graph.nodes[i]!.key, y = b.graph.nodes[j]!.key
  if (x === y) return []
  const before = x === null ? undefined : cache.index.action(x), after = y === null ? undefined : cache.index.action(y)
  return [{ stage, pairs: [[i, j]], outputs: [], causes: before === undefined || after === undefined ? [] : differences(before.preimage, after.preimage) }]
})

export const diffCommand = Effect.fn("cli/diff")(function*(flags: DiffFlags) {
  const sides = yield* openSides(flags.words, flags)
  const { a, b, cache } = sides, oneCell = a.graph.cells === 1 && b.graph.cells === 1
  const diff = diffGraphs(cache, a, b)
  if (flags.stage !== undefined && !diff.pairs.has(flags.stage)) {
    return yield* userError(`there is no stage "${flags.stage}" that both have${suggest(flags.stage, diff.pairs.keys())}; those are ${[...diff.pairs.keys()].join(", ")}`)
  }
  const metrics = diffMetrics(cache, a.graph, b.graph, diff, oneCell)
  const told = (findings: ReadonlyArray<Finding>, withTables: boolean) => Effect.promise(() => Promise.all((flags.json || flags.full ? findings : findings.slice(0, most.findings)).map((finding) => tell(sides, finding, withTables))))
  const stage = flags.stage === undefined ? undefined : asked(sides, diff, flags.stage)
  const sections = stage === undefined ?
    [
      { as: "first", title: "the first outputs that differ", found: diff.first, told: yield* told(diff.first, true) },
      { as: "further", title: "further down, besides what comes from there", found: diff.further, told: yield* told(diff.further, false) },
      { as: "withoutEffect", title: "what differs without changing an output", found: diff.withoutEffect, told: yield* told(diff.withoutEffect, false) }
    ] :
    [{ as: "stage", title: `the stage ${flags.stage!}`, found: stage, told: yield* told(stage.slice(0, 1), true) }]

  if (flags.json) {
    const document = (finding: Told) => {
      const [nodeA, nodeB] = nodesOf(sides, finding)
      return { stage: finding.stage, a: nodeA, b: nodeB, nodes: finding.pairs.length, causes: finding.causes, outputs: finding.outputs, tables: finding.tables, code: finding.lines ?? null }
    }
    const finite = (value: number) => Number.isNaN(value) ? null : value
    const side = ({ name, run }: Compared) => ({ name, run: run === undefined ? null : run.id, git: run?.git ?? null })
    console.log(JSON.stringify({
      version: 1,
      a: side(a),
      b: side(b),
      cells: { both: diff.cells.length, onlyA: diff.onlyA.length, onlyB: diff.onlyB.length },
      stages: { onlyA: diff.stagesOnlyA, onlyB: diff.stagesOnlyB },
      metrics: metrics.rows.map(({ a, b, nodes, ...row }) => ({ ...row, nodes, a: finite(a), b: finite(b), change: finite(b - a) })),
      ...Object.fromEntries(sections.map(({ as, told }) => [as, told.map(document)]))
    }))
    return
  }
  const lines = [`${style("bold", "A")}  ${a.name}`, `${style("bold", "B")}  ${b.name}`, ""]
  if (diff.onlyA.length + diff.onlyB.length > 0) lines.push(`${count(diff.cells.length, "cell")} in both, ${diff.onlyA.length} only in A, ${diff.onlyB.length} only in B`, "")
  for (const [name, stages] of [["A", diff.stagesOnlyA], ["B", diff.stagesOnlyB]] as const) if (stages.length > 0) lines.push(`only ${name} has ${stages.join(", ")}`, "")
  if (metrics.rows.length > 0) {
    const shown = flags.full ? metrics.rows : metrics.rows.slice(0, most.figures), stages = new Set(metrics.rows.map(({ stage }) => stage)).size > 1
    const cellName = ({ nodes: [x], stage }: (typeof shown)[number]) => x.startsWith(`${stage} `) ? x.slice(stage.length + 1) : x
    lines.push(textTable(
      [...(oneCell && !stages ? [] : [oneCell ? "stage" : stages ? "node" : "cell"]), "metric (test)", ">A", ">B", ">change"],
      shown.map((row) => [...(oneCell && !stages ? [] : [oneCell ? row.stage : stages ? row.nodes[0] : cellName(row)]), `${row.task}.${row.metric}`, number(row.a), number(row.b), change(row.a, row.b)])
    ))
    if (shown.length < metrics.rows.length) lines.push(style("dim", `... and ${metrics.rows.length - shown.length} more that changed (--full, or pick cells with axis=value)`))
    lines.push("")
  }
  if (!oneCell && metrics.same > 0) lines.push(`the figures of ${count(metrics.same, metrics.rows.length > 0 ? "further node" : "node")} are the same in A and B`, "")
  for (const [side, { again }] of [["a", a], ["b", b]] as const) {
    const lost = metrics.lost[side]
    if (lost.length > 0) lines.push(`the metrics of ${lost[0]!}${lost.length > 1 ? ` and ${lost.length - 1} more` : ""} in ${side.toUpperCase()} are lost from the cache; this makes them again: ${again}`, "")
  }
  for (const { found, title, told } of sections) {
    if (found.length === 0) continue
    lines.push(style("cyan", `${title}${found.length > 1 && flags.stage === undefined ? ` (${found.length} places)` : ""}:`), told.map((finding) => findingText(sides, finding, flags.full)).join("\n\n"))
    if (told.length < found.length) lines.push(style("dim", flags.stage === undefined ? `... and ${found.length - told.length} more (--full)` : `... and ${found.length - told.length} more nodes of it differ; pick a cell with axis=value`))
    lines.push("")
  }
  if (flags.stage === undefined && diff.first.length === 0) lines.push(diff.cells.length === 0 ? "they have no cell in common: pick one of each with axis=value" : diff.withoutEffect.length > 0 ? "every output is the same" : "nothing differs")
  if (stage !== undefined && stage.length === 0) lines.push(`${flags.stage!} is one and the same in A and B`)
  console.log(lines.join("\n").trimEnd())
})
