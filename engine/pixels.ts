import { Corrupt } from "../cache/error.ts"
import type { Store } from "../cache/store.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"

/** Takes every damaged picture of a collection out of the store, so that the ingest that runs again makes them all anew. */
export const discardDamagedPixels = (store: Store, samples: Table): void => {
  const assets = samples.columns.get("assets")!.column as ColumnTypes["assets"]
  for (const { digest, path } of assets.flat()) {
    if (!path.startsWith("cache:")) continue
    try {
      store.blob(digest)
    } catch (cause) {
      if (!(cause instanceof Corrupt)) throw cause
    }
  }
}
