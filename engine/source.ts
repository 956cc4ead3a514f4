/** Reads a pipeline file: YAML 1.2 with merge keys, no tags of its own, no duplicate keys, no integers beyond 2^53. */
import * as fs from "node:fs"
import { dirname } from "node:path"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { LineCounter, parseDocument, visit } from "yaml"
import { InvalidPipeline, invalid, type Mistake, mistakesOf, type Path, type Source, unparsed } from "../schemas/diagnostic.ts"
import { Pipeline } from "../schemas/pipeline.ts"
import { pipelinesNear } from "./nearby.ts"

const keysOf: ReadonlyArray<readonly [pattern: ReadonlyArray<string>, keys: ReadonlyArray<string>]> = [
  [[], Object.keys(Pipeline.fields)],
  [["data"], ["root"]],
  [["stages", "*"], ["uses", "needs", "with"]],
  [["report"], ["baseline", "metrics", "pooled", "columns", "split", "heatmap"]],
  [["report", "heatmap"], ["x", "y", "metric", "where"]]
]
const known = (path: Path): ReadonlyArray<string> =>
  keysOf.find(([pattern]) => pattern.length === path.length && pattern.every((part, i) => part === "*" || part === path[i]))?.[1] ?? []

export interface PipelineFile {
  readonly source: Source
  readonly pipeline: Pipeline
  /** `--set` gave axes other values: what the file says of those it had (exclude, report, ports) may speak of none that is there. */
  readonly narrowed?: boolean
}

/** Throws `InvalidPipeline` with every mistake the schema can see. `file` is as the user wrote it; messages show it so. */
export const readPipeline = (file: string): PipelineFile => {
  let text: string
  try {
    text = fs.readFileSync(file, "utf8")
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT"
    throw new InvalidPipeline({ message: missing ? `there is no file ${file}: name a pipeline, or make one with "outcrop init"${pipelinesNear(dirname(file))}` : `${file} cannot be read: ${(cause as Error).message}` })
  }
  return parsePipeline(file, text)
}

/** The pipeline that a text holds, as if it stood in a file. Throws `InvalidPipeline`. */
export const parsePipeline = (file: string, text: string): PipelineFile => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false, version: "1.2" })
  const source: Source = { file, text, document, lines }
  if (document.errors.length > 0 || document.warnings.length > 0) throw unparsed(source)
  const mistakes: Array<Mistake> = []
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value !== "number" || !Number.isInteger(node.value) || Number.isSafeInteger(node.value) || node.range == null) return
      mistakes.push({ path: [], offset: node.range[0], message: `the integer ${text.slice(node.range[0], node.range[1])} is beyond 2^53 and would lose digits: quote it` })
    }
  })
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw new InvalidPipeline({ message: `${file}: ${cause instanceof Error ? cause.message : String(cause)}` })
  }
  if (mistakes.length > 0) throw invalid(source, mistakes)
  const decoded = Schema.decodeUnknownResult(Pipeline)(value, { errors: "all", onExcessProperty: "error", reportInput: true })
  if (Result.isFailure(decoded)) throw invalid(source, mistakesOf(decoded.failure.issue, [], known))
  return { source, pipeline: decoded.success }
}
