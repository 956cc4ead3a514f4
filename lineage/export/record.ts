/**
 * The documents of an export that a replay reads back: `outcrop.json`, what was asked for; `nodes.json`, what came of every node. Their
 * schemas are here, once for both sides.
 */
import * as Schema from "effect/Schema"
import { Output } from "../../cache/soundness.ts"

const Texts = Schema.Record(Schema.String, Schema.String)

/** `outcrop.json`: which cells of which pipeline. */
export const Asked = Schema.Struct({
  version: Schema.Literal(1),
  /** Version of outcrop that wrote the folder. */
  outcrop: Schema.String,
  /** Path of the YAML in the folder. */
  pipeline: Schema.String,
  picks: Schema.Record(Schema.String, Schema.Array(Schema.String)),
  stages: Schema.Array(Schema.String),
  set: Schema.Array(Schema.String),
  backend: Schema.NullOr(Schema.String),
  /** Whether files of the user's are read: then a replay needs their folder. */
  readsData: Schema.Boolean
})
export type Asked = typeof Asked.Type

const ExportedOutput = Schema.Struct({
  ...Output.fields,
  /** Paths of the table in the folder; null: it is not there, and `missing` says why. */
  parquet: Schema.NullOr(Schema.String),
  csv: Schema.NullOr(Schema.String),
  missing: Schema.NullOr(Schema.String)
})
export type NodeOutput = typeof ExportedOutput.Type

/** One node of `nodes.json`, in the order of the nodes of `lineage.json`. */
const NodeRecord = Schema.Struct({
  address: Schema.String,
  stage: Schema.String,
  uses: Schema.String,
  state: Schema.Literals(["done", "failed", "skipped", "lost"]),
  message: Schema.NullOr(Schema.String),
  key: Schema.NullOr(Schema.String),
  /** Path of the code in the folder; null: none was kept, or the stage is a program. */
  code: Schema.NullOr(Schema.String),
  /** Resolved parameters. */
  parameters: Schema.Unknown,
  /** The document whose digest is the key. */
  preimage: Schema.Unknown,
  outputs: Schema.Record(Schema.String, ExportedOutput),
  /** Digests of the files that an ingest stage met, by path below the data root. */
  trace: Schema.NullOr(Texts),
  handed: Schema.Unknown,
  notices: Schema.Array(Schema.String),
  started: Schema.NullOr(Schema.String),
  seconds: Schema.NullOr(Schema.Finite),
  host: Schema.NullOr(Schema.String),
  node: Schema.NullOr(Schema.String)
})
export type NodeRecord = typeof NodeRecord.Type

export const Nodes = Schema.Struct({ version: Schema.Literal(1), nodes: Schema.Array(NodeRecord) })

/** `lineage.json` (see `engine/graph.ts`). */
export const Lineage = Schema.Struct({
  version: Schema.Literal(1),
  axes: Schema.Array(Schema.Struct({ name: Schema.String, replicate: Schema.Boolean, labels: Schema.Array(Schema.String) })),
  codes: Schema.Array(Schema.Finite),
  cells: Schema.Finite,
  nodes: Schema.Array(Schema.Struct({
    stage: Schema.String,
    address: Schema.String,
    uses: Schema.String,
    key: Schema.NullOr(Schema.String),
    up: Schema.Array(Schema.Tuple([Schema.String, Schema.Finite, Schema.String]))
  })),
  of: Schema.Record(Schema.String, Schema.Array(Schema.Finite))
})
