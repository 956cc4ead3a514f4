/**
 * Multinomial logistic regression with an L2 penalty, the linear probe of classes. The objective is scikit-learn's:
 * C * sum_i w_i * nll_i + 0.5 |coefficients|^2, intercepts free; two classes are one row of coefficients (binomial), more are softmax.
 */
import { dot, minimise, type Minimum } from "./lbfgs.ts"
import type { Matrix } from "./matrix.ts"
import { isLarge, productsOf } from "./products.ts"

export interface Logistic {
  readonly classes: number
  /** [r, d] row-major, where r is 1 for two classes and the number of classes otherwise. */
  readonly coefficients: Float64Array
  /** [r] */
  readonly intercepts: Float64Array
}
export interface LogisticFit extends Logistic {
  /** Value of the objective; where settled, and with the default tolerance, at most 1e-6 (relative) above its minimum. */
  readonly objective: number
  readonly evaluations: number
  /** It did not end because of `iterations`. */
  readonly settled: boolean
}

/** Adds the intercepts [r] to the scores z [n, r], in place, and turns them into d (w nll) / d z; gives sum w nll. One row of scores is the log odds of class 1. */
export const lossAndResiduals = (z: Float64Array, intercepts: Float64Array, y: Int32Array, weights: Float64Array | undefined): number => {
  const r = intercepts.length
  let loss = 0
  for (let i = 0; i < y.length; i++) {
    const at = i * r, weight = weights === undefined ? 1 : weights[i]!
    if (r === 1) {
      // Two classes: z is the log odds of class 1.
      const odds = z[at]! + intercepts[0]!, positive = y[i] === 1
      const margin = positive ? odds : -odds
      const tail = Math.exp(-Math.abs(margin))
      loss += weight * (Math.log1p(tail) + Math.max(0, -margin))
      const wrong = margin >= 0 ? tail / (1 + tail) : 1 / (1 + tail)
      z[at] = positive ? -weight * wrong : weight * wrong
      continue
    }
    let top = -Infinity, sum = 0
    for (let c = 0; c < r; c++) {
      z[at + c]! += intercepts[c]!
      if (z[at + c]! > top) top = z[at + c]!
    }
    const own = z[at + y[i]!]!
    for (let c = 0; c < r; c++) sum += z[at + c] = Math.exp(z[at + c]! - top)
    loss += weight * (Math.log(sum) + top - own)
    for (let c = 0; c < r; c++) z[at + c]! *= weight / sum
    z[at + y[i]!]! -= weight
  }
  return loss
}

/**
 * The sum of weighted negative log likelihoods at a point (coefficients [r, d], then intercepts [r]), and its gradient, written over what
 * stands in `gradient`.
 */
export type Likelihood = (point: Float64Array, gradient: Float64Array) => number | Promise<number>

/**
 * The likelihood of a linear model with r outputs, through the products of `products.ts`; float64 throughout where x is small. `residualsOf`
 * adds the intercepts [r] to the scores z [n, r], in place, turns them into d nll / d z and gives the sum of nll.
 */
export const likelihoodOf = async (x: Matrix, r: number, residualsOf: (z: Float64Array, intercepts: Float64Array) => number): Promise<Likelihood> => {
  const products = await productsOf(x, r), { columns: d } = x
  return async (point, gradient) => {
    const residuals = await products.scores(point.subarray(0, r * d))
    const loss = residualsOf(residuals, point.subarray(r * d))
    gradient.fill(0, r * d)
    gradient.set(await products.gradient(residuals))
    for (let i = 0; i < residuals.length; i += r) for (let c = 0; c < r; c++) gradient[r * d + c]! += residuals[i + c]!
    return loss
  }
}

/** How long a fit goes on. */
export interface Patience {
  /** The most steps of the solver for each C. */
  readonly iterations?: number
  readonly tolerance?: number
}
export type Fit = Omit<LogisticFit, "classes">
/** Where a fit ends unless it is told otherwise. */
export const tolerance = 1e-7

/**
 * The minima for every C in the order given, of points of so many values. Each starts where the last two lead, so a list in steps of equal
 * ratio costs least.
 */
