import type * as tfjs from "@tensorflow/tfjs-core"
import { describe, expect, it } from "vitest"
import { Stage } from "outcrop"
import { Untraceable, withFallback } from "../../tensor/fallback.ts"
import { onnxEngine } from "../../tensor/onnx-engine.ts"
import type { Engine, Program } from "../../tensor/program.ts"
import type { Tf } from "../../tensor/tfjs.ts"
import { eager } from "./programs.ts"

const programOf = (operation: (tf: Tf, x: tfjs.Tensor) => tfjs.Tensor): Program =>
  ({ name: "train/test", lanes: 2, inputs: { x: { dtype: "float32", shape: [3] } }, body: (tf, { x }) => ({ y: operation(tf, x!) }) })
/** tfjs's own CPU backend as an engine. */
const cpu: Engine = {
  compile: (program) => Promise.resolve({
    bind: (buffers) => async () => {
      for (const [lane, outputs] of (await eager(program, buffers)).entries()) for (const [name, values] of Object.entries(outputs)) buffers[name]!.set(values, lane * values.length)
    }
  })
}
const absent: Engine = { compile: () => Promise.reject(new Stage.StageError({ message: "the tfjs engine does not load" })) }
const run = async (engine: Engine, program: Program) => {
  const y = new Float32Array(6), { bind, notice } = await engine.compile(program)
  await bind({ x: Float32Array.of(1, 2, 3, 4, 5, 6), y })([0, 1])
  return { y: [...y], notice }
}
const atan2 = programOf((tf, x) => tf.atan2(x, x))

describe("a loss that the tracer cannot write", () => {
  it("runs on the other engine, and says which operation of which loss, and what that means", async () => {
    const { notice, y } = await run(withFallback(onnxEngine, cpu), atan2)
    for (const value of y) expect(value).toBeCloseTo(Math.PI / 4, 6)
    expect(notice).toBe("train/test: the loss uses the tfjs operation Atan2, which cannot be traced to ONNX; it ran on TensorFlow instead, which is slower and rounds in its own way")
  })
  it("also where it reads values", async () => {
    const { y } = await run(withFallback(onnxEngine, cpu), programOf((tf, x) => tf.mul(x, x.dataSync()[0]!)))
    expect(y).toEqual([1, 2, 3, 16, 20, 24])
  })
  it("is the tracer's error where the other engine does not load", async () => {
    await expect(run(withFallback(onnxEngine, absent), atan2)).rejects.toThrow("train/test: the loss uses the tfjs operation Atan2, which cannot be traced to ONNX; run it with TensorFlow, which `npm run tfjs` (installed: `node node_modules/outcrop/tfjs.mjs`) makes ready")
    await expect(onnxEngine.compile(atan2)).rejects.toBeInstanceOf(Untraceable)
  })
})

it("a loss that can be traced is, without a notice", async () => {
  expect(await run(withFallback(onnxEngine, absent), programOf((tf, x) => tf.neg(x)))).toEqual({ y: [-1, -2, -3, -4, -5, -6], notice: undefined })
})

it("a loss's own error stays what it is, and nothing else is tried", async () => {
  await expect(run(withFallback(onnxEngine, cpu), programOf((tf, x) => tf.add(x, tf.ones([5]))))).rejects.toThrow(/^shapes \[3\] and \[5\] do not broadcast$/)
  const refuses = programOf(() => {
    throw new Stage.StageError({ message: "train/test: choose one of the two" })
  })
  await expect(run(withFallback(onnxEngine, cpu), refuses)).rejects.toThrow("train/test: choose one of the two")
})
