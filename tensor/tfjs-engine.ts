import { Stage } from "outcrop"
import { type Compiled, type Engine, type Program, sizeOf } from "./program.ts"
import { load } from "./tfjs.ts"

/** Loads whichever native binding is installed; each registers the tfjs backend "tensorflow" when it is imported. */
const loadBinding = async (): Promise<void> => {
  const reasons: Array<string> = []
  for (const [name, binding] of [["@tensorflow/tfjs-node-gpu", () => import("@tensorflow/tfjs-node-gpu")], ["@tensorflow/tfjs-node", () => import("@tensorflow/tfjs-node")]] as const) {
    try {
      await binding()
      return
    } catch (cause) {
      reasons.push(`${name}: ${(cause instanceof Error ? cause.message : String(cause)).split("\n")[0]}`)
    }
  }
  throw new Stage.StageError({ message: `the tfjs engine does not load (${reasons.join("; ")}); \`npm run tfjs\` (installed: \`node node_modules/outcrop/tfjs.mjs\`) gives the package its binary, --backend onnx does without` })
}
let loaded: Promise<void> | undefined

const compile = async (program: Program): Promise<Compiled> => {
  loaded ??= loadBinding()
  await loaded
  const tf = await load()
  return {
    bind: (buffers) => (lanes) => {
      // Selecting a backend that is already up is synchronous in effect; tracing elsewhere in the process may have selected another.
      void tf.setBackend("tensorflow")
      for (const lane of lanes) {
        tf.tidy(() => {
          const inputs = Object.fromEntries(Object.entries(program.inputs).map(([name, { dtype, shape }]) => {
            const size = sizeOf(shape)
            return [name, tf.tensor(buffers[name]!.subarray(lane * size, (lane + 1) * size), [...shape], dtype)]
          }))
          for (const [name, out] of Object.entries(program.body(tf, inputs))) buffers[name]!.set(out.dataSync(), lane * out.size)
        })
      }
      return Promise.resolve()
    }
  }
}

/** Runs programs eagerly on TensorFlow, one lane after the other. Deterministic with `TF_NUM_INTRAOP_THREADS=1` on CPU. */
export const tfjsEngine: Engine = { compile }
