import type * as tfjs from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Input, Program } from "../../tensor/program.ts"
import type { Tf } from "../../tensor/tfjs.ts"
import { compiled, difference, drawn, eager, traced, type Values } from "./programs.ts"

type Tensors = { readonly a: tfjs.Tensor2D; readonly b: tfjs.Tensor2D; readonly row: tfjs.Tensor1D; readonly one: tfjs.Scalar; readonly ids: tfjs.Tensor1D; readonly cube: tfjs.Tensor3D }
type Operation = (tf: Tf, x: Tensors) => tfjs.Tensor

const inputsOf = (rows: number, width: number, depth: number): Readonly<Record<string, Input>> => ({
  a: { dtype: "float32", shape: [rows, width] },
  b: { dtype: "float32", shape: [rows, width] },
  row: { dtype: "float32", shape: [width] },
  one: { dtype: "float32", shape: [] },
  ids: { dtype: "int32", shape: [rows] },
  cube: { dtype: "float32", shape: [depth, rows, width] }
})
// Odd sizes: no lane but the first begins on a SIMD boundary.
const shapes = inputsOf(5, 7, 3)
/** The operation and the gradient of the sum of its squares in every float input. */
const programOf = (operation: Operation, differentiable: boolean, inputs = shapes): Program => ({
  name: "train/test",
  lanes: 8,
  inputs,
  body: (tf, inputs) => {
    const floats = ["a", "b", "row", "one", "cube"]
    const at = (values: ReadonlyArray<tfjs.Tensor>) => operation(tf, { ...inputs, ...Object.fromEntries(floats.map((name, i) => [name, values[i]!])) } as unknown as Tensors)
    const values = floats.map((name) => inputs[name]!)
    if (!differentiable) return { out: at(values) }
    // Every input joins in with its sum, so that tfjs finds a path to each.
    const loss = (...x: ReadonlyArray<tfjs.Tensor>): tfjs.Scalar => tf.sum(tf.stack([tf.sum(tf.square(tf.cast(at(x), "float32"))), ...x.map((y) => tf.sum(y))]))
    const { grads } = tf.valueAndGrads(loss)([...values])
    return { out: at(values), ...Object.fromEntries(floats.map((name, i) => [`d ${name}`, grads[i]!])) }
  }
})

