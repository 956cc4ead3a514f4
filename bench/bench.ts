/**
 * npm run bench: start-up, the engine on large grids, training, and the flow of large embeddings, as ratios or seconds of whole processes in
 * one run. Peers are measured beside where they are installed: `ninja` and `doit` on the PATH; a torch script by
 * OUTCROP_BENCH_TORCH="python peer_tg_matl.py --data DATA --bench 32".
 */
import { execSync } from "node:child_process"
import * as fs from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { dist } from "../engine/installation.ts"
import { writeFlow } from "./flow.ts"
import { writeFolding, writeGrid, writeOneMore } from "./grids.ts"
import { installed, once, timed } from "./machine.ts"
import { peers } from "./peers.ts"
import { trainingRates } from "./training.ts"

const outcrop = [process.execPath, "--disable-warning=ExperimentalWarning", join(dist, "outcrop-cli.js")]
const folder = fs.mkdtempSync(join(tmpdir(), "outcrop-bench-"))
const lines: Array<string> = []
const say = (line: string) => {
  lines.push(line)
  console.log(line)
}
const show = ({ high, low, median }: { readonly median: number; readonly low: number; readonly high: number }) => `${median.toFixed(2)} s (${low.toFixed(2)}-${high.toFixed(2)})`
const run = (...words: ReadonlyArray<string>) => once([...outcrop, ...words], folder)
const nodesOf = (output: string) => (JSON.parse(output) as { readonly nodes: { readonly run: number; readonly cached: number; readonly total: number } }).nodes

try {
  say(`${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`)
  say("")
  say("| what | measured | target |")
  say("|---|---|---|")
  run("--help")
  say(`| \`--help\` | ${show(timed(7, () => run("--help")))} | 0.15 s |`)

  const side = 100
  writeGrid(folder, side)
  const first = run("run", "grid.yaml", "--json")
  say(`| first run of ${nodesOf(first.output).total} trivial nodes of a user's own stage | ${first.seconds.toFixed(1)} s | 15 s |`)
  say(`| no-op rerun of ${side * side} nodes (\`run --json\`) | ${show(timed(7, () => run("run", "grid.yaml", "--json")))} | 0.6 s |`)
  say(`| the same with its table of ${side * side} rows read and printed (without \`--json\`) | ${show(timed(5, () => run("run", "grid.yaml")))} | |`)
  say(`| \`plan\` of the same | ${show(timed(5, () => run("plan", "grid.yaml", "--json")))} | 0.6 s |`)
  let more = 0.125
  let last = { run: 0, cached: 0, total: 0 }
  const leaf = timed(5, () => {
    writeOneMore(folder, side, more++)
    const timing = run("run", "one-more.yaml", "--json")
    last = nodesOf(timing.output)
    return timing
  })
  say(`| one changed leaf of ${side * side}: ${last.run} ran, ${last.cached} cached | ${show(leaf)} | 0.8 s |`)
  writeFolding(folder, 999, 100)
  say(`| plan of 99,900 cells that fold into 1,000 nodes | ${show(timed(5, () => run("plan", "folding.yaml", "--json")))} | 2 s |`)

  for (const peer of peers(join(folder, "peers"), side * side)) {
    if (!installed(peer.name)) continue
    peer.prepare()
    once(peer.command, peer.folder)
    say(`| ${peer.name}: no-op rerun of ${side * side} stages | ${show(timed(3, () => once(peer.command, peer.folder)))} | |`)
  }

  writeFlow(folder, 100_000, 768)
  const flow = run("run", "flow.yaml", "--json", "--jobs", "1")
  say(`| 100,000 x 768 embeddings from embed to probe, one worker: peak memory | ${(flow.peakBytes / 1e9).toFixed(2)} GB, ${flow.seconds.toFixed(0)} s | 1.5 GB |`)

  say("")
  const rates = await trainingRates()
  const torch = process.env["OUTCROP_BENCH_TORCH"]
  const peer = torch === undefined ? "" : execSync(torch, { encoding: "utf8" })
  say("| training, 512 -> 64, batch 32, one thread, fold-steps/s | dtl | dtl-hard | matl | tg-matl |")
  say("|---|---|---|---|---|")
  const names = Object.keys(rates)
  say(`| outcrop (8 siblings, validation every epoch included) | ${names.map((name) => Math.round(rates[name]!)).join(" | ")} |`)
  const plain = names.map((name) => Number(new RegExp(`^${name}\\s+plain[^0-9]*([0-9.]+)`, "m").exec(peer)?.[1] ?? Number.NaN))
  if (torch !== undefined) {
    say(`| plain torch | ${plain.map((rate) => Math.round(rate)).join(" | ")} |`)
    say(`| ratio (target 3 for matl) | ${names.map((name, i) => (rates[name]! / plain[i]!).toFixed(1)).join(" | ")} |`)
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
