/**
 * `npm run bench`: every subject of `bench/subjects/`, with peers side by side where they are installed, into `bench/README.md`.
 * `npm run bench -- training probes`: only these, to the terminal. `npm run bench -- --quick`: all, small and without peers, in about a minute.
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { packageVersion } from "../engine/installation.ts"
import { suggest } from "../schemas/spelling.ts"
import { cores, describe, pinned } from "./machine.ts"
import { line, report, type Section } from "./markdown.ts"
import type { Message } from "./one.ts"
import { findPython } from "./python.ts"

const here = dirname(fileURLToPath(import.meta.url))
/** A subject that takes longer hangs. */
const limitMinutes = 15
/** In the order of the report; others follow by name. */
const order = ["start", "grids", "training", "grid", "probes", "embedding", "flow", "scale", "curves"]
const rank = (name: string) => order.includes(name) ? order.indexOf(name) : order.length
const subjects = fs.readdirSync(join(here, "subjects")).map((file) => basename(file, ".ts")).toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))

const words = process.argv.slice(2)
const quick = words.includes("--quick")
const named = words.filter((word) => word !== "--quick")
for (const name of named) {
  if (subjects.includes(name)) continue
  console.error(`there is no subject "${name}"${suggest(name, subjects)}; there are ${subjects.join(", ")}`)
  process.exit(2)
}

/** Runs a subject in a process of its own and collects what it says. */
const runSubject = (name: string): Promise<Section> => {
  const folder = fs.mkdtempSync(join(tmpdir(), `outcrop-bench-${name}-`))
  const section: Section = { title: name, about: "", rows: [], remarks: [] }
  const [program, ...rest] = pinned([process.execPath, "--disable-warning=ExperimentalWarning", join(here, "one.ts"), join(here, "subjects", `${name}.ts`), folder, ...(quick ? ["--quick"] : [])])
  const child = spawn(program!, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"], env: { ...process.env, OUTCROP_BENCH_CORES: cores.join(",") } })
  child.on("message", (message: Message) => {
    if (message.type === "head") {
      section.title = message.title
      section.about = message.about
      console.log(`\n${message.title}`)
    } else if (message.type === "row") {
      section.rows.push(message.row)
      console.log(`  ${line(message.row)}`)
    } else {
      section.remarks.push(message.text)
      console.log(`  ${message.text}`)
    }
  })
  const began = performance.now()
  const limit = setTimeout(() => child.kill(), limitMinutes * 60_000)
  return new Promise((resolve) => {
    child.on("error", (cause) => section.remarks.push(`Not run: ${cause.message}`))
    child.on("close", (code, signal) => {
      clearTimeout(limit)
      if (code !== 0) section.remarks.push(`Ended early, with ${signal ?? `exit code ${code}`}, after ${((performance.now() - began) / 60_000).toFixed(1)} min.`)
      console.log(`  (${((performance.now() - began) / 1000).toFixed(0)} s)`)
      fs.rmSync(folder, { recursive: true, force: true })
      resolve(section)
    })
  })
}

const python = quick ? undefined : findPython()
const packages = ["onnxruntime-node", "@tensorflow/tfjs-core", "apache-arrow"].map((name) => `${name} ${packageVersion(name) ?? "(not installed)"}`).join(", ")
const facts = [
  `${describe()}; ${packages}.`,
  ...(quick ? [] : [python === undefined ? "No Python for peers (OUTCROP_BENCH_PYTHON, else python3)." : `Peers: ${Object.entries(python.versions).map(([name, version]) => `${name} ${version}`).join(", ")}.`]),
  cores.length === 0 ? "No taskset here: processes are not pinned to a core." : `One thread: every process is pinned to core ${cores[0]}, unless a row says otherwise.`
]
for (const fact of facts) console.log(fact)
const begin = performance.now()
const sections: Array<Section> = []
for (const name of named.length > 0 ? named : subjects) sections.push(await runSubject(name))
const minutes = (performance.now() - begin) / 60_000
console.log(`\n${minutes.toFixed(1)} min`)

if (named.length === 0 && !quick) {
  fs.writeFileSync(join(here, "README.md"), report(sections, { facts, date: new Date().toISOString().slice(0, 10), minutes }))
  console.log(`written to ${join("bench", "README.md")}`)
}
