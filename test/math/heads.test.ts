import { describe, expect, it } from "vitest"
import { classProbabilities, fitClassHead, predictTargets, targetHeads } from "../../math/heads.ts"
import type { Matrix } from "../../math/matrix.ts"
import { stream } from "../../math/random.ts"
import { identity, minMax } from "../../math/scaling.ts"

const random = stream(0, "heads"), n = 60, d = 4
const labels = Array.from({ length: n }, (_, i) => ["a", "b", "c"][i % 3]!)
const x: Matrix = { rows: n, columns: d, values: Float32Array.from({ length: n * d }, (_, at) => (Math.floor(at / d) % 3 === at % d ? 2 : 0) + random.normal()) }
const rows = { train: Int32Array.from({ length: 40 }, (_, i) => i), val: Int32Array.from({ length: 15 }, (_, i) => 40 + i) }

describe("fitClassHead", () => {
  const options = { C: [0.01, 1], standardize: true, balanced: false, iterations: 1000 }
  it("is fitted on training and validation rows in the end", async () => {
    const chosen = await fitClassHead(x, labels, rows, options)
    const all = await fitClassHead(x, labels, { train: Int32Array.from({ length: 55 }, (_, i) => i), val: new Int32Array() }, { ...options, C: [chosen.C] })
    expect(all).toEqual(chosen)
  })
  it("passes over validation rows of a class that no training row has, and knows the class in the end", async () => {
    const late = labels.map((label, i) => i >= 50 ? "d" : label)
    const head = await fitClassHead(x, late, rows, options)
    expect(head.names).toEqual(["a", "b", "c", "d"])
    await expect(fitClassHead(x, labels.map((label, i) => i >= 40 ? "d" : label), rows, options)).rejects.toThrow("C has 2 values to choose from")
  })
  it("gives names that it does not know the probability 0", async () => {
    const head = await fitClassHead(x, labels, rows, options)
    const given = await classProbabilities(head, x, ["a", "aa", "b", "c"])
    for (let i = 0; i < n; i++) {
      expect(given[i * 4 + 1]).toBe(0)
      expect(given.subarray(i * 4, i * 4 + 4).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12)
    }
  })
})

describe("targetHeads", () => {
  const targets: Matrix = { rows: n, columns: 2, values: Float64Array.from({ length: n * 2 }, (_, at) => 10 * x.values[Math.floor(at / 2) * d + at % 2]! + 5) }
  it("predicts, scaled as asked, what is linear in x", async () => {
    const heads = targetHeads(x, true)
    const head = await heads.fit(targets, minMax, rows, [1e-6])
    const predicted = predictTargets(head, x)
    for (const [at, value] of targets.values.entries()) {
      expect(predicted.values[at]).toBeCloseTo((value - head.targetScaling.offset[at % 2]!) / head.targetScaling.scale[at % 2]!, 5)
    }
  })
  it("fits each task as if alone, though they share the products", async () => {
    const shared = targetHeads(x, true), other: Matrix = { ...targets, values: targets.values.map((value) => Math.sin(value)) }
    await shared.fit(targets, minMax, rows, [0.1, 1])
    expect(await shared.fit(other, identity, rows, [1, 0.1])).toEqual(await targetHeads(x, true).fit(other, identity, rows, [0.1, 1]))
  })
})
