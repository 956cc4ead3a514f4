/** The chain of an export: checked, expanded with the code that it was made with, its tables read back from its files. */
import * as fs from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import type { Cache } from "../cache/cache.ts"
import { isContent } from "../cache/content.ts"
import { assignment } from "../engine/axes.ts"
import { isCommand } from "../engine/command.ts"
import { expand } from "../engine/expand.ts"
import { observer } from "../engine/files.ts"
import { override } from "../engine/override.ts"
import { readPipeline } from "../engine/source.ts"
import { NotTrusted, openExport, type Opened } from "../lineage/export/crate.ts"
import { codeDifferences, ExportedLibrary, ownCode, recordsOf } from "../lineage/export/installed.ts"
import type { NodeOutput, NodeRecord } from "../lineage/export/record.ts"
import { tableOfParquet } from "../schemas/tabular.ts"
import type { Made } from "../lineage/replay.ts"
import type { Table } from "../schemas/table.ts"
import { userError } from "./error.ts"
import type { Chain, ReplayFlags } from "./replay.ts"
import { expected } from "./scope.ts"

/** The pipeline and its programs, copied out of the export: what runs may write where it is, and the export stays as it is. */
const unpack = ({ asked, paths, read }: Opened, target: string): string => {
  for (const path of paths) {
    if (!path.startsWith("pipeline/")) continue
    const file = join(target, path.slice("pipeline/".length))
    fs.mkdirSync(dirname(file), { recursive: true })
    fs.writeFileSync(file, read(path))
  }
  if (!asked.pipeline.startsWith("pipeline/") || !paths.includes(asked.pipeline)) throw new NotTrusted(`outcrop.json names ${JSON.stringify(asked.pipeline)} as the pipeline, which is not in pipeline/`)
  return join(target, asked.pipeline.slice("pipeline/".length))
}

const madeOf = (record: NodeRecord): Made | undefined =>
  record.state !== "done" || record.key === null ? undefined : {
    key: record.key,
    outputs: record.outputs,
    preimage: record.preimage as Made["preimage"],
    seconds: record.seconds ?? 0,
    host: record.host ?? "",
    node: record.node ?? "",
    started: record.started ?? ""
  }

/** A table of an export, read back from its Parquet file; it must hold what its record says. */
const tableOf = async ({ folder, read }: Opened, output: NodeOutput | undefined): Promise<Table | undefined> => {
  if (output === undefined || output.parquet === null) return undefined
  const table = await tableOfParquet(read(output.parquet), output)
  if (!isContent(output, table)) throw new NotTrusted(`${join(folder, output.parquet)} does not hold what nodes.json says of it`)
  return table
}

/** What is there now of the files that the recorded work read. */
const checkData = (opened: Opened, cache: Cache, dataRoot: string): void => {
  const { look } = observer(cache.index, dataRoot, false)
  const wrong = new Map<string, string>()
  for (const { trace } of opened.nodes) {
    for (const [path, digest] of Object.entries(trace ?? {})) {
      const now = look(path)
      if (now !== digest) wrong.set(path, now === "absent" ? "is not there" : digest === "absent" ? "was not there" : path.endsWith("/") ? "lists other files" : "has other bytes")
    }
  }
  if (wrong.size === 0) return
  const [first] = wrong.keys()
  throw userError(`the data below ${dataRoot} are not those of the export: ${[...wrong].slice(0, 5).map(([path, what]) => `${path} ${what}`).join(", ")}${wrong.size > 5 ? `, and ${wrong.size - 5} more` : ""}.\nGive the folder that ${first} was read from as --data`)
}

const ownCodeText = (own: ReadonlyArray<string>, folder: string) =>
  `this export brings code of its own, which would run with your rights: ${own.join(", ")}.\nRead it in ${own.every(isCommand) ? "" : `${join(folder, "code")} and `}${join(folder, "pipeline")}, then allow it with --with-code`

const prepare = async (folder: string, flags: ReplayFlags, cache: Cache, scratch: string): Promise<Chain> => {
  const opened = openExport(folder)
  const { asked } = opened
  if (flags.set.length > 0) throw userError("an export is replayed as it was run: leave --set out")
  if (asked.readsData && flags.data === undefined) throw userError(`this pipeline reads files, which are not part of the export: name their folder with --data (the README.md of the export lists them)`)
  const own = ownCode(opened)
  if (own.length > 0 && !flags.withCode) throw new NotTrusted(ownCodeText(own, folder))
  const file = unpack(opened, scratch), read = readPipeline(file)
  // never the root that the YAML names: an export reads what --data gives it, and nothing else
  const dataRoot = flags.data ?? dirname(file)
  if (flags.data !== undefined) checkData(opened, cache, dataRoot)
  const grid = await expand(override(read, asked.set), new ExportedLibrary(cache, opened), { dataRoot, picks: asked.picks, until: asked.stages })
  // nodes.json may have kept still about programs that the YAML would run
  const programs = [...new Set(grid.nodes.map(({ implementation }) => implementation.uses).filter(isCommand))]
  if (programs.length > 0 && !flags.withCode) throw new NotTrusted(ownCodeText(programs, folder))
  const cells = new Map(Array.from({ length: grid.cells.count }, (_, cell) => [nameOf(assignment(grid.cells, cell)), cell] as const))
  const records = recordsOf(grid, opened, (values) => cells.get(nameOf(values)))
  const differences = codeDifferences(grid, (node) => records.get(node))
  if (differences.length > 0) {
    const text = differences.map(({ parts, uses }) => `  ${uses}: ${parts.join(", ")}`).join("\n")
    if (!flags.withInstalled) throw userError(`the code that is installed is not the code of the export (outcrop ${asked.outcrop}):\n${text}\nInstall what the export was made with (versions.json), or compare nevertheless: --with-installed`)
    if (!flags.json) console.error(`with installed code that is not that of the export:\n${text}`)
  }
  return {
    grid,
    cache,
    metrics: [],
    backend: flags.backend ?? asked.backend ?? undefined,
    recorded: {
      actions: grid.nodes.map(({ index }) => {
        const record = records.get(index)
        return record === undefined ? undefined : madeOf(record)
      }),
      tableOf: (node, output) => tableOf(opened, records.get(node)?.outputs[output])
    }
  }
}

const nameOf = (values: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(values).toSorted(([a], [b]) => a < b ? -1 : 1))

export const refused = ({ message }: NotTrusted) => userError(`refused: ${message}`)

/** Opens an export for a replay. `scratch`: a folder for what runs. */
export const replayedExport = (folder: string, flags: ReplayFlags, cache: Cache, scratch: string) =>
  Effect.tryPromise({ try: () => prepare(folder, flags, cache, scratch), catch: (cause) => cause instanceof NotTrusted ? refused(cause) : expected(cause) })
