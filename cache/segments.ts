/**
 * Embeddings row by row. A segment is a blob with some rows' keys and vectors, named by a document beside it; the index says where a row
 * lies. An embeddings table is a list of places in segments, so a vector is stored once however many tables hold it.
 */
import { hash } from "node:crypto"
import * as fs from "node:fs"
import * as Data from "effect/Data"
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

const keyBytes = 32, headerBytes = 8

/** A segment's bytes: width and rows as uint32, the rows' keys, then their vectors as float32, all little-endian. */
const encodeSegment = (keys: ReadonlyArray<Uint8Array>, { values, width }: Vectors): Uint8Array => {
  const bytes = new Uint8Array(headerBytes + keys.length * keyBytes + values.byteLength)
  bytes.set(new Uint8Array(Uint32Array.of(width, keys.length).buffer))
  keys.forEach((key, row) => bytes.set(key, headerBytes + row * keyBytes))
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), headerBytes + keys.length * keyBytes)
  return bytes
}
const decodeSegment = (bytes: Uint8Array) => {
  const [width = 0, rows = 0] = new Uint32Array(bytes.buffer, bytes.byteOffset, 2)
  return {
    width,
    keys: Array.from({ length: rows }, (_, row) => bytes.subarray(headerBytes + row * keyBytes, headerBytes + (row + 1) * keyBytes)),
    values: new Float32Array(bytes.buffer, bytes.byteOffset + headerBytes + rows * keyBytes, rows * width)
  }
}

/** Width and keys of the rows of a segment on disk, without its vectors; `undefined` where it is no segment, or cut off. */
export const readSegment = (path: string): { readonly width: number; readonly keys: ReadonlyArray<Uint8Array> } | undefined => {
  const file = fs.openSync(path, "r")
  try {
    const { size } = fs.fstatSync(file), head = new Uint32Array(2)
    fs.readSync(file, head, 0, headerBytes, 0)
    const [width = 0, rows = 0] = head
    if (size !== headerBytes + rows * (keyBytes + 4 * width)) return undefined
    const keys = new Uint8Array(rows * keyBytes)
    fs.readSync(file, keys, 0, keys.length, headerBytes)
    return { width, keys: Array.from({ length: rows }, (_, row) => keys.subarray(row * keyBytes, (row + 1) * keyBytes)) }
  } finally {
    fs.closeSync(file)
  }
}

/** Keeps the vectors of some rows: first the blob, then the document, then the index, so a kill between leaves nothing half. */
export const keepSegment = (store: Store, index: Index, keys: ReadonlyArray<Uint8Array>, vectors: Vectors): void => {
  const blob = store.putBlob(encodeSegment(keys, vectors))
  store.putDocument("segments", blob, JSON.stringify({ width: vectors.width, rows: keys.length }))
  index.addSegment(blob, keys)
}

/** Enters every segment of the store into an index that was lost; the oldest first, for the first place of a row counts. */
export const restoreSegments = (store: Store, index: Index): void => {
  for (const { name: blob } of Array.from(store.files("segments")).toSorted((a, b) => a.modified - b.modified)) {
    const bytes = intact(store, blob)
    if (bytes !== undefined) index.addSegment(blob, decodeSegment(bytes).keys.map((key) => Uint8Array.from(key)))
  }
}

/** A blob's bytes; `undefined` where they are lost or damaged. */
const intact = (store: Store, blob: string): Uint8Array | undefined => {
  try {
    return store.blob(blob)
  } catch (cause) {
    if (cause instanceof Corrupt) return undefined
    throw cause
  }
}

/** Two of the rows asked for have vectors of different lengths. */
export class UnequalRows extends Data.TaggedError("UnequalRows")<{ readonly rows: readonly [number, number]; readonly widths: readonly [number, number] }> {}

/**
 * The vectors at the given places, in shared memory. Throws `UnequalRows` where they have different lengths. `undefined` where a segment is lost or damaged: its rows are forgotten then, and the
 * caller embeds them again.
 */
export const gather = (store: Store, index: Index, places: ReadonlyArray<RowPlace>): Vectors | undefined => {
  const bySegment = new Map<string, Array<number>>()
  places.forEach(({ segment }, row) => {
    const rows = bySegment.get(segment)
    if (rows === undefined) bySegment.set(segment, [row])
    else rows.push(row)
  })
  let width = 0, first = 0, values: Float32Array = new Float32Array(0), lost = false
  for (const [segment, rows] of bySegment) {
    const bytes = intact(store, segment)
    if (bytes === undefined) {
      index.dropSegments([segment])
      lost = true
      continue
    }
    const { values: vectors, width: own } = decodeSegment(bytes)
    if (values.length === 0) {
      width = own
      first = rows[0]!
      values = new Float32Array(new SharedArrayBuffer(places.length * width * 4))
    }
    if (own !== width) throw new UnequalRows({ rows: [first, rows[0]!], widths: [width, own] })
    for (const row of rows) {
      const at = places[row]!.position * width
      values.set(vectors.subarray(at, at + width), row * width)
    }
  }
  return lost ? undefined : { width, values }
}
