/** How far the vectors of one encoder are from those of another: what quantising a model does to its embedding. */
import { type Vectors, vectorAt } from "outcrop"

/** The mean vector. */
export const meanOf = ({ values, width }: Vectors): Float64Array => {
  const mean = new Float64Array(width), rows = values.length / width
  for (let i = 0; i < values.length; i++) mean[i % width]! += values[i]! / rows
  return mean
}

/**
 * The cosine between row i of `a` and row i of `b`, both taken from `centre`, by row; NaN where either is the centre itself.
 *
 * Around the mean it is what a probe sees, which learns an intercept. Around the origin it flatters: the part that all vectors of an
 * encoder share is most of their length, and hides what tells them apart.
 */
export const cosines = (a: Vectors, b: Vectors, centre: Float64Array): Float64Array =>
  Float64Array.from({ length: a.values.length / a.width }, (_, row) => {
    const x = vectorAt(a, row), y = vectorAt(b, row)
    let xy = 0, xx = 0, yy = 0
    for (let i = 0; i < a.width; i++) {
      const p = x[i]! - centre[i]!, q = y[i]! - centre[i]!
      xy += p * q
      xx += p * p
      yy += q * q
    }
    return xy / Math.sqrt(xx * yy)
  })
