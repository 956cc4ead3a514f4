import { describe, expect, it } from "vitest"
import triplet from "../../../stages/train/triplet.ts"
import { apply, fitAll, synthetic } from "./training.ts"

// One thread, as the engine runs it; read when the binding is loaded.
process.env["TF_NUM_INTRAOP_THREADS"] = "1"
process.env["TF_NUM_INTEROP_THREADS"] = "1"
process.env["TF_CPP_MIN_LOG_LEVEL"] = "3"
const absent = await import("@tensorflow/tfjs-node-gpu").then(() => undefined, (cause: Error) => cause.message.split("\n")[0])

const difference = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)

describe.skipIf(absent !== undefined)(`the tfjs engine${absent === undefined ? "" : ": skipped, its binding is absent (npm run tfjs builds it)"}`, () => {
  const tasks = { class: 0.5, box: 0.5 }
  for (const [title, given] of Object.entries({
    "batch-all": { tasks },
    "batch-hard": { tasks: { class: 1 }, triplets: "hard" },
    "selected samples": { tasks, select: { top: 0.5, more: 0.2 } },
    "selected triplets": { tasks, select: { top: 0.5, more: 0.2, fill: "triplet" } },
    "a perceptron on the sphere, by SGD": { tasks, hidden: [24], normalize: true, optimizer: "sgd", rate: 0.01 }
  })) {
    it(`trains ${title} to the same losses and weights as onnx, within 1e-5 over 100 steps`, async () => {
      // 63 rows train in two batches an epoch: 50 epochs are 100 steps.
      const members = [0, 5].map((fold) => ({ data: synthetic(72, 48, { fold }), with: { out: 16, rate: 1e-3, epochs: 50, seed: fold, ...given } }))
      const onnx = await fitAll(triplet, members, "onnx"), tfjs = await fitAll(triplet, members, "tfjs")
      for (const [i, { history, weights }] of onnx.entries()) {
        expect(history.step.at(-1)).toBe(100)
        expect(difference(history.train_loss, tfjs[i]!.history.train_loss)).toBeLessThan(1e-5)
        expect(difference(history.val_loss, tfjs[i]!.history.val_loss)).toBeLessThan(1e-5)
        for (const [layer, values] of Object.entries(weights)) expect(difference(values, tfjs[i]!.weights[layer]!), layer).toBeLessThan(1e-5)
      }
      const { data, with: given0 } = members[0]!
      expect(difference((await apply(triplet, onnx[0]!, data, given0, "onnx")).values, (await apply(triplet, tfjs[0]!, data, given0, "tfjs")).values)).toBeLessThan(1e-4)
    })
  }
})
