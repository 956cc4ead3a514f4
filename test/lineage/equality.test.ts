import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Output } from "../../cache/action.ts"
import { columnsOf } from "../../engine/output.ts"
import { isContent } from "../../cache/content.ts"
import { contentDigest, equality } from "../../lineage/equality.ts"
import { tableOfParquet, csvOf, parquetOf } from "../../schemas/tabular.ts"
import type { Column, ColumnKind } from "../../schemas/column.ts"
import type { Table } from "../../schemas/table.ts"
import { tableSchemas } from "../../schemas/tables.ts"

const tableOf = (columns: Readonly<Record<string, readonly [ColumnKind, Column]>>, rows: number, metadata: Readonly<Record<string, string>> = {}): Table =>
  ({ schema: tableSchemas["annotations"]!, rows, columns: new Map(Object.entries(columns).map(([name, [kind, column]]) => [name, { kind, column }])), metadata })
const outputOf = (table: Table): Output => ({ table: "annotations", rows: table.rows, columns: columnsOf(table), metadata: table.metadata, blob: "", bytes: 0, kept: "blob" })
const compare = (a: Table, b: Table, tolerance = 1e-6) => equality(outputOf(a), outputOf(b), { before: async () => a, after: async () => b }, tolerance)
const numbers = (...values: ReadonlyArray<number>) => tableOf({ x: ["number", Float64Array.from(values)] }, values.length)

describe("equality", () => {
  it("is to the bit where digests are equal; the tables are not asked for", async () => {
    const a = outputOf(numbers(1, Number.NaN))
    const never = () => Promise.reject(new Error("asked for"))
    expect(await equality(a, a, { before: never, after: never }, 0)).toMatchObject({ likeness: "equal", rows: 2, columns: [] })
  })

  it("says in how many rows a column differs, and how far", async () => {
    expect(await compare(numbers(1, 2, 3), numbers(1, 2 + 1e-9, 3 - 4e-9))).toMatchObject({ likeness: "close", columns: [{ column: "x", rows: 2, most: expect.closeTo(4e-9, 12), within: true }] })
    expect(await compare(numbers(1, 2, 3), numbers(1, 2.5, 3))).toMatchObject({ likeness: "differs", columns: [{ rows: 1, most: 0.5, within: false }] })
  })

  it("measures large numbers by their size, small ones by 1", async () => {
    expect(await compare(numbers(1e6), numbers(1e6 + 0.5))).toMatchObject({ likeness: "close" })
    expect(await compare(numbers(1e-9), numbers(2e-9))).toMatchObject({ likeness: "close" })
    expect(await compare(numbers(1), numbers(1 + 3e-6))).toMatchObject({ likeness: "differs" })
    expect(await compare(numbers(1), numbers(1 + 3e-6), 1e-5)).toMatchObject({ likeness: "close" })
  })

  it("holds a number and NaN, or infinities, for no distance at all", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) expect(await compare(numbers(1), numbers(value)), String(value)).toMatchObject({ likeness: "differs", columns: [{ rows: 1, most: null, within: false }] })
  })

  it("does not measure names: another class id or text is another one", async () => {
    const ids = (...values: ReadonlyArray<number>) => tableOf({ x: ["integer", Int32Array.from(values)] }, values.length)
    expect(await compare(ids(1, 2), ids(1, 3), 10)).toMatchObject({ likeness: "differs", columns: [{ rows: 1, most: null }] })
    expect(await compare(tableOf({ x: ["text", ["a"]] }, 1), tableOf({ x: ["text", ["b"]] }, 1))).toMatchObject({ likeness: "differs" })
  })

  it("compares vectors and lists entry by entry", async () => {
    const vectors = (...values: ReadonlyArray<number>) => tableOf({ x: ["vectors", { width: 2, values: Float32Array.from(values) }] }, values.length / 2)
    expect(await compare(vectors(1, 2, 3, 4), vectors(1, 2, 3, 5))).toMatchObject({ columns: [{ rows: 1, most: 1 }] })
    const lists = (...rows: ReadonlyArray<ReadonlyArray<number>>) => tableOf({ x: ["numbers", rows.map((row) => Float64Array.from(row))] }, rows.length)
    expect(await compare(lists([1], [2, 3]), lists([1], [2]))).toMatchObject({ likeness: "differs", columns: [{ rows: 1, most: null }] })
  })

  it("tells other rows, columns and metadata as such", async () => {
    expect(await compare(numbers(1), numbers(1, 2))).toMatchObject({ likeness: "differs", note: "1 rows on record, 2 now" })
    expect(await compare(numbers(1), tableOf({ y: ["number", Float64Array.of(1)] }, 1))).toMatchObject({ note: "other columns: x is gone or of another kind, y is new" })
    expect(await compare(tableOf({}, 0, { class: "[\"a\"]" }), tableOf({}, 0, { class: "[\"b\"]" }))).toMatchObject({ likeness: "differs", note: "other metadata: class" })
  })

  it("is unknown where other bits have nothing to be measured against", async () => {
    const [a, b] = [numbers(1), numbers(2)]
    expect(await equality(outputOf(a), outputOf(b), { before: async () => undefined, after: async () => b }, 1)).toMatchObject({ likeness: "unknown", note: expect.stringContaining("other bits in x") })
  })
})

