import { describe, expect, it } from "vitest"
import { bootstrap } from "../../math/bootstrap.ts"
import { measureClasses, measureLabels, measurePlaces, measureTargets, reaches, type Resampling } from "../../math/measure.ts"
import { stream } from "../../math/random.ts"
import { matrix, oracle, type Rows } from "./oracle.ts"

const find = (measures: ReturnType<typeof measureClasses>, metric: string, of = "") => {
  const found = measures.find((measure) => measure.metric === metric && measure.of === of)
  if (found === undefined) throw new Error(`${metric} of ${of} is not measured`)
  return found
}

const draws = (replicates: number): Resampling => (n, statistics) => bootstrap(n, replicates, stream(0, "draws"), statistics)

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
    const draw = () => measureClasses(y, p, ["a", "b", "c"], draws(500))
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

interface MultiLabel extends Readonly<Record<"ap_micro" | "ap_macro" | "f1_micro" | "f1_macro", number>> {
  readonly name: string
  readonly Y: Rows
  readonly score: Rows
  readonly pred: Rows
  readonly ap_per_label: ReadonlyArray<number>
}
const expected = oracle<{ readonly multilabel: ReadonlyArray<MultiLabel> }>("metrics")

describe.skipIf(expected === undefined)("measureLabels against scikit-learn, to 1e-12 (skipped without the oracles)", () => {
  for (const { Y, ap_macro, ap_micro, ap_per_label, f1_macro, f1_micro, name, pred, score } of expected?.multilabel ?? []) {
    it(name, () => {
      const classes = Y[0]!.map((_, c) => `class ${c}`), sizes = classes.map((_, c) => Y.reduce((sum, row) => sum + row[c]!, 0))
      const measures = measureLabels(Uint8Array.from(Y.flat()), Float64Array.from(score.flat()), Uint8Array.from(pred.flat()), classes)
      const near = (given: number, value: number) => expect(Math.abs(given - value)).toBeLessThan(1e-12)
      near(find(measures, "map_micro").value, ap_micro)
      near(find(measures, "f1_micro").value, f1_micro)
      near(find(measures, "f1_macro").value, f1_macro)
      // scikit-learn counts a class without positives as 0 and keeps it in the mean; here it has no average precision and is left out.
      const present = sizes.filter((size) => size > 0).length
      near(find(measures, "map_macro").value * present / classes.length, ap_macro)
      for (const [c, of] of classes.entries()) {
        const { n, value } = find(measures, "average_precision", of)
        expect(n).toBe(sizes[c])
        if (sizes[c] === 0) expect(value).toBeNaN()
        else near(value, ap_per_label[c]!)
      }
      expect(find(measures, "map_micro").n).toBe(Y.length)
    })
  }
})

describe("measureLabels", () => {
  it("leaves out of f1_macro what is neither true nor predicted, and counts as 0 what is there and never predicted", () => {
    const measures = measureLabels(Uint8Array.of(1, 0, 1, 1, 0, 0), Float64Array.of(0.9, 0.1, 0, 0.8, 0.2, 0), Uint8Array.of(1, 0, 0, 1, 0, 0), ["crops", "snow", "water"])
    expect(["crops", "snow", "water"].map((of) => find(measures, "f1", of).value)).toEqual([1, NaN, 0])
    expect(find(measures, "f1_macro").value).toBe(0.5)
    expect(find(measures, "map_macro").value).toBe((1 + 0.5) / 2)
  })
  it("is not defined where nothing is true", () => {
    const measures = measureLabels(Uint8Array.of(0, 0), Float64Array.of(0.9, 0.1), Uint8Array.of(0, 0), ["crops"])
    for (const { value } of measures) expect(value).toBeNaN()
  })
  it("has intervals over rows, not over pairs of a row and a class", () => {
    const random = stream(0, "noise"), n = 150, classes = ["a", "b", "c"]
    const truth = Uint8Array.from({ length: n * 3 }, () => random.uniform() < 0.4 ? 1 : 0), scores = Float64Array.from(truth, (has) => has + 1.2 * random.normal())
    const predicted = Uint8Array.from(scores, (score) => score > 0.5 ? 1 : 0)
    const of = (k: number) => measureLabels(
      Uint8Array.from({ length: n * k }, (_, at) => truth[Math.floor(at / k) * 3]!), Float64Array.from({ length: n * k }, (_, at) => scores[Math.floor(at / k) * 3]!),
      Uint8Array.from({ length: n * k }, (_, at) => predicted[Math.floor(at / k) * 3]!), classes.slice(0, k), draws(400)
    )
    for (const { high, low, value } of measureLabels(truth, scores, predicted, classes, draws(400))) {
      expect(low).toBeLessThan(value)
      expect(high).toBeGreaterThan(value)
    }
    // A class that stands there three times adds no knowledge: the interval is that of one.
    const [one, three] = [find(of(1), "map_micro"), find(of(3), "map_micro")]
    expect([three.value, three.low, three.high].map((value, i) => Math.abs(value - [one.value, one.low, one.high][i]!) < 1e-12)).toEqual([true, true, true])
  })
})

describe("measurePlaces", () => {
  it("has the median, the shares within reach, and the median of the baseline", () => {
    const measures = measurePlaces(Float64Array.of(0.5, 100, 20, 900), Float64Array.of(4000, 1000, 2000, 3000))
    expect(find(measures, "median_km")).toMatchObject({ value: 60, n: 4 })
    expect(reaches.map((km) => find(measures, `within_${km}km`).value)).toEqual([0.25, 0.5, 0.75, 0.75, 1])
    expect(find(measures, "baseline_median_km").value).toBe(2500)
    expect(find(measurePlaces(Float64Array.of(3, 1, 2), new Float64Array(3)), "median_km").value).toBe(2)
    expect(find(measurePlaces(new Float64Array(), new Float64Array()), "median_km").value).toBeNaN()
  })
  it("draws its intervals as medians of the rows drawn", () => {
    const random = stream(0, "km"), distances = Float64Array.from({ length: 101 }, () => 1000 * random.uniform())
    const { high, low, value } = find(measurePlaces(distances, distances, draws(300)), "median_km")
    expect(value).toBe(distances.toSorted()[50])
    expect(high - low).toBeLessThan(400)
    expect(low).toBeLessThan(value)
    expect(high).toBeGreaterThan(value)
  })
})

describe("measureTargets", () => {
  it("has mse and r2 of all targets, and r2 of each", () => {
    const measures = measureTargets(matrix([[0, 1], [1, 3], [2, 2]]), matrix([[0, 2], [1, 2], [2, 2]]), ["x", "y"], draws(50))
    expect(measures.map(({ metric, of, value }) => [metric, of, value])).toEqual([["mse", "", 1 / 3], ["r2", "", 0.5], ["r2", "x", 1], ["r2", "y", 0]])
    expect(measures[0]!.low).toBeLessThanOrEqual(1 / 3)
  })
})
