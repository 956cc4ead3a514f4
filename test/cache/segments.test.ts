import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { openCache } from "../../cache/cache.ts"
import { gather, keepSegment, rowKey } from "../../cache/segments.ts"

const home = fs.mkdtempSync(join(tmpdir(), "outcrop-segments-"))
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))
let folders = 0
const fresh = () => openCache(join(home, String(folders++)))
const keysOf = (embedder: string, ...names: ReadonlyArray<string>) => names.map((name) => rowKey(embedder, name))
const vectors = (width: number, ...values: ReadonlyArray<number>) => ({ width, values: Float32Array.from(values) })

describe("embedded rows", () => {
  it("are found one by one, in whatever order and from however many segments", () => {
    const { index, store } = fresh()
    keepSegment(store, index, keysOf("e", "a", "b"), vectors(2, 1, 2, 3, 4))
    keepSegment(store, index, keysOf("e", "c"), vectors(2, 5, 6))
    expect(gather(store, index, keysOf("e", "c", "a", "b", "a").map((key) => index.row(key)!))).toEqual(vectors(2, 5, 6, 1, 2, 3, 4, 1, 2))
    expect(index.row(keysOf("e", "d")[0]!)).toBeUndefined()
  })

  it("of another embedder (code, parameters, fitted state) are others", () => {
    expect(rowKey("e", "a")).not.toEqual(rowKey("f", "a"))
    expect(rowKey("e", "a")).not.toEqual(rowKey("e", "b"))
  })

  it("of different lengths are no table: the first of each is named", () => {
    const { index, store } = fresh()
    keepSegment(store, index, keysOf("e", "a", "b"), vectors(1, 1, 2))
    keepSegment(store, index, keysOf("e", "c"), vectors(2, 3, 4))
    const places = keysOf("e", "b", "a", "c").map((key) => index.row(key)!)
    expect(() => gather(store, index, places)).toThrow(expect.objectContaining({ rows: [0, 2], widths: [1, 2] }))
  })

  it("of a lost segment are forgotten, the others stay", () => {
    const { index, store } = fresh()
    keepSegment(store, index, keysOf("e", "a", "b"), vectors(1, 1, 2))
    keepSegment(store, index, keysOf("e", "c"), vectors(1, 3))
    const places = keysOf("e", "a", "c").map((key) => index.row(key)!)
    fs.rmSync(store.blobPath(places[0]!.segment))
    expect(gather(store, index, places)).toBeUndefined()
    expect(keysOf("e", "a", "b", "c").map((key) => index.row(key) !== undefined)).toEqual([false, false, true])
  })

  it("of a segment with a flipped bit are forgotten, and the segment is removed", () => {
    const { index, store } = fresh()
    keepSegment(store, index, keysOf("e", "a"), vectors(2, 1, 2))
    const place = index.row(keysOf("e", "a")[0]!)!
    const bytes = fs.readFileSync(store.blobPath(place.segment))
    bytes[bytes.length - 1]! ^= 16
    fs.writeFileSync(store.blobPath(place.segment), bytes)
    expect(gather(store, index, [place])).toBeUndefined()
    expect(store.hasBlob(place.segment)).toBe(false)
    keepSegment(store, index, keysOf("e", "a"), vectors(2, 1, 2))
    expect(gather(store, index, [index.row(keysOf("e", "a")[0]!)!])).toEqual(vectors(2, 1, 2))
  })

  it("whose vectors happen to be the bytes of another embedder's keep their own width", () => {
    const { index, store } = fresh()
    keepSegment(store, index, keysOf("narrow", "a", "b"), vectors(2, 0, 0, 0, 0))
    keepSegment(store, index, keysOf("wide", "a"), vectors(4, 0, 0, 0, 0))
    expect(gather(store, index, keysOf("wide", "a").map((key) => index.row(key)!))).toEqual(vectors(4, 0, 0, 0, 0))
    expect(gather(store, index, keysOf("narrow", "b").map((key) => index.row(key)!))).toEqual(vectors(2, 0, 0))
  })

  it("of two embedders with the same vectors both survive the loss of the index", () => {
    const root = join(home, String(folders++))
    const first = openCache(root)
    keepSegment(first.store, first.index, keysOf("one", "a"), vectors(2, 1, 2))
    keepSegment(first.store, first.index, keysOf("two", "a"), vectors(2, 1, 2))
    first.index.close()
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(join(root, `index.sqlite${suffix}`), { force: true })
    const { index } = openCache(root)
    expect([...keysOf("one", "a"), ...keysOf("two", "a")].map((key) => index.row(key) !== undefined)).toEqual([true, true])
  })
})
