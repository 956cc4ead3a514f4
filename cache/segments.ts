/**
 * Embeddings row by row. A segment is a blob with some rows' vectors and, in a document beside it, the rows' keys; the index says where a
 * row lies. An embeddings table is a list of places in segments, so a vector is stored once however many tables hold it.
 */
import { hash } from "node:crypto"
import type { Vectors } from "../schemas/column.ts"
import { column, table } from "../schemas/table.ts"
import { Corrupt } from "./error.ts"
import type { Index, RowPlace } from "./index.ts"
import type { Store } from "./store.ts"

/** How an embeddings table is kept: where each of its rows lies. */
export const Places = table({
  name: "places",
  description: "an embeddings table as places of its rows in segments",
  key: [],
  columns: {
    sample_id: column("text", "sample"),
    view: column("text", "view"),
    segment: column("text", "SHA-256 of the blob that holds the vector"),
    position: column("integer", "row in that blob")
  }
})

/** The key of one row: what its vector depends on. `embedder` covers code, parameters, engine and learned state; `row` the pixels. */
export const rowKey = (embedder: string, row: string): Uint8Array => hash("sha256", `outcrop row 1\n${embedder}\n${row}`, "buffer")

/** Keeps the vectors of some rows: first the blob, then the document, then the index, so a kill between leaves nothing half. */
export const keepSegment = (store: Store, index: Index, keys: ReadonlyArray<Uint8Array>, vectors: Vectors): string => {
  const bytes = new Uint8Array(vectors.values.buffer, vectors.values.byteOffset, vectors.values.byteLength)
  const blob = store.putBlob(bytes)
  store.putDocument("segments", blob, JSON.stringify({ width: vectors.width, keys: keys.map((key) => Buffer.from(key).toString("hex")) }))
  index.addSegment(blob, vectors.width, keys)
  return blob
}

/** Enters every segment of the store into an index that was lost. */
export const restoreSegments = (store: Store, index: Index): void => {
  for (const blob of store.documents("segments")) {
    const text = store.document("segments", blob)
    if (text === undefined || !store.hasBlob(blob)) continue
    const { keys, width } = JSON.parse(text) as { readonly width: number; readonly keys: ReadonlyArray<string> }
    index.addSegment(blob, width, keys.map((key) => Buffer.from(key, "hex")))
  }
}

/**
 * The vectors at the given places, in shared memory. `undefined` where a segment is lost or damaged: its rows are forgotten then, and the
 * caller embeds them again.
 */
export const gather = (store: Store, index: Index, places: ReadonlyArray<RowPlace>): Vectors | undefined => {
  const bySegment = new Map<string, Array<number>>()
  places.forEach(({ segment }, row) => {
    const rows = bySegment.get(segment)
    if (rows === undefined) bySegment.set(segment, [row])
    else rows.push(row)
  })
  let width = 0, values: Float32Array = new Float32Array(0), lost = false
  for (const [segment, rows] of bySegment) {
    let bytes: Uint8Array | undefined
    try {
      bytes = store.blob(segment)
    } catch (cause) {
      if (!(cause instanceof Corrupt)) throw cause
    }
    const ownWidth = index.segmentWidth(segment)
    if (bytes === undefined || ownWidth === undefined) {
      index.dropSegment(segment)
      lost = true
      continue
    }
    if (values.length === 0) {
      width = ownWidth
      values = new Float32Array(new SharedArrayBuffer(places.length * width * 4))
    }
    const vectors = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    for (const row of rows) {
      const at = places[row]!.position * width
      values.set(vectors.subarray(at, at + width), row * width)
    }
  }
  return lost ? undefined : { width, values }
}
