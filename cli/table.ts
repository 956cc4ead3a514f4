/** `outcrop table`: the comparison of what is cached. */
import * as Effect from "effect/Effect"
import { allResults, askedMetrics, reportText, unknownColumns, unknownMetrics } from "../report/report.ts"
import { userError } from "./error.ts"
import { finishedOf } from "./finished.ts"
import { openSession, type SessionFlags } from "./session.ts"
import { readWords } from "./words.ts"

export const tableCommand = Effect.fn("cli/table")(function*(flags: SessionFlags & { readonly words: ReadonlyArray<string>; readonly json: boolean; readonly columns: string | undefined }) {
  const words = readWords(flags.words)
  const session = yield* openSession(words, flags)
  const report = { ...session.file.pipeline.report, ...(flags.columns === undefined ? {} : { columns: flags.columns }) }
  const finished = finishedOf(session)
  const all = allResults(finished, report)
  if (flags.json) {
    const rows = all.filter(({ metric, task }) => words.names.length === 0 || words.names.includes(`${task}.${metric}`))
    console.log(JSON.stringify({ version: 1, rows: rows.map(({ stage: _, ...row }) => row) }))
    return
  }
  const unknown = [...unknownColumns(all, report.columns), ...unknownMetrics(all, words.names.length > 0 ? words.names : askedMetrics(report))]
  if (unknown.length > 0) return yield* userError(unknown.join("\n"))
  const text = reportText(all, report, words.names)
  console.log(text === "" ? `no metrics yet: run "outcrop run ${words.file}"` : text)
  if (finished.missing > 0) console.error(`${finished.missing} of ${finished.grid.nodes.length} nodes have no result yet: the table is of what is there`)
})
