/**
 * Who was handed what: every fit behind a metric, read off what the engine recorded that it handed over, held against what the split gives to
 * training and what the metric tests on.
 */
import { createHash } from "node:crypto"
import { isCommand } from "../../engine/command.ts"
import type { Node } from "../../engine/expand.ts"
import type { Table } from "../../schemas/table.ts"
import type { Evidence } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

/** Whether a node learns from rows: of a `fit` that learns nothing (a check of parity) nothing reaches the results. */
const learns = ({ implementation: { stage } }: Node) => Object.keys(stage.learns).length > 0

const digestOf = (ids: ReadonlyArray<string>): string => {
  const digest = createHash("sha256")
  for (const id of ids) digest.update(`${id}\n`)
  return digest.digest("hex")
}

/** The samples that a node's `fit` is to be handed, ascending: those that all of its tables have and its split gives to fitting. */
const dueOf = ({ idsOf, outputOf, table }: Evidence) => {
  const known = new Map<string, { readonly ids: ReadonlyArray<string>; readonly digest: string } | undefined>()
  const roles = new Map<string, ReadonlyMap<string, string>>()
  const rolesOf = (digest: string, divided: Table | undefined) => {
    const text = (name: string) => divided?.columns.get(name)?.column as ReadonlyArray<string>
    if (!roles.has(digest) && divided !== undefined) roles.set(digest, new Map(text("sample_id").map((id, row) => [id, text("split")[row]!])))
    return roles.get(digest)
  }
  return ({ bindings, implementation: { stage } }: Node, by: "split" | "all") => {
    const keyed = bindings.filter((binding) => outputOf(binding)?.columns["sample_id"] !== undefined)
    const split = by === "all" ? undefined : bindings.find((binding) => outputOf(binding)?.table === "split")
    const digests = [...new Set(keyed.map((binding) => outputOf(binding)!.columns["sample_id"]!.digest))]
    const id = `${digests.join(" ")} ${split === undefined ? "all" : outputOf(split)!.blob} ${stage.validates}`
    if (!known.has(id)) {
      const lists = keyed.map(idsOf), given = split === undefined ? undefined : rolesOf(outputOf(split)!.blob, table(split))
      const whole = lists.every((list) => list !== undefined) && (split === undefined || given !== undefined)
      const others = whole ? lists.slice(1).flatMap((list) => list === lists[0] ? [] : [new Set(list)]) : []
      const ids = !whole ? undefined : (lists[0] ?? []).filter((sample) => {
        const role = given?.get(sample)
        return others.every((other) => other.has(sample)) && (given === undefined || role === "train" || (stage.validates && role === "val"))
      })
      known.set(id, ids === undefined ? undefined : { ids, digest: digestOf(ids) })
    }
    return known.get(id)
  }
}

/** A node by its stage and implementation. */
const nameOf = ({ implementation: { uses }, stage }: Node) => `"${stage}" (${uses})`

/** Every fit behind a metric was handed training rows only (and validation rows, where it selects on them). */
export const fittedOnTraining = (evidence: Evidence): Outcome => {
  const { actionOf, cellsOf, lineage, measured, partitionOf } = evidence
  if (measured.length === 0) return { inapplicable: "nothing is measured yet" }
  const found: Array<Found> = [], due = dueOf(evidence), tested = new Map<string, ReadonlyArray<string>>()
  const fits = new Set<Node>(), opaque = new Set<Node>()
  let onSplit = 0, selecting = 0
  const say = (node: Node, level: Found["level"], kind: string, what: string, examples: ReadonlyArray<string>, count: number, cells: Iterable<number> = cellsOf(node)) =>
    found.push({ level, kind: `${node.stage} ${kind}`, what, count, examples, cells })
  for (const metric of measured) {
    const partition = partitionOf(metric)
    for (const node of lineage(metric)) {
      const { stage, uses } = node.implementation
      // what a program, or a probe of the user's own that is one `run`, does with its rows nobody sees
      if ((isCommand(uses) && stage.kind !== "ingest") || (stage.run !== undefined && /^[./]|\.[cm]?[jt]s$/.test(uses) && (stage.kind === "probe" || stage.kind === "train"))) opaque.add(node)
      if (!learns(node)) continue
      const handed = actionOf(node)?.handed, first = !fits.has(node)
      fits.add(node)
      if (handed === undefined) {
        if (first) say(node, "note", "unknown", `there is no record of what ${nameOf(node)} was fitted on: run it again with --force ${node.stage}`, [node.address], 1)
        continue
      }
      const { by, roles, samples } = handed, rows = Object.values(roles).reduce((sum, n) => sum + n, 0)
      const expected = due(node, by)
      if (by === "all") {
        const released = (node.parameters as Readonly<Record<string, unknown>>)["protocol"] === "released"
        if (first) say(node, "warning", "all", `${nameOf(node)} was fitted on all ${rows} samples, test rows included: ${released ? "`protocol: released`" : "no split is bound to it"}`, expected?.ids.filter((sample) => partition?.roleOf.get(sample) === "test") ?? [], rows)
        continue
      }
      if (first) {
        onSplit++
        if ((roles["val"] ?? 0) > 0) selecting++
        const strange = Object.entries(roles).filter(([role]) => role !== "train" && !(role === "val" && stage.validates))
        if (strange.length > 0) say(node, "failed", "role", `${nameOf(node)} was fitted on ${strange.map(([role, n]) => `${n} ${role || "unnamed"}`).join(" and ")} rows of its split`, [node.address], strange.reduce((sum, [, n]) => sum + n, 0))
        else if (expected !== undefined && expected.digest !== samples) say(node, "failed", "record", `${nameOf(node)} was fitted on ${rows} samples that are not the ${expected.ids.length} its split gives to fitting`, [node.address], rows)
      }
      if (partition === undefined || expected === undefined) continue
      const id = `${expected.digest} ${partition.id}`
      if (!tested.has(id)) tested.set(id, expected.ids.filter((sample) => partition.roleOf.get(sample) === "test"))
      const leaked = tested.get(id)!
      if (leaked.length > 0) say(node, "failed", "test", `${nameOf(node)} was fitted on ${leaked.length} samples that "${metric.stage}" tests on: their splits differ`, leaked, leaked.length, cellsOf(metric))
    }
  }
  for (const node of opaque) say(node, "note", "opaque", `${nameOf(node)} is a program of its own: which rows it fits on is not seen here`, [node.address], 1)
  if (fits.size + opaque.size === 0) return { inapplicable: "nothing behind the metrics is fitted" }
  const all = fits.size - onSplit
  return { looked: `${fits.size} fits: ${onSplit} on the rows of a split${selecting > 0 ? `, ${selecting} of them with validation rows` : ""}${all > 0 ? `, ${all} not` : ""}`, found }
}
