/** Runs one subject in this process and sends its rows and remarks to the runner: `one.ts SUBJECT FOLDER [--quick]`. */
import { findPython, lacking, type Peer, startPeer } from "./python.ts"
import type { Bench, Row, Subject } from "./subject.ts"

/** What a subject tells the runner. */
export type Message =
  | { readonly type: "head"; readonly title: string; readonly about: string }
  | { readonly type: "row"; readonly row: Row }
  | { readonly type: "remark"; readonly text: string }

const [file, folder, ...flags] = process.argv.slice(2)
const send = (message: Message) => process.send?.(message)
const quick = flags.includes("--quick")
const { default: subject } = await import(file!) as { readonly default: Subject }
const started: Array<Peer> = []
let python: ReturnType<typeof findPython>

const bench: Bench = {
  quick,
  folder: folder!,
  row: (row) => send({ type: "row", row }),
  remark: (text) => send({ type: "remark", text }),
  peer: async (script, modules) => {
    if (quick) return undefined
    python ??= findPython()
    const missing = python === undefined ? ["Python"] : lacking(python, modules)
    if (python === undefined || missing.length > 0) {
      bench.remark(`Left out: ${script}, because ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not installed.`)
      return undefined
    }
    const peer = startPeer(python, script)
    started.push(peer)
    return peer
  }
}

send({ type: "head", title: subject.title, about: subject.about })
try {
  await subject.run(bench)
} catch (cause) {
  bench.remark(`Stopped early: ${(cause instanceof Error ? cause.message : String(cause)).slice(0, 1000).replaceAll("\n", " ")}`)
} finally {
  for (const peer of started) peer.close()
  process.disconnect?.()
}
