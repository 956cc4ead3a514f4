/**
 * Writes the folder of an export: the pipeline, what was asked, every node with its resolved parameters, code and key, tables as CSV and
 * Parquet, the run, versions, and the whole described as an RO-Crate and in W3C PROV.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import type { Action, Output } from "../../cache/action.ts"
import type { Cache } from "../../cache/cache.ts"
import { digestBytes } from "../../cache/store.ts"
import { closureOf, closureText } from "../../engine/closure-text.ts"
import { valuesOf } from "../../engine/graph.ts"
import { packageVersion, root } from "../../engine/installation.ts"
import { Library } from "../../engine/library.ts"
import { LostOutput, Tables } from "../../engine/tables.ts"
import type { Table } from "../../schemas/table.ts"
import { csvField, csvOf, parquetOf } from "../../schemas/tabular.ts"
import { lossOf } from "../loss.ts"
import { valuesIn } from "../metric.ts"
import { Folder } from "./folder.ts"
import { openLineageOf } from "./openlineage.ts"
import { codePath, isInside, nodeFolders } from "./paths.ts"
import { provOf } from "./prov.ts"
import { type MetricRow, readmeOf } from "./readme.ts"
import type { Asked, NodeOutput, NodeRecord } from "./record.ts"
import { roCrateOf } from "./ro-crate.ts"
import { picksOf, type Subject } from "./subject.ts"

export interface ExportOptions {
  readonly cache: Cache
  readonly subject: Subject
  /** The folder to make. */
  readonly target: string
  readonly outcrop: string
  readonly withEmbeddings: boolean
  readonly openLineage: boolean
  readonly now: Date
}

export interface Exported {
  readonly files: number
  readonly bytes: number
  /** SHA-256 of `ro-crate-metadata.json`, which holds those of all other files. */
  readonly digest: string
  /** What is not in the folder although it should be, and what brings it back. */
  readonly missing: ReadonlyArray<string>
}

/** Tables that are large and that nobody reads by eye: only on request. */
const large = new Set(["embeddings", "weights"])

const preimageOf = (action: Action | undefined) => (action?.preimage ?? {}) as { readonly with?: unknown; readonly code?: Action["preimage"] & { readonly sources?: Readonly<Record<string, string>> } }

const json = (document: unknown) => `${JSON.stringify(document, null, 1)}\n`

/** Writes an export. Throws `FolderTaken`; whatever it throws, nothing half is left. */
export const writeExport = async (options: ExportOptions): Promise<Exported> => {
  const folder = new Folder(options.target)
  try {
    const exported = await fill(folder, options)
    folder.finish()
    return exported
  } catch (cause) {
    folder.discard()
    throw cause
  }
}

