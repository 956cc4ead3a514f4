/**
 * The digamma function psi(x), the derivative of log gamma, for x > 0. Absolute error below 1e-13 for x >= 0.5.
 *
 * Recurrence psi(x) = psi(x + 1) - 1/x up to x >= 10, then the asymptotic series (Abramowitz & Stegun 6.3.5, 6.3.18).
 */
export const digamma = (x: number): number => {
  if (!(x > 0)) return Number.NaN
  let shift = 0, y = x
  while (y < 10) shift -= 1 / y++
  const square = 1 / (y * y)
  const series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square * (1 / 132 - square * (691 / 32760 - square / 12))))))
  return shift + Math.log(y) - 0.5 / y - series
}
