/**
 * The head of a multi-label linear probe: a logistic regression a class (see `math/multi-label.ts`), one C for all of them chosen on
 * validation rows, a threshold a class calibrated there, fitted again on training and validation rows. Errors are RangeErrors that say what to do.
 */
import { both, choose, type ClassHeadOptions, type FittingRows } from "./heads.ts"
import type { Fit } from "./logistic.ts"
import { type Matrix, takeRows } from "./matrix.ts"
import { balancedSides, fitOneVsRest, labelProbabilities, multiHot, thresholdsOf } from "./multi-label.ts"
import { identity, scaled, scaledParts, type Scaling, standard } from "./scaling.ts"
import { vocabularyOf } from "./vocabulary.ts"

export interface LabelHead {
  readonly C: number
  /** Names of the classes, in the order of its probabilities. */
  readonly names: ReadonlyArray<string>
  /** [classes, d]; zeros for a class that all rows fitted have, whose intercept is Infinity: its optimum lies there. */
  readonly coefficients: Float64Array
  /** [classes] */
  readonly intercepts: Float64Array
  /** The probability from which on a class is predicted, [classes]. */
  readonly thresholds: Float64Array
  readonly scaling: Scaling
  /** No fit was ended by `iterations`. */
  readonly settled: boolean
}

/** The columns of multi-hot rows [n, k] that are named, in that order. */
const columnsOf = (rows: Uint8Array, k: number, chosen: ReadonlyArray<number>): Uint8Array =>
  Uint8Array.from({ length: k === 0 ? 0 : rows.length / k * chosen.length }, (_, at) => rows[Math.floor(at / chosen.length) * k + chosen[at % chosen.length]!]!)

/**
 * A logistic regression of each class of `labels` [n] from x [n, d]. C is the one of least log loss on the validation rows, summed over them
 * and the classes (each side weighed as it is where `balanced`): rare classes have too few of them for a C each. Thresholds are of the fit on
 * training rows alone, since the last one knows the validation rows; 0.5 where there are none, or none has the class. Classes that all or
 * none of the training rows have are passed over in both. Throws where no class is had by some of the rows and not by others.
 */
export const fitLabelHead = async (x: Matrix, labels: ReadonlyArray<ReadonlyArray<string>>, rows: FittingRows, { C, balanced, iterations, standardize }: ClassHeadOptions): Promise<LabelHead> => {
  const names = vocabularyOf(Array.from(both(rows), (row) => labels[row]!).flat()), k = names.length
  const truthOf = (chosen: Int32Array) => multiHot(Array.from(chosen, (row) => labels[row]!), names)
  const fitOn = async (chosen: Int32Array, Cs: ReadonlyArray<number>) => {
    const truth = truthOf(chosen), sizes = new Int32Array(k)
    for (let at = 0; at < truth.length; at++) sizes[at % k]! += truth[at]!
    const told = [...names.keys()].filter((c) => sizes[c]! > 0 && sizes[c]! < chosen.length)
    if (told.length === 0) {
      throw new RangeError(`all ${chosen.length} samples to fit on have the same labels (${names.join(", ")}), and a probe of labels needs some that differ; check the split, or leave the task labels out`)
    }
    const part = takeRows(x, chosen), scaling = standardize ? standard(part) : identity(part), own = columnsOf(truth, k, told)
    const weights = balanced ? balancedSides(own, told.length) : undefined
    return { fits: await fitOneVsRest(scaled(part, scaling), own, told.length, Cs, weights, { iterations }), scaling, told, weights }
  }

  const thresholds = thresholdsOf(new Uint8Array(), new Float64Array(), k)
  let chosen = C[0]!, settled = true
  if (rows.val.length === 0) chosen = await choose("C", C, 0, async () => [])
  else {
    const ascending = C.toSorted((a, b) => a - b), { fits, scaling, told, weights } = await fitOn(rows.train, ascending)
    settled = fits.every((fit) => fit.settled)
    const truth = columnsOf(truthOf(rows.val), k, told), seen = scaled(takeRows(x, rows.val), scaling)
    const scores = await Promise.all(fits.map((fit) => labelProbabilities(fit, seen)))
    const lossOf = (probabilities: Float64Array) => probabilities.reduce((sum, p, at) => {
      const positive = truth[at] === 1, weight = weights === undefined ? 1 : (positive ? weights.positive : weights.negative)[at % told.length]!
      return sum - weight * Math.log(Math.max(Number.EPSILON, positive ? p : 1 - p))
    }, 0)
    chosen = await choose("C", ascending, rows.val.length, async () => scores.map(lossOf))
    for (const [i, threshold] of thresholdsOf(truth, scores[ascending.indexOf(chosen)]!, told.length).entries()) thresholds[told[i]!] = threshold
  }

  const { fits: [fit], scaling, told } = await fitOn(both(rows), [chosen]), { columns: d } = x
  const coefficients = new Float64Array(k * d), intercepts = new Float64Array(k).fill(Infinity)
  for (const [i, c] of told.entries()) {
    coefficients.set(fit!.coefficients.subarray(i * d, (i + 1) * d), c * d)
    intercepts[c] = fit!.intercepts[i]!
  }
  return { C: chosen, names, coefficients, intercepts, thresholds, scaling, settled: settled && fit!.settled }
}

/** Probability of each of `names`, the head's own among them, for each row of x, [n, names]; 0 for names that the head does not know. */
export const labelHeadProbabilities = async (head: Pick<Fit, "coefficients" | "intercepts"> & Pick<LabelHead, "names" | "scaling">, x: Matrix, names: ReadonlyArray<string>): Promise<Float64Array> => {
  const out = new Float64Array(x.rows * names.length), k = head.names.length, places = head.names.map((name) => names.indexOf(name))
  for (const { from, part } of scaledParts(x, head.scaling)) {
    const known = await labelProbabilities(head, part)
    for (let i = 0; i < part.rows; i++) for (const [c, place] of places.entries()) out[(from + i) * names.length + place] = known[i * k + c]!
  }
  return out
}
