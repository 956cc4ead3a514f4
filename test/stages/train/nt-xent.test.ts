import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import ntXent from "../../../stages/train/nt-xent.ts"
import { type Data, fit } from "./training.ts"

describe("contrast of two views in a batch", () => {
  const draw = stream(0, "two views"), width = 8
  const own = Array.from({ length: 48 * width }, () => draw.normal())
  const data: Data = { width, views: ["augmented", "full"], x: Float32Array.from({ length: 96 * width }, (_, i) => own[Math.floor(i / width / 2) * width + i % width]! + 0.4 * draw.normal()), annotations: {}, split: Array.from({ length: 48 }, (_, i) => i % 4 === 0 ? "val" : "train") }
  it("learns, through both views", async () => {
    const { history } = await fit(ntXent, data, { out: 4, epochs: 40, rate: 0.02, batch: 12 })
    expect(history.train_loss.at(-1)!).toBeLessThan(history.train_loss[0]! - 0.15)
  })
  it("one view is not enough", async () => {
    const said = await fit(ntXent, data, { key: ["full"] }).then(() => "it went through", (cause: Error) => cause.message)
    expect(said).toMatch(/a sample in its view "full" would be its own positive/)
  })
})
