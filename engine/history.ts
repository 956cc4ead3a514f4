/**
 * The history of runs: what was asked, what ran, of which code, where and how long. A run is written down when it begins to work and again
 * when it ends; one that a crash cut off stays as "running" and is told as such. Deleting a pipeline file forgets nothing of this.
 */
import { execFile } from "node:child_process"
import { hash, randomBytes } from "node:crypto"
import * as fs from "node:fs"
import { hostname, uptime } from "node:os"
import { basename, relative, resolve } from "node:path"
import { promisify } from "node:util"
import { gunzipSync, gzipSync } from "node:zlib"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Action } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import { suggest } from "../schemas/spelling.ts"
import type { Graph } from "./graph.ts"

export const Run = Schema.Struct({
  version: Schema.Literal(1),
  id: Schema.String,
  state: Schema.Literals(["running", "done", "failed", "interrupted"]),
  /** UTC. */
  started: Schema.String,
  seconds: Schema.Finite,
  /** The words after `outcrop`. */
  asked: Schema.Array(Schema.String),
  pipeline: Schema.Struct({ name: Schema.String, file: Schema.String, text: Schema.String }),
  dataRoot: Schema.String,
  /** The commit that the pipeline's folder was at, and whether anything differed from it; null: no repository. */
  git: Schema.NullOr(Schema.Struct({ commit: Schema.String, dirty: Schema.Boolean })),
  host: Schema.String,
  /** The process that ran it. */
  pid: Schema.Finite,
  versions: Schema.Record(Schema.String, Schema.String),
  /** Digest of the graph. */
  graph: Schema.NullOr(Schema.String),
  nodes: Schema.Struct({ total: Schema.Finite, run: Schema.Finite, cached: Schema.Finite, failed: Schema.Finite }),
  cells: Schema.Finite,
  embedded: Schema.Finite,
  failures: Schema.Array(Schema.Struct({ address: Schema.String, message: Schema.String }))
})
export type Run = typeof Run.Type

/** A name for a run that begins now: sorts by time, and two that begin at once differ. */
export const runId = (now: Date): string => `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")}-${randomBytes(2).toString("hex")}`

