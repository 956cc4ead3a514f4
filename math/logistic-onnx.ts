/**
 * The likelihood of a softmax model over many rows: the two products by onnxruntime, float32 on one thread, what lies between them in
 * WebAssembly. Rows go through in blocks, so that a block is still in the cache when its second product is made.
 */
import { Graph } from "../tensor/onnx.ts"
import type { Likelihood } from "./logistic.ts"
import type { Matrix } from "./matrix.ts"
import { bytes } from "../wasm/bytes/residuals.ts"
import { instantiate, Layout } from "../wasm/instance.ts"

type Shape = readonly [number, number]

/** A session of one product, a b^T or a^T b. */
const model = (a: Shape, b: Shape, product: Shape, transposed: "transA" | "transB"): Uint8Array => {
  const graph = new Graph()
  graph.input({ name: "a", type: "float32", shape: a })
  graph.input({ name: "b", type: "float32", shape: b })
  graph.output({ name: "product", type: "float32", shape: product }, graph.node("Gemm", ["a", "b"], { [transposed]: 1 }))
  return graph.model().bytes
}

/**
 * The likelihood of class ids y [n] in 0..classes-1 given rows x [n, d], each weighed by `weights` [n] where given; three classes or more.
 * Loss and sums over blocks are float64, terms float32: good to about 1e-6.
 */
export const softmaxLikelihood = async (x: Matrix, y: Int32Array, classes: number, weights?: Float64Array): Promise<Likelihood> => {
  const { InferenceSession, Tensor } = await import("onnxruntime-node")
  const { columns: d, rows: n } = x, r = Math.ceil(classes / 4) * 4
  // Equal blocks, at most about 1,000 rows and 8 MB each; the last is filled up with zeros.
  const count = Math.ceil(n / Math.max(64, Math.min(1024, Math.floor(2 ** 21 / Math.max(d, r))))), rows = Math.ceil(n / count)
  const blocks = Array.from({ length: count }, (_, block) => {
    const part = x.values.subarray(block * rows * d, Math.min(n, (block + 1) * rows) * d)
    if (part instanceof Float32Array && part.length === rows * d) return new Tensor("float32", part, [rows, d])
    const filled = new Float32Array(rows * d)
    filled.set(part)
    return new Tensor("float32", filled, [rows, d])
  })

  const layout = new Layout()
  const at = { z: layout.bytes(rows * r * 4), intercepts: layout.bytes(r * 4), slopes: layout.bytes(r * 8), y: layout.bytes(n * 4), weights: layout.bytes(weights === undefined ? 0 : n * 8) }
  const memory = layout.memory(), { residuals } = instantiate(bytes, memory, ["residuals"])
  const intercepts = new Float32Array(memory.buffer, at.intercepts, r).fill(-1e30), slopes = new Float64Array(memory.buffer, at.slopes, r)
  new Int32Array(memory.buffer, at.y, n).set(y)
  if (weights !== undefined) new Float64Array(memory.buffer, at.weights, n).set(weights)

  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 } as const
  const scores = await InferenceSession.create(model([rows, d], [r, d], [rows, r], "transB"), options)
  const gradients = await InferenceSession.create(model([rows, r], [rows, d], [r, d], "transA"), options)
  const z = new Tensor("float32", new Float32Array(memory.buffer, at.z, rows * r), [rows, r])
  const w = new Tensor("float32", new Float32Array(r * d), [r, d]), g = new Tensor("float32", new Float32Array(r * d), [r, d])
  return async (point, gradient) => {
    for (let p = 0; p < classes * d; p++) w.data[p] = point[p]!
    for (let c = 0; c < classes; c++) intercepts[c] = point[classes * d + c]!
    slopes.fill(0)
    gradient.fill(0)
    let loss = 0
    for (const [block, tensor] of blocks.entries()) {
      const from = block * rows, own = Math.min(rows, n - from)
      await scores.run({ a: tensor, b: w }, { product: z })
      loss += residuals(at.z, at.intercepts, at.y + from * 4, weights === undefined ? 0 : at.weights + from * 8, at.slopes, own, r)
      // The rows that fill up are zero in x, so what stands here for them counts nothing.
      await gradients.run({ a: z, b: tensor }, { product: g })
      for (let p = 0; p < classes * d; p++) gradient[p]! += g.data[p]!
    }
    for (let c = 0; c < classes; c++) gradient[classes * d + c] = slopes[c]!
    return loss
  }
}
