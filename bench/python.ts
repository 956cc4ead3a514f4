/**
 * Peers in Python. The interpreter is OUTCROP_BENCH_PYTHON, else `python3` on the PATH. A peer script stays up for a whole subject and is told
 * over stdin what to run, one line of JSON a call, so that rounds interleave with ours and nobody pays for imports; `peers/server.py` is its
 * other end. Peers run on one thread, with a malloc that keeps its pages (1.2x for torch on small batches).
 */
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { createInterface } from "node:readline"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export interface Python {
  readonly command: string
  /** Its own and its modules' versions, by import name; modules that it lacks are not there. */
  readonly versions: Readonly<Record<string, string>>
}

/** Answers of a peer: its seconds, and what else the case returns. */
export type Answer = { readonly seconds: number } & Readonly<Record<string, unknown>>

export interface Peer {
  /** Runs a case with its parameters (keyword arguments there). Rejects with the peer's own error. */
  readonly call: (name: string, parameters?: Readonly<Record<string, unknown>>) => Promise<Answer>
  /** The seconds alone. */
  readonly seconds: (name: string, parameters?: Readonly<Record<string, unknown>>) => Promise<number>
  readonly close: () => void
}

const folder = join(dirname(fileURLToPath(import.meta.url)), "peers")
/** Import names, and the packages that they come from where those are called otherwise. */
const modules: Readonly<Record<string, string>> = { torch: "torch", numpy: "numpy", scipy: "scipy", sklearn: "scikit-learn", faiss: "faiss-cpu", onnx: "onnx", onnxruntime: "onnxruntime", timm: "timm", doit: "doit", snakemake: "snakemake" }

/** The environment of everything that is measured in Python: one thread, pages kept, nothing written beside the scripts. */
export const environment = {
  OMP_NUM_THREADS: "1",
  OPENBLAS_NUM_THREADS: "1",
  MKL_NUM_THREADS: "1",
  MALLOC_TRIM_THRESHOLD_: "1000000000",
  MALLOC_MMAP_THRESHOLD_: "33554432",
  PYTHONDONTWRITEBYTECODE: "1"
}

const versionsOf = `
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for module, package in json.loads(sys.argv[1]).items():
    try: found[module] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError: pass
print(json.dumps(found))
`

/** The Python of the bench; `undefined` where there is none. */
export const findPython = (): Python | undefined => {
  const command = process.env["OUTCROP_BENCH_PYTHON"] ?? "python3"
  const { status, stdout } = spawnSync(command, ["-c", versionsOf, JSON.stringify(modules)], { encoding: "utf8" })
  return status === 0 ? { command, versions: JSON.parse(stdout) as Record<string, string> } : undefined
}

/** A program that came with the Python of the bench (doit, snakemake), else one on the PATH; `undefined`: neither. */
export const findProgram = (name: string): string | undefined => {
  const python = process.env["OUTCROP_BENCH_PYTHON"]
  const beside = python === undefined ? undefined : join(dirname(python), name)
  if (beside !== undefined && fs.existsSync(beside)) return beside
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0 ? name : undefined
}

/** What a Python lacks of the modules asked for, as the packages are called. */
export const lacking = ({ versions }: Python, asked: ReadonlyArray<string>): ReadonlyArray<string> =>
  asked.filter((module) => !(module in versions)).map((module) => modules[module] ?? module)

/** Starts a script of `peers/` and leaves it running until it is closed. */
export const startPeer = ({ command }: Python, script: string): Peer => {
  const child = spawn(command, [join(folder, script)], { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...environment } })
  const waiting: Array<{ readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void }> = []
  let said = "", over: Error | undefined
  child.stderr.on("data", (text) => said = `${said}${String(text)}`.slice(-2000))
  const end = (why: string) => {
    // Python says what is wrong in the last line of its traceback.
    const last = said.trim().split("\n").at(-1)!
    over ??= new Error(`${script} ${why}${last === "" ? "" : `: ${last}`}`)
    for (const { reject } of waiting.splice(0)) reject(over)
  }
  child.on("error", (cause) => end(cause.message))
  child.on("close", (code) => end(`ended with ${code ?? "a signal"}`))
  child.stdin.on("error", () => end("does not listen"))
  createInterface({ input: child.stdout }).on("line", (line) => {
    const call = waiting.shift(), answer = JSON.parse(line) as Answer & { readonly error?: string }
    if (answer.error === undefined) call?.resolve(answer)
    else call?.reject(new Error(`${script}: ${answer.error}`))
  })
  const call: Peer["call"] = (name, parameters = {}) =>
    over !== undefined ? Promise.reject(over) : new Promise((resolve, reject) => {
      waiting.push({ resolve, reject })
      child.stdin.write(`${JSON.stringify({ run: name, with: parameters })}\n`)
    })
  return { call, seconds: async (name, parameters) => (await call(name, parameters)).seconds, close: () => child.kill() }
}
