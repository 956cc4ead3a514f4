/** `outcrop audit`: whether the figures can be believed. Ends with 3 where a check failed. */
import * as Effect from "effect/Effect"
import { type Audit, audit, type Checked, keepChecklist } from "../lineage/audit/audit.ts"
import { style, textTable } from "../report/terminal.ts"
import { CommandError, userError } from "./error.ts"
import { finishedOf } from "./finished.ts"
import { openSession, type SessionFlags } from "./session.ts"
import { readWords } from "./words.ts"

const colours = { failed: "red", warning: "yellow", note: "cyan", passed: "green", "not applicable": "dim" } as const
const state = (of: Checked["state"]) => style(colours[of], of)

/** What an audit found, the gravest first, and the checklist. */
const text = ({ checks, findings }: Audit): string => [
  ...findings.map(({ cells, check, examples, level, what }) => [
    `${style("bold", state(level))} ${style("bold", check)}: ${what}`,
    ...examples.length === 0 ? [] : [style("dim", `  for example: ${examples.join("; ")}`)],
    style("dim", `  in ${cells.slice(0, 5).join("; ")}${cells.length > 5 ? `; and ${cells.length - 5} more choices of cells` : ""}`)
  ].join("\n")),
  textTable(["check", "", "what was looked at"], checks.map(({ about, check, state: of }) => [check, state(of), of === "not applicable" ? style("dim", about) : about]))
].join("\n\n")

export const auditCommand = Effect.fn("cli/audit")(function*(flags: SessionFlags & { readonly words: ReadonlyArray<string>; readonly json: boolean; readonly metres: number; readonly nearDuplicates: number | undefined }) {
  const { metres, nearDuplicates } = flags
  if (!(metres > 0 && metres <= 20_000_000)) return yield* userError(`--metres takes a distance along the ground, more than 0 and at most 20000000, got ${metres}`)
  if (nearDuplicates !== undefined && (nearDuplicates < 0 || nearDuplicates > 32)) return yield* userError(`--near-duplicates takes how many of 64 bits may differ, 0 to 32, got ${nearDuplicates}`)
  const words = readWords(flags.words)
  const session = yield* openSession(words, flags, words.names)
  const finished = finishedOf(session)
  const { grid, missing } = finished
  if (missing === grid.nodes.length) return yield* userError(`there is nothing to audit yet: run "outcrop run ${words.file}"`)
  const result = yield* Effect.promise(() => audit(session.cache, finished, session.file.pipeline.report, { metres, nearDuplicates }))
  // with other distances it is another audit than the one that tables speak of
  if (metres === 1000 && nearDuplicates === undefined) keepChecklist(session.cache, finished, session.file.pipeline.report, result)
  const failed = result.checks.filter((one) => one.state === "failed").length
  console.log(flags.json ? JSON.stringify({ version: 1, failed, missing, ...result }) : text(result))
  if (result.lost.length > 0) {
    const stages = [...new Set(result.lost.map(({ stage }) => stage))], [first] = result.lost
    console.error(`the audit could not look at all: tables of ${first!.node}${result.lost.length > 1 ? ` and ${result.lost.length - 1} more` : ""} are lost from the cache; "outcrop run ${words.file} ${stages.join(" ")}" makes them again`)
  }
  if (missing > 0) console.error(`${missing} of ${grid.nodes.length} nodes have no result yet: the audit is of what is there`)
  if (failed > 0) return yield* new CommandError({ message: `${failed} of ${result.checks.length} checks failed`, code: 3 })
})
