/** The two products of a fixed matrix x that fitting and searching need, by plain loops or by a matrix library where x is large. */
import { type Matrix, timesTransposed, transposedTimes } from "./matrix.ts"

export interface Products {
  /** x [n, d] times the transpose of w [r, d]: [n, r], valid until the next call. */
  readonly scores: (w: Float64Array) => Float64Array | Promise<Float64Array>
  /** The transpose of g [n, r] times x: [r, d], valid until the next call. */
  readonly gradient: (g: Float64Array) => Float64Array | Promise<Float64Array>
}

/** Whether the library is the faster for products of x with r rows; loading it takes about 0.1 s, once a process. */
export const isLarge = (x: Matrix, r: number): boolean => x.rows * x.columns * r > 1e5

/**
 * Products of x with r rows. The choice of engine follows from the sizes alone, so a result does not depend on the machine's load. Loops
 * are float64; the library (onnxruntime, one thread) is float32, good to about 1e-6 of the largest term of a sum.
 */
export const productsOf = async (x: Matrix, r: number): Promise<Products> => {
  if (isLarge(x, r)) return await (await import("./products-onnx.ts")).onnxProducts(x, r)
  const scores = new Float64Array(x.rows * r), gradient = new Float64Array(r * x.columns)
  return {
    scores: (w) => {
      timesTransposed(x, w, r, scores)
      return scores
    },
    gradient: (g) => {
      transposedTimes(g, r, x, gradient)
      return gradient
    }
  }
}