/** The state of the repository that a folder is in. Files that results rest on and that no commit could hold, as it does not know them, count as a difference. */
export const gitState = async (folder: string, files: ReadonlyArray<string> = []): Promise<Run["git"]> => {
  const git = async (...words: ReadonlyArray<string>) => (await promisify(execFile)("git", ["-C", folder, "--literal-pathspecs", ...words], { timeout: 5000 })).stdout.trim()
  const unknownOf = (files: ReadonlyArray<string>) => files.length === 0 ? Promise.resolve("") : git("ls-files", "--others", "--", ...files)
  // git refuses to be asked of what lies outside of the repository
  const inside = async () => {
    const top = await git("rev-parse", "--show-toplevel")
    return unknownOf(files.map((file) => fs.existsSync(file) ? fs.realpathSync(file) : file).filter((file) => !relative(top, file).startsWith("..")))
  }
  return await Promise.all([git("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=no"), unknownOf(files).catch(inside)]).then(([status, unknown]) => {
    const commit = /^# branch\.oid ([0-9a-f]+)$/m.exec(status)?.[1]
    return commit === undefined ? null : { commit, dirty: /^[^#]/m.test(status) || unknown !== "" }
  }, () => null)
}

/** Writes a run down, in the place of what was written of it before. */
export const putRun = ({ store }: Cache, run: Omit<Run, "version" | "host" | "pid">): void =>
  store.putDocument("runs", run.id, JSON.stringify({ version: 1, ...run, host: hostname(), pid: process.pid } satisfies Run))

/** Keeps a graph; gives its digest. */
export const putGraph = ({ store }: Cache, graph: Graph): string => {
  const text = JSON.stringify(graph), digest = hash("sha256", text, "hex")
  if (store.document("graphs", digest) === undefined) store.putDocument("graphs", digest, gzipSync(text, { level: 4 }).toString("base64"))
  return digest
}

/** The graph of a run; undefined where it is lost or damaged. */
export const graphAt = ({ store }: Cache, digest: string): Graph | undefined => {
  const kept = store.document("graphs", digest)
  if (kept === undefined) return undefined
  // the graph of a large grid has megabytes
  const text = gunzipSync(Buffer.from(kept, "base64"), { chunkSize: 1 << 22 })
  return hash("sha256", text, "hex") === digest ? JSON.parse(text.toString("utf8")) as Graph : undefined
}

/** All runs that can be read, the oldest first, and the ids of those that cannot. */
export const runs = ({ store }: Cache): { readonly runs: ReadonlyArray<Run>; readonly unreadable: ReadonlyArray<string> } => {
  const known: Array<Run> = [], unreadable: Array<string> = []
  for (const id of store.documents("runs").toSorted()) {
    const text = store.document("runs", id)
    const read = text === undefined ? Option.none() : Schema.decodeUnknownOption(Schema.fromJsonString(Run))(text)
    if (Option.isSome(read)) known.push(read.value)
    else unreadable.push(id)
  }
  return { runs: known.toSorted((a, b) => a.started < b.started ? -1 : a.started > b.started ? 1 : 0), unreadable }
}

/** Tells an index that knows nothing of a pipeline, because it was made anew, which keys its nodes had in the runs on record. */
export const restoreAddresses = (cache: Cache, pipeline: string): void => {
  if (cache.index.knows(pipeline)) return
  for (const run of runs(cache).runs) {
    const graph = run.pipeline.name === pipeline && run.graph !== null ? graphAt(cache, run.graph) : undefined
    if (graph !== undefined) cache.index.putAddresses(pipeline, graph.nodes.flatMap(({ address, key }) => key === null ? [] : [[address, key] as const]))
  }
}

/** A process of this machine that is there; the number of one that ended before the machine was started may be another's by now. */
const alive = ({ pid, started }: Run): boolean => {
  if (Date.parse(started) < Date.now() - uptime() * 1000) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** How a run stands. One that was never written down as ended and whose process is gone was cut off; of another machine's that cannot be told. */
export const stateOf = (run: Run): Run["state"] | "cut off" => run.state === "running" && run.host === hostname() && !alive(run) ? "cut off" : run.state

/**
 * The runs that came to their end of the pipeline in a file, of a cache that several may share: those of the names that it had, also where its folder
 * lay elsewhere then. All that came to their end, where none is this one's.
 */
export const runsOf = (all: ReadonlyArray<Run>, file: string): ReadonlyArray<Run> => {
  const ended = all.filter(({ graph }) => graph !== null), path = resolve(file)
  const names = new Set(ended.flatMap(({ pipeline }) => pipeline.file === path ? [pipeline.name] : []))
  const own = ended.filter(({ pipeline }) => pipeline.file === path || basename(pipeline.file) === basename(path) && (names.size === 0 || names.has(pipeline.name)))
  return own.length > 0 ? own : ended
}

/** The run of an id, or of the beginning of one; "last" is the newest, "last~2" the second before it. A text says why there is none. */
export const runNamed = (all: ReadonlyArray<Run>, name: string): Run | string => {
  if (all.length === 0) return "no run is on record in this cache"
  const back = /^last(?:~(\d+))?$/.exec(name)
  if (back !== null) return all.at(-1 - Number(back[1] ?? 0)) ?? `there is no ${name}: ${all.length} runs are on record, the oldest is last~${all.length - 1}`
  const found = all.filter(({ id }) => id.startsWith(name))
  if (found.length === 1) return found[0]!
  if (found.length > 1) return `${found.length} runs begin with "${name}": ${found.slice(0, 10).map(({ id }) => id).join(", ")}${found.length > 10 ? ", ..." : ""}`
  return `there is no run "${name}"${suggest(name, all.map(({ id }) => id))}; the last is ${all.at(-1)!.id} ("outcrop status --runs" lists all)`
}

/**
 * Tells which run made a result: the one that was under way on its machine when the work began and, where several were, came to its key. Ends that were
 * not written down leave only the beginning: the newest of those is told. Several, where two runs of one pipeline worked side by side; none
 * for what is older than the history or came from another cache.
 */
export const makers = (cache: Cache, all: ReadonlyArray<Run>): (action: Pick<Action, "key" | "started" | "host">) => ReadonlyArray<Run> => {
  const keys = new Map<string, ReadonlySet<string | null>>()
  const cameTo = (digest: string, key: string): boolean => {
    let known = keys.get(digest)
    if (known === undefined) {
      known = new Set(graphAt(cache, digest)?.nodes.map((node) => node.key))
      keys.set(digest, known)
    }
    return known.has(key)
  }
  const spans = all.map((run) => ({ run, from: Date.parse(run.started), to: run.state === "running" ? Infinity : Date.parse(run.started) + run.seconds * 1000 }))
  return ({ host, key, started }) => {
    const at = Date.parse(started)
    const under = spans.filter(({ from, run, to }) => run.host === host && from <= at && at <= to).map(({ run }) => run)
    if (under.length < 2) return under
    const sure = under.filter(({ graph }) => graph !== null && cameTo(graph, key))
    return sure.length > 0 ? sure : under.filter(({ graph }) => graph === null).slice(-1)
  }
}
