/** Whether values are equal but for rounding: equal differences of figures that are sums rarely are equal to the bit. */
export const allEqual = (values: ReadonlyArray<number>): boolean => {
  const least = Math.min(...values), most = Math.max(...values)
  return most - least <= 1e-9 * Math.max(Math.abs(least), Math.abs(most))
}

/**
 * Cohen's dz of paired differences [n]: their mean in units of their sample standard deviation (Statistical Power Analysis, 1988, section 2.3).
 * NaN where there is no spread.
 */
export const cohensDz = (differences: ReadonlyArray<number>): number => {
  const n = differences.length
  if (n < 2 || allEqual(differences)) return Number.NaN
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / n
  return mean / Math.sqrt(differences.reduce((sum, difference) => sum + (difference - mean) ** 2, 0) / (n - 1))
}
