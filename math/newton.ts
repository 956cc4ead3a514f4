/**
 * Newton's method for logistic regressions of several binary targets on the same rows: some ten steps where quasi-Newton takes hundreds
 * (correlated features, targets that are nearly separable), each at the price of a Cholesky factor of order d. Products and factors are
 * made in WebAssembly, float64: the same bits on every CPU.
 */
import { dot, type Minimum } from "./lbfgs.ts"
import { type Matrix, timesTransposed, transposedTimes } from "./matrix.ts"
import { bytes } from "../wasm/bytes/products.ts"
import { instantiate, Layout } from "../wasm/instance.ts"

/** Widths beyond which a factor costs more than it saves, and values beyond which their copies take too much memory (64 MiB). */
const widest = 256, most = 2 ** 23
export const isNewtons = ({ columns, rows }: Matrix): boolean => columns <= widest && (columns + 1) * rows <= most

export interface Target {
  /** [n], 1 or 0 */
  readonly truth: ArrayLike<number>
  /** How much a row counts that has the class, and one that has not. */
  readonly positive: number
  readonly negative: number
}
export interface Stop {
  readonly iterations: number
  readonly tolerance: number
}

/**
 * A solver for rows x [n, d] and any target: the minimum of C * sum of w nll + 0.5 |coefficients|^2 over coefficients [d], then the intercept,
 * from a starting point [d + 1]. It ends where |gradient|^2 / 2 <= tolerance * objective, or the arithmetic goes no lower.
 */
export const newtonOf = (x: Matrix): (target: Target, C: number, start: Float64Array, stop: Stop) => Minimum => {
  const { columns: d, rows: n, values } = x, m = d + 1
  const columns = new Float64Array(m * n).fill(1)
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) columns[j * n + i] = values[i * d + j]!
  const layout = new Layout(), at = { weighted: layout.bytes(m * n * 8), square: layout.bytes(m * m * 8), right: layout.bytes(m * 8) }
  const memory = layout.memory(), { cholesky, gram, solve } = instantiate(bytes, memory, ["cholesky", "gram", "solve"])
  const weighted = new Float64Array(memory.buffer, at.weighted, m * n), square = new Float64Array(memory.buffer, at.square, m * m), right = new Float64Array(memory.buffer, at.right, m)
  const z = new Float64Array(n), curvatures = new Float64Array(n), slopes = new Float64Array(d)

  return ({ negative, positive, truth }, C, start, { iterations, tolerance }) => {
    /** Value and gradient; leaves the roots of C w p (1 - p) in `curvatures`. */
    const evaluate = (point: Float64Array) => {
      timesTransposed(x, point.subarray(0, d), 1, z)
      let loss = 0, slope = 0
      for (let i = 0; i < n; i++) {
        const has = truth[i] === 1, odds = z[i]! + point[d]!, margin = has ? odds : -odds, weight = C * (has ? positive : negative)
        const tail = Math.exp(-Math.abs(margin)), whole = 1 + tail, wrong = weight * (margin >= 0 ? tail : 1) / whole
        loss += weight * (Math.log1p(tail) + Math.max(0, -margin))
        curvatures[i] = Math.sqrt(weight * tail) / whole
        slope += z[i] = has ? -wrong : wrong
      }
      transposedTimes(z, 1, x, slopes)
      const gradient = new Float64Array(m)
      for (let j = 0; j < d; j++) {
        gradient[j] = slopes[j]! + point[j]!
        loss += 0.5 * point[j]! * point[j]!
      }
      gradient[d] = slope
      return { value: loss, gradient }
    }
    /** The Hessian's factor at the point evaluated last. The intercept has no penalty; what is added for it steadies the step alone. */
    const factor = () => {
      for (let j = 0; j < m; j++) for (let i = 0; i < n; i++) weighted[j * n + i] = columns[j * n + i]! * curvatures[i]!
      square.fill(0)
      gram(at.weighted, m, n, at.square)
      for (let j = 0; j < d; j++) square[j * m + j]! += 1
      square[d * m + d]! += 1e-10 * C * n
      return cholesky(at.square, m) === 1
    }

    let point: Float64Array = Float64Array.from(start), here = evaluate(point), evaluations = 1, taken = 0, settled = true, factored = false
    while (dot(here.gradient, here.gradient) > 2 * tolerance * here.value) {
      if (taken++ === iterations || (!factored && !factor())) {
        settled = false
        break
      }
      const fresh = !factored
      right.set(here.gradient)
      solve(at.square, m, at.right, 1)
      const direction = right.slice(), slope = dot(here.gradient, direction)
      let step = 1, next = point, reached = here, accepted = false
      // A step is halved until Armijo's condition holds; near the minimum values differ by their rounding alone.
      for (; step > 1e-9 && !accepted; step /= 2) {
        next = point.map((value, p) => value - step * direction[p]!)
        reached = evaluate(next)
        evaluations++
        accepted = reached.value <= here.value - 1e-4 * step * slope + 1e-14 * here.value
      }
      if (!accepted && fresh) break
      // A factor serves as long as it brings the gradient down well (Shamanskii's variant).
      factored = accepted && dot(reached.gradient, reached.gradient) < dot(here.gradient, here.gradient) / 16
      if (!accepted) reached = evaluate(next = point)
      point = next
      here = reached
    }
    return { point, evaluations, settled, ...here }
  }
}
