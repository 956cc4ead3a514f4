/** What is finished of a pipeline, read from the cache without running anything. */
import { plan } from "../engine/plan.ts"
import { Tables } from "../engine/tables.ts"
import type { Finished } from "../report/finished.ts"
import type { Session } from "./session.ts"

export const finishedOf = ({ backend, cache, grid }: Session): Finished & { readonly missing: number } => {
  const { nodes } = plan({ grid, cache, force: new Set(), rehash: false, backend })
  return {
    grid,
    tables: new Tables(cache, 1 << 28),
    keys: nodes.map(({ key }) => key),
    outputs: nodes.map(({ entry }) => entry),
    missing: nodes.filter(({ entry }) => entry === undefined).length
  }
}
