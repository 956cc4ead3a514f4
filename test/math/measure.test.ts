import { describe, expect, it } from "vitest"
import { measureClasses, measureTargets } from "../../math/measure.ts"
import { stream } from "../../math/random.ts"
import { matrix } from "./oracle.ts"

const find = (measures: ReturnType<typeof measureClasses>, metric: string, of = "") => {
  const found = measures.find((measure) => measure.metric === metric && measure.of === of)
  if (found === undefined) throw new Error(`${metric} of ${of} is not measured`)
  return found
}

describe("measureClasses", () => {
  const truth = Int32Array.of(0, 0, 1, 1), probabilities = Float64Array.of(0.9, 0.1, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
  it("of two classes ranks by the last one, the positive", () => {
    const measures = measureClasses(truth, probabilities, ["land", "ship"])
    expect(find(measures, "accuracy")).toEqual({ metric: "accuracy", of: "", value: 0.75, n: 4, low: NaN, high: NaN })
    expect(find(measures, "auc").value).toBe(1)
    expect(find(measures, "average_precision").value).toBe(find(measures, "average_precision", "ship").value)
    expect(find(measures, "f1", "ship").value).toBeCloseTo(0.8, 12)
    expect(find(measures, "f1", "ship").n).toBe(2)
  })
  it("of more takes means over the classes that occur, and counts one that is never predicted as wrong", () => {
    const unseen = measureClasses(Int32Array.of(0, 1, 2), Float64Array.of(0.8, 0.2, 0, 0.3, 0.7, 0, 0.6, 0.4, 0), ["a", "b", "c"])
    expect(find(unseen, "accuracy").value).toBeCloseTo(2 / 3, 12)
    expect(find(unseen, "f1", "c").value).toBe(0)
    const absent = measureClasses(Int32Array.of(0, 1), Float64Array.of(0.8, 0.2, 0, 0.3, 0.7, 0), ["a", "b", "c"])
    expect(find(absent, "auc").value).toBe(1)
    expect(find(absent, "average_precision").value).toBe(1)
    expect(absent.some(({ of }) => of === "c")).toBe(false)
  })
  it("has no AUC where one class occurs", () => expect(find(measureClasses(Int32Array.of(1, 1), Float64Array.of(0.5, 0.5, 0.2, 0.8), ["a", "b"]), "auc").value).toBeNaN())
  it("has intervals about its values, the same from the same stream", () => {
    const random = stream(0, "noise"), n = 200, k = 3
    const y = Int32Array.from({ length: n }, (_, i) => i % k)
    const raw = Float64Array.from({ length: n * k }, (_, at) => Math.exp(random.normal() + (y[Math.floor(at / k)] === at % k ? 1.5 : 0)))
    const p = raw.map((value, at) => value / (raw[at - at % k]! + raw[at - at % k + 1]! + raw[at - at % k + 2]!))
    const draw = () => measureClasses(y, p, ["a", "b", "c"], { replicates: 500, random: stream(0, "draws") })
    const measures = draw()
    expect(draw()).toEqual(measures)
    for (const { high, low, metric, value } of measures) {
      // The calibration error is biased upward in a resample, so its interval need not hold its value.
      if (metric === "ece") continue
      expect(low).toBeLessThan(value)
      expect(high).toBeGreaterThan(value)
    }
    const { high, low } = find(measures, "accuracy")
    expect(high - low).toBeLessThan(0.15)
    expect(high - low).toBeGreaterThan(0.08)
  })
})

describe("measureTargets", () => {
  it("has mse and r2 of all targets, and r2 of each", () => {
    const measures = measureTargets(matrix([[0, 1], [1, 3], [2, 2]]), matrix([[0, 2], [1, 2], [2, 2]]), ["x", "y"], { replicates: 50, random: stream(0, "draws") })
    expect(measures.map(({ metric, of, value }) => [metric, of, value])).toEqual([["mse", "", 1 / 3], ["r2", "", 0.5], ["r2", "x", 1], ["r2", "y", 0]])
    expect(measures[0]!.low).toBeLessThanOrEqual(1 / 3)
  })
})
