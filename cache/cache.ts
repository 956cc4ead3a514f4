/** A cache: its store and its index, opened together. */
import { Index } from "./index.ts"
import { share } from "./lock.ts"
import { restoreSegments } from "./segments.ts"
import { Store } from "./store.ts"

export interface Cache {
  readonly store: Store
  readonly index: Index
  readonly close: () => void
}

/**
 * Opens the cache in a folder, making it where there is none; an index that was lost is filled from the store. Nothing is taken away from it
 * until it is closed, or the process ends. Throws `CacheError`.
 */
export const openCache = (root: string): Cache => {
  const store = Store.open(root)
  const lock = share(root)
  const index = Index.open(store, (empty) => {
    for (const key of store.documents("actions")) {
      const action = empty.action(key)
      if (action !== undefined) empty.record(action)
    }
    restoreSegments(store, empty)
  })
  const close = () => {
    index.close()
    lock.release()
  }
  return { store, index, close }
}