const positive = (tf: Tf, x: tfjs.Tensor) => tf.add(tf.abs(x), 0.5)
const differentiable: Readonly<Record<string, Operation>> = {
  "add, tensor and row": (tf, { a, row }) => tf.add(a, row),
  "sub, scalar and cube": (tf, { cube, one }) => tf.sub(one, cube),
  "mul, ranks 1 and 3": (tf, { cube, row }) => tf.mul(row, cube),
  "div": (tf, { a, b }) => tf.div(a, positive(tf, b)),
  "divNoNan": (tf, { a, b }) => tf.divNoNan(a, tf.relu(b)),
  "maximum": (tf, { a, b }) => tf.maximum(a, b),
  "minimum with a constant": (tf, { a }) => tf.minimum(a, 0.3),
  "pow": (tf, { a, one }) => tf.pow(positive(tf, a), one),
  "squaredDifference": (tf, { a, b }) => tf.squaredDifference(a, b),
  "where of a comparison": (tf, { a, b, one }) => tf.where(tf.greater(a, b), tf.mul(a, one), b),
  "logical masks": (tf, { a, b }) => tf.mul(a, tf.cast(tf.logicalOr(tf.logicalAnd(tf.less(a, b), tf.greaterEqual(a, 0)), tf.logicalNot(tf.lessEqual(b, 1))), "float32")),
  "abs": (tf, { a }) => tf.abs(a),
  "neg": (tf, { a }) => tf.neg(a),
  "exp": (tf, { a }) => tf.exp(a),
  "expm1": (tf, { a }) => tf.expm1(a),
  "log": (tf, { a }) => tf.log(positive(tf, a)),
  "log1p": (tf, { a }) => tf.log1p(tf.mul(tf.square(a), 1e-4)),
  "sqrt": (tf, { a }) => tf.sqrt(positive(tf, a)),
  "rsqrt": (tf, { a }) => tf.rsqrt(positive(tf, a)),
  "reciprocal": (tf, { a }) => tf.reciprocal(positive(tf, a)),
  "sin and cos": (tf, { a, b }) => tf.mul(tf.sin(a), tf.cos(b)),
  "tanh": (tf, { a }) => tf.tanh(a),
  "sigmoid": (tf, { a }) => tf.sigmoid(a),
  "softplus": (tf, { a }) => tf.softplus(a),
  "relu": (tf, { a }) => tf.relu(a),
  "erf": (tf, { a }) => tf.erf(a),
  "clipByValue": (tf, { a }) => tf.clipByValue(a, -0.5, 0.75),
  "step": (tf, { a, b }) => tf.mul(tf.step(a), b),
  "sum": (tf, { cube }) => tf.sum(cube, [0, 2]),
  "sum of the last axis, kept": (tf, { a }) => tf.sum(a, -1, true),
  "mean": (tf, { cube }) => tf.mean(cube, 1),
  "mean of all": (tf, { a }) => tf.mean(a),
  "max": (tf, { a }) => tf.max(a, 1),
  "min": (tf, { cube }) => tf.min(cube, [0, 1]),
  "logSumExp": (tf, { a }) => tf.logSumExp(a, 1),
  "euclidean norm": (tf, { a }) => tf.norm(a, "euclidean", 1),
  "matMul": (tf, { a, b }) => tf.matMul(a, b, false, true),
  "matMul, transposed before": (tf, { a, b }) => tf.matMul(a, b, true),
  "matMul with a constant": (tf, { a }) => tf.matMul(a, tf.tensor2d(Array.from({ length: 3 * a.shape[1] }, (_, i) => i / 7), [a.shape[1], 3])),
  "matMul in a batch": (tf, { cube }) => tf.matMul(cube, cube, false, true),
  "dot of rows": (tf, { a, row }) => tf.dot(a, row),
  "transpose": (tf, { cube }) => tf.transpose(cube, [2, 0, 1]),
  "reshape": (tf, { cube }) => tf.reshape(cube, [-1, cube.shape[1]]),
  "expandDims and squeeze": (tf, { a, row }) => tf.add(tf.expandDims(a, 1), tf.squeeze(tf.expandDims(row, 0), [0])),
  "concat with a constant": (tf, { a, row }) => tf.concat([a, tf.ones([1, a.shape[1]]), tf.expandDims(row, 0)], 0),
  "stack and unstack": (tf, { a, b }) => tf.stack(tf.unstack(tf.stack([a, b], 1), 0), 2),
  "split": (tf, { a }) => tf.split(a, [2, a.shape[1] - 2], 1)[1]!,
  "slice": (tf, { cube }) => tf.slice(cube, [1, 0, 2], [cube.shape[0] - 1, 5, -1]),
  "pad": (tf, { a }) => tf.pad(a, [[1, 0], [2, 3]], 0.5),
  "tile": (tf, { a }) => tf.tile(a, [2, 3]),
  "reverse": (tf, { a }) => tf.reverse(a, 1),
  "cumsum": (tf, { a }) => tf.cumsum(a, 1),
  "gather by a lane's ids": (tf, { a, ids }) => tf.gather(a, ids),
  "gather by a constant": (tf, { cube }) => tf.gather(cube, tf.tensor1d([2, 0, 2], "int32"), 1),
  "gather along a later axis": (tf, { cube, ids }) => tf.gather(cube, ids, 1),
  "gather from a constant": (tf, { a, ids }) => tf.mul(tf.sum(a), tf.gather(tf.tensor1d([5, 4, 3, 2, 1]), ids)),
  "softmax": (tf, { a }) => tf.softmax(a),
  "logSoftmax": (tf, { a }) => tf.logSoftmax(a),
  "sigmoid cross-entropy": (tf, { a, b }) => tf.losses.sigmoidCrossEntropy(tf.cast(tf.greater(b, 0), "float32"), a)
}
const others: Readonly<Record<string, Operation>> = {
  "equal ids": (tf, { ids }) => tf.equal(tf.expandDims(ids, 0), tf.expandDims(ids, 1)),
  "notEqual ids": (tf, { ids }) => tf.notEqual(ids, 2),
  "prod": (tf, { a }) => tf.prod(a, 0),
  "oneHot": (tf, { ids }) => tf.oneHot(ids, 5),
  "argMax and argMin": (tf, { a }) => tf.sub(tf.argMax(a, 1), tf.argMin(a, 1)),
  "topk": (tf, { a }) => tf.topk(a, 3).values,
  "topk's places": (tf, { a }) => tf.topk(a, 3).indices,
  "any and all": (tf, { a }) => tf.logicalAnd(tf.any(tf.greater(a, 0), 1), tf.all(tf.greater(a, -2), 1)),
  "sign, floor, ceil": (tf, { a }) => tf.add(tf.sign(a), tf.add(tf.floor(a), tf.ceil(a))),
  "isNaN": (tf, { a }) => tf.isNaN(tf.sqrt(a)),
  "range, eye, ones": (tf, { a }) => tf.add(a, tf.add(tf.range(0, a.shape[1]), tf.add(tf.eye(...a.shape), tf.onesLike(a)))),
  "unsortedSegmentSum": (tf, { a, ids }) => tf.unsortedSegmentSum(a, ids, 5),
  "a constant alone": (tf) => tf.tensor1d([1, 2, 3])
}

