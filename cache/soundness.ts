/**
 * Whether a document is the record of a result that it claims to be: of the right shape, under the digest of its pre-image, with the bytes
 * that its digests name. Whether its numbers are true is another question, which only running it again answers.
 */
import { hash } from "node:crypto"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Action } from "./action.ts"
import { canonical, digestOf, type Document } from "./canonical.ts"

/** What blobs, keys and documents are named by. */
export const isDigest = (text: string): boolean => /^[0-9a-f]{64}$/.test(text)

const Texts = Schema.Record(Schema.String, Schema.String)
/** One table that a node gave, as documents hold it. */
export const Output = Schema.Struct({
  table: Schema.String,
  rows: Schema.Finite,
  columns: Schema.Record(Schema.String, Schema.Struct({ kind: Schema.String, digest: Schema.String })),
  metadata: Texts,
  blob: Schema.String.check(Schema.makeFilter(isDigest)),
  bytes: Schema.Finite,
  kept: Schema.Literals(["inline", "blob", "rows"])
})
const Shape = Schema.Struct({
  version: Schema.Literal(1),
  key: Schema.String,
  identity: Schema.String,
  uses: Schema.String,
  preimage: Schema.Record(Schema.String, Schema.Unknown),
  outputs: Schema.Record(Schema.String, Output),
  inline: Texts,
  notices: Schema.Array(Schema.String),
  trace: Schema.optionalKey(Texts),
  staticKey: Schema.optionalKey(Schema.String),
  started: Schema.String,
  seconds: Schema.Finite,
  host: Schema.String,
  node: Schema.String
})
const hasShape = Schema.is(Shape)

/** The action that a document holds, or what is wrong with it. */
export const readAction = (key: string, text: string): Action | { readonly problem: string } => {
  const parsed = Option.liftThrowable((text: string) => JSON.parse(text) as unknown)(text)
  if (Option.isNone(parsed) || !hasShape(parsed.value)) return { problem: "it is no record of a result" }
  const action = parsed.value as unknown as Action
  if (action.key !== key || digestOf("key", action.preimage) !== key) return { problem: "its key is not the digest of its pre-image" }
  if (action.staticKey !== undefined) {
    const { files, ...known } = action.preimage as Readonly<Record<string, Document>>
    if (digestOf("static", known) !== action.staticKey || canonical(files ?? null) !== canonical(action.trace ?? null)) return { problem: "the files that it met are not those of its pre-image" }
  }
  for (const [name, { blob, kept }] of Object.entries(action.outputs)) {
    if (kept === "inline" && hash("sha256", Buffer.from(action.inline[blob] ?? "", "base64"), "hex") !== blob) return { problem: `the table of its output "${name}" is not what it was` }
  }
  return action
}
