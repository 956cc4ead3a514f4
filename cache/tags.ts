/** Tags: names for results, so that they stay in the cache whatever becomes of the pipeline that made them. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Store } from "./store.ts"

const Tag = Schema.Struct({
  version: Schema.Literal(1),
  name: Schema.String,
  /** UTC. */
  made: Schema.String,
  /** The words after `outcrop`. */
  asked: Schema.Array(Schema.String),
  /** Digest of the graph that explains the results. */
  graph: Schema.String,
  keys: Schema.Array(Schema.String)
})
export type Tag = typeof Tag.Type

/** Letters, digits, dots, dashes and underscores, of which the first is a letter or a digit. */
export const isTagName = (name: string): boolean => /^[A-Za-z0-9][\w.-]{0,99}$/.test(name)

/** Writes a tag, in the place of what bore its name. */
export const putTag = (store: Store, tag: Omit<Tag, "version">): void => store.putDocument("tags", tag.name, JSON.stringify({ version: 1, ...tag } satisfies Tag))

/** The tag in a document; `undefined` where it is none. */
export const readTag = (text: string): Tag | undefined => Option.getOrUndefined(Schema.decodeUnknownOption(Schema.fromJsonString(Tag))(text))

/** The tag of a name; `undefined` where there is none, or it is damaged. */
export const tagAt = (store: Store, name: string): Tag | undefined => {
  const text = store.document("tags", name)
  return text === undefined ? undefined : readTag(text)
}

/** All tags that can be read, by name, and the names of those that cannot. */
export const tags = (store: Store): { readonly tags: ReadonlyArray<Tag>; readonly unreadable: ReadonlyArray<string> } => {
  const names = store.documents("tags").toSorted(), found = names.map((name) => tagAt(store, name))
  return { tags: found.filter((tag) => tag !== undefined), unreadable: names.filter((_, i) => found[i] === undefined) }
}