describe("each operation gives in every lane what tfjs gives for that lane", () => {
  for (const [operations, withGradient] of [[differentiable, true], [others, false]] as const) {
    for (const [name, operation] of Object.entries(operations)) {
      it(withGradient ? `${name}, and its gradient` : name, async () => {
        const program = programOf(operation, withGradient), values = drawn(shapes, 8)
        const expected = await eager(program, values), got = await traced(program, values)
        for (const [lane, outputs] of expected.entries()) {
          for (const [key, out] of Object.entries(outputs)) expect(difference(out, got[lane]![key]!), `${key} of lane ${lane}`).toBeLessThan(2e-4)
        }
      })
    }
  }
})

/** The lanes `from` of these values, in this order; -1: a lane of zeros. */
const placed = (values: Values, from: ReadonlyArray<number>): Values =>
  Object.fromEntries(Object.entries(values).map(([name, all]) => {
    const size = all.length / 8, out = all.slice().fill(0)
    for (const [lane, source] of from.entries()) if (source >= 0) out.set(all.subarray(source * size, (source + 1) * size), lane * size)
    return [name, out]
  }))

describe("lanes do not mix", () => {
  const every = [0, 1, 2, 3, 4, 5, 6, 7]
  /** A lane alone, with one other, eight times over, and all in another order: bits are those among the eight. */
  const orders = (lane: number, shift: number) => [
    every.map((at) => at === (lane + shift) % 8 ? lane : -1),
    every.map((at) => at === 7 ? lane : at === 2 ? (lane + 1) % 8 : -1),
    every.map(() => lane),
    every.map((at) => (5 * at + shift) % 8)
  ]
  const hold = async (operation: Operation, withGradient: boolean, inputs: Readonly<Record<string, Input>>, lane: number, shift: number) => {
    const program = programOf(operation, withGradient, inputs), values = drawn(inputs, 8), run = await compiled(program)
    const among = await run(values)
    for (const order of orders(lane, shift)) {
      const got = await run(placed(values, order))
      for (const [at, source] of order.entries()) if (source >= 0) expect(got[at], `lane ${source} in place ${at} of ${order.join(" ")}`).toEqual(among[source])
    }
  }
  const sizes = { rows: fc.integer({ min: 5, max: 19 }), width: fc.integer({ min: 3, max: 35 }), depth: fc.integer({ min: 2, max: 5 }) }
  for (const [operations, withGradient] of [[differentiable, true], [others, false]] as const) {
    for (const [name, operation] of Object.entries(operations)) {
      it(`${name}: a lane's bits depend neither on its place nor on the other lanes, whatever the sizes`, { timeout: 60_000 }, async () => {
        await hold(operation, withGradient, shapes, 3, 5)
        await fc.assert(
          fc.asyncProperty(fc.record(sizes), fc.nat(7), fc.nat(7), ({ depth, rows, width }, lane, shift) => hold(operation, withGradient, inputsOf(rows, width, depth), lane, shift)),
          { numRuns: 4, seed: 4 }
        )
      })
    }
  }

  it("a NaN stays in its lane", async () => {
    const program = programOf((tf, { a, b }) => tf.softmax(tf.matMul(a, b, false, true)), true), values = drawn(shapes, 8)
    const run = await compiled(program), clean = await run(values)
    const spoilt = { ...values, a: values["a"]!.map((x, i) => Math.floor(i / 35) === 2 ? NaN : x) }
    const got = await run(spoilt)
    for (const lane of [0, 1, 3, 4, 5, 6, 7]) expect(got[lane]).toEqual(clean[lane])
    expect(got[2]!["out"]!.every(Number.isNaN)).toBe(true)
  })
})