const fill = async (folder: Folder, { cache, now, openLineage, outcrop, subject, withEmbeddings }: ExportOptions): Promise<Exported> => {
  const { graph, nodes, pipeline, run } = subject
  const tables = new Tables(cache, 1 << 28), folders = nodeFolders(graph)
  const missing: Array<string> = []
  const lack = (text: string) => {
    missing.push(text)
    return text
  }
  const pipelinePath = folder.add(`pipeline/${isInside(pipeline.file) ? pipeline.file : "pipeline.yaml"}`, pipeline.text, "the pipeline as it was run: data, axes, stages, report")

  /** The file with the code of a node; written once for all nodes that share it. */
  const codeOf = (action: Action | undefined): string | null => {
    const digest = closureOf(preimageOf(action).code)
    if (action === undefined || digest === undefined) return null
    const path = codePath(action.uses, digest)
    if (folder.has(path)) return path
    const text = closureText(cache.store, digest)
    if (text !== undefined) return folder.add(path, text, `all code of the stage ${action.uses} that can bear on its result`)
    if (!missing.some((line) => line.includes(digest))) lack(`the code of ${action.uses} (SHA-256 ${digest}) is not in the cache; "outcrop run ${pipeline.file} --force <stage>" keeps it`)
    return null
  }
  /** Sources of programs lie beside the pipeline, as their commands expect them. */
  const keepSources = (action: Action | undefined): void => {
    for (const [source, digest] of Object.entries(preimageOf(action).code?.sources ?? {})) {
      const path = `pipeline/${source}`
      if (folder.has(path)) continue
      const file = join(subject.folder, source), bytes = fs.existsSync(file) ? fs.readFileSync(file) : undefined
      if (!isInside(source)) lack(`the program ${source} lies outside of the pipeline's folder and is left out`)
      else if (bytes === undefined || digestBytes(bytes) !== digest) lack(`the program ${source} is not as it was when it ran (SHA-256 ${digest}) and is left out`)
      else folder.add(path, bytes, "a program that a stage runs")
    }
  }
  const tableOf = (key: string, output: Output): Table | undefined => {
    try {
      return tables.table(key, output)
    } catch (cause) {
      if (cause instanceof LostOutput) return undefined
      throw cause
    }
  }

  const metrics: Array<MetricRow> = []
  const records: Array<NodeRecord> = []
  for (const [i, { address, key, stage, uses }] of graph.nodes.entries()) {
    const { action, message, state } = nodes[i]!
    keepSources(action)
    const outputs: Record<string, NodeOutput> = {}
    for (const [name, output] of Object.entries(action?.outputs ?? {})) {
      const kept = { ...output, parquet: null, csv: null, missing: null }
      if (large.has(output.table) && !withEmbeddings) {
        outputs[name] = { ...kept, missing: "left out for its size; --with-embeddings puts it in" }
        continue
      }
      const table = tableOf(action!.key, output)
      if (table === undefined) {
        outputs[name] = { ...kept, missing: lack(`the table ${stage}.${name} of ${address} ${lossOf(cache.store, output.blob)}; "outcrop run ${pipeline.file} ${stage}" brings it back, then export again`) }
        continue
      }
      const path = `${folders[i]!}/${name}`, what = `${table.schema.description} (${address})`
      // nobody reads thousands of vectors by eye
      outputs[name] = { ...kept, csv: large.has(output.table) ? null : folder.add(`${path}.csv`, csvOf(table), what), parquet: folder.add(`${path}.parquet`, await parquetOf(table), what) }
      if (output.table === "metrics") {
        const values = valuesIn(table)
        for (const axes of cellsOf(subject, i)) for (const value of values) metrics.push({ axes, stage, ...value })
      }
    }
    if (state === "failed" || state === "lost") lack(`${address}${state === "failed" ? " failed" : ""}: ${message}`)
    records.push({
      address,
      stage,
      uses,
      state,
      message: message ?? null,
      key,
      code: codeOf(action),
      parameters: preimageOf(action).with ?? null,
      preimage: action?.preimage ?? null,
      outputs,
      trace: action?.trace ?? null,
      handed: action?.handed ?? null,
      notices: action?.notices ?? [],
      started: action?.started ?? null,
      seconds: action?.seconds ?? null,
      host: action?.host ?? null,
      node: action?.node ?? null
    })
  }

  const asked: Asked = { version: 1, outcrop, pipeline: pipelinePath, picks: picksOf(graph), stages: Object.keys(graph.of), set: subject.set, backend: subject.backend ?? null, readsData: records.some(readsFiles) }
  const builtIn = new Set(new Library().names()), bringsCode = records.some(({ uses }) => !builtIn.has(uses))
  folder.add("outcrop.json", json(asked), "which cells of the pipeline this is; what `outcrop replay` starts from")
  folder.add("nodes.json", json({ version: 1, nodes: records }), "every node: resolved parameters, key with its pre-image, digests of what it gave, when, where, how long")
  folder.add("lineage.json", json(graph), "the graph: which node took what from which, and which node serves which cell")
  if (metrics.length > 0) folder.add("metrics.csv", metricsCsv(metrics), "the metrics of all cells in one table")
  if (run !== undefined) {
    const { dataRoot: _, pid: __, pipeline: { file: ___, text: ____, ...named }, ...told } = run
    folder.add("run.json", json({ ...told, pipeline: { ...named, file: pipeline.file } }), "the run: what was asked, the commit, versions, what failed")
  }
  folder.add("versions.json", json(versions(subject, outcrop)), "versions of outcrop, Node and packages: those on record, and those of the installation that wrote this folder")
  const lock = join(root, "package-lock.json")
  if (fs.existsSync(lock)) folder.add("package-lock.json", fs.readFileSync(lock), "exact versions of all packages of the installation that wrote this folder")
  if (openLineage) folder.add("openlineage.ndjson", openLineageOf(subject, outcrop), "the same as OpenLineage events, one a line")
  folder.add("prov.jsonld", json(provOf({ subject, records, files: folder.files, outcrop })), "the lineage in the W3C PROV ontology (PROV-O)")
  folder.add("README.md", readmeOf({ subject, asked, records, metrics, files: folder.files, missing, bringsCode, outcrop, now }), "what is here and how to compute it again")
  const crate = Buffer.from(json(roCrateOf({ subject, files: folder.files, outcrop, pipelinePath, now })))
  folder.add("ro-crate-metadata.json", crate, "this folder as an RO-Crate")
  return { files: folder.files.length, bytes: folder.files.reduce((sum, { bytes }) => sum + bytes, 0), digest: digestBytes(crate), missing }
}

