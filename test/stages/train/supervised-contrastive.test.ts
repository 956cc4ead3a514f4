import { describe, expect, it } from "vitest"
import supervised from "../../../stages/train/supervised-contrastive.ts"
import { fit, synthetic } from "./training.ts"

describe("supervised contrast", () => {
  const data = synthetic(96, 12)
  it("learns, and leaves out samples without a class", async () => {
    const { history } = await fit(supervised, data, { out: 8, epochs: 30, rate: 0.01 })
    expect(history.val_loss.at(-1)!).toBeLessThan(history.val_loss[0]! - 0.1)
    const none = { ...data, annotations: { class: new Int32Array(96).fill(-1) } }
    await expect(fit(supervised, none, { out: 8, epochs: 2 })).rejects.toThrow("the annotation column class has no label (all are -1) in the training rows (84)")
    const few = { ...data, annotations: { class: Int32Array.from({ length: 96 }, (_, i) => i < 4 ? i % 2 : -1) } }, sparse = await fit(supervised, few, { out: 8, epochs: 2, batch: 8 })
    expect(sparse.history.train_loss.every(Number.isFinite)).toBe(true)
  })
  it("scores are no classes", async () => {
    const said = await fit(supervised, data, { task: "score" }).then(() => "it went through", (cause: Error) => cause.message)
    expect(said).toMatch(/the annotation column score holds no class ids/)
  })
})