describe("what is known while tracing changes no bit", () => {
  // The same operations on constants that the tracer sees, and on inputs of the same values that it does not.
  const known: Readonly<Record<string, (tf: Tf, a: tfjs.Tensor, constant: (value: number) => tfjs.Tensor) => tfjs.Tensor>> = {
    "products and quotients with ones": (tf, a, constant) => tf.div(tf.mul(tf.mul(constant(1), a), constant(1)), constant(1)),
    "a power of 1, as in the gradient of a norm": (tf, a, constant) => tf.pow(tf.abs(a), tf.sub(constant(2), constant(1))),
    "arithmetic on constants": (tf, a, constant) => tf.mul(a, tf.div(tf.add(tf.sub(constant(0.1), constant(3)), tf.mul(constant(0.7), constant(0.3))), constant(7))),
    "a sum of what repeats": (tf, a, constant) => tf.sum(tf.mul(tf.sum(a, 1, true), tf.mul(constant(1), tf.onesLike(a))), [0, 1]),
    "what repeats, transposed and multiplied": (tf, a, constant) => tf.matMul(tf.transpose(tf.mul(tf.mean(a, 0, true), tf.mul(constant(1), tf.onesLike(a)))), a)
  }
  for (const [name, operation] of Object.entries(known)) {
    it(name, async () => {
      const inputs: Record<string, Input> = { a: { dtype: "float32", shape: [13, 21] } }, values: Record<string, Float32Array> = { a: new Float32Array(8 * 13 * 21) }
      values["a"]!.set(drawn({ a: { dtype: "float32", shape: [8, 13, 21] } }, 1)["a"]!)
      const program = (constant: (tf: Tf, given: Readonly<Record<string, tfjs.Tensor>>, value: number) => tfjs.Tensor): Program =>
        ({ name: "train/test", lanes: 8, inputs, body: (tf, given) => ({ out: operation(tf, given["a"]!, (value) => constant(tf, given, value)) }) })
      for (const value of [0.1, 0.3, 0.7, 1, 2, 3, 7]) {
        inputs[`${value}`] = { dtype: "float32", shape: [] }
        values[`${value}`] = new Float32Array(8).fill(value)
      }
      const seen = await (await compiled(program((tf, _, value) => tf.scalar(value))))(values), unseen = await (await compiled(program((_, given, value) => given[`${value}`]!)))(values)
      expect(seen).toEqual(unseen)
    })
  }
})

describe("what cannot be traced says so", () => {
  const fails = async (operation: Operation) => {
    const program = programOf(operation, false)
    return traced(program, drawn(shapes, 8)).then(() => "it was traced", (cause: Error) => cause.message)
  }
  it("an unknown operation is named, with the loss and the way out", async () => {
    expect(await fails((tf, { a }) => tf.atan2(a, a))).toBe("train/test: the loss uses the tfjs operation Atan2, which cannot be traced to ONNX; run it with TensorFlow, which `npm run tfjs` (installed: `node node_modules/outcrop/tfjs.mjs`) makes ready, or write the loss without it")
  })
  it("a value that is read while tracing", async () => {
    expect(await fails((tf, { a }) => tf.scalar(a.dataSync()[0]!))).toContain("it reads the value of a tensor (dataSync, arraySync), which is not known while it is traced")
  })
  it("a tensor from outside", async () => {
    const { load } = await import("../../tensor/tfjs.ts")
    const tf = await load()
    await tf.setBackend("cpu")
    const outside = tf.scalar(2)
    expect(await fails((tf, { a }) => tf.mul(a, outside))).toContain("it uses a tensor that was made outside of it")
  })
  it("constants may be read: tfjs itself does", async () => {
    expect(await fails((tf, { one }) => tf.add(one, tf.tensor1d([1, 2]).dataSync()[1]!))).toBe("it was traced")
  })
})
