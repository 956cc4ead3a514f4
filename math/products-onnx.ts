/** Products of a large matrix by onnxruntime's Gemm, float32 on one thread, so that the same bits come out in every run. */
import { Graph } from "../tensor/onnx.ts"
import type { Matrix } from "./matrix.ts"
import type { Products } from "./products.ts"

/** One Gemm as a model: b is fed, x is the matrix that stays. */
const gemm = (x: Matrix, transposed: { readonly name: string; readonly shape: ReadonlyArray<number>; readonly out: ReadonlyArray<number> }): Uint8Array => {
  const graph = new Graph()
  const fixed = graph.input({ name: "x", type: "float32", shape: [x.rows, x.columns] })
  const given = graph.input({ name: "b", type: "float32", shape: transposed.shape })
  const product = transposed.name === "scores" ? graph.node("Gemm", [fixed, given], { transB: 1 }) : graph.node("Gemm", [given, fixed], { transA: 1 })
  graph.output({ name: "product", type: "float32", shape: transposed.out }, product)
  return graph.model().bytes
}

/** Products of x [n, d] with r rows; see `products.ts`. */
export const onnxProducts = async (x: Matrix, r: number): Promise<Products> => {
  const { InferenceSession, Tensor } = await import("onnxruntime-node")
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 } as const
  const fixed = new Tensor("float32", x.values instanceof Float32Array ? x.values : Float32Array.from(x.values), [x.rows, x.columns])
  const product = async (name: string, shape: readonly [number, number], out: readonly [number, number]) => {
    const session = await InferenceSession.create(gemm(x, { name, shape, out }), options)
    const given = new Tensor("float32", new Float32Array(shape[0] * shape[1]), shape)
    const result = new Tensor("float32", new Float32Array(out[0] * out[1]), out)
    const wide = new Float64Array(result.data.length)
    return async (b: Float64Array): Promise<Float64Array> => {
      given.data.set(b)
      await session.run({ x: fixed, b: given }, { product: result })
      wide.set(result.data)
      return wide
    }
  }
  return {
    scores: await product("scores", [r, x.columns], [x.rows, r]),
    gradient: await product("gradient", [x.rows, r], [r, x.columns])
  }
}
