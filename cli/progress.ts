/** Progress of a run: a live block on a terminal, plain lines elsewhere, NDJSON on demand. All but NDJSON goes to stderr. */
import type { Grid } from "../engine/expand.ts"
import type { RunEvent } from "../engine/run.ts"
import { Counts } from "./counts.ts"

type Mode = "auto" | "events" | "quiet"

export interface Display {
  readonly on: (event: RunEvent) => void
  readonly end: () => void
}

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

/** Seconds between two drawings of the live block, before the first one, and between two plain lines of a stage. */
const drawEvery = 0.08, drawAfter = 0.3, tellEvery = 30

export const progress = ({ grid, mode }: { readonly grid: Grid; readonly mode: Mode }): Display => {
  if (mode === "quiet") return { on: () => {}, end: () => {} }
  if (mode === "events") return { on: (event) => console.log(JSON.stringify(eventDocument(event))), end: () => {} }
  const out = process.stderr
  const live = out.isTTY && process.env["CI"] === undefined && process.env["TERM"] !== "dumb"
  const counts = new Counts(grid)
  const told = new Map<string, number>()
  const clock = () => performance.now() / 1000
  const begin = clock()
  let drawn = 0, last = 0
  const draw = () => {
    const lines = counts.lines(clock()), columns = out.columns || 80
    out.write(`${drawn > 0 ? `\x1b[${drawn}A\x1b[0J` : ""}${lines.map((line) => `${line.slice(0, columns - 1)}\n`).join("")}`)
    drawn = lines.length
  }
  const note = (text: string | undefined) => {
    if (text === undefined) return
    if (live && drawn > 0) {
      out.write(`\x1b[${drawn}A\x1b[0J`)
      drawn = 0
    }
    out.write(`${text}\n`)
  }
  const on = (event: RunEvent) => {
    const now = clock()
    counts.on(event, now)
    if (event.type === "failed") note(`${event.node.address} failed: ${event.message.split("\n")[0]}`)
    else if (event.type === "lost") note(`${event.node.address}: ${event.message}`)
    else if (!live && event.type === "started") for (const { stage } of event.nodes) told.set(stage, told.get(stage) ?? now)
    else if (!live && event.type === "finished" && event.state !== "cached") note(counts.over(event.node, now))
    else if (!live && event.type === "progress" && now - told.get(event.node.stage)! >= tellEvery) {
      told.set(event.node.stage, now)
      note(counts.line(event.node, now))
    }
    if (live && event.type !== "skipped" && now - last > drawEvery) {
      last = now
      if (now - begin > drawAfter) draw()
    }
  }
  return { on, end: () => live && drawn > 0 ? draw() : undefined }
}
