/** `outcrop verify`: whether everything in the cache is what it claims to be; `--repair` takes out what is not, so that it is made again. */
import * as fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { verify } from "../cache/verify.ts"
import { counted, style } from "../report/terminal.ts"
import { alone, opened } from "./alone.ts"
import { CommandError, userError } from "./error.ts"
import { existingFolder } from "./existing.ts"
import { readers } from "./records.ts"
import { expected } from "./scope.ts"
import { liveLine, taken } from "./steps.ts"
import { readWords, showBytes, showSeconds } from "./words.ts"

export interface VerifyFlags {
  readonly words: ReadonlyArray<string>
  readonly cache: string | undefined
  readonly repair: boolean
  readonly json: boolean
}

/** Findings on the terminal; `--json` has all. */
const most = 50

const check = Effect.fnUntraced(function*(folder: string, repair: boolean) {
  const cache = yield* opened(folder), line = liveLine(), begin = performance.now()
  const found = yield* taken(verify(cache, { ...readers, audits: () => ({ results: [], graph: undefined }) }, repair), ({ done, total }) => {
    const seconds = (performance.now() - begin) / 1000
    line.show(`${showBytes(done)} of ${showBytes(total)}${done > 0 && seconds > 2 ? `, ${showSeconds(seconds / done * (total - done))} left` : ""}`)
  })
  line.end()
  cache.close()
  const index = join(folder, "index.sqlite")
  if (repair && found.findings.some(({ path }) => path === index)) {
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(index + suffix, { force: true })
    yield* Effect.map(opened(folder), ({ close }) => close())
  }
  return { ...found, seconds: (performance.now() - begin) / 1000 }
})

export const verifyCommand = Effect.fn("cli/verify")(function*(flags: VerifyFlags) {
  const words = readWords(flags.words)
  if (words.names.length > 0 || Object.keys(words.picks).length > 0) return yield* userError("verify looks at a whole cache: name the pipeline that it lies beside, or --cache")
  const folder = yield* Effect.try({ try: () => existingFolder(flags, words.file), catch: expected })
  const body = check(folder, flags.repair)
  const { counts, findings, seconds } = yield* flags.repair ? alone(folder, "verify --repair", body) : body
  if (flags.json) console.log(JSON.stringify({ version: 1, ok: findings.length === 0, repaired: flags.repair, counts, seconds, findings }))
  else {
    for (const { path, problem } of findings.slice(0, most)) console.log(`${style("red", path)}\n  ${problem}`)
    if (findings.length > most) console.log(`... and ${findings.length - most} more (--json lists all)`)
    const { blobs, bytes, others, results, rows, segments, tags } = counts
    console.log(`${counted(results, "result")}, ${counted(blobs, "blob")}, ${counted(rows, "embedded row")} in ${counted(segments, "segment")}, ${counted(others["runs"] ?? 0, "run")}, ${counted(others["graphs"] ?? 0, "graph")}, ${counted(tags, "tag")} and the index: ${showBytes(bytes)} in ${showSeconds(seconds)}`)
    if (findings.length === 0) console.log(style("green", "all whole"))
  }
  if (findings.length === 0) return
  const things = findings.length === 1 ? "1 thing was" : `${findings.length} things were`
  return yield* new CommandError({ message: flags.repair ? `${things} wrong. What was damaged is removed, and that is on record; "outcrop run" makes what is missing again` : `${things} wrong. Nothing of it will be served; "outcrop verify --repair" removes it, so that the next run makes it again`, code: 3 })
})
