import * as arrow from "apache-arrow"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { columnDigest } from "../../cache/digest.ts"
import { Annotations } from "../../schemas/annotations.ts"
import { decode, encode, encodeParts } from "../../schemas/arrow.ts"
import type { ColumnTypes } from "../../schemas/column.ts"
import { Embeddings } from "../../schemas/embeddings.ts"
import { Metrics } from "../../schemas/metrics.ts"
import { Samples } from "../../schemas/samples.ts"
import { Split } from "../../schemas/split.ts"
import { InvalidTable, make, type Table, type TableSchema } from "../../schemas/table.ts"
import { tableSchemas } from "../../schemas/tables.ts"
import { contentOf, tablesOf } from "./tables.ts"

const columnOf = <K extends keyof ColumnTypes>(table: Table, name: string, _: K): ColumnTypes[K] => table.columns.get(name)!.column as ColumnTypes[K]

/** An Arrow IPC file as another program would write it. */
const foreign = (columns: Readonly<Record<string, arrow.Vector>>, format: "file" | "stream" = "file"): Uint8Array => arrow.tableToIPC(new arrow.Table(columns), format)
const utf8 = (values: ReadonlyArray<string | null>) => arrow.vectorFromArray([...values], new arrow.Utf8())
const fixedList = (width: number, values: Float32Array | Float64Array, type: arrow.DataType, valid?: ReadonlyArray<boolean>) => {
  const bits = valid === undefined ? undefined : arrow.vectorFromArray([...valid], new arrow.Bool()).data[0]!.values as Uint8Array
  const child = arrow.makeData({ type: type as arrow.Float32, length: values.length, data: values as Float32Array, nullCount: valid === undefined ? 0 : valid.filter((ok) => !ok).length, ...(bits === undefined ? {} : { nullBitmap: bits }) })
  return arrow.makeVector(arrow.makeData({ type: new arrow.FixedSizeList(width, new arrow.Field("item", type, true)), length: values.length / width, nullCount: 0, child }))
}
const violation = (schema: TableSchema, bytes: Uint8Array): InvalidTable => {
  try {
    decode(schema, bytes)
  } catch (cause) {
    if (cause instanceof InvalidTable) return cause
    throw cause
  }
  throw new Error("it was taken as valid")
}

describe("every table survives Arrow", () => {
  it("with a byte order mark, which is a character like any other", () => {
    const { columns } = decode(Split, encode(make(Split, { sample_id: ["a", "\uFEFFa"], split: ["train", "test"] })))
    expect(columns.get("sample_id")!.column).toEqual(["a", "\uFEFFa"])
  })

  it.each(Object.entries(tableSchemas))("%s: whatever it holds, it reads back the same, and has the same digests", (_, schema) => {
    fc.assert(fc.property(tablesOf(schema), (table) => {
      const back = decode(schema, encode(table))
      expect(contentOf(back)).toEqual(contentOf(table))
      for (const [name, { column, kind }] of table.columns) expect(columnDigest(kind, back.columns.get(name)!.column)).toBe(columnDigest(kind, column))
    }), { numRuns: 60 })
  })

  it("the same table gives the same bytes", () => {
    fc.assert(fc.property(tablesOf(Samples), (table) => {
      expect(Buffer.compare(encode(table), encode(table))).toBe(0)
    }), { numRuns: 20 })
  })

  it("large vectors are read without a copy", () => {
    const table = make(Embeddings, { sample_id: ["a", "b"], view: ["full", "full"], embedding: { width: 3, values: Float32Array.of(1, 2, 3, 4, 5, 6) } })
    const bytes = encode(table)
    expect(columnOf(decode(Embeddings, bytes), "embedding", "vectors").values.buffer).toBe(bytes.buffer)
  })
})

