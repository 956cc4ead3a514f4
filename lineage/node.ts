/** What the cache holds of one node of a graph: what it was asked, on which code and inputs, what came out, and how it went. */
import type { Action, Handed, Output } from "../cache/action.ts"
import type { Document } from "../cache/canonical.ts"
import type { Graph } from "../engine/graph.ts"
import type { Run } from "../engine/history.ts"

/** A table that a node gave. */
export interface Given {
  readonly table: string
  readonly rows: number
  /** SHA-256 of the Arrow IPC file. */
  readonly blob: string
  readonly bytes: number
  /** Digest of the content of each column. */
  readonly columns: Readonly<Record<string, string>>
  /** Its bytes are gone from the cache. */
  readonly lost: boolean
}

/** What of the key's document stands behind a port. */
export interface Taken {
  readonly port: string
  readonly node: number
  readonly output: string
  readonly rows: number
  /** Digests of the columns that were read. */
  readonly columns: Readonly<Record<string, string>>
}

export interface Result {
  readonly with: Readonly<Record<string, Document>>
  readonly version: Document
  readonly code: Document
  /** The numeric engine of a training. */
  readonly backend: string | null
  readonly took: ReadonlyArray<Taken>
  readonly gave: Readonly<Record<string, Given>>
  readonly handed: Handed | null
  /** What ingest met: digests of files, folders, absences. */
  readonly files: Readonly<Record<string, string>>
  readonly notices: ReadonlyArray<string>
  readonly started: string
  readonly seconds: number
  readonly host: string
  readonly runtime: string
  /** When the same key gave something else before, in UTC. */
  readonly earlier: ReadonlyArray<string>
  /** Ids of the runs that made it. */
  readonly runs: ReadonlyArray<string>
}

/** A node as lineage tells it. */
export interface Told {
  readonly node: number
  readonly stage: string
  readonly address: string
  readonly uses: string
  readonly key: string | null
  /** Null: it has none, or its record is lost. */
  readonly result: Result | null
}

type Mapping = Readonly<Record<string, Document | undefined>>
const isMapping = (value: Document | undefined): value is Mapping => typeof value === "object" && value !== null && !Array.isArray(value)
export const mapping = (value: Document | undefined): Mapping => isMapping(value) ? value : {}
const texts = (value: Document | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(mapping(value)).flatMap(([name, text]) => typeof text === "string" ? [[name, text]] : []))

export interface Records {
  readonly action: (key: string) => Action | undefined
  /** Whether an output's bytes are there. */
  readonly there: (output: Output) => boolean
  readonly makers: (action: Action) => ReadonlyArray<Run>
}

const resultOf = (action: Action, up: Graph["nodes"][number]["up"], { makers, there }: Records): Result => {
  const preimage = mapping(action.preimage), ports = mapping(preimage["ports"]), backend = preimage["backend"]
  return {
    with: Object.fromEntries(Object.entries(mapping(preimage["with"])).map(([name, value]) => [name, value ?? null])),
    version: preimage["version"] ?? null,
    code: preimage["code"] ?? null,
    backend: typeof backend === "string" ? backend : null,
    took: up.map(([port, node, output]) => {
      const read = mapping(ports[port])
      return { port, node, output, rows: Number(read["rows"] ?? 0), columns: texts(read["columns"]) }
    }),
    gave: Object.fromEntries(Object.entries(action.outputs).map(([name, output]) => [name, {
      table: output.table,
      rows: output.rows,
      blob: output.blob,
      bytes: output.bytes,
      columns: Object.fromEntries(Object.entries(output.columns).map(([column, { digest }]) => [column, digest])),
      lost: !there(output)
    }])),
    handed: action.handed ?? null,
    files: action.trace ?? {},
    notices: action.notices,
    started: action.started,
    seconds: action.seconds,
    host: action.host,
    runtime: action.node,
    earlier: (action.earlier ?? []).map(({ started }) => started),
    runs: makers(action).map(({ id }) => id)
  }
}

/** What is told of a node. */
export const tell = ({ nodes }: Graph, node: number, records: Records): Told => {
  const { address, key, stage, up, uses } = nodes[node]!, action = key === null ? undefined : records.action(key)
  return { node, stage, address, uses, key, result: action === undefined ? null : resultOf(action, up, records) }
}

/** The digest of the code, whole: its closure's, or those of a command's sources. */
export const closureOf = (code: Document): ReadonlyArray<string> => {
  const { closure, sources } = mapping(code)
  return typeof closure === "string" ? [closure] : Object.values(texts(sources))
}
