/**
 * Seeded randomness. A stream is named by a seed and a path of labels (`stream(0, "crop", sampleId)`), so what one sample draws
 * does not depend on how many other samples there are or in which order they come.
 * Generator: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state, filled from SHA-256 of the name.
 */
import { createHash } from "node:crypto"

export interface Random {
  /** Uniform in [0, 1), 32 random bits. */
  readonly uniform: () => number
  /** Uniform integer in 0..n-1. */
  readonly integer: (n: number) => number
  /** Standard normal (Box-Muller, one value a call). */
  readonly normal: () => number
  /** Fisher-Yates shuffle in place; returns its argument. */
  readonly shuffle: <A extends { [index: number]: number; readonly length: number }>(values: A) => A
}

/** The stream of a seed and labels. The same name gives the same draws on every machine; its first draws are pinned by a test. */
export const stream = (seed: number, ...labels: ReadonlyArray<string | number>): Random => {
  const state = createHash("sha256").update(JSON.stringify([seed, ...labels])).digest()
  let a = state.readInt32LE(0), b = state.readInt32LE(4), c = state.readInt32LE(8), counter = state.readInt32LE(12)
  const bits = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  const uniform = () => bits() / 4294967296
  const integer = (n: number) => Math.floor(uniform() * n)
  return {
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle: (values) => {
      for (let i = values.length - 1; i > 0; i--) {
        const j = integer(i + 1)
        const x = values[i]!
        values[i] = values[j]!
        values[j] = x
      }
      return values
    }
  }
}
