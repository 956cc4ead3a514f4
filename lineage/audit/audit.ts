/** The audit: every check on what is cached of a pipeline, and what came of each. */
import { hash } from "node:crypto"
import type { Cache } from "../../cache/cache.ts"
import type { Finished } from "../../report/finished.ts"
import type { Pipeline } from "../../schemas/pipeline.ts"
import { boxesOf } from "./cells.ts"
import { distanceKept } from "./distance.ts"
import { noSplit, placesApart, samplesApart, timesApart } from "./disjoint.ts"
import { imagesApart, windowsApart } from "./duplicates.ts"
import { embeddingsTell, encodersEarn } from "./embeddings.ts"
import { type Evidence, evidenceOf, gives } from "./evidence.ts"
import { type Finding, findingsOf, type Level, type Outcome } from "./finding.ts"
import { fittedOnTraining } from "./fitted.ts"
import { classesTrained, digitsMeant, figuresDefined, predictionsVary } from "./metrics.ts"
import { picturesApart } from "./perception.ts"
import { resultsRepeat } from "./results.ts"
import { testUnseen } from "./selection.ts"

export interface AuditOptions {
  /** Test samples this near to a training sample, along the ground, are told. */
  readonly metres: number
  /** Bits of 64 in which the dHashes of near-duplicates may differ; undefined: pixels are not read. */
  readonly nearDuplicates: number | undefined
}

/** A line of the checklist. */
export interface Checked {
  readonly check: string
  readonly state: "passed" | "not applicable" | Level
  /** What was looked at, or why there was nothing to. */
  readonly about: string
}

export interface Audit {
  readonly checks: ReadonlyArray<Checked>
  readonly findings: ReadonlyArray<Finding>
  /** Results whose tables are lost from the cache, so that no check could look at them. */
  readonly lost: ReadonlyArray<{ readonly stage: string; readonly node: string }>
}

/** Raised when a check comes to mean something else: what was found before is looked for anew. */
const version = 1

type Check = readonly [name: string, run: (evidence: Evidence, options: AuditOptions) => Outcome | Promise<Outcome>]
const checks: ReadonlyArray<Check> = [
  ["samples apart", samplesApart],
  ["images apart", imagesApart],
  ["near-duplicates apart", (evidence, { nearDuplicates }) => picturesApart(evidence, nearDuplicates)],
  ["windows apart", windowsApart],
  ["places apart", placesApart],
  ["metres apart", (evidence, { metres }) => distanceKept(evidence, metres)],
  ["times apart", timesApart],
  ["fitted on training", fittedOnTraining],
  ["test unseen by choices", testUnseen],
  ["classes trained", classesTrained],
  ["predictions vary", predictionsVary],
  ["figures defined", figuresDefined],
  ["samples for the digits", digitsMeant],
  ["embeddings tell apart", embeddingsTell],
  ["encoders beat statistics", encodersEarn],
  ["results repeat", resultsRepeat]
]
const gravest: ReadonlyArray<Level> = ["failed", "warning", "note"]

/** Runs every check. What is not cached is not looked at. */
export const audit = async (cache: Cache, finished: Finished, report: Pipeline["report"], options: AuditOptions): Promise<Audit> => {
  const evidence = evidenceOf(cache, finished, report), collapse = boxesOf(finished.grid.cells)
  const { lost } = evidence, checked: Array<Checked> = [], findings: Array<Finding> = []
  for (const [check, run] of checks) {
    const outcome = await run(evidence, options)
    if ("inapplicable" in outcome) {
      checked.push({ check, state: "not applicable", about: outcome.inapplicable === noSplit && lost.size > 0 ? "the samples or the split are lost from the cache" : outcome.inapplicable })
      continue
    }
    const own = findingsOf(check, outcome.found, collapse)
    checked.push({ check, state: gravest.find((level) => own.some((finding) => finding.level === level)) ?? "passed", about: outcome.looked })
    findings.push(...own)
  }
  return { checks: checked, findings: findings.toSorted((a, b) => gravest.indexOf(a.level) - gravest.indexOf(b.level)), lost: Array.from(lost, ({ address, stage }) => ({ stage, node: address })) }
}

/** The audit in one line: `audit: 9 passed, 1 failed: places apart (outcrop audit shows it)`. */
export const auditLine = ({ checks }: Pick<Audit, "checks">): string => {
  const of = (state: Checked["state"]) => checks.filter((one) => one.state === state).map(({ check }) => check)
  const told = (["failed", "warning", "note"] as const).flatMap((state) => {
    const names = of(state)
    const word = state === "failed" || names.length === 1 ? state : `${state}s`
    return names.length === 0 ? [] : [`${names.length} ${word}: ${names.join(", ")}`]
  })
  return `audit: ${[`${of("passed").length} passed`, ...told].join("; ")}${told.length > 0 ? " (outcrop audit shows it)" : ""}`
}

/** Under what name the checklist line of these results is kept: the keys of all of them, and of what is run again under its key what it measured. */
const nameOf = ({ grid: { cells, nodes, stages }, keys, outputs }: Finished, report: Pipeline["report"]): string => {
  const measured = nodes.flatMap((node) => gives(node, "metrics") === undefined ? [] : Object.values(outputs[node.index]?.outputs ?? {}).map(({ blob }) => blob))
  return hash("sha256", JSON.stringify([version, keys, measured, report, stages, cells.columns.map(({ labels, name, replicate }) => [name, labels, replicate]), [...cells.codes.subarray(0, cells.count * cells.columns.length)]]), "hex")
}

/** Keeps the checklist line of an audit, for the tables of the same results; not of one that could not look at all of them. */
export const keepChecklist = ({ store }: Cache, finished: Finished, report: Pipeline["report"], made: Audit): void => {
  if (made.lost.length > 0) return
  try {
    store.putDocument("audits", nameOf(finished, report), auditLine(made))
  } catch {
    // of a cache that cannot be written to tables have no line
  }
}

/** The checklist line of the last audit of just these results; undefined where there was none. */
export const keptChecklist = ({ store }: Cache, finished: Finished, report: Pipeline["report"]): string | undefined => store.document("audits", nameOf(finished, report))
