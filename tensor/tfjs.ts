/** tfjs as losses get it: with its gradients registered, and those of comparisons, which it lacks. */
import type * as tfjs from "@tensorflow/tfjs-core"

/** tfjs as a loss sees it. */
export type Tf = typeof tfjs

const comparisons = ["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr"]

/** Without these a loss that asks `tf.greater(d, margin)` to mask something has "no gradient for Greater", although it is 0 everywhere. */
const registerComparisons = (tf: Tf): void => {
  for (const kernelName of comparisons) {
    if (tf.getGradient(kernelName) !== undefined) continue
    tf.registerGradient({ kernelName, inputsToSave: ["a", "b"], gradFunc: (_, [a, b]) => ({ a: () => tf.zeros(a!.shape), b: () => tf.zeros(b!.shape) }) })
  }
  if (tf.getGradient("LogicalNot") === undefined) {
    tf.registerGradient({ kernelName: "LogicalNot", inputsToSave: ["x"], gradFunc: (_, [x]) => ({ x: () => tf.zeros(x!.shape) }) })
  }
}

/** Loads tfjs. The package `@tensorflow/tfjs-core` alone registers no gradients on Node; `@tensorflow/tfjs` does. */
export const load = async (): Promise<Tf> => {
  const tf = await import("@tensorflow/tfjs")
  registerComparisons(tf)
  return tf
}
