/**
 * Student's t for whole degrees of freedom, where its distribution is a finite sum (Abramowitz & Stegun 26.7.3 and 26.7.4). Absolute error
 * below 1e-12 up to 1000 degrees of freedom.
 */

/** The share of the distribution between -t and t. */
const within = (t: number, df: number): number => {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(df)), cosine = Math.cos(angle) ** 2
  const odd = df % 2 === 1
  let term = odd ? Math.cos(angle) : 1, sum = df === 1 ? 0 : term
  for (let k = odd ? 3 : 2; k < df; k += 2) {
    term *= cosine * (k - 1) / k
    sum += term
  }
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum
}

/** The probability of a value at least as far from 0 as t, on either side; `df` is a whole number of 1 or more. */
export const studentTails = (t: number, df: number): number => Number.isNaN(t) ? Number.NaN : t === 0 ? 1 : Math.max(0, 1 - within(t, df))

/** The t between whose negative and itself lies the share `level` of the distribution: 0.95 for a 95% interval. */
export const studentReach = (level: number, df: number): number => {
  let low = 0, high = 1
  while (within(high, df) < level) high *= 2
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2
    if (within(middle, df) < level) low = middle
    else high = middle
  }
  return (low + high) / 2
}
