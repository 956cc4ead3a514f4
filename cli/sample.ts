/** `outcrop lineage --sample ID`: one sample through all tables. */
import * as Effect from "effect/Effect"
import { flow, short, when } from "../lineage/tree.ts"
import type { Results } from "../lineage/metric.ts"
import { storyOf } from "../lineage/sample.ts"
import { suggest } from "../schemas/spelling.ts"
import { tableSchemas } from "../schemas/tables.ts"
import type { Document } from "../cache/canonical.ts"
import { style, textTable } from "../report/terminal.ts"
import { userError } from "./error.ts"
import type { Scope } from "./scope.ts"

/** Rows of a table that are shown. */
const most = 40

/** Entries of a list that are shown. */
const mostEntries = 4

const value = (found: unknown): string => {
  if (typeof found === "number") return String(Number(found.toPrecision(4)))
  if (!Array.isArray(found)) return flow(found as Document)
  return found.length === 0 ? "none" : `${found.slice(0, mostEntries).map(value).join(" ")}${found.length > mostEntries ? ` ... (${found.length})` : ""}`
}
/** The part of an address that tells nodes of a stage apart. */
const cellOf = (address: string) => address.split(" ").slice(1).join(" ")
/** An output that is called as its table says no more than the node. */
const source = ({ address, output }: { readonly address: string; readonly output: string }) => output in tableSchemas ? address : `${address} (${output})`

export const showSample = Effect.fnUntraced(function*(sample: string, { cache, graph, remedy, runs }: Scope, results: Results, nodes: ReadonlyArray<number>, json: boolean) {
  const story = storyOf(sample, { graph, nodes, results, cache })
  if ("ids" in story) {
    const { ids } = story
    return yield* userError(ids.length === 0 ? `no samples are there to look for "${sample}" in; ${remedy} makes them` : `there is no sample "${sample}"${suggest(sample, ids)}; there are ${ids.length}: ${ids.slice(0, 5).join(", ")}${ids.length > 5 ? ", ..." : ""}`)
  }
  /** The only run that was under way then. */
  const runAt = (utc: string) => {
    const at = Date.parse(utc), under = runs.filter(({ seconds, started, state }) => state !== "running" && Date.parse(started) <= at && at <= Date.parse(started) + seconds * 1000)
    return under.length === 1 ? under[0]!.id : null
  }
  const embeddings = story.embeddings.map((each) => ({ ...each, run: each.made === null ? null : runAt(each.made) }))
  if (json) {
    console.log(JSON.stringify({ version: 1, sample, ...story, embeddings }))
    return
  }
  const part = (title: string, rows: ReadonlyArray<ReadonlyArray<string>>, headers: ReadonlyArray<string>) => {
    if (rows.length === 0) return
    console.log(`\n${style("bold", title)}\n${textTable(headers, rows.slice(0, most))}${rows.length > most ? `\n... and ${rows.length - most} more; pick cells with axis=value, or --json for all` : ""}`)
  }
  console.log(style("bold", `sample ${sample}`))
  for (const { assets, columns, ...at } of story.images) {
    if (story.images.length > 1) console.log(`of ${source(at)}`)
    const lines = [
      ...assets.map(({ band, digest, gsd, index, path }) => ["file", `${path.startsWith("cache:") ? "(pixels made by ingest)" : path}  sha256 ${short(digest)}  ${band}${index >= 0 ? ` (band ${index} of the file)` : ""}${Number.isNaN(gsd) ? "" : `, ${value(gsd)} m`}`]),
      ...Object.entries(columns).map(([name, found]) => [name, value(found)])
    ]
    const width = Math.max(...lines.map(([name]) => name!.length))
    for (const [name, text] of lines) console.log(`  ${style("dim", name!.padEnd(width))}  ${text}`)
  }
  const byRole = Map.groupBy(story.roles, ({ role }) => role)
  part("role", Array.from(byRole, ([role, rows]) => [role, rows.map(({ address }) => cellOf(address) || address).join(", ")]), ["split", "of"])
  part("embeddings", embeddings.map(({ lost, made, notAfter, position, run, segment, view, ...at }) => [source(at), view, `${short(segment)} row ${position}`, lost ? style("red", "lost from the cache") : made === null ? `not after ${when(notAfter ?? "")} UTC` : `${when(made)} UTC${run === null ? "" : `, run ${run}`}`]), ["table", "view", "segment", "made"])
  const annotations = [...new Set(story.annotations.flatMap(({ values }) => Object.keys(values)))]
  part("annotations", story.annotations.map(({ values, ...at }) => [source(at), ...annotations.map((name) => name in values ? value(values[name]) : "")]), ["table", ...annotations])
  part("pairs", story.pairs.map(({ anchor, positive, ...at }) => [source(at), String(anchor), String(positive)]), ["table", ">as anchor", ">as positive"])
  part("predictions", story.predictions.map(({ predicted, score, split, task, truth, ...at }) => [at.address, split, task, value(truth), value(predicted), score === null ? "" : score.toFixed(3)]), ["of", "split", "task", "truth", "predicted", ">score"])
  for (const at of story.lost) console.log(`\n${style("red", "lost")} ${source(at)} is gone from the cache; ${remedy} makes it again where it is needed`)
})
