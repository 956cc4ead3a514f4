import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import { folded, standardized } from "../../tensor/standardization.ts"
import classification from "../../stages/train/classification.ts"
import { apply, fit, synthetic } from "../stages/train/training.ts"

const draw = stream(0, "standardization"), width = 5, rows = 40
const values = Float32Array.from({ length: rows * width }, (_, i) => (i % width) * 10 + (1 + i % width) * draw.normal())

describe("training on standardised embeddings", () => {
  const chosen = Int32Array.from({ length: 30 }, (_, i) => i), { embeddings, scaling } = standardized({ width, values }, chosen)
  it("has mean 0 and deviation 1 on the rows given", () => {
    for (let k = 0; k < width; k++) {
      const column = Array.from(chosen, (row) => embeddings.values[row * width + k]!), mean = column.reduce((a, b) => a + b, 0) / 30
      expect(mean).toBeCloseTo(0, 5)
      expect(column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 30).toBeCloseTo(1, 5)
    }
  })
  it("the weights given project embeddings as they are to what the trained ones make of the scaled ones", () => {
    const weight = Float32Array.from({ length: width * 3 }, () => draw.normal()), bias = Float32Array.of(0.1, 0.2, 0.3)
    const own = folded({ "layer1.weight": weight, "layer1.bias": bias }, scaling)
    const project = (x: Float32Array, w: Float32Array, b: Float32Array, row: number, o: number) => Array.from({ length: width }, (_, i) => x[row * width + i]! * w[i * 3 + o]!).reduce((sum, value) => sum + value, b[o]!)
    for (let row = 0; row < rows; row++) for (let o = 0; o < 3; o++) expect(project(values, own["layer1.weight"]!, own["layer1.bias"]!, row, o)).toBeCloseTo(project(embeddings.values, weight, bias, row, o)!, 4)
  })
  it("a training is the same whatever the units of the embeddings", async () => {
    const data = synthetic(48, 6), larger = { ...data, x: data.x.map((value, i) => value * (1 + i % 6) * 100 + 50) }, given = { out: 3, epochs: 5, rate: 0.01, standardize: true }
    const of = async (rows: typeof data) => (await apply(classification, await fit(classification, rows, given), rows, given)).values
    const [a, b] = [await of(data), await of(larger)]
    for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 3)
  })
})
