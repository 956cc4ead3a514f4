/**
 * Exact nearest neighbours at the speed of integers: products of rows rounded to 8 bits say, with a bound on what rounding took, which few
 * pairs can be among the best; those are compared in float32 and, where that leaves doubt, in float64. What comes out is the order of the
 * float64 similarities, so the result depends neither on the CPU nor on which products were the faster there.
 *
 * With x = x^ + e_x and q = q^ + e_q, where x^ and q^ are the rounded rows: |x q - x^ q^| <= |e_x| |q^| + |x| |e_q|.
 */
import { Graph } from "../tensor/onnx.ts"
import type { Neighbours } from "./knn.ts"
import { bytes } from "../wasm/bytes/neighbours.ts"
import { instantiate, Layout } from "../wasm/instance.ts"
import type { Matrix } from "./matrix.ts"

/** Rows of the bank in one product, and queries; with 768 columns both and their products lie in the second-level cache. */
const blockRows = 2048, blockQueries = 256
/** Queries that are in memory at once. */
const most = 8192

/** The model s = a b for a [n, d] and b [d, q]: of bytes with sums in int32, or of floats. */
const model = (kind: "bytes" | "floats", n: number, d: number, q: number): Uint8Array => {
  const graph = new Graph(), [a, b, s, product] = kind === "bytes" ? ["uint8", "int8", "int32", "MatMulInteger"] as const : ["float32", "float32", "float32", "MatMul"] as const
  graph.input({ name: "a", type: a, shape: [n, d] })
  graph.input({ name: "b", type: b, shape: [d, q] })
  graph.output({ name: "s", type: s, shape: [n, q] }, graph.node(product, ["a", "b"]))
  return graph.model().bytes
}

/**
 * The k nearest rows of `bank` [n, d] for each of `queries` [m, d], all of length 1 (or 0), k at most n. Similarities are sums in float64 of
 * the products of the values as float32. Cost: one product of 8-bit integers; where the rows lie so close that the bound tells too few
 * apart, or the CPU's integer products saturate (before AVX-512 VNNI they do), one of float32.
 */
export const search = async (bank: Matrix, queries: Matrix, k: number): Promise<Neighbours> => {
  const { InferenceSession, Tensor } = await import("onnxruntime-node")
  const { columns: d, rows: n } = bank
  const height = Math.min(blockRows, n), width = Math.min(blockQueries, Math.ceil(queries.rows / 4) * 4), room = Math.min(most, Math.ceil(queries.rows / width) * width)
  const layout = new Layout()
  const of = (count: number) => ({ scales: layout.bytes(count * 4), errors: layout.bytes(count * 4), lengths: layout.bytes(count * 4), sums: layout.bytes(count * 4) })
  const x = { floats: layout.bytes(height * d * 4), integers: layout.bytes(height * d), ...of(height) }
  const q = { floats: layout.bytes(room * d * 4), integers: layout.bytes(room * d), transposed: layout.bytes(d * width * 4), ...of(room) }
  const at = { s: layout.bytes(height * width * 4), limits: layout.bytes(width * 4), best: layout.bytes(room * k * 8), ids: layout.bytes(room * k * 4) }
  const memory = layout.memory(), { buffer } = memory
  const { quantise, scanFloats, scanIntegers, transpose } = instantiate(bytes, memory, ["quantise", "scanFloats", "scanIntegers", "transpose"])

  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 } as const
  const integers = await InferenceSession.create(model("bytes", height, d, width), options)
  let floats: Awaited<ReturnType<typeof InferenceSession.create>> | undefined
  const bankIntegers = new Tensor("uint8", new Uint8Array(buffer, x.integers, height * d), [height, d])
  const bankFloats = new Tensor("float32", new Float32Array(buffer, x.floats, height * d), [height, d])
  const queryFloats = new Tensor("float32", new Float32Array(buffer, q.transposed, d * width), [d, width])
  const integerProducts = new Tensor("int32", new Int32Array(buffer, at.s, height * width), [height, width])
  const floatProducts = new Tensor("float32", new Float32Array(buffer, at.s, height * width), [height, width])
  const queryIntegers = Array.from({ length: room / width }, (_, chunk) => new Tensor("int8", new Int8Array(buffer, q.integers + chunk * width * d, width * d), [d, width]))
  bankIntegers.data.fill(255)
  queryIntegers[0]!.data.fill(127)
  await integers.run({ a: bankIntegers, b: queryIntegers[0]! }, { s: integerProducts })
  const saturates = integerProducts.data[0] !== 255 * 127 * d

  // What float32 sums of d products may be off, rows being of length 1, and some roundings more.
  const slack = (d + 64) * 2 ** -24
  const rows = new Int32Array(queries.rows * k), similarities = new Float64Array(queries.rows * k)
  const best = new Float64Array(buffer, at.best, room * k), ids = new Int32Array(buffer, at.ids, room * k)
  for (let begin = 0; begin < queries.rows; begin += room) {
    const count = Math.min(room, queries.rows - begin), chunks = Math.ceil(count / width)
    new Float32Array(buffer, q.floats, count * d).set(queries.values.subarray(begin * d, (begin + count) * d))
    new Float32Array(buffer, q.floats + count * d * 4, (chunks * width - count) * d).fill(0)
    for (let chunk = 0; chunk < chunks; chunk++) {
      const first = chunk * width
      quantise(q.floats + first * d * 4, width, d, q.integers + first * d, 1, width, 0, q.scales + first * 4, q.errors + first * 4, q.lengths + first * 4, q.sums + first * 4)
    }
    best.fill(-Infinity)
    /** Chunks of queries whose neighbours 8 bits do not tell apart. */
    const crowded = new Uint8Array(chunks).fill(saturates ? 1 : 0)
    for (let from = 0; from < n; from += height) {
      const own = Math.min(height, n - from)
      bankFloats.data.set(bank.values.subarray(from * d, (from + own) * d))
      quantise(x.floats, own, d, x.integers, d, 1, 128, x.scales, x.errors, x.lengths, x.sums)
      for (let chunk = 0; chunk < chunks; chunk++) {
        const first = chunk * width, used = Math.min(width, count - first), query = q.floats + first * d * 4, top = at.best + first * k * 8, id = at.ids + first * k * 4
        if (crowded[chunk] === 1) {
          transpose(query, width, d, q.transposed)
          floats ??= await InferenceSession.create(model("floats", height, d, width), options)
          await floats.run({ a: bankFloats, b: queryFloats }, { s: floatProducts })
          scanFloats(at.s, own, width, used, from, x.floats, query, d, at.limits, slack, top, id, k)
          continue
        }
        await integers.run({ a: bankIntegers, b: queryIntegers[chunk]! }, { s: integerProducts })
        const compared = scanIntegers(
          at.s, own, width, used, from, x.floats, query, d, x.scales, x.errors, q.scales + first * 4, q.errors + first * 4, q.lengths + first * 4, q.sums + first * 4,
          at.limits, slack, top, id, k
        )
        // In the first block the best are still to be found; later on, comparing so many costs more than float32 products.
        if (from > 0 && compared > own * used / 16) crowded[chunk] = 1
      }
    }
    rows.set(ids.subarray(0, count * k), begin * k)
    similarities.set(best.subarray(0, count * k), begin * k)
  }
  return { k, rows, similarities }
}
