import { describe, expect, it } from "vitest"
import { fitLabelHead, labelHeadProbabilities } from "../../math/label-head.ts"
import type { Matrix } from "../../math/matrix.ts"
import { neutral } from "../../math/multi-label.ts"
import { stream } from "../../math/random.ts"

const random = stream(0, "label head"), n = 120, d = 4, vocabulary = ["bare", "crops", "water"] as const
const labels = Array.from({ length: n }, (_, i) => vocabulary.filter((_, c) => c === i % 3 || (c === 2 && i % 5 === 0)))
const x: Matrix = { rows: n, columns: d, values: Float32Array.from({ length: n * d }, (_, at) => {
  const name = vocabulary[at % d]
  return (name !== undefined && labels[Math.floor(at / d)]!.includes(name) ? 1.5 : 0) + random.normal()
}) }
const between = (from: number, to: number) => Int32Array.from({ length: to - from }, (_, i) => from + i)
const rows = { train: between(0, 80), val: between(80, 110) }
const options = { C: [0.01, 1, 100], standardize: true, balanced: false, iterations: 1000 }

describe("fitLabelHead", () => {
  it("is fitted on training and validation rows in the end", async () => {
    const chosen = await fitLabelHead(x, labels, rows, options)
    const all = await fitLabelHead(x, labels, { train: between(0, 110), val: new Int32Array() }, { ...options, C: [chosen.C] })
    expect({ ...chosen, thresholds: undefined }).toEqual({ ...all, thresholds: undefined })
    expect(all.thresholds).toEqual(new Float64Array(3).fill(neutral))
  })
  it("calibrates thresholds by the fit on training rows alone, also where C is not chosen", async () => {
    const { C, thresholds } = await fitLabelHead(x, labels, rows, options)
    expect(new Set(thresholds).size).toBe(3)
    const alone = await fitLabelHead(x, labels, rows, { ...options, C: [C] })
    for (const [c, threshold] of thresholds.entries()) expect(alone.thresholds[c]).toBeCloseTo(threshold, 3)
  })
  it("chooses the C of least log loss over all classes, whatever the order", async () => {
    const alone = await Promise.all(options.C.map(async (C) => {
      const head = await fitLabelHead(x, labels, { train: rows.train, val: new Int32Array() }, { ...options, C: [C] }), given = await labelHeadProbabilities(head, x, head.names)
      return Array.from(rows.val, (row) => vocabulary.map((name, c) => -Math.log(labels[row]!.includes(name) ? given[row * 3 + c]! : 1 - given[row * 3 + c]!))).flat().reduce((sum, nats) => sum + nats, 0)
    }))
    expect((await fitLabelHead(x, labels, rows, options)).C).toBe(options.C[alone.indexOf(Math.min(...alone))])
    expect((await fitLabelHead(x, labels, rows, { ...options, C: options.C.toReversed() })).C).toBe(options.C[alone.indexOf(Math.min(...alone))])
  })
  it("finds a rare class more often where sides are balanced", async () => {
    const rare = labels.map((own, i) => own.filter((name) => name !== "bare" || i % 12 === 0)).map((own) => own.length === 0 ? ["crops"] : own)
    const mean = async (balanced: boolean) => {
      const head = await fitLabelHead(x, rare, rows, { ...options, C: [1], balanced }), given = await labelHeadProbabilities(head, x, head.names)
      return given.filter((_, at) => at % 3 === 0).reduce((sum, p) => sum + p, 0) / n
    }
    expect(await mean(true)).toBeGreaterThan(2 * await mean(false))
  })
  it("passes over classes that all or none of the training rows have: such a one is certain, or learned from validation rows", async () => {
    const strange = labels.map((own, i) => [...own, "land", ...(i >= 80 && i % 2 === 0 ? ["late"] : [])])
    const head = await fitLabelHead(x, strange, rows, options)
    expect(head.names).toEqual(["bare", "crops", "land", "late", "water"])
    expect([head.intercepts[2], head.thresholds[2], head.thresholds[3]]).toEqual([Infinity, neutral, neutral])
    expect(head.coefficients.subarray(2 * d, 3 * d)).toEqual(new Float64Array(d))
    expect(Number.isFinite(head.intercepts[3])).toBe(true)
    const given = await labelHeadProbabilities(head, x, [...head.names, "never"])
    for (let i = 0; i < n; i++) expect([given[6 * i + 2], given[6 * i + 5]]).toEqual([1, 0])
  })
  it("throws where the labels tell no rows apart, and where there is nothing to choose by", async () => {
    await expect(fitLabelHead(x, labels.map(() => ["land", "crops"]), rows, options)).rejects.toThrow("all 80 samples to fit on have the same labels (crops, land)")
    await expect(fitLabelHead(x, labels, { ...rows, val: new Int32Array() }, options)).rejects.toThrow("C has 3 values to choose from on validation rows")
  })
})
