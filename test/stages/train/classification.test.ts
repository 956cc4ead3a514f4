import { describe, expect, it } from "vitest"
import classification from "../../../stages/train/classification.ts"
import { fit, fitAll, synthetic } from "./training.ts"

describe("softmax classification on a projection", () => {
  const data = synthetic(96, 12)
  it("learns the class: from ln 3 down", async () => {
    const { history, weights } = await fit(classification, data, { out: 4, epochs: 60, rate: 0.01 })
    expect(history.train_loss.at(-1)!).toBeLessThan(0.5 * Math.log(3))
    expect(weights["class.weight"]).toHaveLength(4 * 3)
  })
  it("has as many classes as the column names, whichever of them the fold has; siblings with other numbers of classes share no graph", async () => {
    const [three, five] = await fitAll(classification, [["a", "b", "c"], ["a", "b", "c", "d", "e"]].map((names) => ({ data: { ...data, names: { class: names } }, with: { out: 4, epochs: 1 } })))
    expect([three!.weights["class.bias"]!.length, five!.weights["class.bias"]!.length]).toEqual([3, 5])
  })
})
