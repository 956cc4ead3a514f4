/** Why something that is on record is not there: who took it away and when, or that nobody is known to have. */
import { evictions } from "../cache/evictions.ts"
import type { Store } from "../cache/store.ts"

/** To be said after the name of what is gone: "was removed by gc on 2026-11-21" or "is lost from the cache". */
export const lossOf = (store: Store, name: string): string => {
  const eviction = evictions(store).get(name)
  return eviction === undefined ? "is lost from the cache" : `was removed by ${eviction.by === "gc" ? "gc" : "verify --repair"} on ${eviction.at.slice(0, 10)}`
}
