import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Data, Field, FixedSizeList, Float32, makeData, RecordBatch, Schema, Struct, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow"
import { parquetWriteBuffer } from "hyparquet-writer"
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
    await expect(valuesOf({ file: "x.arrow", idColumn: "id" })).rejects.toThrow(/no column id; it has sample_id, embedding/)
    await expect(valuesOf({ file: "x.arrow", column: "sample_id" })).rejects.toThrow(/row 1 of its column sample_id is no list of floats/)
  })
})
