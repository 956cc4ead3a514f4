/**
 * The heads of a linear probe: fitted on training rows for every strength of the penalty, the strength chosen on validation rows, fitted
 * again on both. Embeddings are scaled by statistics of the rows a head is fitted on. Errors are RangeErrors that say what to do.
 */
import { surprisal } from "./classification.ts"
import { balancedWeights, fitLogistic, type Logistic, probabilities } from "./logistic.ts"
import { type Matrix, takeRows } from "./matrix.ts"
import { regressionMeasures, regressionTerms } from "./regression.ts"
import { type Linear, predictLinear, ridgeOf } from "./ridge.ts"
import { identity, scaled, scaledParts, type Scaling, standard } from "./scaling.ts"
import { idsOf, vocabularyOf } from "./vocabulary.ts"

/** Rows that have a task's truth; those of `val` choose, and both are fitted on in the end. */
export interface FittingRows {
  readonly train: Int32Array
  readonly val: Int32Array
}
/** All rows that are fitted on in the end, ascending. */
export const both = ({ train, val }: FittingRows): Int32Array => Int32Array.from([...train, ...val]).toSorted()

/** The value of least loss, the first of equals in ascending order; a single value needs no losses. */
export const choose = async (name: string, values: ReadonlyArray<number>, compared: number, losses: (ascending: ReadonlyArray<number>) => Promise<ReadonlyArray<number>>): Promise<number> => {
  if (values.length === 1) return values[0]!
  if (compared === 0) {
    throw new RangeError(`${name} has ${values.length} values to choose from on validation rows, and no validation sample has a truth to compare with; give one value (${name}: [${values[0]}]) or a split with validation rows`)
  }
  const ascending = values.toSorted((a, b) => a - b), found = await losses(ascending)
  return ascending[found.indexOf(Math.min(...found))]!
}

export interface ClassHead extends Logistic {
  readonly C: number
  /** The classes it tells apart, in the order of its probabilities. */
  readonly names: ReadonlyArray<string>
  readonly scaling: Scaling
  /** No fit was ended by `iterations`, neither this one nor those by which C was chosen. */
  readonly settled: boolean
}
export interface ClassHeadOptions {
  readonly C: ReadonlyArray<number>
  readonly standardize: boolean
  readonly balanced: boolean
  /** The most steps of the solver for each C. */
  readonly iterations: number
}

/**
 * Logistic regression of labels [n] from x [n, d]. C is the one of least log loss on the validation rows (each weighed as its class is
 * where `balanced`); validation rows of classes that no training row has cannot tell and are passed over. Throws where there is but one class.
 */
export const fitClassHead = async (x: Matrix, labels: ReadonlyArray<string | null>, rows: FittingRows, { C, balanced, iterations, standardize }: ClassHeadOptions): Promise<ClassHead> => {
  const labelsOf = (chosen: Int32Array) => Array.from(chosen, (row) => labels[row]!)
  const fitOn = async (chosen: Int32Array, Cs: ReadonlyArray<number>) => {
    const names = vocabularyOf(labelsOf(chosen)), y = idsOf(labelsOf(chosen), names)
    if (names.length < 2) throw new RangeError(`all ${chosen.length} samples to fit on are of the class "${names[0]}", and a probe of classes needs two; check the split, or leave the task class out`)
    const part = takeRows(x, chosen), scaling = standardize ? standard(part) : identity(part), weights = balanced ? balancedWeights(y) : undefined
    return { names, scaling, y, weights, fits: await fitLogistic(scaled(part, scaling), y, names.length, Cs, weights, { iterations }) }
  }
  const known = new Set(labelsOf(rows.train)), compared = rows.val.filter((row) => known.has(labels[row]!))
  let settled = true
  const chosen = await choose("C", C, compared.length, async (Cs) => {
    const { fits, names, scaling, weights, y } = await fitOn(rows.train, Cs)
    settled = fits.every((fit) => fit.settled)
    const truth = idsOf(labelsOf(compared), names), seen = scaled(takeRows(x, compared), scaling)
    const weightOf = names.map((_, id) => weights === undefined ? 1 : weights[y.indexOf(id)]!)
    const lossOf = async (fit: Logistic) => surprisal(truth, await probabilities(fit, seen), names.length).reduce((sum, nats, i) => sum + weightOf[truth[i]!]! * nats, 0)
    return await Promise.all(fits.map(lossOf))
  })
  const { fits: [fit], names, scaling } = await fitOn(both(rows), [chosen])
  return { ...fit!, C: chosen, names, scaling, settled: settled && fit!.settled }
}

