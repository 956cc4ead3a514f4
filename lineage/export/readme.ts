/** README.md of an export: for the reviewer of a paper, who has met neither outcrop nor the pipeline. */
import { parse } from "yaml"
import type { Value } from "../metric.ts"
import type { FileEntry } from "./folder.ts"
import type { Asked, NodeRecord } from "./record.ts"
import { span } from "./ro-crate.ts"
import type { Subject } from "./subject.ts"

/** A row of a metrics table, with the cell that it is of. */
export interface MetricRow extends Value {
  readonly axes: Readonly<Record<string, string>>
  readonly stage: string
}

/** Rows of results that are shown; more are in the files. */
const most = 40

const field = (text: string) => text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ")
const table = (headers: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [headers, headers.map((header) => /^(value|n|rows|seconds|bytes)$/.test(header) ? "---:" : "---"), ...rows].map((row) => `| ${row.map(field).join(" | ")} |`).join("\n")
const number = (value: number) => Number.isFinite(value) ? value.toFixed(4) : "-"
const count = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`
const date = (iso: string) => `${iso.slice(0, 16).replace("T", " ")} UTC`

/** The metrics that the report of the pipeline shows; all, where it does not say. */
const reported = ({ pipeline }: Subject, rows: ReadonlyArray<MetricRow>): ReadonlyArray<string> => {
  const present = [...new Set(rows.map(({ metric, task }) => `${task}.${metric}`))]
  const document: unknown = parse(pipeline.text)
  const report: unknown = typeof document === "object" && document !== null && "report" in document ? document.report : undefined
  const asked: unknown = typeof report === "object" && report !== null && "metrics" in report ? report.metrics : undefined
  const named = Array.isArray(asked) ? present.filter((metric) => asked.includes(metric)) : []
  return named.length > 0 ? named : present
}

/** Of one cell every metric with its interval; of a grid a row for each choice of the compared axes, over its replicates. */
const resultsOf = (subject: Subject, rows: ReadonlyArray<MetricRow>): ReadonlyArray<string> => {
  if (rows.length === 0) return []
  const { graph } = subject
  const names = (replicate: boolean) => graph.axes.filter((axis) => axis.replicate === replicate).map(({ name }) => name)
  if (graph.cells === 1) {
    return ["## Results", "On the test samples. The interval is the 95% bootstrap interval over test samples; it says nothing of other folds or seeds.", table(
      ["metric", "value", "95% interval", "n"],
      rows.slice(0, most).map(({ high, low, metric, n, task, value }) => [`${task}.${metric}`, number(value), Number.isFinite(low) ? `${number(low)} to ${number(high)}` : "-", String(n)])
    )]
  }
  const compared = names(false), replicates = names(true), metrics = reported(subject, rows).slice(0, 8)
  const groups = Map.groupBy(rows, ({ axes, stage }) => JSON.stringify([stage, ...compared.map((axis) => axes[axis] ?? "")]))
  const several = new Set(rows.map(({ stage }) => stage)).size > 1
  const lines = [...groups].map(([id, group]) => {
    const [stage = "", ...labels] = JSON.parse(id) as ReadonlyArray<string>
    const values = metrics.map((metric) => group.filter((row) => `${row.task}.${row.metric}` === metric).map(({ value }) => value))
    return [...(several ? [stage] : []), ...labels, ...values.map(meanAndSd), String(Math.max(...values.map(({ length }) => length)))]
  })
  return [
    "## Results",
    `On the test samples${replicates.length > 0 ? `: mean ± sample standard deviation over ${replicates.join(" and ")}; n is how many there are` : ""}. Single cells, with bootstrap intervals over test samples, are in \`metrics.csv\`.`,
    table([...(several ? ["stage"] : []), ...compared, ...metrics, "n"], lines.slice(0, most)),
    ...(lines.length > most ? [`... and ${lines.length - most} more rows in \`metrics.csv\`.`] : [])
  ]
}

const meanAndSd = (values: ReadonlyArray<number>): string => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.length < 2 ? number(mean) : `${number(mean)} ± ${number(Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)))}`
}

