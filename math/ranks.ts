/** Ranks of values [n] from 1 for the least, equal ones sharing the mean of their ranks. */
export const ranks = (values: ArrayLike<number>): Float64Array => {
  const n = values.length, out = new Float64Array(n)
  const order = Array.from({ length: n }, (_, i) => i).toSorted((a, b) => values[a]! - values[b]!)
  for (let start = 0, end = 0; start < n; start = end) {
    while (end < n && values[order[end]!] === values[order[start]!]) end++
    for (let i = start; i < end; i++) out[order[i]!] = (start + 1 + end) / 2
  }
  return out
}