export const along = async (Cs: ReadonlyArray<number>, length: number, minimum: (C: number, start: Float64Array) => Minimum | Promise<Minimum>): Promise<ReadonlyArray<Minimum>> => {
  const minima: Array<Minimum> = []
  for (const [i, C] of Cs.entries()) {
    const before = minima[i - 2]?.point, last = minima[i - 1]?.point
    // The minimum moves about evenly with log C: go on as far as the last step of C led.
    const ahead = before === undefined ? 0 : Math.log(C / Cs[i - 1]!) / Math.log(Cs[i - 1]! / Cs[i - 2]!)
    const start = last === undefined ? new Float64Array(length) : before === undefined || !(Math.abs(ahead) <= 1) ? last : last.map((value, p) => value + ahead * (value - before[p]!))
    minima.push(await minimum(C, start))
  }
  return minima
}

/**
 * Minimises C * likelihood + 0.5 |coefficients|^2, coefficients [r, d], intercepts [r] free, for every C in the order given.
 *
 * It stops where |gradient|^2 / 2 <= 1e-7 * objective: the objective is 1-strongly convex in the coefficients, so that bounds its distance
 * to the minimum. Where the products are float32 (large problems) rounding may end it a little earlier. A greater `tolerance` than 1e-7
 * ends it sooner, and so may `iterations`.
 */
export const fitPath = async (likelihood: Likelihood, r: number, d: number, Cs: ReadonlyArray<number>, patience: Patience = {}): Promise<ReadonlyArray<Fit>> => {
  const size = r * d
  const minima = await along(Cs, size + r, (C, start) => minimise(start, async (point) => {
    const gradient = new Float64Array(point.length)
    const loss = await likelihood(point, gradient)
    let penalty = 0
    for (let p = 0; p < gradient.length; p++) gradient[p]! *= C
    for (let p = 0; p < size; p++) {
      gradient[p]! += point[p]!
      penalty += point[p]! * point[p]!
    }
    return { value: C * loss + 0.5 * penalty, gradient }
  }, ({ gradient, value }) => dot(gradient, gradient) <= 2 * (patience.tolerance ?? tolerance) * value, patience.iterations))
  return minima.map(({ evaluations, point, settled, value }) => ({ coefficients: point.slice(0, size), intercepts: point.slice(size), objective: value, evaluations, settled }))
}

/** Fits x [n, d] to class ids y [n] in 0..classes-1 for every C (see `fitPath`). Two classes or more. */
export const fitLogistic = async (
  x: Matrix, y: Int32Array, classes: number, Cs: ReadonlyArray<number>, weights?: Float64Array, patience: Patience = {}
): Promise<ReadonlyArray<LogisticFit>> => {
  const r = classes === 2 ? 1 : classes
  const likelihood = r > 1 && isLarge(x, r) ?
    await (await import("./logistic-onnx.ts")).softmaxLikelihood(x, y, classes, weights) :
    await likelihoodOf(x, r, (z, intercepts) => lossAndResiduals(z, intercepts, y, weights))
  return (await fitPath(likelihood, r, x.columns, Cs, patience)).map((fit) => ({ ...fit, classes }))
}

/** Probability of each class for each row of x, [n, classes]. */
export const probabilities = async ({ classes, coefficients, intercepts }: Logistic, x: Matrix): Promise<Float64Array> => {
  const r = intercepts.length
  const z = await (await productsOf(x, r)).scores(coefficients), out = new Float64Array(x.rows * classes)
  for (let i = 0; i < x.rows; i++) {
    if (r === 1) {
      const odds = z[i]! + intercepts[0]!, tail = Math.exp(-Math.abs(odds))
      const more = 1 / (1 + tail), less = tail / (1 + tail)
      out[i * 2] = odds >= 0 ? less : more
      out[i * 2 + 1] = odds >= 0 ? more : less
      continue
    }
    let top = -Infinity, sum = 0
    for (let c = 0; c < r; c++) top = Math.max(top, z[i * r + c]! + intercepts[c]!)
    for (let c = 0; c < r; c++) sum += out[i * r + c] = Math.exp(z[i * r + c]! + intercepts[c]! - top)
    for (let c = 0; c < r; c++) out[i * r + c]! /= sum
  }
  return out
}

/** Sample weights that give every class the same sum: n / (classes present * size of the class), scikit-learn's "balanced". */
export const balancedWeights = (y: Int32Array): Float64Array => {
  const sizes = new Map<number, number>()
  for (const id of y) sizes.set(id, (sizes.get(id) ?? 0) + 1)
  return Float64Array.from(y, (id) => y.length / (sizes.size * sizes.get(id)!))
}