describe("large tables", () => {
  it("of more than 2 GiB are written without a copy, with lengths that fit, and read without one", () => {
    // memory that nobody touches is not there: only the few kB around the vectors are
    const width = 2 ** 20, rows = 600, values = new Float32Array(width * rows)
    const ids = Array.from({ length: rows }, (_, i) => `s${1000 + i}`)
    const columns = new Map([["sample_id", { kind: "text" as const, column: ids }], ["view", { kind: "text" as const, column: ids.map(() => "full") }], ["embedding", { kind: "vectors" as const, column: { width, values } }]])
    const parts = encodeParts({ schema: Embeddings, rows, metadata: {}, columns })
    expect(parts.some((part) => part.buffer === values.buffer)).toBe(true)
    const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
    expect(bytes.length).toBeGreaterThan(2 ** 31)
    let at = 0
    for (const part of parts) {
      if (part.buffer !== values.buffer) bytes.set(part, at)
      at += part.length
    }
    const [block] = [...(arrow.RecordBatchReader.from(bytes).open() as unknown as { readonly _impl: { readonly _footer: { recordBatches: () => Iterable<{ readonly bodyLength: number }> } } })._impl._footer.recordBatches()]
    expect(block!.bodyLength).toBeGreaterThan(2 ** 31)
    const back = decode(Embeddings, bytes, true)
    expect(columnOf(back, "sample_id", "text")).toEqual(ids)
    expect(columnOf(back, "embedding", "vectors").width).toBe(width)
    expect(columnOf(back, "embedding", "vectors").values).toHaveLength(width * rows)
    expect(columnOf(back, "embedding", "vectors").values.buffer).toBe(bytes.buffer)
  })

  it("have texts of any kind beyond the rows that are joined at a time", () => {
    const ids = Array.from({ length: 140_000 }, (_, i) => `${i < 100_000 ? "" : "ü𝄞"}${String(i).padStart(6, "0")}`).toSorted()
    const split = ids.map((_, i) => i % 3 === 0 ? "test" : "train")
    const back = decode(Split, encode(make(Split, { sample_id: ids, split })))
    expect(columnOf(back, "sample_id", "text")).toEqual(ids)
    expect(columnOf(back, "split", "text")).toEqual(split)
  })

  it("are decoded column by column, as they are read", () => {
    const bytes = foreign({ sample_id: utf8(["a"]), split: arrow.vectorFromArray([1], new arrow.Int32()), more: utf8(["x"]) })
    expect(() => decode(Annotations, bytes, true)).toThrow(/none of what an annotation can be/)
    const table = decode(Annotations, encode(make(Annotations, { sample_id: ["a", "b"], open: { class: Int32Array.of(1, 2) } })), true)
    expect(table.columns.get("class")!.kind).toBe("integer")
    expect(table.columns.get("class")!.column).toBe(table.columns.get("class")!.column)
  })
})

