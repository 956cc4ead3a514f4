/** `outcrop table`: the comparison of what is cached, and whether its differences are real. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { keptChecklist } from "../lineage/audit/audit.ts"
import { unknownReference } from "../report/against.ts"
import { type Format, formats, formatted } from "../report/formats.ts"
import { nameOf } from "../report/layout.ts"
import { allResults, askedMetrics, reportOf, reportText, unknownAxis, unknownColumns, unknownMetrics, type View } from "../report/report.ts"
import type { Result } from "../report/result.ts"
import { style } from "../report/terminal.ts"
import { suggest } from "../schemas/spelling.ts"
import { userError } from "./error.ts"
import { finishedOf } from "./finished.ts"
import { invocation } from "./invocation.ts"
import { openScope } from "./scope.ts"
import { openSession, type SessionFlags } from "./session.ts"
import { readWords, type Words } from "./words.ts"

interface TableFlags extends SessionFlags {
  readonly words: ReadonlyArray<string>
  readonly json: boolean
  readonly columns: string | undefined
  readonly interval: boolean
  readonly against: ReadonlyArray<string>
  readonly by: string | undefined
  readonly iqm: boolean
  readonly sort: string | undefined
  readonly format: string | undefined
  readonly output: string | undefined
  readonly run: string | undefined
}

/** The format asked for: by name, by the ending of the file, or as `--json`; undefined for the terminal, and where there is none of that name. */
const formatOf = ({ format, json, output }: TableFlags): string | undefined => {
  if (format !== undefined) return format
  if (json) return "json"
  const ending = output?.split(".").at(-1)
  return ending === "tex" ? "latex" : ending
}
const isFormat = (name: string): name is Format => formats.some((format) => format === name)

/** The flags of one view that contradict themselves. */
const contradiction = ({ against, by, format, interval, iqm, output }: TableFlags): string | undefined => {
  if (iqm && interval) return "--iqm and --interval exclude each other: the one is about runs, the other about test samples"
  if (iqm && against.length > 0) return "--iqm and --against exclude each other: differences are of means"
  if (format === "parquet" && output === undefined) return "--format parquet writes a file: name it with -o"
  if (by === "") return "--by names axes, as in --by method"
  return undefined
}

/** The results of the pipeline as it is, and what its report asks for. */
const now = Effect.fnUntraced(function*(words: Words, flags: TableFlags) {
  const session = yield* openSession(words, flags)
  return { cache: session.cache, finished: finishedOf(session), asks: session.file.pipeline.report, of: words.file }
})

/** The same of a run on record. What was made again since and came out otherwise is told: the table shows what is there. */
const then = Effect.fnUntraced(function*(words: Words, flags: TableFlags, run: string) {
  const scope = yield* openScope(words, flags, run), { finishedThen, reportThen } = yield* Effect.promise(() => import("./recorded.ts"))
  const finished = finishedThen(scope), [first, ...others] = finished.remade
  if (first !== undefined) console.error(`${first}${others.length > 0 ? ` and ${others.length} more` : ""} came out otherwise when made again after this run: the table shows what is in the cache now`)
  return { cache: scope.cache, finished, asks: reportThen(scope), of: scope.name }
})

export const tableCommand = Effect.fn("cli/table")(function*(flags: TableFlags) {
  const wrong = contradiction(flags), format = formatOf(flags)
  if (wrong !== undefined) return yield* userError(wrong)
  if (format !== undefined && !isFormat(format)) {
    return yield* userError(flags.format === undefined ? `-o ends in .md, .csv, .tex, .json or .parquet, got ${flags.output}; or say --format` : `there is no format "${format}"${suggest(format, formats)}; there are ${formats.join(", ")}`)
  }
  const notPair = flags.against.find((word) => !(word.indexOf("=") > 0))
  if (notPair !== undefined) return yield* userError(`--against names a row by axis=value, as in --against method=matl; got "${notPair}"`)
  const words = readWords(flags.words)
  const { cache, finished, asks, of } = flags.run === undefined ? yield* now(words, flags) : yield* then(words, flags, flags.run)
  const report = { ...asks, ...(flags.columns === undefined ? {} : { columns: flags.columns }) }
  const all = allResults(finished, report)
  const view: View = {
    metrics: words.names,
    interval: flags.interval,
    against: flags.against.length === 0 ? undefined : Object.fromEntries(flags.against.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)])),
    by: flags.by?.split(",") ?? [],
    iqm: flags.iqm,
    sort: flags.sort
  }
  const asked = [...(words.names.length > 0 ? words.names : format === "json" ? [] : askedMetrics(report)), ...(flags.sort === undefined ? [] : [flags.sort])]
  const unknown = [
    ...(format === "json" ? [] : unknownColumns(all, report.columns)),
    ...view.by.flatMap((axis) => unknownAxis(all, axis, "group by")),
    ...unknownMetrics(all, asked)
  ]
  if (unknown.length > 0) return yield* userError(unknown.join("\n"))
  const worked = reportOf(finished, all, report, view)
  if (view.against !== undefined && worked.results.length > 0) {
    const problems = unknownReference(worked.results.filter((result) => worked.metrics.includes(nameOf(result))), view.against)
    if (problems.length > 0) return yield* userError(problems.join("\n"))
  }
  const chosen = (result: Result) => words.names.length === 0 || words.names.includes(nameOf(result))
  const nothing = flags.run === undefined ? `no metrics yet: run "outcrop run ${words.file}"` : `${of} has no metrics in the cache any more, or came to none`
  if (flags.run !== undefined && format === undefined) console.log(style("dim", of))
  if (format === undefined) {
    console.log(worked.sheets.length === 0 ? nothing : reportText(worked))
    const audited = keptChecklist(cache, finished, report) ?? (flags.run === undefined ? `audit: not made of these results yet (${invocation()} audit ${words.file})` : "")
    if (worked.sheets.length > 0 && audited !== "") console.log(style("dim", audited))
  }
  else if (worked.sheets.length === 0 && format !== "json") return yield* userError(nothing)
  else {
    const content = yield* Effect.promise(() => formatted(worked, format, chosen))
    if (flags.output === undefined) process.stdout.write(content)
    else {
      fs.writeFileSync(flags.output, content)
      console.error(`${flags.output}: ${worked.metrics.length} metrics as ${format}`)
    }
  }
  if (finished.missing > 0 && !flags.json) console.error(`${finished.missing} of ${finished.grid.nodes.length} nodes have no result yet: the table is of what is there`)
})
