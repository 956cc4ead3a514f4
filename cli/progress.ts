/** Progress of a run: a live block on a terminal, plain lines elsewhere, NDJSON on demand. All but NDJSON goes to stderr. */
import type { Grid, Node } from "../engine/expand.ts"
import type { RunEvent } from "../engine/run.ts"
import type { Kind } from "../stages/stage.ts"
import { showSeconds } from "./words.ts"

type Mode = "auto" | "events" | "quiet"

export interface Display {
  readonly on: (event: RunEvent) => void
  readonly end: () => void
}

interface StageCount {
  readonly total: number
  done: number
  cached: number
  running: number
  failed: number
  rows: string
  since: number | undefined
}

/** What the stages of a kind count. */
const units: Readonly<Partial<Record<Kind, string>>> = { ingest: "samples", embed: "rows", train: "epochs" }

const eventDocument = (event: RunEvent) => ({
  version: 1,
  time: new Date().toISOString(),
  type: event.type,
  nodes: event.type === "started" ? event.nodes.map((node) => node.address) : [event.node.address],
  ...("state" in event ? { state: event.state, seconds: event.seconds } : {}),
  ...("message" in event ? { message: event.message } : {}),
  ...("done" in event ? { done: event.done, total: event.total } : {}),
  ...("because" in event ? { because: event.because.address } : {})
})

export const progress = ({ grid, mode }: { readonly grid: Grid; readonly mode: Mode }): Display => {
  if (mode === "quiet") return { on: () => {}, end: () => {} }
  if (mode === "events") return { on: (event) => console.log(JSON.stringify(eventDocument(event))), end: () => {} }
  const out = process.stderr
  const live = out.isTTY && process.env["CI"] === undefined && process.env["TERM"] !== "dumb"
  const stages = new Map(grid.stages.map((stage): [string, StageCount] => [stage, { total: 0, done: 0, cached: 0, running: 0, failed: 0, rows: "", since: undefined }]))
  for (const node of grid.nodes) stages.set(node.stage, { ...stages.get(node.stage)!, total: stages.get(node.stage)!.total + 1 })
  const of = (node: Node) => stages.get(node.stage)!
  let drawn = 0, last = 0
  const begin = performance.now()
  const width = Math.max(...grid.stages.map((stage) => stage.length))
  const draw = () => {
    const lines = [...stages].flatMap(([stage, count]) => {
      if (count.since === undefined) return []
      const finished = count.done + count.cached
      const filled = count.total === 0 ? 0 : Math.round(finished / count.total * 20)
      const elapsed = (performance.now() - count.since) / 1000
      const left = count.done > 0 && finished < count.total ? `, ${showSeconds(elapsed / count.done * (count.total - finished - count.failed))} left` : ""
      return [`${stage.padEnd(width)} ${"█".repeat(filled)}${"░".repeat(20 - filled)} ${finished}/${count.total}${count.running > 0 ? ` (${count.running} running)` : ""}${count.rows}${count.failed > 0 ? `, ${count.failed} failed` : ""}${left}`]
    })
    const columns = out.columns || 80
    out.write(`${drawn > 0 ? `\x1b[${drawn}A\x1b[0J` : ""}${lines.map((line) => `${line.slice(0, columns - 1)}\n`).join("")}`)
    drawn = lines.length
  }
  const note = (text: string) => {
    if (live && drawn > 0) {
      out.write(`\x1b[${drawn}A\x1b[0J`)
      drawn = 0
    }
    out.write(`${text}\n`)
  }
  const on = (event: RunEvent) => {
    switch (event.type) {
      case "started":
        for (const node of event.nodes) {
          const count = of(node)
          count.since ??= performance.now()
          count.running++
        }
        break
      case "finished": {
        const count = of(event.node)
        if (event.state === "cached") count.cached++
        else {
          count.done++
          count.running--
          count.rows = ""
        }
        if (!live && event.state !== "cached" && count.running === 0 && count.done + count.cached + count.failed === count.total) {
          note(`${event.node.stage}: ${count.done} of ${count.total} ran in ${showSeconds((performance.now() - count.since!) / 1000)}`)
        }
        break
      }
      case "failed": {
        const count = of(event.node)
        count.failed++
        count.running = Math.max(0, count.running - 1)
        note(`${event.node.address} failed: ${event.message.split("\n")[0]}`)
        break
      }
      case "lost":
        note(`${event.node.address}: ${event.message}`)
        break
      case "progress": {
        const unit = units[event.node.implementation.stage.kind]
        of(event.node).rows = `, ${event.done} of ${event.total}${unit === undefined ? "" : ` ${unit}`}`
        break
      }
      case "skipped":
        return
    }
    if (live && performance.now() - last > 80) {
      last = performance.now()
      if (performance.now() - begin > 300) draw()
    }
  }
  return { on, end: () => live && drawn > 0 ? draw() : undefined }
}
