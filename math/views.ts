/** Which of a sample's embeddings a probe reads, where the table holds several views of it. */
import type { Vectors } from "../schemas/column.ts"
import type { Matrix } from "./matrix.ts"

interface Embedded {
  readonly sample_id: ReadonlyArray<string>
  readonly view: ReadonlyArray<string>
  readonly embedding: Vectors
}

/**
 * One row a sample, in the order of `ids` (ascending, as the table's): the view "full", or the only view there is. A copy only where
 * there are several. Throws a RangeError that names the views where none is "full", and the first sample that lacks the view.
 */
export const oneView = ({ embedding, sample_id, view }: Embedded, ids: ReadonlyArray<string>): Matrix => {
  const views = new Set(view)
  if (views.size > 1 && !views.has("full")) {
    throw new RangeError(`the embeddings have the views ${[...views].join(", ")} and none is "full": a probe reads one row a sample; embed the full view too`)
  }
  const rows = views.size > 1 ? Int32Array.from(view.keys()).filter((row) => view[row] === "full") : Int32Array.from(view.keys())
  for (const [i, id] of ids.entries()) {
    if (rows[i] === undefined || sample_id[rows[i]] !== id) throw new RangeError(`sample ${id} has no embedding${views.size > 1 ? " of the view full" : ""}`)
  }
  const { values, width } = embedding
  if (rows.length === view.length) return { rows: rows.length, columns: width, values }
  const taken = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries()) taken.set(values.subarray(row * width, (row + 1) * width), i * width)
  return { rows: rows.length, columns: width, values: taken }
}
