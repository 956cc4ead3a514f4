/** A cache: its store and its index, opened together. */
import * as fs from "node:fs"
import { join } from "node:path"
import { Index } from "./index.ts"
import { share } from "./lock.ts"
import { restoreSegments } from "./segments.ts"
import { Store } from "./store.ts"

export interface Cache {
  readonly store: Store
  readonly index: Index
  readonly close: () => void
}

/** Whether a folder is a cache, of whatever format. */
export const isCache = (folder: string): boolean => fs.existsSync(join(folder, "format"))

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
