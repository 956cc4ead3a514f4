import type { Tensor } from "onnxruntime-node"
import type { Compiled, Engine, Program } from "./program.ts"
import { load } from "./tfjs.ts"
import { finished, trace } from "./trace.ts"

/** One thread a session: deterministic to the bit on one kind of CPU; parallelism comes from the grid. Level 3: warnings stay quiet. */
const options = { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: "sequential", graphOptimizationLevel: "all", logSeverityLevel: 3 } as const

/**
 * What the binding throws after a run. Outputs are written into the buffers that it is given, and then (onnxruntime-node 1.30) copied once
 * more into new ones: a quarter of a step. It converts them in the model's order and stops at what is no tensor, so the first output is
 * none. Later bindings do not copy.
 */
const ended = "Non tensor type is temporarily not supported."

const compile = async (program: Program): Promise<Compiled> => {
  const [tf, ort] = await Promise.all([load(), import("onnxruntime-node")])
  const { bytes, nodes, outputs, reads } = trace(tf, program)
  const session = await ort.InferenceSession.create(bytes, options)
  return {
    nodes,
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
      const given = { [finished]: null, ...fetches }
      return () => session.run(feeds, given).then(() => undefined, (cause: unknown) => {
        if (!(cause instanceof Error) || cause.message !== ended) throw cause
      })
    }
  }
}

/** Runs programs as ONNX graphs on onnxruntime-node: all lanes at once, outputs written straight into their buffers. */
export const onnxEngine: Engine = { compile }
