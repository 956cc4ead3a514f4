/**
 * The history of runs: what was asked, what ran, of which code, where and how long. A run is written down when it begins to work and again
 * when it ends; one that a crash cut off stays as "running" and is told as such. Deleting a pipeline file forgets nothing of this.
 */
import { execFile } from "node:child_process"
import { hash, randomBytes } from "node:crypto"
import { hostname } from "node:os"
import { promisify } from "node:util"
import { gunzipSync, gzipSync } from "node:zlib"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Cache } from "../cache/cache.ts"
import type { Graph } from "./graph.ts"

const Run = Schema.Struct({
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

/** The state of the repository that a folder is in. */
export const gitState = async (folder: string): Promise<Run["git"]> => {
  const git = async (...words: ReadonlyArray<string>) => (await promisify(execFile)("git", ["-C", folder, ...words], { timeout: 5000 })).stdout.trim()
  return await Promise.all([git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")]).then(([commit, changes]) => ({ commit, dirty: changes !== "" }), () => null)
}

/** Writes a run down, in the place of what was written of it before. */
export const putRun = ({ store }: Cache, run: Omit<Run, "version" | "host">): void => store.putDocument("runs", run.id, JSON.stringify({ version: 1, ...run, host: hostname() } satisfies Run))

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
  const text = gunzipSync(Buffer.from(kept, "base64")).toString("utf8")
  return hash("sha256", text, "hex") === digest ? JSON.parse(text) as Graph : undefined
}

/** All runs that can be read, the oldest first, and how many cannot. */
export const runs = ({ store }: Cache): { readonly runs: ReadonlyArray<Run>; readonly unreadable: number } => {
  const read = store.documents("runs").toSorted().map((id) => {
    const text = store.document("runs", id)
    return text === undefined ? Option.none() : Schema.decodeUnknownOption(Schema.fromJsonString(Run))(text)
  })
  const known = read.flatMap(Option.toArray)
  return { runs: known, unreadable: read.length - known.length }
}
