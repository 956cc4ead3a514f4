/**
 * In which rows and columns two tables of one kind differ, and by how much. Rows are matched by the key of the table (a history of epochs,
 * which has none, by position).
 */
import type { Asset, Column, ColumnKind } from "../schemas/column.ts"
import { isVectors } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"

export interface ColumnDiff {
  readonly name: string
  readonly kind: ColumnKind
  /** The table that has it, where only one does. */
  readonly only?: "a" | "b"
  /** Of vectors, where they differ. */
  readonly widths?: readonly [a: number, b: number]
  /** Of the rows in both, those with another value. */
  readonly changed: number
  /** Numbers and vectors: greatest and mean absolute difference over all finite pairs of values of the rows in both. */
  readonly max?: number
  readonly mean?: number
  /** Vectors: cosine similarity of the rows in both; least and mean. */
  readonly cosine?: { readonly least: number; readonly mean: number }
}

/** One row with what changed in it, as texts. */
export interface RowExample {
  readonly row: string
  readonly values: ReadonlyArray<{ readonly column: string; readonly a: string; readonly b: string }>
}

export interface TableDiff {
  readonly table: string
  readonly rows: { readonly a: number; readonly b: number; readonly onlyA: number; readonly onlyB: number; readonly changed: number }
  /** Those that differ. */
  readonly columns: ReadonlyArray<ColumnDiff>
  /** Names of metadata (vocabularies) that differ. */
  readonly metadata: ReadonlyArray<string>
  /** At most five of each. */
  readonly examples: { readonly onlyA: ReadonlyArray<string>; readonly onlyB: ReadonlyArray<string>; readonly changed: ReadonlyArray<RowExample> }
}

const most = 5
/** Vectors up to this width (boxes, windows) are shown whole. */
const shownWidth = 4

/** What a row is matched by. */
const idsOf = ({ columns, rows, schema }: Table): Array<string> => {
  const keys = schema.key.map((name) => columns.get(name)!.column as ReadonlyArray<string>)
  return Array.from({ length: rows }, (_, row) => keys.length === 0 ? `row ${row}` : keys.map((column) => column[row]!).join("\0"))
}
const nameOf = (id: string) => id.split("\0").filter((part) => part !== "").join(" ")

type Numbers = Float32Array | Float64Array | Int32Array
/** The numbers of a row; undefined where the column holds none, or class ids, whose differences mean nothing. */
const numbersAt = (column: Column, kind: ColumnKind, ids: boolean, row: number): Numbers | undefined => {
  if (isVectors(column)) return column.values.subarray(row * column.width, (row + 1) * column.width)
  if (column instanceof Float64Array || column instanceof Float32Array || column instanceof Int32Array) return ids || kind === "time" ? undefined : column.subarray(row, row + 1)
  const value: unknown = column[row]
  return value instanceof Float64Array || value instanceof Float32Array ? value : undefined
}

const assetText = ({ band, digest, gsd, index }: Asset) => `${band} ${digest.slice(0, 12)}${index < 0 ? "" : ` band ${index}`}${Number.isNaN(gsd) ? "" : ` ${gsd} m`}`
const numberText = (value: number) => Number.isNaN(value) ? "absent" : String(Number.isInteger(value) ? value : Number(value.toPrecision(6)))

/** A value as a text; `names`: the vocabulary of a column of class ids. Undefined for what is too wide to show. */
const valueText = (column: Column, kind: ColumnKind, names: ReadonlyArray<unknown>, row: number): string | undefined => {
  const numbers = numbersAt(column, kind, false, row)
  if (numbers !== undefined && (numbers.length !== 1 || isVectors(column))) return numbers.length > shownWidth ? undefined : `[${Array.from(numbers, numberText).join(", ")}]`
  const value: unknown = isVectors(column) ? null : column[row]
  if (typeof value === "number") {
    if (kind === "time") return Number.isNaN(value) ? "absent" : new Date(value).toISOString()
    return kind === "integer" && names[value] !== undefined ? String(names[value]) : numberText(value)
  }
  if (kind === "assets") return (value as ReadonlyArray<Asset>).map(assetText).join(", ")
  return value === null ? "absent" : typeof value === "string" ? value : ArrayBuffer.isView(value) ? numberText((value as Float64Array)[0]!) : JSON.stringify(value)
}

/** What is compared of an asset: where its file lies is no part of its content. */
const plain = (column: Column, kind: ColumnKind, row: number): unknown => {
  if (isVectors(column)) return null
  return kind === "assets" ? (column[row] as ReadonlyArray<Asset>).map(({ band, digest, gsd, index }) => [band, digest, index, String(gsd)]) : column[row]
}

