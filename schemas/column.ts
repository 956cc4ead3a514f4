/**
 * The kinds of column that tables are made of: how each lies in memory. `schemas/arrow.ts` gives each its Arrow type,
 * `cache/digest.ts` its digest. Kinds are few on purpose: a stage meets plain arrays, never the Arrow API.
 */

/** n vectors of one width, row after row. A missing vector (a sample without a box) is a row of NaN. */
export interface Vectors {
  readonly width: number
  readonly values: Float32Array
}

/** One file behind a sample. `path` is relative to the data root, or `cache:<sha256>` for pixels that ingest itself made. */
export interface Asset {
  /** What the file holds: a band's name ("B04"), or "image" for an ordinary picture. */
  readonly band: string
  readonly path: string
  /** SHA-256 of the file, hex. Stages that read the file get exactly these bytes or an error. */
  readonly digest: string
  /** Which band of the file, from 0; -1: all of its bands. */
  readonly index: number
  /** Ground sampling distance in metres; NaN: unknown. */
  readonly gsd: number
}

/** In-memory type of each kind of column. */
export interface ColumnTypes {
  /** utf8, never null */
  readonly text: ReadonlyArray<string>
  /** utf8 or null */
  readonly optionalText: ReadonlyArray<string | null>
  /** list<utf8> */
  readonly texts: ReadonlyArray<ReadonlyArray<string>>
  /** float64; NaN: absent (null in Arrow) */
  readonly number: Float64Array
  /** int32; class ids: -1 is "none" */
  readonly integer: Int32Array
  /** float32 */
  readonly float: Float32Array
  /** FixedSizeList<float32>[width] */
  readonly vectors: Vectors
  /** list<float32>, a length of its own for each row */
  readonly floats: ReadonlyArray<Float32Array>
  /** list<float64> */
  readonly numbers: ReadonlyArray<Float64Array>
  /** UTC milliseconds since 1970 as float64; NaN: absent (null in Arrow) */
  readonly time: Float64Array
  /** list<struct<band, path, digest, index, gsd>> */
  readonly assets: ReadonlyArray<ReadonlyArray<Asset>>
}
export type ColumnKind = keyof ColumnTypes
export type Column = ColumnTypes[ColumnKind]

/** Kinds that an open column (an annotation of the user's own name) may have. */
export const openKinds = ["integer", "float", "vectors"] as const
export type OpenColumn = ColumnTypes[(typeof openKinds)[number]]

export const isVectors = (column: Column | OpenColumn): column is Vectors => "width" in column

/** The number of rows of a column. */
export const lengthOf = (column: Column): number => isVectors(column) ? (column.width === 0 ? 0 : column.values.length / column.width) : column.length

/** One row of a set of vectors, as a view. */
export const vectorAt = (vectors: Vectors, row: number): Float32Array =>
  vectors.values.subarray(row * vectors.width, (row + 1) * vectors.width)

/** The given rows of a column, in that order; a copy. */
export const takeColumn = <C extends Column>(column: C, rows: ArrayLike<number>): C => {
  const take = (): Column => {
    if (isVectors(column)) {
      const values = new Float32Array(rows.length * column.width)
      for (let i = 0; i < rows.length; i++) values.set(vectorAt(column, rows[i]!), i * column.width)
      return { width: column.width, values }
    }
    if (column instanceof Float64Array) return Float64Array.from(rows, (r) => column[r]!)
    if (column instanceof Float32Array) return Float32Array.from(rows, (r) => column[r]!)
    if (column instanceof Int32Array) return Int32Array.from(rows, (r) => column[r]!)
    const list: ReadonlyArray<unknown> = column
    return Array.from(rows, (r) => list[r]) as unknown as Column
  }
  return take() as C
}
