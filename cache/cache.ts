/** A cache: its store and its index, opened together. */
import { Index } from "./index.ts"
import { restoreSegments } from "./segments.ts"
import { Store } from "./store.ts"

export interface Cache {
  readonly store: Store
  readonly index: Index
}

/** Opens the cache in a folder, making it where there is none; an index that was lost is filled from the store. Throws `CacheError`. */
export const openCache = (root: string): Cache => {
  const store = Store.open(root)
  const index = Index.open(store, (empty) => {
    for (const key of store.documents("actions")) {
      const action = empty.action(key)
      if (action !== undefined) empty.record(action)
    }
    restoreSegments(store, empty)
  })
  return { store, index }
}