const sameNumbers = (a: Numbers, b: Numbers): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !(Number.isNaN(a[i]) && Number.isNaN(b[i]))) return false
  return true
}
const sameValue = (a: unknown, b: unknown): boolean => a === b || (typeof a === "number" && typeof b === "number" && Number.isNaN(a) && Number.isNaN(b)) || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b))

const cosineOf = (a: Numbers, b: Numbers): number => {
  let product = 0, squaresA = 0, squaresB = 0
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!
    squaresA += a[i]! ** 2
    squaresB += b[i]! ** 2
  }
  return product / Math.sqrt(squaresA * squaresB)
}

const vocabulary = (table: Table, name: string): ReadonlyArray<unknown> => {
  const text = table.metadata[name]
  if (text === undefined) return []
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed) ? parsed : []
  } catch {
    return []
  }
}

/** Compares two tables of the same schema. */
export const diffTables = (a: Table, b: Table): TableDiff => {
  const idsA = idsOf(a), idsB = idsOf(b)
  const placeB = new Map(idsB.map((id, row) => [id, row])), known = new Set(idsA)
  const both = idsA.flatMap((id, row): Array<readonly [number, number]> => placeB.has(id) ? [[row, placeB.get(id)!]] : [])
  const onlyA = idsA.filter((id) => !placeB.has(id)), onlyB = idsB.filter((id) => !known.has(id))
  const changedRows = new Set<number>()
  const differing = new Map<string, ReadonlySet<number>>()
  const columns = [...new Set([...a.columns.keys(), ...b.columns.keys()])].flatMap((name): Array<ColumnDiff> => {
    const before = a.columns.get(name), after = b.columns.get(name)
    if (before === undefined || after === undefined) return [{ name, kind: (before ?? after)!.kind, only: before === undefined ? "b" : "a", changed: 0 }]
    if (a.schema.key.includes(name)) return []
    const { kind } = before, ids = kind === "integer" && !(name in a.schema.columns), own = new Set<number>()
    const vocabularies = ids ? [vocabulary(a, name), vocabulary(b, name)] as const : undefined
    let max = 0, sum = 0, count = 0, least = Infinity, cosines = 0, compared = 0
    both.forEach(([i, j], pair) => {
      const x = numbersAt(before.column, kind, ids, i), y = numbersAt(after.column, after.kind, ids, j)
      if (x === undefined || y === undefined) {
        // ids of different vocabularies are the same where they stand for the same name
        const same = vocabularies === undefined ? sameValue(plain(before.column, kind, i), plain(after.column, after.kind, j))
          : valueText(before.column, kind, vocabularies[0], i) === valueText(after.column, after.kind, vocabularies[1], j)
        if (!same) own.add(pair)
        return
      }
      if (!sameNumbers(x, y)) own.add(pair)
      if (x.length !== y.length) return
      for (let k = 0; k < x.length; k++) {
        const difference = Math.abs(x[k]! - y[k]!)
        if (!Number.isFinite(difference)) continue
        max = Math.max(max, difference)
        sum += difference
        count++
      }
      if (kind !== "vectors") return
      const cosine = cosineOf(x, y)
      if (!Number.isFinite(cosine)) return
      least = Math.min(least, cosine)
      cosines += cosine
      compared++
    })
    if (own.size === 0) return []
    for (const pair of own) changedRows.add(pair)
    differing.set(name, own)
    return [{
      name,
      kind,
      ...(isVectors(before.column) && isVectors(after.column) && before.column.width !== after.column.width ? { widths: [before.column.width, after.column.width] as const } : {}),
      changed: own.size,
      ...(count > 0 ? { max, mean: sum / count } : {}),
      ...(compared > 0 ? { cosine: { least, mean: cosines / compared } } : {})
    }]
  })
  const examples = [...changedRows].toSorted((x, y) => x - y).slice(0, most).map((pair): RowExample => {
    const [i, j] = both[pair]!
    return {
      row: nameOf(idsA[i]!),
      values: [...differing].flatMap(([column, rows]) => {
        if (!rows.has(pair)) return []
        const before = a.columns.get(column)!, after = b.columns.get(column)!
        const x = valueText(before.column, before.kind, vocabulary(a, column), i), y = valueText(after.column, after.kind, vocabulary(b, column), j)
        return x === undefined || y === undefined ? [] : [{ column, a: x, b: y }]
      })
    }
  })
  return {
    table: a.schema.name,
    rows: { a: a.rows, b: b.rows, onlyA: onlyA.length, onlyB: onlyB.length, changed: changedRows.size },
    columns,
    metadata: [...new Set([...Object.keys(a.metadata), ...Object.keys(b.metadata)])].filter((name) => a.metadata[name] !== b.metadata[name]).toSorted(),
    examples: { onlyA: onlyA.slice(0, most).map(nameOf), onlyB: onlyB.slice(0, most).map(nameOf), changed: examples.filter(({ values }) => values.length > 0) }
  }
}