describe("Arrow that another program wrote", () => {
  it("may come in many batches", () => {
    const half = (ids: ReadonlyArray<string>, splits: ReadonlyArray<string>) => new arrow.Table({ sample_id: utf8(ids), split: utf8(splits) })
    const both = half(["a", "b"], ["train", "test"]).concat(half(["c"], ["val"]))
    expect(both.batches.length).toBe(2)
    const table = decode(Split, arrow.tableToIPC(both, "file"))
    expect(columnOf(table, "sample_id", "text")).toEqual(["a", "b", "c"])
    expect(columnOf(table, "split", "text")).toEqual(["train", "test", "val"])
  })

  it("may be a stream", () => {
    expect(decode(Split, foreign({ sample_id: utf8(["a"]), split: utf8(["test"]) }, "stream")).rows).toBe(1)
  })

  it("may hold dictionaries of text (pandas categories, arrow-js' default)", () => {
    const dictionary = arrow.vectorFromArray(["train", "test", "train"], new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()))
    expect(columnOf(decode(Split, foreign({ sample_id: utf8(["a", "b", "c"]), split: dictionary })), "split", "text")).toEqual(["train", "test", "train"])
  })

  it("may hold dictionaries of integers: their values are read, not their numbers", () => {
    const dictionary = arrow.vectorFromArray([70, 90, 70], new arrow.Dictionary(new arrow.Int32(), new arrow.Int32()))
    expect(Array.from(columnOf(decode(Annotations, foreign({ sample_id: utf8(["a", "b", "c"]), class: dictionary })), "class", "integer"))).toEqual([70, 90, 70])
  })

  it("may hold LargeUtf8 and LargeList (polars)", () => {
    const large = arrow.vectorFromArray(["a", "bb"], new arrow.LargeUtf8())
    const labels = ["x", "y", "z"]
    const lists = arrow.makeVector(arrow.makeData({
      type: new arrow.LargeList(new arrow.Field("item", new arrow.Utf8())),
      length: 2,
      nullCount: 0,
      valueOffsets: BigInt64Array.of(0n, 2n, 3n),
      child: utf8(labels).data[0]!
    }))
    const assets = columnBytes(make(Samples, { sample_id: ["a", "bb"], assets: [[], []] }))
    const table = decode(Samples, foreign({ sample_id: large, assets, labels: lists }))
    expect(columnOf(table, "sample_id", "text")).toEqual(["a", "bb"])
    expect(columnOf(table, "labels", "texts")).toEqual([["x", "y"], ["z"]])
  })

  it("may have integer ids; they become their digits", () => {
    const ids = arrow.vectorFromArray([9007199254740993n, 2n], new arrow.Int64())
    expect(columnOf(decode(Split, foreign({ sample_id: ids, split: utf8(["train", "test"]) })), "sample_id", "text")).toEqual(["9007199254740993", "2"])
  })

  it("may hold class ids and scores of any width", () => {
    const table = decode(Annotations, foreign({
      sample_id: utf8(["a", "b"]),
      long: arrow.vectorFromArray([3n, -1n], new arrow.Int64()),
      byte: arrow.vectorFromArray([3, 200], new arrow.Uint8()),
      score: arrow.vectorFromArray([0.5, null], new arrow.Float64()),
      target: fixedList(2, Float64Array.of(1, 2, 3, 4), new arrow.Float64())
    }))
    expect(columnOf(table, "long", "integer")).toEqual(Int32Array.of(3, -1))
    expect(columnOf(table, "byte", "integer")).toEqual(Int32Array.of(3, 200))
    expect(columnOf(table, "score", "float")).toEqual(Float32Array.of(0.5, Number.NaN))
    expect(columnOf(table, "target", "vectors")).toEqual({ width: 2, values: Float32Array.of(1, 2, 3, 4) })
  })

  it("a missing class id is none (-1), never the class 0", () => {
    const ids = arrow.vectorFromArray([5, null], new arrow.Int32())
    expect(columnOf(decode(Annotations, foreign({ sample_id: utf8(["a", "b"]), class: ids })), "class", "integer")).toEqual(Int32Array.of(5, -1))
  })

  it("an integer beyond 32 bits is refused, not wrapped around", () => {
    const error = violation(Annotations, foreign({ sample_id: utf8(["a"]), class: arrow.vectorFromArray([4_294_967_297n], new arrow.Int64()) }))
    expect(error.column).toBe("class")
    expect(error.message).toContain("4294967297")
  })

  it("a column of text among the annotations is refused, not read as NaN", () => {
    const error = violation(Annotations, foreign({ sample_id: utf8(["a"]), species: utf8(["heron"]) }))
    expect(error.column).toBe("species")
  })

  it("a null inside a vector is NaN, hence not finite, never 0", () => {
    const bytes = foreign({ sample_id: utf8(["a", "b"]), view: utf8(["full", "full"]), embedding: fixedList(2, Float32Array.of(1, 2, 3, 0), new arrow.Float32(), [true, true, true, false]) })
    expect(violation(Embeddings, bytes)).toMatchObject({ column: "embedding", row: 1 })
  })

  it("a missing column is named, with those that are there", () => {
    const error = violation(Split, foreign({ sample_id: utf8(["a"]), role: utf8(["train"]) }))
    expect(error).toMatchObject({ table: "split", column: "split" })
    expect(error.message).toContain("sample_id, role")
  })

  it("a column that the table does not know is refused where the table is closed", () => {
    expect(violation(Split, foreign({ sample_id: utf8(["a"]), split: utf8(["train"]), extra: utf8(["x"]) }))).toMatchObject({ column: "extra" })
  })

  it("an id that stands twice is named with its row", () => {
    const error = violation(Split, foreign({ sample_id: utf8(["a", "b", "a"]), split: utf8(["train", "test", "val"]) }))
    expect(error).toMatchObject({ column: "sample_id", row: 2 })
    expect(error.message).toContain("\"a\"")
  })

  it("vectors of unequal length are refused with the row", () => {
    const ragged = arrow.vectorFromArray([[1, 2], [3]], new arrow.List(new arrow.Field("item", new arrow.Float32())))
    const error = violation(Embeddings, foreign({ sample_id: utf8(["a", "b"]), view: utf8(["full", "full"]), embedding: ragged }))
    expect(error.column).toBe("embedding")
    expect(error.message).toContain("row 1")
  })

  it("metadata of pandas and of Arrow itself are not content", () => {
    const plain = new arrow.Table({ sample_id: utf8(["a"]), class: arrow.vectorFromArray([1], new arrow.Int32()) })
    const marked = new arrow.Table(new arrow.Schema(plain.schema.fields, new Map([["pandas", "{}"], ["ARROW:schema", "x"], ["class", "[\"no\",\"yes\"]"]])), plain.batches)
    expect(decode(Annotations, arrow.tableToIPC(marked, "file")).metadata).toEqual({ class: "[\"no\",\"yes\"]" })
  })
})

