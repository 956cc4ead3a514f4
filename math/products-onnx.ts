/** Products of a large matrix by onnxruntime's Gemm, float32 on one thread, so that the same bits come out in every run. */
import { Graph } from "../tensor/onnx.ts"
import type { Matrix } from "./matrix.ts"
import type { Products } from "./products.ts"

type Shape = readonly [number, number]

/** Gemm of x and of what is fed as b. */
const model = (x: Shape, b: Shape, product: Shape, first: "x" | "b"): Uint8Array => {
  const graph = new Graph()
  graph.input({ name: "x", type: "float32", shape: x })
  graph.input({ name: "b", type: "float32", shape: b })
  const made = first === "x" ? graph.node("Gemm", ["x", "b"], { transB: 1 }) : graph.node("Gemm", ["b", "x"], { transA: 1 })
  graph.output({ name: "product", type: "float32", shape: product }, made)
  return graph.model().bytes
}

/** Products of x [n, d] with r rows; see `products.ts`. */
export const onnxProducts = async (x: Matrix, r: number): Promise<Products> => {
  const { InferenceSession, Tensor } = await import("onnxruntime-node")
  const shape: Shape = [x.rows, x.columns]
  const fixed = new Tensor("float32", x.values instanceof Float32Array ? x.values : Float32Array.from(x.values), shape)
  const gemm = async (b: Shape, product: Shape, first: "x" | "b") => {
    const session = await InferenceSession.create(model(shape, b, product, first), { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 })
    const given = new Tensor("float32", new Float32Array(b[0] * b[1]), b)
    const result = new Tensor("float32", new Float32Array(product[0] * product[1]), product)
    const wide = new Float64Array(result.data.length)
    return async (values: Float64Array): Promise<Float64Array> => {
      given.data.set(values)
      await session.run({ x: fixed, b: given }, { product: result })
      wide.set(result.data)
      return wide
    }
  }
  return {
    scores: await gemm([r, x.columns], [x.rows, r], "x"),
    gradient: await gemm([x.rows, r], [r, x.columns], "b")
  }
}
