/**
 * Mutual information of a continuous feature and class labels by nearest neighbours: Ross, "Mutual information between discrete and
 * continuous data sets", PLoS ONE 9(2), 2014. In one dimension neighbours are neighbours in sorted order, so it costs O(n log n).
 */
import { digamma } from "./digamma.ts"
import { ascending } from "./order.ts"

const bits = new DataView(new ArrayBuffer(8))
/** The largest double below a positive one; 0 stays 0. */
const below = (x: number): number => {
  if (x === 0) return 0
  bits.setFloat64(0, x)
  bits.setBigInt64(0, bits.getBigInt64(0) - 1n)
  return bits.getFloat64(0)
}

/** x / (standard deviation of x, or 1 where it is 0) + 1e-10 max(1, mean |x|) noise, as scikit-learn does it before it looks for neighbours. */
const jittered = (x: ArrayLike<number>, noise: ArrayLike<number>): Float64Array => {
  const n = x.length
  let sum = 0, squares = 0, size = 0
  for (let i = 0; i < n; i++) sum += x[i]!
  for (let i = 0; i < n; i++) squares += (x[i]! - sum / n) ** 2
  const deviation = Math.sqrt(squares / n)
  const scale = deviation < 10 * Number.EPSILON ? 1 : deviation
  for (let i = 0; i < n; i++) size += Math.abs(x[i]! / scale)
  const amount = 1e-10 * Math.max(1, size / n)
  const out = new Float64Array(n)
  for (let i = 0; i < n; i++) out[i] = x[i]! / scale + amount * noise[i]!
  return out
}

/**
 * Mutual information in nats, at least 0, of a feature x [n] and class ids [n].
 *
 * I = psi(N) + mean psi(k_i) - mean psi(N_class(i)) - mean psi(m_i), where k_i = min(neighbours, N_class(i) - 1), and m_i counts the
 * points of any class, itself included, that are nearer than the k_i-th neighbour of its own class. Classes of one sample are dropped;
 * the result is 0 where nothing is left.
 *
 * `noise` [n] holds standard normal draws: they separate ties at 1e-10 of the feature's scale. Given the same draws it equals
 * scikit-learn's `mutual_info_classif(discrete_features=False)`, except where a class has fewer than about 2 * neighbours + 2 samples:
 * scikit-learn then measures distances by rounded dot products and can count the k-th neighbour itself; this is exact there too.
 */
export const mutualInformation = (x: ArrayLike<number>, classes: Int32Array, noise: ArrayLike<number>, neighbours = 3): number => {
  const values = jittered(x, noise)
  const sizes = new Map<number, number>()
  for (const id of classes) sizes.set(id, (sizes.get(id) ?? 0) + 1)
  const order = ascending(values).filter((i) => sizes.get(classes[i]!)! > 1)
  const n = order.length
  if (n === 0) return 0
  const sorted = Float64Array.from(order, (i) => values[i]!)
  // The digamma of whole numbers, each worked out when first met.
  const known = new Float64Array(n + 1)
  const digammaOf = (count: number): number => known[count]! || (known[count] = digamma(count))

  const members = new Map<number, Array<number>>()
  for (let i = 0; i < n; i++) {
    const id = classes[order[i]!]!
    const found = members.get(id)
    if (found === undefined) members.set(id, [i])
    else found.push(i)
  }
  // The outermost position on one side of i that is still within the radius.
  const reach = (i: number, radius: number, side: 1 | -1): number => {
    const within = (j: number) => j >= 0 && j < n && Math.abs(sorted[j]! - sorted[i]!) <= radius
    let step = 1
    while (within(i + side * step)) step *= 2
    let inside = step >> 1, outside = step
    while (outside - inside > 1) {
      const middle = (inside + outside) >> 1
      if (within(i + side * middle)) inside = middle
      else outside = middle
    }
    return i + side * inside
  }
  let sum = 0
  for (const own of members.values()) {
    const k = Math.min(neighbours, own.length - 1)
    const constant = digamma(k) - digamma(own.length)
    for (let position = 0; position < own.length; position++) {
      const i = own[position]!
      let left = position - 1, right = position + 1, distance = 0
      for (let found = 0; found < k; found++) {
        const toLeft = left < 0 ? Infinity : sorted[i]! - sorted[own[left]!]!
        const toRight = right >= own.length ? Infinity : sorted[own[right]!]! - sorted[i]!
        if (toLeft <= toRight) left--
        else right++
        distance = Math.min(toLeft, toRight)
      }
      const radius = below(distance)
      sum += constant - digammaOf(reach(i, radius, 1) - reach(i, radius, -1) + 1)
    }
  }
  return Math.max(0, digamma(n) + sum / n)
}
