/** `outcrop export`: results with everything that made them, as a folder for the supplement of a paper. */
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import { writeExport } from "../lineage/export/export.ts"
import { FolderTaken } from "../lineage/export/folder.ts"
import { needed, subjectNow, subjectOfRun } from "../lineage/export/subject.ts"
import { readPipeline } from "../engine/source.ts"
import { userError } from "./error.ts"
import { expected, openScope } from "./scope.ts"
import type { SessionFlags } from "./session.ts"
import { targetOf } from "./target.ts"
import { version } from "./version.ts"
import { readWords, showBytes } from "./words.ts"

export interface ExportFlags extends SessionFlags {
  readonly words: ReadonlyArray<string>
  readonly run: string | undefined
  readonly withEmbeddings: boolean
  readonly openlineage: boolean
  readonly json: boolean
}

export const exportCommand = Effect.fn("cli/export")(function*(flags: ExportFlags) {
  const words = readWords(flags.words)
  const target = words.names.at(-1)
  if (target === undefined) return yield* userError("name the folder to make: outcrop export pipeline.yaml method=dtl <folder>")
  const { cache, graph: whole, run } = yield* openScope(words, flags, flags.run)
  if (target in whole.of && !existsSync(target)) return yield* userError(`"${target}" is a stage, and the last name is the folder to make: outcrop export ${words.file} ${target} <folder>`)
  const { metrics: _, until } = yield* Effect.try({ try: () => targetOf(cache, whole, words.names.slice(0, -1)), catch: expected })
  const graph = needed(whole, until)
  const subject = run === undefined
    ? subjectNow(cache, { pipeline: source(words.file), set: flags.set, backend: flags.backend, graph })
    : subjectOfRun(cache, run, graph)
  const undone = subject.nodes.flatMap(({ state }, i) => state === "done" ? [] : [graph.nodes[i]!.address])
  const tried = subject.nodes.some(({ state }) => state === "failed" || state === "lost")
  if (undone.length > 0 && !tried) {
    return yield* userError(`${undone.length} of ${graph.nodes.length} nodes have no result yet (${undone.slice(0, 5).join("; ")}${undone.length > 5 ? "; ..." : ""}): run them first with "outcrop run ${flags.words.slice(0, -1).join(" ")}"`)
  }
  const exported = yield* Effect.tryPromise({
    try: () => writeExport({ cache, subject, target, outcrop: version, withEmbeddings: flags.withEmbeddings, openLineage: flags.openlineage, now: new Date() }),
    catch: (cause) => cause instanceof FolderTaken ? userError(cause.message) : expected(cause)
  })
  if (flags.json) {
    console.log(JSON.stringify({ version: 1, folder: resolve(target), nodes: graph.nodes.length, cells: graph.cells, ...exported }))
    return
  }
  for (const text of exported.missing) console.error(`not in it: ${text}`)
  console.log([
    `${target}: ${graph.nodes.length} nodes of ${graph.cells} ${graph.cells === 1 ? "cell" : "cells"}, ${exported.files} files, ${showBytes(exported.bytes)}`,
    `README.md says what is what; the SHA-256 of ro-crate-metadata.json, which holds those of all other files, is`,
    `  ${exported.digest}`,
    `compute it again, here or elsewhere: outcrop replay ${target}`
  ].join("\n"))
})

const source = (file: string) => {
  const { pipeline, source } = readPipeline(file)
  return { name: pipeline.name, file, text: source.text }
}