export const readmeOf = ({ asked, bringsCode, files, metrics, missing, now, outcrop, records, subject }: {
  readonly subject: Subject
  readonly asked: Asked
  readonly records: ReadonlyArray<NodeRecord>
  readonly metrics: ReadonlyArray<MetricRow>
  readonly files: ReadonlyArray<FileEntry>
  readonly missing: ReadonlyArray<string>
  /** Some stages are the author's own. */
  readonly bringsCode: boolean
  readonly outcrop: string
  readonly now: Date
}): string => {
  const { graph, pipeline, run } = subject
  const done = records.filter(({ state }) => state === "done")
  const chosen = Object.entries(asked.picks).filter(([axis, labels]) => labels.length < (graph.axes.find(({ name }) => name === axis)?.labels.length ?? 0))
  const time = span(subject)
  const hosts = [...new Set(done.flatMap(({ host }) => host ?? []))], nodes = [...new Set(done.flatMap(({ node }) => node ?? []))]
  const traced = new Map(done.flatMap(({ trace }) => Object.entries(trace ?? {}).filter(([path, digest]) => !path.endsWith("/") && digest !== "absent")))
  const has = (path: string) => files.some((file) => file.path === path)
  const listed: ReadonlyArray<readonly [path: string, what: string]> = [
    [asked.pipeline, "the pipeline as it was run, in YAML: data, axes, stages. It reads like the methods section"],
    ["metrics.csv", "every metric of every cell, also per class and on the other splits"],
    ["tables/", `what each node gave (${[...new Set(done.flatMap(({ outputs }) => Object.values(outputs).filter(({ parquet }) => parquet !== null).map(({ table }) => table)))].join(", ")}), as CSV to look at and as Parquet to compute with; folders are named \`axis=value\`. A class is given as its number: the names, in order, are under the column's or task's name in the metadata of the Parquet file and of the output in \`nodes.json\``],
    ["code/", "the code of each stage, whole and as it ran: the file named in `nodes.json`, whose digest is part of the result's key"],
    ["nodes.json", "every node: resolved parameters (defaults filled in), its key and the document that the key is a hash of, digests of its inputs and outputs, the samples that a fit was handed, when, where and how long"],
    ["lineage.json", "which node took what from which, and which node serves which cell of the grid"],
    ["prov.jsonld", "the same lineage in W3C PROV-O"],
    ["openlineage.ndjson", "the same lineage as OpenLineage events"],
    ["run.json", "the run: what was asked, the commit of the repository, versions, failures"],
    ["versions.json", "versions of outcrop, Node and the packages that results depend on"],
    ["package-lock.json", "exact versions of all packages of the installation that wrote this folder"],
    ["outcrop.json", "which cells of the pipeline these are; `outcrop replay` starts from it"],
    ["ro-crate-metadata.json", "this folder as an RO-Crate 1.1: every file with its size and SHA-256"]
  ]
  const sections: Array<string> = [
    `# ${pipeline.name}${chosen.length > 0 ? `: ${chosen.map(([axis, labels]) => `${axis}=${labels.join(",")}`).join(" ")}` : ""}`,
    `Results of ${count(graph.cells, "cell")} of the pipeline \`${asked.pipeline}\`, with what made them: ${count(records.length, "node")} (distinct pieces of work), ${done.length === records.length ? "all finished" : `${done.length} of them finished`}${
      time === undefined ? "" : `, computed on ${date(time.start)}`} by outcrop ${run?.versions["outcrop"] ?? outcrop}${hosts.length > 0 ? ` on ${hosts.join(", ")} (Node ${nodes.join(", ")})` : ""}${
      run?.git == null ? "" : `, from commit \`${run.git.commit.slice(0, 12)}\`${run.git.dirty ? " with changes that were not committed" : ""}`}. Written on ${now.toISOString().slice(0, 10)}.`
  ]
  sections.push(...resultsOf(subject, metrics.filter((row) => row.split === "test" && row.class === "")))
  if (missing.length > 0) sections.push("## What is not here", missing.map((text) => `- ${text.replaceAll("\n", "\n  ")}`).join("\n"))
  const out = [...new Set(records.flatMap(({ outputs }) => Object.values(outputs).filter(({ missing }) => missing?.startsWith("left out") === true).map(({ table }) => table)))]
  sections.push("## What is here", table(["file", "what it is"], listed.filter(([path]) => path.endsWith("/") ? files.some((file) => file.path.startsWith(path)) : has(path) || path === "ro-crate-metadata.json").map(([path, what]) => [`\`${path}\``, what])))
  if (out.length > 0) sections.push(`Left out for their size: ${out.join(" and ")} (\`outcrop export --with-embeddings\` puts them in). Their digests are in \`nodes.json\`, and a replay makes them again. Images are never in an export.`)
  sections.push("## How it was made", "The chain of stages; every node of a stage, with its parameters and times, is in `nodes.json`.", table(
    ["stage", "nodes", "implementation", "takes", "gives", "seconds"],
    Object.keys(graph.of).map((stage) => {
      const own = records.map((record, i) => ({ ...record, up: graph.nodes[i]!.up })).filter((record) => record.stage === stage)
      const list = (names: ReadonlyArray<string>) => [...new Set(names)].join(", ")
      return [
        stage,
        `${own.length}${own.every(({ state }) => state === "done") ? "" : ` (${own.filter(({ state }) => state !== "done").length} without result)`}`,
        list(own.map(({ uses }) => uses)),
        list(own.flatMap(({ up }) => up.map(([, node]) => graph.nodes[node]!.stage))),
        list(own.flatMap(({ outputs }) => Object.entries(outputs).map(([name, { rows }]) => `${name} (${count(rows, "row")})`))),
        own.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0).toFixed(2)
      ]
    }).filter(([, nodes]) => nodes !== "0")
  ))
  sections.push(
    "## Compute it again",
    `With outcrop ${asked.outcrop} installed, in this folder:`,
    `\`\`\`sh\noutcrop replay .${asked.readsData ? " --data <folder of the data>" : ""}${bringsCode ? " --with-code" : ""}\n\`\`\``,
    `This checks every file here against its SHA-256, computes all nodes in an empty cache, and compares what comes out with what is recorded, table by table: equal to the bit, equal within a tolerance, or not (exit code 3).${
      asked.readsData ? ` The data are not part of this folder: their ${count(traced.size, "file")}, with digests, are listed under \`trace\` in \`nodes.json\`${traced.size > 0 ? ` (${[...traced.keys()].slice(0, 3).map((path) => `\`${path}\``).join(", ")}${traced.size > 3 ? ", ..." : ""})` : ""}, and are checked before anything is computed.` : " No data are needed: the pipeline draws its samples itself."}`,
    ...(bringsCode ? ["Some stages are the author's own: their code is in this folder and runs with the rights of whoever replays it, which `--with-code` allows. Read it first."] : []),
    "Results are equal to the bit where the machine computes alike; other processors may round the last digits of embeddings and trainings otherwise, which the replay then says, with how far.",
    "## Licence",
    "None has been chosen by this export. Whoever publishes the folder states one: in `license` of `ro-crate-metadata.json`, and here."
  )
  return `${sections.join("\n\n")}\n`
}
