/** `outcrop import DIR`: takes over what another cache folder has and this one lacks, checked on the way in. */
import * as fs from "node:fs"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { isCache } from "../cache/cache.ts"
import { importFrom } from "../cache/transfer.ts"
import { counted, style } from "../report/terminal.ts"
import { opened } from "./alone.ts"
import { CommandError, userError } from "./error.ts"
import { readers } from "./records.ts"
import { cacheFolder } from "./session.ts"
import { liveLine, taken } from "./steps.ts"
import { showBytes } from "./words.ts"

export interface ImportFlags {
  readonly folder: string
  readonly cache: string | undefined
  readonly json: boolean
}

/** Findings on the terminal; `--json` has all. */
const most = 20

export const importCommand = Effect.fn("cli/import")(function*(flags: ImportFlags) {
  // the folder of a project is as good as its cache
  const below = join(flags.folder, ".outcrop"), source = resolve(isCache(below) ? below : flags.folder)
  const target = cacheFolder(flags, "pipeline.yaml")
  if (!fs.existsSync(source)) return yield* userError(`there is no folder ${flags.folder}`)
  if (fs.existsSync(target) && fs.realpathSync(source) === fs.realpathSync(target)) return yield* userError(`${source} is this cache itself: name the one to import from`)
  const cache = yield* opened(target), line = liveLine()
  let files = 0
  const imported = yield* taken(importFrom(cache, source, readers), () => line.show(`${++files} steps`))
  line.end()
  const { blobs, bytes, different, findings, known, others, results, rows } = imported
  if (flags.json) console.log(JSON.stringify({ version: 1, ...imported }))
  else {
    for (const { path, problem } of findings.slice(0, most)) console.log(`${style("red", path)}\n  ${problem}`)
    if (findings.length > most) console.log(`... and ${findings.length - most} more (--json lists all)`)
    console.log(`imported ${counted(results, "result")}, ${counted(blobs, "blob")}, ${counted(rows, "embedded row")}, ${counted(others["runs"] ?? 0, "run")} of the history, ${showBytes(bytes)}; ${counted(known, "result")} ${known === 1 ? "was" : "were"} here already`)
    if (different > 0) console.log(`${counted(different, "result")} ${different === 1 ? "is" : "are"} here with other outputs under the same key, and ${different === 1 ? "stays as it is" : "stay as they are"} here: what made them is not deterministic, or computes otherwise on the other machine; "outcrop replay" shows which`)
  }
  if (findings.length > 0) return yield* new CommandError({ message: `${findings.length} of its files ${findings.length === 1 ? "was left out because it is damaged or not what it claims" : "were left out because they are damaged or not what they claim"} to be`, code: 3 })
})
