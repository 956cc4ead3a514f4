/** `outcrop run`: brings the whole grid up to date and shows what was done and the comparison. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { run, type RunEvent, type RunResult } from "../engine/run.ts"
import { allResults, askedMetrics, reportOf, reportText, unknownColumns, unknownMetrics } from "../report/report.ts"
import { style } from "../report/terminal.ts"
import { CommandError } from "./error.ts"
import { invocation } from "./invocation.ts"
import { progress } from "./progress.ts"
import { recorder } from "./recorder.ts"
import { damagedIndex, forcedStages, openSession, type Session, type SessionFlags } from "./session.ts"
import { readBytes, readWords, showBytes, showSeconds } from "./words.ts"

export interface RunFlags extends SessionFlags {
  readonly words: ReadonlyArray<string>
  readonly jobs: number
  readonly memory: string
  readonly force: ReadonlyArray<string>
  readonly failFast: boolean
  readonly rehash: boolean
  readonly json: boolean
  readonly events: boolean
}

/** The document of `run --json` and `plan --json`. */
export const summaryOf = ({ grid }: Session, stateOf: (node: number) => string | undefined, rest: { readonly rows: { readonly embedded: number; readonly cached: number }; readonly seconds: number; readonly bytes: number }) => {
  const count = (state: string) => grid.nodes.filter((node) => stateOf(node.index) === state).length
  return {
    version: 1,
    cells: grid.cells.count,
    nodes: { total: grid.nodes.length, run: count("run"), cached: count("cached"), restored: count("restored"), maybe: count("maybe"), failed: count("failed"), skipped: count("skipped") },
    rows: rest.rows,
    seconds: rest.seconds,
    bytes: rest.bytes,
    stages: grid.stages.map((stage) => {
      const own = grid.nodes.filter((node) => node.stage === stage)
      const counted = (state: string) => own.filter((node) => stateOf(node.index) === state).length
      return { stage, total: own.length, run: counted("run"), cached: counted("cached") }
    })
  }
}

/** What to try next, with words that work as they stand. */
const nextSteps = (file: string, { grid }: Session): string => {
  const command = invocation()
  return `next: change a line of ${file}, then\n  ${command} plan ${file}       what a run would do\n  ${command} why ${file} ${grid.stages.at(-1)!}  what changed\n  ${command} --help`
}

/** Notices of a run, in the order of its nodes. What the nodes of a stage say alike, down to the numbers, is said once; `outcrop logs` has each. */
const noticesText = (grid: Session["grid"], { notices }: RunResult): ReadonlyArray<string> => {
  const said = [...notices].toSorted(([a], [b]) => a - b).flatMap(([index, texts]) => [...new Set(texts)].map((text) => ({ node: grid.nodes[index]!, text })))
  return [...Map.groupBy(said, ({ node, text }) => `${node.stage}\n${text.replaceAll(/\d[\d.,]*/g, "0")}`).values()].map((alike) => {
    const { node, text } = alike[0]!, others = alike.length - 1
    return `${node.address}${others === 0 ? "" : ` and ${others} more${alike.every((one) => one.text === text) ? "" : ", of other numbers"}`}: ${text}`
  })
}

/** Failures with the same message are one: their cause, and how many nodes it took. */
const groupFailures = (result: RunResult): string => {
  const byMessage = new Map<string, Array<string>>()
  for (const { message, node } of result.failures) {
    const list = byMessage.get(message)
    if (list === undefined) byMessage.set(message, [node.address])
    else list.push(node.address)
  }
  return [...byMessage].map(([message, nodes]) => `${style("red", "failed")} ${nodes[0]}${nodes.length > 1 ? ` and ${nodes.length - 1} more` : ""}\n  ${message.replaceAll("\n", "\n  ")}`).join("\n")
}

export const runCommand = Effect.fn("cli/run")(function*(flags: RunFlags) {
  const memory = readBytes(flags.memory)
  if (memory === undefined) return yield* new CommandError({ message: `--memory takes bytes like 2GB, got "${flags.memory}"`, code: 2 })
  if (flags.jobs < 1) return yield* new CommandError({ message: `--jobs takes a number from 1, got ${flags.jobs}`, code: 2 })
  const begin = performance.now()
  const words = readWords(flags.words)
  const session = yield* openSession(words, flags, words.names)
  const { cache, file, grid } = session
  const force = yield* forcedStages(session, flags.force)
  const display = progress({ grid, mode: flags.events ? "events" : flags.json ? "quiet" : "auto" })
  const record = recorder(session, begin)
  const onEvent = (event: RunEvent) => {
    if (event.type === "started") record.begin()
    display.on(event)
  }
  const exit = yield* Effect.exit(Effect.onInterrupt(run({ grid, cache, jobs: flags.jobs, memory, force, failFast: flags.failFast, rehash: flags.rehash, backend: session.backend, onEvent }), () => record.end("interrupted")))
  display.end()
  if (Exit.isFailure(exit)) {
    const cause = Cause.squash(exit.cause) as { readonly _tag?: string; readonly message: string }
    if (cause._tag === "CacheError") return yield* damagedIndex(cause.message) ?? new CommandError({ message: cause.message, code: 1 })
    return yield* Effect.failCause(exit.cause)
  }
  const result = exit.value
  cache.index.putAddresses(file.pipeline.name, grid.nodes.flatMap((node) => result.keys[node.index] === undefined ? [] : [[node.address, result.keys[node.index]!] as const]))
  yield* record.end(result.failures.length > 0 ? "failed" : "done", result)
  const seconds = (performance.now() - begin) / 1000
  const summary = summaryOf(session, (node) => result.states[node], { rows: result.rows, seconds, bytes: result.bytes })
  if (flags.json) console.log(JSON.stringify(summary))
  else if (!flags.events) {
    const { nodes } = summary
    for (const text of noticesText(grid, result)) console.error(style("dim", text))
    const { report } = file.pipeline
    const finished = { grid, ...result }, all = allResults(finished, report)
    for (const text of [...unknownColumns(all, report.columns), ...unknownMetrics(all, askedMetrics(report))]) console.error(`${words.file}, report: ${text}`)
    const shown = reportText(reportOf(finished, all, report))
    if (shown !== "") console.log(`\n${shown}\n`)
    const parts = [
      `${nodes.total} nodes from ${summary.cells} cells`,
      nodes.run + nodes.restored === 0 && nodes.failed === 0 ? "nothing to do: all cached" : `${nodes.run} ran`,
      ...(nodes.restored > 0 ? [`${nodes.restored} restored`] : []),
      ...(nodes.run + nodes.restored > 0 ? [`${nodes.cached} cached`] : []),
      ...(nodes.failed > 0 ? [`${nodes.failed} failed`] : []),
      ...(nodes.skipped > 0 ? [`${nodes.skipped} skipped`] : []),
      ...(result.rows.embedded > 0 ? [`${result.rows.embedded} rows embedded`] : []),
      ...(result.bytes > 0 ? [`${showBytes(result.bytes)} new`] : []),
      showSeconds(seconds)
    ]
    console.log(parts.join(", "))
    if (result.failures.length === 0) console.error(style("dim", nextSteps(words.file, session)))
  }
  if (result.failures.length > 0) return yield* new CommandError({ message: `${groupFailures(result)}\nWhat was finished is kept; run again to go on from there.`, code: 1 })
})
