/** Ridge regression in closed form: |Y - X W^T - b|^2 + alpha |W|^2, intercepts free (scikit-learn's Ridge). */
import { type Matrix, timesTransposed } from "./matrix.ts"

export interface Linear {
  /** [targets, d] row-major */
  readonly coefficients: Float64Array
  /** [targets] */
  readonly intercepts: Float64Array
}

const meansOf = ({ columns, rows, values }: Matrix): Float64Array => {
  const means = new Float64Array(columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) means[j]! += values[i * columns + j]!
  return means.map((sum) => sum / rows)
}
const centred = (x: Matrix, means: Float64Array): Float64Array => {
  const out = new Float64Array(x.values.length)
  for (let i = 0; i < out.length; i++) out[i] = x.values[i]! - means[i % x.columns]!
  return out
}

/** a a^T of a [n, m], symmetric [n, n]. */
const gram = (a: Float64Array, n: number, m: number): Float64Array => {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const own = i * m
    let j = 0
    for (; j + 3 <= i; j += 4) {
      const b = j * m, c = b + m, d = c + m, e = d + m
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0
      for (let p = 0; p < m; p++) {
        const v = a[own + p]!
        s0 += v * a[b + p]!
        s1 += v * a[c + p]!
        s2 += v * a[d + p]!
        s3 += v * a[e + p]!
      }
      out[i * n + j] = s0
      out[i * n + j + 1] = s1
      out[i * n + j + 2] = s2
      out[i * n + j + 3] = s3
    }
    for (; j <= i; j++) {
      let sum = 0
      for (let p = 0; p < m; p++) sum += a[own + p]! * a[j * m + p]!
      out[i * n + j] = sum
    }
    for (let j = 0; j < i; j++) out[j * n + i] = out[i * n + j]!
  }
  return out
}

/**
 * The lower Cholesky factor of a + alpha I, row-major [n, n]; undefined where it is not positive definite in float64. Column by column,
 * four rows at a time: each value of the pivot row is read once for the four.
 */
const cholesky = (a: Float64Array, n: number, alpha: number): Float64Array | undefined => {
  const l = new Float64Array(n * n)
  for (let j = 0; j < n; j++) {
    const pivot = j * n
    let square = a[pivot + j]! + alpha
    for (let p = 0; p < j; p++) square -= l[pivot + p]! * l[pivot + p]!
    if (!(square > 0)) return undefined
    const root = l[pivot + j] = Math.sqrt(square)
    let i = j + 1
    for (; i + 3 < n; i += 4) {
      const b = i * n, c = b + n, d = c + n, e = d + n
      let s0 = a[b + j]!, s1 = a[c + j]!, s2 = a[d + j]!, s3 = a[e + j]!
      for (let p = 0; p < j; p++) {
        const v = l[pivot + p]!
        s0 -= v * l[b + p]!
        s1 -= v * l[c + p]!
        s2 -= v * l[d + p]!
        s3 -= v * l[e + p]!
      }
      l[b + j] = s0 / root
      l[c + j] = s1 / root
      l[d + j] = s2 / root
      l[e + j] = s3 / root
    }
    for (; i < n; i++) {
      let sum = a[i * n + j]!
      for (let p = 0; p < j; p++) sum -= l[pivot + p]! * l[i * n + p]!
      l[i * n + j] = sum / root
    }
  }
  return l
}

/** Solves l l^T s = b in place, for b [n, k]. */
const solve = (l: Float64Array, n: number, b: Float64Array, k: number): void => {
  for (let t = 0; t < k; t++) {
    for (let i = 0; i < n; i++) {
      let sum = b[i * k + t]!
      for (let p = 0; p < i; p++) sum -= l[i * n + p]! * b[p * k + t]!
      b[i * k + t] = sum / l[i * n + i]!
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = b[i * k + t]!
      for (let p = i + 1; p < n; p++) sum -= l[p * n + i]! * b[p * k + t]!
      b[i * k + t] = sum / l[i * n + i]!
    }
  }
}

const transposed = (a: Float64Array, n: number, m: number): Float64Array => {
  const out = new Float64Array(n * m)
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j * n + i] = a[i * m + j]!
  return out
}

/** a [n, m] times b [m, k]. */
const times = (a: Float64Array, n: number, m: number, b: Float64Array, k: number): Float64Array => {
  const out = new Float64Array(n * k)
  for (let i = 0; i < n; i++) {
    for (let p = 0; p < m; p++) {
      const v = a[i * m + p]!
      for (let t = 0; t < k; t++) out[i * k + t]! += v * b[p * k + t]!
    }
  }
  return out
}

/**
 * A solver for rows x [n, d]: the products of x are made once, whatever is fitted to it. With more columns than rows it solves the dual
 * system [n, n] instead of [d, d]; the solution is the same. `fit` takes targets y [n, t] and alpha > 0; it throws a RangeError where
 * alpha is too small for the system to be positive definite in float64.
 */
export const ridgeOf = (x: Matrix): { readonly fit: (y: Matrix, alpha: number) => Linear } => {
  const { columns: d, rows: n } = x, dual = n < d, size = dual ? n : d
  const xMeans = meansOf(x), a = centred(x, xMeans), aT = transposed(a, n, d)
  const products = dual ? gram(a, n, d) : gram(aT, d, n)
  const factors = new Map<number, Float64Array>()
  return {
    fit: (y, alpha) => {
      const k = y.columns, yMeans = meansOf(y), b = centred(y, yMeans)
      const factor = factors.get(alpha) ?? cholesky(products, size, alpha)
      if (factor === undefined) throw new RangeError(`alpha ${alpha} is too small for these features: the system is singular`)
      factors.set(alpha, factor)
      let solution: Float64Array
      if (dual) {
        solve(factor, n, b, k)
        solution = times(aT, d, n, b, k)
      } else {
        solution = times(aT, d, n, b, k)
        solve(factor, d, solution, k)
      }
      const coefficients = transposed(solution, d, k)
      const intercepts = yMeans.map((mean, t) => {
        let shift = 0
        for (let j = 0; j < d; j++) shift += coefficients[t * d + j]! * xMeans[j]!
        return mean - shift
      })
      return { coefficients, intercepts }
    }
  }
}

/** Predictions for rows x [m, d]: [m, targets]. */
export const predictLinear = ({ coefficients, intercepts }: Linear, x: Matrix): Matrix => {
  const k = intercepts.length, values = new Float64Array(x.rows * k)
  timesTransposed(x, coefficients, k, values)
  for (let i = 0; i < values.length; i++) values[i]! += intercepts[i % k]!
  return { rows: x.rows, columns: k, values }
}
