/** What the documents of the history name, for what checks a cache or takes one over: runs name graphs, graphs name results. */
import { hash } from "node:crypto"
import { gunzipSync } from "node:zlib"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Reader } from "../cache/verify.ts"
import type { Graph } from "../engine/graph.ts"
import { Run } from "../engine/history.ts"

/** Bytes of a graph; one of 100,000 nodes has 30 MB. */
const mostGraph = 1 << 29

const Index = Schema.Int
const GraphShape = Schema.Struct({
  version: Schema.Literal(1),
  axes: Schema.Array(Schema.Struct({ name: Schema.String, replicate: Schema.Boolean, labels: Schema.Array(Schema.String) })),
  codes: Schema.Array(Index),
  cells: Index,
  nodes: Schema.Array(Schema.Struct({ stage: Schema.String, address: Schema.String, uses: Schema.String, key: Schema.NullOr(Schema.String), up: Schema.Array(Schema.Tuple([Schema.String, Index, Schema.String])) })),
  of: Schema.Record(Schema.String, Schema.Array(Index))
})
const isGraph = Schema.is(GraphShape)

/** Every index within its list, upstream before downstream. */
const isSound = ({ axes, cells, codes, nodes, of }: typeof GraphShape.Type): boolean =>
  codes.length === cells * axes.length && codes.every((code, i) => code >= -1 && code < axes[i % axes.length]!.labels.length) &&
  nodes.every(({ up }, i) => up.every(([, node]) => node >= 0 && node < i)) &&
  Object.values(of).every((list) => list.length === cells && list.every((node) => node >= 0 && node < nodes.length))

const graphIn = (name: string, text: string): Graph | undefined => {
  try {
    const json = gunzipSync(Buffer.from(text, "base64"), { maxOutputLength: mostGraph }).toString("utf8")
    const graph: unknown = hash("sha256", json, "hex") === name ? JSON.parse(json) : undefined
    return isGraph(graph) && isSound(graph) ? graph : undefined
  } catch {
    return undefined
  }
}

const decodeRun = Schema.decodeUnknownOption(Schema.fromJsonString(Run))

export const readers: Readonly<Record<"graphs" | "runs", Reader>> = {
  graphs: (name, text) => {
    const graph = graphIn(name, text)
    return graph === undefined ? { problem: "it is no graph of a run" } : { results: graph.nodes.flatMap(({ key }) => key ?? []), graph: undefined }
  },
  runs: (name, text) => {
    const run = Option.getOrUndefined(decodeRun(text))
    return run?.id !== name ? { problem: "it is no record of a run" } : { results: [], graph: run.graph ?? undefined }
  }
}

/** The keys of what the cells of a graph came to. */
export const keysOf = ({ nodes, of }: Graph): ReadonlyArray<string> => {
  const reached = new Set(Object.values(of).flat())
  for (let i = nodes.length - 1; i >= 0; i--) if (reached.has(i)) for (const [, up] of nodes[i]!.up) reached.add(up)
  return [...new Set([...reached].flatMap((i) => nodes[i]!.key ?? []))]
}
