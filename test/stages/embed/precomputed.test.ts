import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Data, Field, FixedSizeList, Float32, Float64, List, makeData, RecordBatch, Schema, Struct, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow"
import { parquetWriteBuffer } from "hyparquet-writer"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import precomputed from "../../../stages/embed/precomputed.ts"
import { run } from "./services.ts"

const root = mkdtempSync(join(tmpdir(), "outcrop-precomputed-"))
const rows = ["a", "b", "c"].map((id) => ({ id, assets: [] }))
/** Vector of a row of the files: ids stand there as c, a, b, z. */
const ids = ["c", "a", "b", "z"]
const flat = [31, 32, 11, 12, 21, 22, 91, 92]
const expected = [11, 12, 21, 22, 31, 32]

/** A .npy file as NumPy writes it: the header is padded with blanks to a multiple of 64 bytes. */
const npy = (values: Float32Array | Float64Array | Int32Array, shape: string, order = "False", kind = values instanceof Float32Array ? "<f4" : "<f8"): Uint8Array => {
  const text = `{'descr': '${kind}', 'fortran_order': ${order}, 'shape': (${shape}), }`
  const header = text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11, " ") + "\n"
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), Uint8Array.of(header.length & 255, header.length >> 8), Buffer.from(header, "latin1"), new Uint8Array(values.buffer)])
}

const arrow = (format: "stream" | "file"): Uint8Array => {
  const type = new FixedSizeList(2, new Field("item", new Float32(), false))
  const list: Data<FixedSizeList<Float32>> = makeData({ type, length: 4, nullCount: 0, child: makeData({ type: new Float32(), data: Float32Array.from(flat) }) })
  const schema = new Schema([new Field("sample_id", new Utf8(), false), new Field("embedding", type, false)])
  const data = makeData({ type: new Struct(schema.fields), length: 4, children: [vectorFromArray(ids, new Utf8()).data[0]!, list] })
  return tableToIPC(new Table(schema, [new RecordBatch(schema, data)]), format)
}

