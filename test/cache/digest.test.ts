import * as arrow from "apache-arrow"
import fc from "fast-check"
import { createHash, hash } from "node:crypto"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { columnDigest, rowDigests } from "../../cache/digest.ts"
import { digestBytes } from "../../cache/store.ts"
import { Annotations } from "../../schemas/annotations.ts"
import { decode, encode } from "../../schemas/arrow.ts"
import type { Asset, Column, ColumnKind } from "../../schemas/column.ts"
import { Embeddings } from "../../schemas/embeddings.ts"
import { Samples } from "../../schemas/samples.ts"
import { make, take } from "../../schemas/table.ts"

const asset: Asset = { band: "B04", path: "a/b.tif", digest: "0".repeat(64), index: 0, gsd: 10 }
const digestsOf = (bytes: Uint8Array) => Object.fromEntries(Array.from(decode(Annotations, bytes).columns, ([name, { column, kind }]) => [name, columnDigest(kind, column)]))

describe("how a column lies in memory does not show", () => {
  const ids = ["a", "b", "c", "d"], classes = [3, -1, 3, 7], scores = [0.5, -0.25, 1, 2]
  const annotations = (from: number, to: number, dictionary: boolean) => new arrow.Table({
    sample_id: arrow.vectorFromArray(ids.slice(from, to), dictionary ? new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()) : new arrow.Utf8()),
    class: arrow.vectorFromArray(classes.slice(from, to), new arrow.Int32()),
    score: arrow.vectorFromArray(scores.slice(from, to), new arrow.Float32())
  })
  const whole = digestsOf(encode(make(Annotations, { sample_id: ids, open: { class: Int32Array.from(classes), score: Float32Array.from(scores) } })))

  it("chunks", () => {
    expect(digestsOf(arrow.tableToIPC(annotations(0, 1, false).concat(annotations(1, 4, false)), "file"))).toEqual(whole)
  })

  it("slices of a longer table", () => {
    const longer = annotations(2, 4, false).concat(annotations(0, 4, false)).slice(2, 6)
    expect(digestsOf(arrow.tableToIPC(longer, "file"))).toEqual(whole)
  })

  it("dictionaries, and the order of their words", () => {
    expect(digestsOf(arrow.tableToIPC(annotations(0, 4, true), "file"))).toEqual(whole)
  })

  it("wider integers and floats that hold the same", () => {
    const wide = new arrow.Table({
      sample_id: arrow.vectorFromArray(ids, new arrow.Utf8()),
      class: arrow.vectorFromArray(classes.map(BigInt), new arrow.Int64()),
      score: arrow.vectorFromArray(scores, new arrow.Float64())
    })
    expect(digestsOf(arrow.tableToIPC(wide, "stream"))).toEqual(whole)
  })

  it("views into larger arrays", () => {
    const values = Float32Array.of(9, 1, 2, 3, 4, 9)
    expect(columnDigest("vectors", { width: 2, values: values.subarray(1, 5) })).toBe(columnDigest("vectors", { width: 2, values: Float32Array.of(1, 2, 3, 4) }))
    const shared = new Float64Array(new SharedArrayBuffer(16))
    shared.set([1, 2])
    expect(columnDigest("number", shared)).toBe(columnDigest("number", Float64Array.of(1, 2)))
  })

  it("-0, and which NaN it is", () => {
    const odd = new Float64Array(BigInt64Array.of(0x7ff8000000000001n, -0x8000000000000000n).buffer)
    expect(columnDigest("number", odd)).toBe(columnDigest("number", Float64Array.of(Number.NaN, 0)))
    expect(columnDigest("numbers", [odd])).toBe(columnDigest("numbers", [Float64Array.of(Number.NaN, 0)]))
  })

  it("where a file lies: moving a collection changes no key", () => {
    expect(columnDigest("assets", [[{ ...asset, path: "elsewhere.tif" }]])).toBe(columnDigest("assets", [[asset]]))
    const samples = (path: string) => make(Samples, { sample_id: ["a"], assets: [[{ ...asset, path }]] })
    expect(rowDigests(samples("x"), ["assets", "window"])).toEqual(rowDigests(samples("y"), ["assets", "window"]))
  })
})

describe("everything else shows", () => {
  it.each<readonly [string, ColumnKind, Column, ColumnKind, Column]>([
    ["a value", "text", ["a"], "text", ["b"]],
    ["the order of rows", "text", ["a", "b"], "text", ["b", "a"]],
    ["where one row ends", "text", ["ab", ""], "text", ["a", "b"]],
    ["absent and empty text", "optionalText", [null], "optionalText", [""]],
    ["absent and the word null", "optionalText", [null], "optionalText", ["null"]],
    ["where a list ends", "texts", [["a"], ["b"]], "texts", [["a", "b"], []]],
    ["an unlabelled row", "texts", [[]], "texts", [[""]]],
    ["NaN and 0", "number", Float64Array.of(Number.NaN), "number", Float64Array.of(0)],
    ["NaN and infinity", "numbers", [Float64Array.of(Number.NaN)], "numbers", [Float64Array.of(Number.POSITIVE_INFINITY)]],
    ["the last bit of a double", "number", Float64Array.of(0.1), "number", Float64Array.of(0.1 + Number.EPSILON / 8)],
    ["the kind (1 as id or as score)", "integer", Int32Array.of(0), "float", Float32Array.of(0)],
    ["time and number", "time", Float64Array.of(0), "number", Float64Array.of(0)],
    ["the width of vectors (Hamilton left the shape out)", "vectors", { width: 2, values: Float32Array.of(1, 2, 3, 4) }, "vectors", { width: 4, values: Float32Array.of(1, 2, 3, 4) }],
    ["an asset's band", "assets", [[asset]], "assets", [[{ ...asset, band: "B08" }]]],
    ["an asset's content", "assets", [[asset]], "assets", [[{ ...asset, digest: "1".repeat(64) }]]],
    ["which band of the file", "assets", [[asset]], "assets", [[{ ...asset, index: 1 }]]],
    ["the ground sampling distance", "assets", [[asset]], "assets", [[{ ...asset, gsd: Number.NaN }]]]
  ])("%s", (_, kind, column, otherKind, other) => {
    expect(columnDigest(kind, column)).not.toBe(columnDigest(otherKind, other))
  })

  it("any change of any entry of a large array (MLflow reads the first 10,000)", () => {
    const values = new Float32Array(50_000).map((_, i) => i)
    const before = columnDigest("float", values)
    fc.assert(fc.property(fc.nat(49_999), (at) => {
      values[at]! += 1
      const after = columnDigest("float", values)
      values[at]! -= 1
      expect(after).not.toBe(before)
    }), { numRuns: 15 })
  })
})

