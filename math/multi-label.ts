/**
 * Several labels a sample: multi-hot truths [n, classes] (1: the sample has the class), one logistic regression a class, and the score from
 * which a class is predicted.
 */
import { along, fitPath, type Fit, likelihoodOf, type Patience, tolerance } from "./logistic.ts"
import type { Matrix } from "./matrix.ts"
import { isNewtons, newtonOf } from "./newton.ts"
import { productsOf } from "./products.ts"
import { ranking } from "./ranking.ts"

/** Multi-hot rows [n, classes] of lists of names; a name that is not in the vocabulary counts nowhere. */
export const multiHot = (lists: ReadonlyArray<ReadonlyArray<string>>, vocabulary: ReadonlyArray<string>): Uint8Array => {
  const places = new Map(vocabulary.map((name, id) => [name, id])), k = vocabulary.length, out = new Uint8Array(lists.length * k)
  for (const [row, list] of lists.entries()) {
    for (const name of list) {
      const place = places.get(name)
      if (place !== undefined) out[row * k + place] = 1
    }
  }
  return out
}

/** Weights of a class's positives and negatives, [classes] each. */
export interface SideWeights {
  readonly positive: Float64Array
  readonly negative: Float64Array
}

/** Weights that give both sides of each class the same sum: n / (2 * size of the side), scikit-learn's "balanced". Each class has both sides. */
export const balancedSides = (truth: Uint8Array, classes: number): SideWeights => {
  const n = truth.length / classes, positives = new Float64Array(classes)
  for (let at = 0; at < truth.length; at++) positives[at % classes]! += truth[at]!
  return { positive: positives.map((size) => n / (2 * size)), negative: positives.map((size) => n / (2 * (n - size))) }
}

/**
 * Fits x [n, d] to multi-hot truths [n, classes], a logistic regression a class, each at the minimum of C * sum over rows of w nll +
 * 0.5 |coefficients|^2, for every C; objectives are sums over classes. Every class needs rows that have it and rows that do not.
 *
 * torch's MultiLabelSoftMarginLoss is the mean of these nll over rows and classes, so with lambda / 2 |coefficients|^2 beside it its optimum
 * is this one at C = 1 / (n * classes * lambda).
 *
 * Narrow embeddings are fitted class by class by Newton's method; wide ones in one problem, which falls apart into the classes', by L-BFGS.
 */
export const fitOneVsRest = async (x: Matrix, truth: Uint8Array, classes: number, Cs: ReadonlyArray<number>, weights?: SideWeights, patience: Patience = {}): Promise<ReadonlyArray<Fit>> =>
  isNewtons(x) ? await classByClass(x, truth, classes, Cs, weights, patience) : await together(x, truth, classes, Cs, weights, patience)

const classByClass: typeof fitOneVsRest = async (x, truth, classes, Cs, weights, patience = {}) => {
  const { columns: d, rows: n } = x, minimum = newtonOf(x), stop = { iterations: patience.iterations ?? 1000, tolerance: patience.tolerance ?? tolerance }
  const fits = Cs.map(() => ({ coefficients: new Float64Array(classes * d), intercepts: new Float64Array(classes), objective: 0, evaluations: 0, settled: true }))
  for (let c = 0; c < classes; c++) {
    const target = { truth: Uint8Array.from({ length: n }, (_, i) => truth[i * classes + c]!), positive: weights?.positive[c] ?? 1, negative: weights?.negative[c] ?? 1 }
    for (const [i, { evaluations, point, settled, value }] of (await along(Cs, d + 1, (C, start) => minimum(target, C, start, stop))).entries()) {
      const fit = fits[i]!
      fit.coefficients.set(point.subarray(0, d), c * d)
      fit.intercepts[c] = point[d]!
      fit.objective += value
      fit.evaluations += evaluations
      fit.settled &&= settled
    }
  }
  return fits
}

const together: typeof fitOneVsRest = async (x, truth, classes, Cs, weights, patience) => {
  const likelihood = await likelihoodOf(x, classes, (z, intercepts) => {
    let loss = 0
    for (let at = 0; at < truth.length; at++) {
      const c = at % classes, positive = truth[at] === 1, odds = z[at]! + intercepts[c]!
      const weight = weights === undefined ? 1 : (positive ? weights.positive : weights.negative)[c]!
      const margin = positive ? odds : -odds, tail = Math.exp(-Math.abs(margin))
      loss += weight * (Math.log1p(tail) + Math.max(0, -margin))
      const wrong = (margin >= 0 ? tail : 1) / (1 + tail)
      z[at] = positive ? -weight * wrong : weight * wrong
    }
    return loss
  })
  return await fitPath(likelihood, classes, x.columns, Cs, patience)
}

/** Probability of each class by itself for each row of x, [n, classes]. */
export const labelProbabilities = async ({ coefficients, intercepts }: Pick<Fit, "coefficients" | "intercepts">, x: Matrix): Promise<Float64Array> => {
  const r = intercepts.length
  return Float64Array.from(await (await productsOf(x, r)).scores(coefficients), (z, at) => 1 / (1 + Math.exp(-(z + intercepts[at % r]!))))
}

/** The threshold of a class of which nothing can be calibrated. */
export const neutral = 0.5

/**
 * The score of each class from which on it is predicted, [classes]: that of the highest F1 on the rows given, truths and scores in 0..1
 * [n, classes], halfway between the scores that it parts; of equals the highest. It is above 0, so a class without a score is never predicted,
 * and `neutral` where no threshold has an F1 above 0: without positives (or rows), or where all positives have a score of 0.
 */
export const thresholdsOf = (truth: Uint8Array, scores: Float64Array, classes: number): Float64Array => {
  const n = classes === 0 ? 0 : truth.length / classes
  return Float64Array.from({ length: classes }, (_, c) => {
    const own = Float64Array.from({ length: n }, (_, i) => scores[i * classes + c]!), { ends, order } = ranking(own)
    let positives = 0, hits = 0, best = 0, threshold = neutral
    for (let i = 0; i < n; i++) positives += truth[i * classes + c]!
    for (const [i, row] of order.entries()) {
      hits += truth[row * classes + c]!
      const score = own[row]!
      if (ends[i] === 0 || score === 0) continue
      const f1 = (2 * hits) / (positives + i + 1)
      if (f1 <= best) continue
      best = f1
      const next = i + 1 < n ? own[order[i + 1]!]! : 0, middle = (score + next) / 2
      threshold = middle > next ? middle : score
    }
    return threshold
  })
}

/** What is predicted from scores [n, classes], multi-hot. */
export const fromThresholds = (scores: Float64Array, thresholds: Float64Array): Uint8Array =>
  Uint8Array.from(scores, (score, at) => score >= thresholds[at % thresholds.length]! ? 1 : 0)