beforeAll(() => {
  const write = (name: string, content: Uint8Array | string) => writeFileSync(join(root, name), content)
  write("f4.npy", npy(Float32Array.from(flat), "4, 2"))
  write("f8.npy", npy(Float64Array.from(flat), "4, 2"))
  write("three.npy", npy(Float32Array.from(expected), "3, 2"))
  write("columns.npy", npy(Float32Array.from(flat), "4, 2", "True"))
  write("line.npy", npy(Float32Array.from(flat), "8,"))
  write("whole.npy", npy(Int32Array.from(flat), "4, 2", "False", "<i4"))
  write("short.npy", npy(Float32Array.from(flat), "5, 2"))
  write("ids.txt", `${ids.join("\n")}\n`)
  write("few.txt", "a\nb\n")
  write("twice.txt", "a\nb\nc\na\n")
  write("x.arrow", arrow("file"))
  write("x.arrows", arrow("stream"))
  const vectors = ids.map((_, i) => flat.slice(2 * i, 2 * i + 2))
  write("x.parquet", new Uint8Array(parquetWriteBuffer({
    columnData: [{ name: "sample_id", data: ids }, { name: "embedding", data: vectors }],
    schema: [
      { name: "root", num_children: 2 },
      { name: "sample_id", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
      { name: "embedding", num_children: 1, repetition_type: "REQUIRED", converted_type: "LIST" },
      { name: "list", num_children: 1, repetition_type: "REPEATED" },
      { name: "element", type: "FLOAT", repetition_type: "REQUIRED" }
    ]
  })))
  write("x.csv", "a,1\n")
})

const valuesOf = async (parameters: object, notices: Array<string> = []) => {
  const { embeddings } = await run(precomputed, { root, rows, with: parameters }, notices) as unknown as { embeddings: { sample_id: Array<string>; view: Array<string>; embedding: { width: number; values: Float32Array } } }
  expect(embeddings.sample_id).toEqual(["a", "b", "c"])
  expect(embeddings.view).toEqual(["full", "full", "full"])
  expect(embeddings.embedding.width).toBe(2)
  return Array.from(embeddings.embedding.values)
}

describe("embed/precomputed", () => {
  for (const parameters of [{ file: "f4.npy", ids: "ids.txt" }, { file: "f8.npy", ids: "ids.txt" }, { file: "x.parquet" }, { file: "x.arrow" }, { file: "x.arrows" }]) {
    it(`joins ${parameters.file} by id and says what was left out`, async () => {
      const notices: Array<string> = []
      expect(await valuesOf(parameters, notices)).toEqual(expected)
      expect(notices).toEqual([`1 of 4 vectors in ${parameters.file} belong to no sample and were left out`])
    })
  }

  it("joins by order only where asked, and says so", async () => {
    await expect(valuesOf({ file: "three.npy" })).rejects.toThrow(/three.npy holds no ids: name a text file of them in "ids", or say "by: order"/)
    const notices: Array<string> = []
    expect(await valuesOf({ file: "three.npy", by: "order" }, notices)).toEqual(expected)
    expect(notices[0]).toMatch(/joined by order: its row i is the i-th of 3 samples/)
    await expect(valuesOf({ file: "f4.npy", by: "order" })).rejects.toThrow(/4 rows where there are 3 samples/)
  })

  it("counts the samples without a vector and names the first", async () => {
    const more = [...rows, { id: "d", assets: [] }, { id: "e", assets: [] }]
    await expect(run(precomputed, { root, rows: more, with: { file: "x.parquet" } })).rejects.toThrow(/no vector for 2 of 5 samples: d, e/)
  })

  it("refuses ids that stand twice, or too few of them", async () => {
    await expect(valuesOf({ file: "f4.npy", ids: "twice.txt" })).rejects.toThrow(/the id "a" in rows 0 and 3/)
    await expect(valuesOf({ file: "f4.npy", ids: "few.txt" })).rejects.toThrow(/few.txt has 2 ids where f4.npy has 4 rows/)
  })

  it("says what is wrong with a file", async () => {
    await expect(valuesOf({ file: "columns.npy", ids: "ids.txt" })).rejects.toThrow(/columns come first/)
    await expect(valuesOf({ file: "line.npy", ids: "ids.txt" })).rejects.toThrow(/its shape is \(8\)/)
    await expect(valuesOf({ file: "whole.npy", ids: "ids.txt" })).rejects.toThrow(/its type is <i4/)
    await expect(valuesOf({ file: "short.npy", ids: "ids.txt" })).rejects.toThrow(/ends after 32 of 40 bytes/)
    await expect(valuesOf({ file: "ids.txt" })).rejects.toThrow(/ends neither in .npy/)
    await expect(valuesOf({ file: "x.parquet", column: "vector" })).rejects.toThrow(/no column vector; it has sample_id, embedding/)
    await expect(valuesOf({ file: "x.parquet", column: "embeding" })).rejects.toThrow('no column embeding (did you mean "embedding"?); it has')
    await expect(valuesOf({ file: "x.arrow", idColumn: "id" })).rejects.toThrow(/no column id; it has sample_id, embedding/)
    await expect(valuesOf({ file: "x.arrow", column: "sample_id" })).rejects.toThrow(/its column sample_id is Utf8 where lists of float or double are expected/)
  })
})

describe("the vectors of a file stay where they were read", () => {
  /** Embeds samples named by number from a file that holds them in another order, with strangers between. */
  const expectInOrder = async (asked: number, name: string) => {
    const samples = Array.from({ length: asked }, (_, i) => ({ id: String(i).padStart(3, "0"), assets: [] }))
    const { embeddings } = await run(precomputed, { root, rows: samples, with: { file: name, ...(name.endsWith(".npy") ? { ids: "order.txt" } : {}) } }) as unknown as { embeddings: { embedding: { width: number; values: Float32Array } } }
    expect(Array.from(embeddings.embedding.values)).toEqual(samples.flatMap((_, i) => [i, i + 0.5, -i]))
    expect(embeddings.embedding.width).toBe(3)
  }
  const idsOf = (order: ReadonlyArray<number>) => order.map((number) => String(number).padStart(3, "0"))
  const valuesIn = (order: ReadonlyArray<number>) => order.flatMap((i) => [i, i + 0.5, -i])
  const orders = fc.tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 0, max: 9 })).chain(([asked, more]) =>
    fc.tuple(fc.constant(asked), fc.shuffledSubarray(Array.from({ length: asked + more }, (_, i) => i), { minLength: asked + more })))

  it("and are put in the samples' order there, whatever the order and whoever is left out", async () => {
    await fc.assert(fc.asyncProperty(orders, fc.constantFrom("order4.npy", "order8.npy"), async ([asked, order], name) => {
      writeFileSync(join(root, name), npy((name === "order4.npy" ? Float32Array : Float64Array).from(valuesIn(order)), `${order.length}, 3`))
      writeFileSync(join(root, "order.txt"), idsOf(order).join("\n"))
      await expectInOrder(asked, name)
    }), { numRuns: 100 })
  })

  it("also where Arrow has them in several batches, of fixed lists or of lists, of floats or of doubles", async () => {
    await fc.assert(fc.asyncProperty(orders, fc.boolean(), fc.boolean(), fc.constantFrom("file" as const, "stream" as const), async ([asked, order], fixed, double, format) => {
      const item = new Field("item", double ? new Float64() : new Float32(), true)
      const type = fixed ? new FixedSizeList(3, item) : new List(item)
      const schema = new Schema([new Field("sample_id", new Utf8(), false), new Field("embedding", type, false)])
      const batches = [order.slice(0, 2), order.slice(2, 9), order.slice(9)].filter((part) => part.length > 0).map((part) => {
        const data = (double ? Float64Array : Float32Array).from(valuesIn(part))
        const child = makeData({ type: item.type, length: data.length, data } as never) as Data
        const list = makeData({ type, length: part.length, nullCount: 0, child, ...(fixed ? {} : { valueOffsets: Int32Array.from({ length: part.length + 1 }, (_, i) => i * 3) }) } as never) as Data
        return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: part.length, children: [vectorFromArray(idsOf(part), new Utf8()).data[0]!, list] }))
      })
      writeFileSync(join(root, "order.arrow"), tableToIPC(new Table(schema, batches), format))
      await expectInOrder(asked, "order.arrow")
    }), { numRuns: 100 })
  })

  it("and rows of other lengths, or missing ones, are named", async () => {
    const schema = (type: List<Float32> | FixedSizeList<Float32>) => new Schema([new Field("embedding", type, true)])
    const write = (type: List<Float32>, offsets: ReadonlyArray<number>, nulls: number) => {
      const child = makeData({ type: new Float32(), data: Float32Array.from(flat) })
      const list = makeData({ type, length: offsets.length - 1, nullCount: nulls, ...(nulls > 0 ? { nullBitmap: Uint8Array.of(5) } : {}), valueOffsets: Int32Array.from(offsets), child })
      const own = schema(type)
      writeFileSync(join(root, "ragged.arrow"), tableToIPC(new Table(own, [new RecordBatch(own, makeData({ type: new Struct(own.fields), length: list.length, children: [list] }))]), "file"))
    }
    const list = new List(new Field("item", new Float32(), true))
    write(list, [0, 2, 4, 8], 0)
    await expect(run(precomputed, { root, rows, with: { file: "ragged.arrow", by: "order" } })).rejects.toThrow(/row 2 has 4 values where row 0 has 2/)
    write(list, [0, 2, 4, 6], 1)
    await expect(run(precomputed, { root, rows, with: { file: "ragged.arrow", by: "order" } })).rejects.toThrow(/its column embedding has missing values among the rows 0 to 2/)
  })
})
