/** The machine, and commands that run on it as whole processes. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { cpus, totalmem } from "node:os"
import { join } from "node:path"
import { dist } from "../engine/installation.ts"
import { type Measured, measured } from "./figures.ts"

export interface Timing {
  readonly seconds: number
  readonly peakBytes: number
  readonly output: string
}

/** Whether a program can be started. */
export const installed = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0

/** Cores that the bench may use, as `taskset` numbers them; empty where there is no `taskset`. The runner asks once, before it pins anything. */
export const cores: ReadonlyArray<string> = (() => {
  const handed = process.env["OUTCROP_BENCH_CORES"]
  const list = handed ?? /list: (\S+)/.exec(installed("taskset") ? spawnSync("taskset", ["-cp", String(process.pid)], { encoding: "utf8" }).stdout : "")?.[1]
  return (list ?? "").split(",").filter((part) => part !== "").flatMap((part) => {
    const [from, to = from] = part.split("-").map(Number)
    return Array.from({ length: to! - from! + 1 }, (_, i) => String(from! + i))
  })
})()

/** A command on so many cores; as it is where there is no `taskset`. */
export const pinned = (command: ReadonlyArray<string>, count = 1): ReadonlyArray<string> =>
  cores.length === 0 ? command : ["taskset", "-c", cores.slice(0, count).join(","), ...command]

/** The command of this build. */
export const outcrop: ReadonlyArray<string> = [process.execPath, "--disable-warning=ExperimentalWarning", join(dist, "outcrop-cli.js")]

/** One run of a command, on one core unless said otherwise; throws where it fails. Peak memory is NaN where there is no GNU time. */
export const once = (command: ReadonlyArray<string>, cwd: string, { cores: count = 1, environment = {} }: { readonly cores?: number; readonly environment?: Readonly<Record<string, string>> } = {}): Timing => {
  const clock = fs.existsSync("/usr/bin/time") ? ["/usr/bin/time", "-f", "peak %M"] : []
  const [program, ...words] = pinned([...clock, ...command], count)
  const begin = performance.now()
  const { error, status, stderr, stdout } = spawnSync(program!, words, { cwd, encoding: "utf8", env: { ...process.env, ...environment }, maxBuffer: 1 << 28 })
  const seconds = (performance.now() - begin) / 1000
  if (error !== undefined || status !== 0) throw new Error(`${command.join(" ")} failed: ${error?.message ?? stderr.slice(-2000)}`)
  const peak = /peak (\d+)\s*$/.exec(stderr)
  return { seconds, peakBytes: peak === null ? Number.NaN : Number(peak[1]) * 1024, output: stdout }
}

/** Seconds of several runs of what `once` does. */
export const timed = (runs: number, body: () => Timing): Measured => measured(Array.from({ length: runs }, () => body().seconds))

/** One line on the machine. */
export const describe = (): string => `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}, Node ${process.version.slice(1)}`
