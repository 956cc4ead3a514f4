/**
 * Ridge regression in closed form: |Y - X W^T - b|^2 + alpha |W|^2, intercepts free (scikit-learn's Ridge). Products and factors are made
 * in WebAssembly, float64: the same bits on every CPU.
 */
import { type Matrix, timesTransposed, transposedTimes } from "./matrix.ts"
import { bytes } from "../wasm/bytes/products.ts"
import { instantiate, Layout } from "../wasm/instance.ts"

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

const transposed = (a: Float64Array, n: number, m: number): Float64Array => {
  const out = new Float64Array(n * m)
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j * n + i] = a[i * m + j]!
  return out
}

/** Values of the rows that are in WebAssembly at a time: 64 MiB. */
const blockValues = 2 ** 23

/**
 * Solves (a a^T + alpha I) s = b for rows a [n, m] and any alpha: the products are made once, and a factor once for each alpha. Right-hand
 * sides are the rows of b [k, n], and so are the solutions. `undefined` where the system is not positive definite in float64.
 */
const solverOf = (a: Float64Array, n: number, m: number): (alpha: number, b: Float64Array, k: number) => Float64Array | undefined => {
  const block = Math.max(1, Math.min(m, Math.floor(blockValues / n))), layout = new Layout(), rows = layout.bytes(n * block * 8), square = layout.bytes(n * n * 8)
  const memory = layout.memory(), { cholesky, gram, solve } = instantiate(bytes, memory, ["cholesky", "gram", "solve"])
  // Once the products are made, block of columns after block, the right-hand sides take the place of the rows, as many at a time as there were columns.
  const room = new Float64Array(memory.buffer, rows, n * block), factor = new Float64Array(memory.buffer, square, n * n)
  for (let from = 0; from < m; from += block) {
    const width = Math.min(block, m - from)
    for (let i = 0; i < n; i++) room.set(a.subarray(i * m + from, i * m + from + width), i * width)
    gram(rows, n, width, square)
  }
  const products = factor.slice(), factors = new Map<number, Float64Array>()
  return (alpha, b, k) => {
    const known = factors.get(alpha)
    factor.set(known ?? products)
    if (known === undefined) {
      for (let i = 0; i < n; i++) factor[i * n + i]! += alpha
      if (cholesky(square, n) === 0) return undefined
      factors.set(alpha, factor.slice())
    }
    const out = new Float64Array(k * n)
    for (let from = 0; from < k; from += block) {
      const own = b.subarray(from * n, (from + block) * n)
      room.set(own)
      solve(square, n, rows, own.length / n)
      out.set(room.subarray(0, own.length), from * n)
    }
    return out
  }
}

/** a [k, n] times b [n, d]. */
const times = (a: Float64Array, k: number, b: Float64Array, n: number, d: number): Float64Array => {
  const out = new Float64Array(k * d)
  transposedTimes(transposed(a, k, n), k, { rows: n, columns: d, values: b }, out)
  return out
}

/**
 * A solver for rows x [n, d]: the products of x are made once, whatever is fitted to it. With more columns than rows it solves the dual
 * system [n, n] instead of [d, d]; the solution is the same. `fit` takes targets y [n, t] and gives what fits them for an alpha > 0; that
 * throws a RangeError where alpha is too small for the system to be positive definite in float64.
 */
export const ridgeOf = (x: Matrix): { readonly fit: (y: Matrix) => (alpha: number) => Linear } => {
  const { columns: d, rows: n } = x, dual = n < d
  const xMeans = meansOf(x), a = centred(x, xMeans)
  const solve = dual ? solverOf(a, n, d) : solverOf(transposed(a, n, d), d, n)
  return {
    fit: (y) => {
      const k = y.columns, yMeans = meansOf(y), b = transposed(centred(y, yMeans), n, k), right = dual ? b : times(b, k, a, n, d)
      return (alpha) => {
        const solution = solve(alpha, right, k)
        if (solution === undefined) throw new RangeError(`alpha ${alpha} is too small for these features: the system is singular`)
        const coefficients = dual ? times(solution, k, a, n, d) : solution
        const intercepts = yMeans.map((mean, t) => {
          let shift = 0
          for (let j = 0; j < d; j++) shift += coefficients[t * d + j]! * xMeans[j]!
          return mean - shift
        })
        return { coefficients, intercepts }
      }
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