/** Probability of each of `names` for each row of x, [n, names]; 0 for names that the head does not know. */
export const classProbabilities = async (head: Logistic & Pick<ClassHead, "names" | "scaling">, x: Matrix, names: ReadonlyArray<string>): Promise<Float64Array> => {
  const places = idsOf(head.names, names), out = new Float64Array(x.rows * names.length)
  for (const { from, part } of scaledParts(x, head.scaling)) {
    const known = await probabilities(head, part)
    for (let i = 0; i < part.rows; i++) for (const [c, place] of places.entries()) out[(from + i) * names.length + place] = known[i * head.classes + c]!
  }
  return out
}

export interface TargetHead extends Linear {
  readonly alpha: number
  readonly scaling: Scaling
  /** Of the targets: what it predicts is scaled. */
  readonly targetScaling: Scaling
}

/**
 * Ridge regression from x [n, d], for any number of tasks: those of the same rows share the products of x. `fit` takes targets [n, t], of
 * which only the rows given are read, and how they are scaled; alpha is the one of least mean squared error on the validation rows.
 */
export const targetHeads = (x: Matrix, standardize: boolean) => {
  const designs: Array<{ readonly rows: Int32Array; readonly scaling: Scaling; readonly ridge: ReturnType<typeof ridgeOf> }> = []
  const designOf = (rows: Int32Array) => {
    const found = designs.find((design) => design.rows.length === rows.length && design.rows.every((row, i) => row === rows[i]))
    if (found !== undefined) return found
    const part = takeRows(x, rows), scaling = standardize ? standard(part) : identity(part)
    const design = { rows, scaling, ridge: ridgeOf(scaled(part, scaling)) }
    designs.push(design)
    return design
  }
  return {
    fit: async (targets: Matrix, scalingOf: (targets: Matrix) => Scaling, rows: FittingRows, alphas: ReadonlyArray<number>): Promise<TargetHead> => {
      const fitOn = (chosen: Int32Array, alphas: ReadonlyArray<number>) => {
        const { ridge, scaling } = designOf(chosen), own = takeRows(targets, chosen), targetScaling = scalingOf(own), y = scaled(own, targetScaling)
        return { scaling, targetScaling, fits: alphas.map(ridge.fit(y)) }
      }
      const alpha = await choose("alpha", alphas, rows.val.length, async (alphas) => {
        const { fits, scaling, targetScaling } = fitOn(rows.train, alphas)
        const seen = scaled(takeRows(x, rows.val), scaling), truth = scaled(takeRows(targets, rows.val), targetScaling)
        return fits.map((fit) => regressionMeasures(regressionTerms(truth, predictLinear(fit, seen))).mse)
      })
      const { fits: [fit], scaling, targetScaling } = fitOn(both(rows), [alpha])
      return { ...fit!, alpha, scaling, targetScaling }
    }
  }
}

/** Predictions of a head for each row of x, [n, targets], scaled as its targets were. */
export const predictTargets = (head: Linear & Pick<TargetHead, "scaling">, x: Matrix): Matrix => {
  const columns = head.intercepts.length, values = new Float64Array(x.rows * columns)
  for (const { from, part } of scaledParts(x, head.scaling)) values.set(predictLinear(head, part).values, from * columns)
  return { rows: x.rows, columns, values }
}