/** The assets column of a table as an Arrow vector. */
function columnBytes(table: Table): arrow.Vector {
  return arrow.tableFromIPC(encode(table)).getChild("assets")! as unknown as arrow.Vector
}

describe("a type that does not fit a column is refused, with what it is and what it has to be", () => {
  const item = <T extends arrow.DataType>(type: T) => new arrow.List(new arrow.Field("item", type))
  const none = columnBytes(make(Samples, { sample_id: ["a", "b"], assets: [[], []] }))
  const samples = (column: string, vector: arrow.Vector) => foreign({ sample_id: utf8(["a", "b"]), assets: none, [column]: vector })

  it.each([
    ["labels", "Utf8", "lists of text", utf8(["water;trees", "water"])],
    ["labels", "List<Float64>", "lists of text", arrow.vectorFromArray([[1.5], []], item(new arrow.Float64()))],
    ["label", "Bool", "text", arrow.vectorFromArray([true, false], new arrow.Bool())],
    ["label", "Binary", "text", arrow.vectorFromArray([Uint8Array.of(97), Uint8Array.of(98)], new arrow.Binary())],
    ["lat", "Utf8", "numbers", utf8(["12.5 N", "7"])],
    ["lat", "Dictionary<Int32, Utf8>", "numbers", arrow.vectorFromArray(["12.5", "7"], new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()))],
    ["lat", "Decimal[5e+2]", "numbers", arrow.makeVector(arrow.makeData({ type: new arrow.Decimal(2, 5), length: 2, nullCount: 0, data: new Uint32Array(8) }))],
    ["time", "Utf8", "points in time", utf8(["2020-01-02", "2020-01-03"])],
    ["time", "Int64", "points in time", arrow.vectorFromArray([1577836800n, 0n], new arrow.Int64())],
    ["box", "List<Utf8>", "lists of numbers", arrow.vectorFromArray([["1", "2", "3", "4"], []], item(new arrow.Utf8()))],
    ["assets", "Utf8", "lists of structs with the fields band, path, digest", utf8(["a.png", "b.png"])],
    ["assets", "List<Struct<{path:Utf8}>>", "lists of structs with the fields band, path, digest", arrow.vectorFromArray([[], []], item(new arrow.Struct([new arrow.Field("path", new arrow.Utf8())])))]
  ])("%s as %s", (column, is, wanted, vector) => {
    for (const trusted of [false, true]) {
      expect(() => decode(Samples, samples(column, vector), trusted)).toThrow(expect.objectContaining({ _tag: "InvalidTable", column, message: expect.stringContaining(`it is ${is}, and has to be ${wanted}`) }))
    }
  })

  it("but those without loss are taken: integers for numbers, dates for times, lists of integers for boxes, and nulls alone", () => {
    const table = decode(Samples, foreign({
      sample_id: utf8(["a", "b"]),
      assets: none,
      lat: arrow.vectorFromArray([7n, null], new arrow.Int64()),
      time: arrow.vectorFromArray([new Date(86_400_000), null], new arrow.DateDay()),
      box: arrow.vectorFromArray([null, [1, 2, 3, 4]], item(new arrow.Int32())),
      labels: arrow.vectorFromArray([[], []], item(new arrow.Null())),
      label: arrow.vectorFromArray([null, null], new arrow.Null())
    }))
    expect(columnOf(table, "lat", "number")).toEqual(Float64Array.of(7, Number.NaN))
    expect(columnOf(table, "time", "time")).toEqual(Float64Array.of(86_400_000, Number.NaN))
    expect(columnOf(table, "box", "vectors")).toEqual({ width: 4, values: Float32Array.of(Number.NaN, Number.NaN, Number.NaN, Number.NaN, 1, 2, 3, 4) })
    expect(columnOf(table, "labels", "texts")).toEqual([[], []])
    expect(columnOf(table, "label", "optionalText")).toEqual([null, null])
  })

  it("open columns take their kind from their type: LargeList is a vector, a list of text is nothing", () => {
    const large = arrow.makeVector(arrow.makeData({ type: new arrow.LargeList(new arrow.Field("item", new arrow.Float64())), length: 1, nullCount: 0, valueOffsets: BigInt64Array.of(0n, 2n), child: arrow.vectorFromArray([1, 2], new arrow.Float64()).data[0]! }))
    expect(columnOf(decode(Annotations, foreign({ sample_id: utf8(["a"]), target: large })), "target", "vectors")).toEqual({ width: 2, values: Float32Array.of(1, 2) })
    expect(violation(Annotations, foreign({ sample_id: utf8(["a"]), names: arrow.vectorFromArray([["heron"]], item(new arrow.Utf8())) }))).toMatchObject({ column: "names" })
  })

  it("a null among the texts of a list, or in an asset, is refused with its row, not read as the text \"null\"", () => {
    expect(violation(Samples, samples("labels", arrow.vectorFromArray([["x"], ["y", null]], item(new arrow.Utf8()))))).toMatchObject({ column: "labels", message: "not readable as texts: a text of a list is null in row 1" })
    const asset = (none.type as arrow.List<arrow.Struct>).children[0]!.type
    const nameless = arrow.vectorFromArray([[{ band: "image", path: null, digest: "0", index: -1, gsd: 1 }], []], item(asset))
    expect(violation(Samples, foreign({ sample_id: utf8(["a", "b"]), assets: nameless }))).toMatchObject({ column: "assets", message: "not readable as assets: the path of an asset is null in row 0" })
  })
})