describe("tables as files", () => {
  const float = fc.float()
  const double = fc.double()
  const row = fc.record({
    text: fc.string({ unit: "binary" }),
    optional: fc.option(fc.string({ unit: "grapheme" })),
    texts: fc.array(fc.string()),
    number: double,
    integer: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    float,
    vectors: fc.tuple(float, float),
    floats: fc.array(float),
    numbers: fc.array(double),
    time: fc.oneof(fc.integer({ min: -1e12, max: 4e12 }), fc.constant(Number.NaN)),
    assets: fc.array(fc.record({ band: fc.string(), path: fc.string(), digest: fc.string(), index: fc.integer({ min: -1, max: 20 }), gsd: double }))
  })

  it("come back from Parquet to the bit, whatever they hold", async () => {
    await fc.assert(fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), fc.dictionary(fc.stringMatching(/^[a-z]+$/), fc.string()), async (rows, metadata) => {
      const table = tableOf({
        text: ["text", rows.map(({ text }) => text)],
        optional: ["optionalText", rows.map(({ optional }) => optional)],
        texts: ["texts", rows.map(({ texts }) => texts)],
        number: ["number", Float64Array.from(rows, ({ number }) => number)],
        integer: ["integer", Int32Array.from(rows, ({ integer }) => integer)],
        float: ["float", Float32Array.from(rows, ({ float }) => float)],
        vectors: ["vectors", { width: 2, values: Float32Array.from(rows.flatMap(({ vectors }) => vectors)) }],
        floats: ["floats", rows.map(({ floats }) => Float32Array.from(floats))],
        numbers: ["numbers", rows.map(({ numbers }) => Float64Array.from(numbers))],
        time: ["time", Float64Array.from(rows, ({ time }) => time)],
        assets: ["assets", rows.map(({ assets }) => assets)]
      }, rows.length, metadata)
      const output = outputOf(table), back = await tableOfParquet(await parquetOf(table), output)
      expect(columnsOf(back)).toEqual(output.columns)
      expect(isContent(output, back)).toBe(true)
    }), { numRuns: 60 })
  })

  it("are told from others by their content digest, which knows names of columns, kinds and metadata", () => {
    const digests = [numbers(1), numbers(2), tableOf({ y: ["number", Float64Array.of(1)] }, 1), tableOf({ x: ["float", Float32Array.of(1)] }, 1), tableOf({ x: ["number", Float64Array.of(1)] }, 1, { a: "b" })].map((table) => contentDigest(outputOf(table)))
    expect(new Set(digests).size).toBe(digests.length)
    expect(contentDigest(outputOf(numbers(1)))).toBe(digests[0])
  })

  it("as CSV quote what needs it, and say times as ISO 8601", () => {
    expect(csvOf(tableOf({ a: ["text", ["x,\"y\"\nz"]], b: ["optionalText", [null]], c: ["number", Float64Array.of(Number.NaN)], d: ["vectors", { width: 2, values: Float32Array.of(1, 2) }], e: ["time", Float64Array.of(0)] }, 1)))
      .toBe("a,b,c,d,e\n\"x,\"\"y\"\"\nz\",,,\"[1,2]\",1970-01-01T00:00:00.000Z\n")
  })
})
