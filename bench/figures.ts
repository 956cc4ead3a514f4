/** What several measurements of one thing come to. */

/** The median of several values, with the least and the most. */
export interface Measured {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly n: number
}

export const measured = (values: ReadonlyArray<number>): Measured => {
  if (values.length === 0) throw new RangeError("there is nothing measured to take the median of")
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1
  return {
    median: sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2,
    low: sorted[0]!,
    high: sorted.at(-1)!,
    n: sorted.length
  }
}

/** How many times better one side is than the other, by the medians: above 1, `ours` is. */
export const ratio = (better: "lower" | "higher", ours: Measured, peer: Measured): number =>
  better === "lower" ? peer.median / ours.median : ours.median / peer.median

/** Seconds that a body takes. */
export const secondsOf = async (body: () => unknown): Promise<number> => {
  const begin = performance.now()
  await body()
  return (performance.now() - begin) / 1000
}

type Body = () => number | Promise<number>

/**
 * Measures several bodies in turns (ours, peer, ours, peer, ...), so that what else the machine does hits all alike. Each body returns its own
 * figure, seconds or a rate; a body that is `undefined` (a peer that is not there) is passed over. A round before is thrown away (`warm: 0`: none).
 */
export const interleaved = async <const B extends Readonly<Record<string, Body | undefined>>>(
  bodies: B,
  rounds: number,
  { warm = 1 }: { readonly warm?: number } = {}
): Promise<{ readonly [K in keyof B]: undefined extends B[K] ? Measured | undefined : Measured }> => {
  const there = Object.entries(bodies).flatMap(([name, body]) => body === undefined ? [] : [{ name, body, values: [] as Array<number> }])
  for (let round = -warm; round < rounds; round++) {
    for (const { body, values } of there) {
      const value = await body()
      if (round >= 0) values.push(value)
    }
  }
  return Object.fromEntries(there.map(({ name, values }) => [name, measured(values)])) as { [K in keyof B]: Measured }
}

/** The exponent e of y = c x^e, by least squares of log y on log x; NaN for fewer than two different x. */
export const exponent = (points: ReadonlyArray<readonly [x: number, y: number]>): number => {
  const xs = points.map(([x]) => Math.log(x)), ys = points.map(([, y]) => Math.log(y))
  const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length
  const mx = mean(xs), my = mean(ys)
  return xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i]! - my), 0) / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0)
}