describe("what is not there", () => {
  it("is null in the file: Arrow's readers see absent, not NaN", () => {
    const table = make(Samples, { sample_id: ["a", "b"], assets: [[], []], lat: Float64Array.of(1, Number.NaN), time: Float64Array.of(0, Number.NaN), label: ["x", null] })
    const read = arrow.tableFromIPC(encode(table))
    expect(["lat", "time", "label"].map((name) => read.getChild(name)!.get(1) as unknown)).toEqual([null, null, null])
    expect(read.getChild("lat")!.get(0)).toBe(1)
  })

  it("an optional column left out is filled with absent values", () => {
    const table = make(Samples, { sample_id: ["a"], assets: [[]] })
    expect(contentOf(decode(Samples, encode(table)))).toMatchObject({
      columns: { label: { column: [null] }, labels: { column: [[]] }, lat: { column: [Number.NaN] }, box: { column: { width: 4, values: [Number.NaN, Number.NaN, Number.NaN, Number.NaN] } } }
    })
  })

  it("an empty table keeps its columns and their kinds", () => {
    const empty = make(Metrics, { task: [], metric: [], class: [], split: [], value: new Float64Array(), n: new Int32Array(), ci_low: new Float64Array(), ci_high: new Float64Array() })
    expect(contentOf(decode(Metrics, encode(empty)))).toEqual(contentOf(empty))
  })
})