describe("digests of rows", () => {
  const embeddings = make(Embeddings, { sample_id: ["a", "b", "c"], view: ["full", "full", "full"], embedding: { width: 2, values: Float32Array.of(1, 2, 1, 2, 2, 1) } })

  it("do not depend on the other rows", () => {
    const all = rowDigests(embeddings, ["view", "embedding"])
    expect(rowDigests(take(embeddings, [2, 0]), ["view", "embedding"])).toEqual([all[2], all[0]])
    expect(all[0]).toBe(all[1])
    expect(all[0]).not.toBe(all[2])
  })
})

describe("digests do not change from version to version", () => {
  interface Golden {
    readonly what: string
    readonly kind: ColumnKind
    readonly rows: ReadonlyArray<unknown>
    readonly width?: number
    readonly preimage: string
    readonly digest: string
  }
  const golden = JSON.parse(readFileSync(new URL("../golden/columns.json", import.meta.url), "utf8")) as ReadonlyArray<Golden>
  const columnOf = ({ kind, rows, width }: Golden): Column =>
    kind === "vectors" ? { width: width!, values: Float32Array.from(rows.flat() as ReadonlyArray<number>) } :
    kind === "integer" ? Int32Array.from(rows as ReadonlyArray<number>) :
    kind === "float" ? Float32Array.from(rows as ReadonlyArray<number>) :
    kind === "number" || kind === "time" ? Float64Array.from(rows as ReadonlyArray<number | null>, (value) => value ?? Number.NaN) :
    kind === "numbers" ? (rows as ReadonlyArray<ReadonlyArray<number>>).map((row) => Float64Array.from(row)) :
    rows as Column

  it.each(golden.map((each) => [each.what, each] as const))("%s", (_, each) => {
    expect(columnDigest(each.kind, columnOf(each))).toBe(each.digest)
    expect(hash("sha256", Buffer.from(each.preimage, "latin1"), "hex"), "the hash is of the pre-image as printed (bytes as latin-1)").toBe(each.digest)
  })
})

describe("columns that are digested in pieces", () => {
  it("of texts have the digest of one JSON text", () => {
    const texts = Array.from({ length: 40_000 }, (_, i) => `sample ${i} "ü"`)
    expect(columnDigest("text", texts)).toBe(hash("sha256", `outcrop column 1\ntext\n${JSON.stringify(texts)}`, "hex"))
    expect(columnDigest("text", [])).toBe(hash("sha256", "outcrop column 1\ntext\n[]", "hex"))
  })

  it("of lists have the digest of their lengths and all their values", () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => Float32Array.from({ length: i % 3 }, () => i === 20_000 ? Number.NaN : -0)), none = rows.map(() => new Float32Array())
    const expected = (lists: ReadonlyArray<Float32Array>) =>
      createHash("sha256").update("outcrop column 2\nfloats 40000\n").update(Int32Array.from(lists, ({ length }) => length)).update(Float32Array.from(lists.flatMap((row) => Array.from(row, (value) => value + 0)))).digest("hex")
    expect(columnDigest("floats", rows)).toBe(expected(rows))
    expect(columnDigest("floats", none)).toBe(expected(none))
    expect(columnDigest("floats", [Float32Array.of(1), Float32Array.of(2, 3)])).not.toBe(columnDigest("floats", [Float32Array.of(1, 2), Float32Array.of(3)]))
  })

  it("of numbers have one zero and one NaN in every piece", () => {
    const values = new Float32Array(17_000_000)
    for (let i = 0; i < values.length; i += 1000) values[i] = i
    const plain = columnDigest("float", values)
    values[16_999_999] = -0
    values[1] = -0
    expect(columnDigest("float", values)).toBe(plain)
    expect(plain).toBe(createHash("sha256").update("outcrop column 1\nfloat 1 17000000\n").update(new Uint8Array(values.map((value) => value + 0).buffer)).digest("hex"))
    values[16_999_998] = Number.NaN
    expect(columnDigest("float", values)).not.toBe(plain)
  })

  it("may be larger than one hash takes at a time", () => {
    const large = new Uint8Array(2 ** 31 + 9), half = 2 ** 30
    expect(digestBytes(large)).toBe(digestBytes(large.subarray(0, half), large.subarray(half, 2 * half), large.subarray(2 * half)))
  })
})
