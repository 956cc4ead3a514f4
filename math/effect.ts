/**
 * Cohen's dz of paired differences [n]: their mean in units of their sample standard deviation (Statistical Power Analysis, 1988, section 2.3).
 * NaN where there is no spread.
 */
export const cohensDz = (differences: ReadonlyArray<number>): number => {
  const n = differences.length
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / n
  const sd = Math.sqrt(differences.reduce((sum, difference) => sum + (difference - mean) ** 2, 0) / (n - 1))
  return sd > 0 ? mean / sd : Number.NaN
}
