/**
 * Limited-memory BFGS (Nocedal & Wright, Numerical Optimization, algorithms 7.4 and 7.5) for smooth convex functions, float64.
 * A step is shortened until Armijo's condition holds, or its "approximate" form where rounding hides the decrease; convexity gives the
 * curvature condition.
 */

export interface Evaluation {
  readonly value: number
  readonly gradient: Float64Array
}
export interface Minimum extends Evaluation {
  readonly point: Float64Array
  /** How often the function was evaluated. */
  readonly evaluations: number
  /** It did not end because of `iterations`. */
  readonly settled: boolean
}

const memory = 10
/** a . b */
export const dot = (a: Float64Array, b: Float64Array): number => {
  let even = 0, odd = 0
  const paired = a.length - 1
  let i = 0
  for (; i < paired; i += 2) {
    even += a[i]! * b[i]!
    odd += a[i + 1]! * b[i + 1]!
  }
  return i < a.length ? even + odd + a[i]! * b[i]! : even + odd
}

/**
 * Minimises from `start` until `converged` holds, or no step lowers the value any more (the arithmetic's floor), or for `iterations` steps.
 * `evaluate` gives value and gradient at a point; the gradient is a new array each time.
 */
export const minimise = async (
  start: Float64Array,
  evaluate: (point: Float64Array) => Evaluation | Promise<Evaluation>,
  converged: (at: Evaluation) => boolean,
  iterations = 1000
): Promise<Minimum> => {
  const n = start.length
  const pairs: Array<{ readonly s: Float64Array; readonly y: Float64Array; readonly rho: number }> = []
  let point: Float64Array = Float64Array.from(start), at = await evaluate(point), evaluations = 1, taken = 0, settled = true

  /** Minus the inverse Hessian, as far as the last steps tell it, times the gradient. */
  const direction = (): Float64Array => {
    const d = new Float64Array(n), alphas = new Float64Array(pairs.length)
    for (let i = 0; i < n; i++) d[i] = -at.gradient[i]!
    for (let p = pairs.length - 1; p >= 0; p--) {
      const { rho, s, y } = pairs[p]!
      const alpha = alphas[p] = rho * dot(s, d)
      for (let i = 0; i < n; i++) d[i]! -= alpha * y[i]!
    }
    const last = pairs.at(-1)
    const scale = last === undefined ? 1 / Math.max(1, Math.sqrt(dot(at.gradient, at.gradient))) : 1 / (last.rho * dot(last.y, last.y))
    for (let i = 0; i < n; i++) d[i]! *= scale
    for (const [p, { rho, s, y }] of pairs.entries()) {
      const change = alphas[p]! - rho * dot(y, d)
      for (let i = 0; i < n; i++) d[i]! += change * s[i]!
    }
    return d
  }

  while (!converged(at)) {
    if (taken++ === iterations) {
      settled = false
      break
    }
    const d = direction(), slope = dot(at.gradient, d)
    let step = 1, next: Float64Array, reached: Evaluation, accepted: boolean
    do {
      next = new Float64Array(n)
      for (let i = 0; i < n; i++) next[i] = point[i]! + step * d[i]!
      reached = await evaluate(next)
      evaluations++
      // Near the minimum values differ by their rounding alone, while the slope still tells (Hager & Zhang, SIAM J. Optim. 16, 2005).
      accepted = reached.value <= at.value + 1e-4 * step * slope ||
        (reached.value <= at.value + 1e-6 * Math.abs(at.value) && dot(reached.gradient, d) <= 0.9998 * Math.abs(slope))
      if (accepted) break
      // The minimum of the parabola through both values and the slope, kept within a tenth and a half of the step.
      const parabola = (-slope * step * step) / (2 * (reached.value - at.value - step * slope))
      step = Number.isFinite(parabola) ? Math.min(0.5 * step, Math.max(0.1 * step, parabola)) : 0.1 * step
    } while (step > 1e-9)
    if (!accepted) break
    const s = new Float64Array(n), y = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      s[i] = next[i]! - point[i]!
      y[i] = reached.gradient[i]! - at.gradient[i]!
    }
    const curvature = dot(s, y)
    if (curvature > 0) {
      pairs.push({ s, y, rho: 1 / curvature })
      if (pairs.length > memory) pairs.shift()
    }
    point = next
    at = reached
  }
  return { point, evaluations, settled, ...at }
}
