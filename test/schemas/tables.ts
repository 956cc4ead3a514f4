/** Random tables of every kind, and what two tables have in common when they hold the same. */
import fc from "fast-check"
import type { Asset, Column, ColumnKind } from "../../schemas/column.ts"
import { make, type Table, type TableInput, type TableSchema } from "../../schemas/table.ts"

const text = fc.string({ unit: "grapheme", maxLength: 8 })
const real = fc.double({ noDefaultInfinity: true })
const single = fc.float({ noDefaultInfinity: true })
const finite = fc.float({ noDefaultInfinity: true, noNaN: true })
const asset: fc.Arbitrary<Asset> = fc.record({ band: text, path: text, digest: fc.stringMatching(/^[0-9a-f]{64}$/), index: fc.integer({ min: -1, max: 12 }), gsd: real })

const list = <A>(value: fc.Arbitrary<A>, rows: number) => fc.array(value, { minLength: rows, maxLength: rows })
const vectors = (value: fc.Arbitrary<number>, width: number, rows: number) => list(value, rows * width).map((values) => ({ width, values: Float32Array.from(values) }))

/** A random column of a kind. */
const columnOf = (kind: ColumnKind, rows: number, width: number, onlyFinite: boolean, oneOf: ReadonlyArray<string> | undefined): fc.Arbitrary<Column> => {
  switch (kind) {
    case "text":
      return list(oneOf === undefined ? text : fc.constantFrom(...oneOf), rows)
    case "optionalText":
      return list<string | null>(fc.option(text), rows)
    case "texts":
      return list(fc.array(text, { maxLength: 3 }), rows)
    case "number":
      return list(real, rows).map((values) => Float64Array.from(values))
    case "time":
      return list(fc.option(fc.integer({ min: -1e12, max: 4e12 }), { nil: Number.NaN }), rows).map((values) => Float64Array.from(values))
    case "integer":
      return list(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), rows).map((values) => Int32Array.from(values))
    case "float":
      return list(onlyFinite ? finite : single, rows).map((values) => Float32Array.from(values))
    case "vectors":
      return vectors(onlyFinite ? finite : single, width, rows)
    case "floats":
      return list(fc.array(single, { maxLength: 4 }).map((values) => Float32Array.from(values)), rows)
    case "numbers":
      return list(fc.array(real, { maxLength: 4 }).map((values) => Float64Array.from(values)), rows)
    case "assets":
      return list(fc.array(asset, { maxLength: 3 }), rows)
  }
}

/** Random tables of a schema, empty ones too; optional columns are left out at times, key columns made unique. */
export const tablesOf = (schema: TableSchema): fc.Arbitrary<Table> =>
  fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 5 })).chain(([rows, width]) => {
    const columns = Object.fromEntries(Object.entries(schema.columns).map(([name, { finite, kind, oneOf, optional, width: own }]) => {
      const filled = columnOf(kind, rows, own ?? width, finite, oneOf)
      const unique = schema.key.includes(name) && kind === "text" && oneOf === undefined ? filled.map((column) => (column as ReadonlyArray<string>).map((value, row) => `${value}${row}`)) : filled
      return [name, optional ? fc.option(unique, { nil: undefined }) : unique]
    }))
    const open = schema.open ?
      fc.record({ class: columnOf("integer", rows, 1, false, undefined), "näher": columnOf("float", rows, 1, false, undefined), target: columnOf("vectors", rows, width, false, undefined) }) :
      fc.constant({})
    return fc.tuple(fc.record(columns), open, fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), text, { maxKeys: 2 })).map(([given, opened, metadata]) =>
      make(schema, { ...given, open: opened, metadata } as unknown as TableInput<typeof schema.columns>))
  })

/** What a table says, in plain values, -0 and 0 told apart from nothing else. */
export const contentOf = (table: Table): unknown => ({
  table: table.schema.name,
  rows: table.rows,
  metadata: table.metadata,
  columns: Object.fromEntries(Array.from(table.columns, ([name, { column, kind }]) => [name, {
    kind,
    column: "width" in column ? { width: column.width, values: Array.from(column.values) } : Array.from(column as ArrayLike<unknown>, (value) => ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value)
  }]))
})
