/** Runs commands as whole processes and takes the median of several runs, interleaved where two are compared. */
import { spawnSync } from "node:child_process"

export interface Timing {
  readonly seconds: number
  readonly peakBytes: number
  readonly output: string
}

/** One run of a command; throws where it fails, unless a failure is what is timed. */
export const once = (command: ReadonlyArray<string>, cwd: string, environment: Readonly<Record<string, string>> = {}): Timing => {
  const begin = performance.now()
  const { error, status, stderr, stdout } = spawnSync("/usr/bin/env", ["time", "-f", "peak %M", ...command], { cwd, encoding: "utf8", env: { ...process.env, ...environment }, maxBuffer: 1 << 28 })
  const seconds = (performance.now() - begin) / 1000
  if (error !== undefined || status !== 0) throw new Error(`${command.join(" ")} failed: ${error?.message ?? stderr.slice(-2000)}`)
  const peak = /peak (\d+)\s*$/.exec(stderr)
  return { seconds, peakBytes: peak === null ? Number.NaN : Number(peak[1]) * 1024, output: stdout }
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

/** Median, least and most of several runs. */
export const timed = (runs: number, body: () => Timing): { readonly median: number; readonly low: number; readonly high: number; readonly peakBytes: number } => {
  const all = Array.from({ length: runs }, body)
  const seconds = all.map((timing) => timing.seconds)
  return { median: median(seconds), low: Math.min(...seconds), high: Math.max(...seconds), peakBytes: Math.max(...all.map((timing) => timing.peakBytes)) }
}

/** Whether a program can be started. */
export const installed = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0
