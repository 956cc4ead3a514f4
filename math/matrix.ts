/** Dense matrices, row after row, and the two products that fitting a linear model needs. Sums are float64 whatever the storage. */

export interface Matrix {
  readonly rows: number
  readonly columns: number
  /** rows * columns values, row-major. */
  readonly values: Float32Array | Float64Array
}

/** x [n, d] times the transpose of w [k, d], into out [n, k]. */
export const timesTransposed = (x: Matrix, w: Float64Array, k: number, out: Float64Array): void => {
  const { columns: d, rows: n, values } = x
  for (let i = 0; i < n; i++) {
    const from = i * d
    let r = 0
    for (; r + 3 < k; r += 4) {
      const a = r * d, b = a + d, c = b + d, e = c + d
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0
      for (let j = 0; j < d; j++) {
        const v = values[from + j]!
        s0 += v * w[a + j]!
        s1 += v * w[b + j]!
        s2 += v * w[c + j]!
        s3 += v * w[e + j]!
      }
      const to = i * k + r
      out[to] = s0
      out[to + 1] = s1
      out[to + 2] = s2
      out[to + 3] = s3
    }
    for (; r < k; r++) {
      const a = r * d
      let even = 0, odd = 0, j = 0
      for (; j + 1 < d; j += 2) {
        even += values[from + j]! * w[a + j]!
        odd += values[from + j + 1]! * w[a + j + 1]!
      }
      if (j < d) even += values[from + j]! * w[a + j]!
      out[i * k + r] = even + odd
    }
  }
}

/** The transpose of g [n, k] times x [n, d], into out [k, d]. */
export const transposedTimes = (g: Float64Array, k: number, x: Matrix, out: Float64Array): void => {
  const { columns: d, rows: n, values } = x
  out.fill(0)
  let i = 0
  for (; i + 3 < n; i += 4) {
    const a = i * d, b = a + d, c = b + d, e = c + d
    for (let r = 0; r < k; r++) {
      const g0 = g[i * k + r]!, g1 = g[(i + 1) * k + r]!, g2 = g[(i + 2) * k + r]!, g3 = g[(i + 3) * k + r]!, to = r * d
      for (let j = 0; j < d; j++) out[to + j]! += g0 * values[a + j]! + g1 * values[b + j]! + g2 * values[c + j]! + g3 * values[e + j]!
    }
  }
  for (; i < n; i++) {
    for (let r = 0; r < k; r++) {
      const weight = g[i * k + r]!, to = r * d
      for (let j = 0; j < d; j++) out[to + j]! += weight * values[i * d + j]!
    }
  }
}

/** The given rows, in that order; a copy. */
export const takeRows = (x: Matrix, rows: ArrayLike<number>): Matrix => {
  const values = x.values instanceof Float32Array ? new Float32Array(rows.length * x.columns) : new Float64Array(rows.length * x.columns)
  for (let i = 0; i < rows.length; i++) values.set(x.values.subarray(rows[i]! * x.columns, (rows[i]! + 1) * x.columns), i * x.columns)
  return { rows: rows.length, columns: x.columns, values }
}
