import { describe, expect, it } from "vitest"
import { digamma } from "../../math/digamma.ts"
import { mutualInformation } from "../../math/mutual-information.ts"
import { stream } from "../../math/random.ts"
import { oracle, type Rows } from "./oracle.ts"

interface Case {
  readonly name: string
  readonly X: Rows
  readonly y: ReadonlyArray<number>
  readonly n_neighbors: number
  readonly by_seed: ReadonlyArray<{ readonly random_state: number; readonly exact: ReadonlyArray<number>; readonly standard_normal: Rows | null }>
}
const expected = oracle<{ readonly cases: ReadonlyArray<Case> }>("mutual_info")
const normals = (n: number, ...labels: ReadonlyArray<string | number>) => Float64Array.from({ length: n }, stream(0, ...labels).normal)

describe.skipIf(expected === undefined)("mutual information against scikit-learn's estimator (skipped without the oracles)", () => {
  for (const { X, by_seed, n_neighbors, name, y } of expected?.cases ?? []) {
    it(name, () => {
      for (const { exact, random_state, standard_normal } of by_seed) {
        for (const [f, value] of exact.entries()) {
          const x = X.map((row) => row[f]!), classes = Int32Array.from(y)
          const noise = standard_normal?.map((row) => row[f]!) ?? normals(x.length, "noise", random_state, f)
          // The same jitter: the same value. Another one moves it only where it separates ties, and no case without its noise given has any.
          expect(Math.abs(mutualInformation(x, classes, noise, n_neighbors) - value)).toBeLessThan(standard_normal === null ? 1e-3 : 1e-9)
        }
      }
    })
  }
})

/** Ross's formula by comparing all pairs; x without ties, so without jitter but for the scale, which does not matter. */
const byPairs = (x: ReadonlyArray<number>, y: Int32Array, k: number): number => {
  const size = (id: number) => y.filter((other) => other === id).length
  const rows = [...x.keys()].filter((i) => size(y[i]!) > 1)
  let sum = 0
  for (const i of rows) {
    const own = Math.min(k, size(y[i]!) - 1)
    const distances = rows.filter((j) => j !== i && y[j] === y[i]).map((j) => Math.abs(x[j]! - x[i]!)).toSorted((a, b) => a - b)
    const inside = rows.filter((j) => Math.abs(x[j]! - x[i]!) < distances[own - 1]!).length
    sum += digamma(own) - digamma(size(y[i]!)) - digamma(inside)
  }
  return Math.max(0, digamma(rows.length) + sum / rows.length)
}

describe("mutualInformation", () => {
  it("is what comparing all pairs gives, singletons dropped", () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = stream(seed, "pairs"), n = 3 + random.integer(60)
      const y = Int32Array.from({ length: n }, () => random.integer(6)), x = Array.from(y, (id) => 0.5 * id + random.normal())
      expect(mutualInformation(x, y, normals(n, "jitter"), 3)).toBeCloseTo(byPairs(x, y, 3), 8)
    }
  })
  it("approaches the entropy of the classes where the feature tells them apart", () => {
    const n = 3000, y = Int32Array.from({ length: n }, (_, i) => i % 3), random = stream(1, "apart")
    expect(mutualInformation(Array.from(y, (id) => 100 * id + random.normal()), y, normals(n, "apart"))).toBeCloseTo(Math.log(3), 2)
  })
  it("is 0 for a constant feature of even classes, up to what the jitter makes of it, and for classes of one sample", () => {
    const y = Int32Array.from({ length: 300 }, (_, i) => i % 3)
    expect(mutualInformation(Array.from({ length: 300 }, () => 7), y, normals(300, "constant"))).toBeLessThan(0.05)
    expect(mutualInformation([1, 2, 3], Int32Array.of(0, 1, 2), normals(3, "singletons"))).toBe(0)
    expect(mutualInformation([], new Int32Array(), [])).toBe(0)
  })
  it("takes 100,000 rows in well under ten seconds: it sorts, it does not compare pairs", () => {
    const n = 100_000, y = Int32Array.from({ length: n }, (_, i) => i % 10), random = stream(2, "large")
    expect(mutualInformation(Float64Array.from(y, (id) => id + random.normal()), y, normals(n, "large"))).toBeGreaterThan(0.5)
  }, 10_000)
})
