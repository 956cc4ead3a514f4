import type { Tensor } from "onnxruntime-node"
import type { Compiled, Engine, Program } from "./program.ts"
import { load } from "./tfjs.ts"
import { trace } from "./trace.ts"

/** One thread a session: deterministic to the bit on one kind of CPU; parallelism comes from the grid. Level 3: warnings stay quiet. */
const options = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential", graphOptimizationLevel: "all", logSeverityLevel: 3 } as const

const compile = async (program: Program): Promise<Compiled> => {
  const [tf, ort] = await Promise.all([load(), import("onnxruntime-node")])
  const { bytes, outputs, reads } = trace(tf, program)
  const session = await ort.InferenceSession.create(bytes, options)
  return {
    bind: (buffers) => {
      const buffer = (name: string) => {
        const found = buffers[name]
        if (found === undefined) throw new Error(`${program.name}: no buffer for ${name}`)
        return found
      }
      const tensor = (name: string, shape: ReadonlyArray<number>): Tensor => {
        const values = buffer(name), dims = [program.lanes, ...shape]
        return values instanceof Int32Array ? new ort.Tensor("int32", values, dims) : new ort.Tensor("float32", values, dims)
      }
      const feeds = Object.fromEntries([...reads].map((name) => [name, tensor(name, program.inputs[name]!.shape)]))
      const fetches = Object.fromEntries([...outputs].map(([name, shape]) => [name, tensor(name, shape)]))
      return async () => {
        await session.run(feeds, fetches)
      }
    }
  }
}

/** Runs programs as ONNX graphs on onnxruntime-node: all lanes at once, outputs written straight into their buffers. */
export const onnxEngine: Engine = { compile }
