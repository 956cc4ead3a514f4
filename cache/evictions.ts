/**
 * What was taken out of a cache, when and why, so that what is absent can be told from what never was. It is written before anything goes: a
 * kill between the two leaves things that are both on record and there, and what is there counts.
 */
import { randomBytes } from "node:crypto"
import type { Store } from "./store.ts"

export interface Eviction {
  readonly version: 1
  /** UTC. */
  readonly at: string
  readonly by: "gc" | "verify"
  /** In words, for people. */
  readonly why: string
  /** Keys of results, digests of graphs and blobs. */
  readonly removed: ReadonlyArray<string>
}

/** Puts a removal on record. */
export const putEviction = (store: Store, eviction: Omit<Eviction, "version" | "at">): void => {
  const at = new Date().toISOString()
  store.putDocument("evictions", `${at.replaceAll(/[-:.TZ]/g, "")}${randomBytes(2).toString("hex")}`, JSON.stringify({ version: 1, at, ...eviction } satisfies Eviction))
}

/** The last removal of everything that was ever removed. */
export const evictions = (store: Store): ReadonlyMap<string, Eviction> => {
  const found = new Map<string, Eviction>()
  for (const name of store.documents("evictions").toSorted()) {
    const text = store.document("evictions", name)
    if (text === undefined) continue
    const eviction = JSON.parse(text) as Eviction
    for (const name of eviction.removed) found.set(name, eviction)
  }
  return found
}
