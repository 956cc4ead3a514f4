/** Whole runs of the command in a folder of their own: write files, run, read what it says. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Two files are tested at a time on two cores: a second thread of a run would cost no more than its start. */
const frugal = (words: ReadonlyArray<string>): ReadonlyArray<string> => words[0] === "run" && !words.includes("--jobs") ? [...words, "--jobs", "1"] : words

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const command = here("../dist/outcrop-cli.js")

/** What `run --json` and `plan --json` print. */
export interface Summary {
  readonly version: number
  readonly cells: number
  readonly nodes: Readonly<Record<"total" | "run" | "cached" | "restored" | "maybe" | "failed" | "skipped", number>>
  readonly rows: { readonly embedded: number; readonly cached: number }
  readonly seconds: number
  readonly bytes: number
  readonly stages: ReadonlyArray<{ readonly stage: string; readonly total: number; readonly run: number; readonly cached: number }>
}

export interface Said {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Folders made by this file's tests; `removeFolders` takes them away. */
const made: Array<string> = []
export const removeFolders = () => {
  for (const folder of made.splice(0)) fs.rmSync(folder, { recursive: true, force: true })
}

export class Folder {
  readonly path = fs.mkdtempSync(join(tmpdir(), "outcrop-test-"))
  /** Milliseconds after which a command is killed. */
  limit = 20_000

  constructor(files: Readonly<Record<string, string>> = {}) {
    made.push(this.path)
    for (const [name, text] of Object.entries(files)) this.write(name, text)
  }

  at(name: string): string {
    return join(this.path, name)
  }

  write(name: string, text: string): void {
    fs.mkdirSync(dirname(this.at(name)), { recursive: true })
    fs.writeFileSync(this.at(name), text)
  }

  /** Replaces text in a file; the text must be there. */
  edit(name: string, from: string, to: string): void {
    const text = fs.readFileSync(this.at(name), "utf8")
    if (!text.includes(from)) throw new Error(`${name} does not hold ${from}`)
    fs.writeFileSync(this.at(name), text.replaceAll(from, to))
  }

  start(...words: ReadonlyArray<string>): { readonly child: ChildProcess; readonly said: Promise<Said> } {
    const child = spawn(process.execPath, [command, ...words], { cwd: this.path, stdio: ["ignore", "pipe", "pipe"], timeout: this.limit, killSignal: "SIGKILL", env: { PATH: process.env["PATH"], NO_COLOR: "1" } })
    let out = "", err = ""
    child.stdout.on("data", (chunk: Buffer) => out += chunk.toString())
    child.stderr.on("data", (chunk: Buffer) => err += chunk.toString())
    return { child, said: new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err }))) }
  }

  outcrop(...words: ReadonlyArray<string>): Promise<Said> {
    return this.start(...words).said
  }

  /** What a command prints with --json; a run has one thread. */
  async json<A = Summary>(...words: ReadonlyArray<string>): Promise<A> {
    const { code, err, out } = await this.outcrop(...frugal(words), "--json")
    if (out === "") throw new Error(`it ended with ${code} and said: ${err}`)
    return JSON.parse(out) as A
  }

  /** How many nodes of each stage ran; stages of which none ran are left out. Throws where the run did not end well. */
  async ran(...words: ReadonlyArray<string>): Promise<Readonly<Record<string, number>>> {
    const { code, err, out } = await this.outcrop(...frugal(["run", ...words]), "--json")
    if (code !== 0) throw new Error(`it ended with ${code} and said: ${err}`)
    return ranOf(JSON.parse(out) as Summary)
  }

  /** Paths of all files below a folder of it. */
  files(name = "."): Array<string> {
    if (!fs.existsSync(this.at(name))) return []
    return fs.readdirSync(this.at(name), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  }

  /** The blobs of its cache: tables and vectors, or the pixels that ingest kept (a number each in these studies). */
  blobs(which: "tables" | "pixels"): Array<string> {
    return this.files(".outcrop/blobs").filter((file) => fs.statSync(file).size > 64 === (which === "tables"))
  }

  /** A folder of its own with the same files, cache included. */
  copy(): Folder {
    const twin = new Folder()
    fs.cpSync(this.path, twin.path, { recursive: true, preserveTimestamps: true })
    return twin
  }
}

export const ranOf = ({ stages }: Summary): Readonly<Record<string, number>> => Object.fromEntries(stages.filter(({ run }) => run > 0).map(({ run, stage }) => [stage, run]))

const samples = Array.from({ length: 9 }, (_, i) => `s${i},${i % 2 === 0 ? "deer" : "boar"},${i + 1}`).join("\n")

/** A small study with stages of the user's own: list, split, embed, classes, 3 rates of training on 2 folds, probe; 17 nodes. */
export const study = (): Folder => {
  const folder = new Folder({ "data/samples.csv": `${samples}\n` })
  fs.cpSync(here("fixtures/study"), folder.path, { recursive: true })
  return folder
}
