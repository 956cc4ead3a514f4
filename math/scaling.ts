/** Scaling of columns: fitted on some rows, applied to any. */
import type { Matrix } from "./matrix.ts"

/** x becomes (x - offset) / scale, column by column. */
export interface Scaling {
  readonly offset: Float64Array
  readonly scale: Float64Array
}

/** Leaves columns as they are. */
export const identity = ({ columns }: Matrix): Scaling => ({ offset: new Float64Array(columns), scale: new Float64Array(columns).fill(1) })

/** Minimum to 0, maximum to 1 (rows beyond what was fitted leave that range). A constant column becomes 0, as in scikit-learn. */
export const minMax = ({ columns, rows, values }: Matrix): Scaling => {
  const offset = new Float64Array(columns).fill(Infinity), scale = new Float64Array(columns).fill(-Infinity)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const x = values[i * columns + j]!
      if (x < offset[j]!) offset[j] = x
      if (x > scale[j]!) scale[j] = x
    }
  }
  for (let j = 0; j < columns; j++) scale[j] = scale[j]! - offset[j]! || 1
  return { offset, scale }
}

/** Mean to 0, standard deviation (of the population) to 1. A constant column becomes 0. */
export const standard = ({ columns, rows, values }: Matrix): Scaling => {
  const offset = new Float64Array(columns), scale = new Float64Array(columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) offset[j]! += values[i * columns + j]!
  for (let j = 0; j < columns; j++) offset[j]! /= rows
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) scale[j]! += (values[i * columns + j]! - offset[j]!) ** 2
  for (let j = 0; j < columns; j++) {
    const deviation = Math.sqrt(scale[j]! / rows)
    // What summation leaves of a constant column is no spread.
    scale[j] = deviation <= 10 * Number.EPSILON * Math.abs(offset[j]!) ? 1 : deviation
  }
  return { offset, scale }
}

/** The rows scaled; a copy in the storage of `x`. */
export const scaled = (x: Matrix, { offset, scale }: Scaling): Matrix => {
  const { columns, rows } = x
  const values = x.values instanceof Float32Array ? new Float32Array(rows * columns) : new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) values[i * columns + j] = (x.values[i * columns + j]! - offset[j]!) / scale[j]!
  return { rows, columns, values }
}

/** The rows scaled, some thousand at a time: a copy of a large collection need not exist. Each part begins at row `from`. */
export function* scaledParts(x: Matrix, scaling: Scaling): Generator<{ readonly from: number; readonly part: Matrix }> {
  const most = 4096
  for (let from = 0; from < x.rows; from += most) {
    const to = Math.min(x.rows, from + most)
    yield { from, part: scaled({ rows: to - from, columns: x.columns, values: x.values.subarray(from * x.columns, to * x.columns) }, scaling) }
  }
}