/** Whether a node read files below the data root: found by itself, or named by its parameters. */
const readsFiles = ({ parameters, trace }: NodeRecord): boolean =>
  Object.keys(trace ?? {}).length > 0 || Object.values((parameters ?? {}) as object).some((value: unknown) => typeof value === "object" && value !== null && "file" in value)

/** The cells that a node serves, as values by axis. */
const cellsOf = ({ graph }: Subject, node: number): ReadonlyArray<Readonly<Record<string, string>>> => {
  const cells = new Set(Object.values(graph.of).flatMap((nodes) => nodes.flatMap((own, cell) => own === node ? [cell] : [])))
  return [...cells].toSorted((a, b) => a - b).map((cell) => valuesOf(graph, cell))
}

const metricsCsv = (rows: ReadonlyArray<MetricRow>): string => {
  const axes = [...new Set(rows.flatMap((row) => Object.keys(row.axes)))]
  const finite = (value: number) => Number.isFinite(value) ? value : null
  return `${[
    [...axes, "stage", "task", "metric", "class", "split", "value", "n", "ci_low", "ci_high"],
    ...rows.map((row) => [...axes.map((axis) => row.axes[axis] ?? ""), row.stage, row.task, row.metric, row.class, row.split, finite(row.value), row.n, finite(row.low), finite(row.high)])
  ].map((line) => line.map(csvField).join(",")).join("\n")}\n`
}

const versions = ({ nodes, run }: Subject, outcrop: string) => {
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(fs.readFileSync(join(root, "package.json"), "utf8")) as { readonly dependencies?: object; readonly optionalDependencies?: object }
  const codes = nodes.flatMap(({ action }) => action === undefined ? [] : [action])
  return {
    recorded: {
      ...run?.versions,
      node: [...new Set(codes.map(({ node }) => node))],
      packages: Object.assign({}, ...codes.map((action) => (preimageOf(action).code as { readonly packages?: object } | undefined)?.packages ?? {})) as Readonly<Record<string, string>>,
      engines: [...new Set(codes.flatMap(({ preimage }) => (preimage as { readonly backend?: string }).backend ?? []))]
    },
    installed: {
      outcrop,
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      packages: Object.fromEntries(Object.keys({ ...dependencies, ...optionalDependencies }).map((name) => [name, packageVersion(name) ?? "absent"]))
    }
  }
}
