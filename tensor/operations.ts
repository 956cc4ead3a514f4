/**
 * How each tfjs kernel is written in ONNX (opset 17), for tensors with and without lanes. tfjs kernels and their attributes:
 * `@tensorflow/tfjs-core/dist/kernel_names.d.ts`; ONNX operators: https://onnx.ai/onnx/operators.
 *
 * No lane may show in another, not even in the last bit. onnxruntime sums a row differently when it does not begin on a SIMD boundary,
 * so with lanes of an odd size the same numbers would give another sum in lane 3 than in lane 0. `reduce` therefore takes such tensors
 * lane by lane. Everything else was seen to be indifferent to where a lane lies; the tests hold it to that.
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import { Obstacle } from "./fallback.ts"
import { type Attributes, elementTypes } from "./onnx.ts"
import type { Trace, Traced } from "./trace.ts"

type Inputs = Readonly<Record<string, Traced>>
type Given = Readonly<Record<string, unknown>>
type Write = (trace: Trace, inputs: Inputs, attributes: Given, tf: typeof tfjs) => Traced | ReadonlyArray<Traced>

/** Values (4 bytes each) between SIMD boundaries of 64 bytes. */
const boundary = 16

const number = (value: unknown): number => {
  if (typeof value !== "number") throw new Error(`an attribute is ${String(value)} where a number is expected`)
  return value
}
const numbers = (value: unknown): Array<number> => Array.isArray(value) ? value.map(number) : [number(value)]
const dtypeOf = (value: unknown): tfjs.DataType => value === "int32" || value === "bool" ? value : "float32"
const input = (inputs: Inputs, name: string): Traced => {
  const found = inputs[name]
  if (found === undefined) throw new Error(`an input ${name} is missing`)
  return found
}
const sizeOf = (shape: ReadonlyArray<number>): number => shape.reduce((a, b) => a * b, 1)
const shift = (x: Traced): number => x.laned ? 1 : 0
const axisOf = (axis: unknown, rank: number): number => number(axis) < 0 ? number(axis) + rank : number(axis)
const axesOf = (axes: unknown, rank: number): Array<number> =>
  axes === undefined || axes === null ? Array.from({ length: rank }, (_, i) => i) : numbers(axes).map((axis) => axisOf(axis, rank))

const broadcast = (shapes: ReadonlyArray<ReadonlyArray<number>>): Array<number> => {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, i) => shapes.reduce((size, shape) => {
    const own = shape[i - rank + shape.length] ?? 1
    if (own !== size && own !== 1 && size !== 1) throw new Error(`shapes ${shapes.map((each) => `[${each.join(", ")}]`).join(" and ")} do not broadcast`)
    return size === 1 ? own : size
  }, 1))
}

/** A tensor made of another. */
const derived = ({ dtype, laned, shape }: Traced, name: string, now: { readonly shape?: ReadonlyArray<number>; readonly dtype?: tfjs.DataType } = {}): Traced =>
  ({ name, laned, shape: now.shape ?? shape, held: now.shape ?? shape, dtype: now.dtype ?? dtype })

/** Arithmetic on constants, as the runtime would do it: float32, rounded once. */
const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => Math.fround(a + b),
  Sub: (a, b) => Math.fround(a - b),
  Mul: (a, b) => Math.fround(a * b),
  Div: (a, b) => Math.fround(a / b)
}
/** What an operator with a 1 for an operand gives back to the bit: autodiff multiplies by many. */
const neutral = (type: string, [a, b]: ReadonlyArray<Traced>): Traced | undefined =>
  b?.uniform === 1 && (type === "Mul" || type === "Div" || type === "Pow") ? a : a?.uniform === 1 && type === "Mul" ? b : undefined

/** An operator that broadcasts its operands. */
const elementwise = (trace: Trace, type: string, operands: ReadonlyArray<Traced>, dtype: tfjs.DataType): Traced => {
  const shape = broadcast(operands.map((x) => x.shape)), aligned = operands.map((x) => trace.align(x, shape.length))
  const [a, b] = operands, compute = arithmetic[type], unchanged = neutral(type, aligned)
  if (compute !== undefined && dtype === "float32" && a?.uniform !== undefined && b?.uniform !== undefined) return trace.fill(compute(a.uniform, b.uniform), shape, dtype)
  if (unchanged !== undefined) return { ...unchanged, shape }
  return { name: trace.node(type, aligned.map((x) => x.name)), laned: operands.some((x) => x.laned), shape, held: broadcast(aligned.map((x) => x.held)), dtype }
}
const scalar = (trace: Trace, value: number, dtype: tfjs.DataType = "float32"): Traced => trace.fill(value, [], dtype)
const with2 = (trace: Trace, type: string, a: Traced, b: Traced): Traced => elementwise(trace, type, [a, b], a.dtype)

const binary = (type: string, dtype?: tfjs.DataType): Write => (trace, inputs) => {
  const a = input(inputs, "a")
  return elementwise(trace, type, [a, input(inputs, "b")], dtype ?? a.dtype)
}
/** An operator of one operand that leaves its shape as it is. */
const apply = (trace: Trace, type: string, { dtype, held, laned, name, shape }: Traced, attributes: Attributes = {}): Traced =>
  ({ name: trace.node(type, [name], attributes), laned, shape, held, dtype })
const unary = (type: string, dtype?: tfjs.DataType): Write => (trace, inputs) => {
  const x = input(inputs, "x")
  return { ...apply(trace, type, x), dtype: dtype ?? x.dtype }
}

const reduceOne = (trace: Trace, type: string, name: string, axes: ReadonlyArray<number>, keepdims: number): string =>
  type === "ReduceSum" ? trace.node(type, [name, trace.graph.int64(axes)], { keepdims }) : trace.node(type, [name], { axes, keepdims })

const reduce = (trace: Trace, type: string, x: Traced, axes: ReadonlyArray<number>, keep: boolean): Traced => {
  if (axes.length === 0) return x
  const shape = keep ? x.shape.map((size, i) => axes.includes(i) ? 1 : size) : x.shape.filter((_, i) => !axes.includes(i))
  const physical = axes.map((axis) => axis + shift(x))
  const one = (name: string) => reduceOne(trace, type, name, physical, keep ? 1 : 0)
  const orderShows = type === "ReduceSum" || type === "ReduceMean" || type === "ReduceProd"
  if (!x.laned || !orderShows || sizeOf(x.shape) % boundary === 0) return derived(x, one(x.name), { shape })
  const lanes = trace.graph.nodeOf(trace.lanes, "Split", [x.name, trace.graph.int64(Array<number>(trace.lanes).fill(1))], { axis: 0 })
  return derived(x, trace.node("Concat", lanes.map(one), { axis: 0 }), { shape })
}
const reduction = (type: string, attribute = "axis"): Write => (trace, inputs, given) => {
  const x = input(inputs, "x")
  return reduce(trace, type, x, axesOf(given[attribute], x.shape.length), given["keepDims"] === true)
}
/** `all` and `any`: ONNX reduces no booleans. */
const logical = (type: string): Write => (trace, inputs, given) => {
  const x = input(inputs, "x")
  return trace.cast(reduce(trace, type, trace.cast(x, "int32"), axesOf(given["axis"], x.shape.length), given["keepDims"] === true), "bool")
}
const argument = (type: string): Write => (trace, inputs, given) => {
  const x = input(inputs, "x"), axis = axisOf(given["axis"], x.shape.length)
  const found = trace.node(type, [x.name], { axis: axis + shift(x), keepdims: 0 })
  return derived(x, trace.node("Cast", [found], { to: elementTypes.int32 }), { shape: x.shape.toSpliced(axis, 1), dtype: "int32" })
}

const transpose = (trace: Trace, x: Traced, order: ReadonlyArray<number>): Traced =>
  derived(x, trace.node("Transpose", [x.name], { perm: x.laned ? [0, ...order.map((i) => i + 1)] : [...order] }), { shape: order.map((i) => x.shape[i]!) })

const matmul = (trace: Trace, a: Traced, b: Traced, transA: boolean, transB: boolean): Traced => {
  const rank = Math.max(a.shape.length, b.shape.length)
  const shape = [...broadcast([a.shape.slice(0, -2), b.shape.slice(0, -2)]), a.shape.at(transA ? -1 : -2)!, b.shape.at(transB ? -2 : -1)!]
  const operands = [a, b].map((x) => trace.align(x, rank).name)
  const name = transA || transB
    ? trace.node("FusedMatMul", operands, { transA: transA ? 1 : 0, transB: transB ? 1 : 0 }, "com.microsoft")
    : trace.node("MatMul", operands)
  return { name, laned: a.laned || b.laned, shape, held: shape, dtype: "float32" }
}

const onehot = (trace: Trace, indices: Traced, depth: number, on: number, off: number): Traced => {
  const values = trace.graph.constant(Float32Array.of(off, on), [2]), at = trace.node("Cast", [indices.name], { to: elementTypes.int64 })
  return derived(indices, trace.node("OneHot", [at, trace.graph.int64([depth]), values], { axis: -1 }), { shape: [...indices.shape, depth], dtype: "float32" })
}

const gather: Write = (trace, inputs, given) => {
  if (number(given["batchDims"] ?? 0) !== 0) throw new Obstacle("it gathers with batch dimensions")
  const x = input(inputs, "x"), indices = input(inputs, "indices"), axis = axisOf(given["axis"], x.shape.length)
  const rest = x.shape.toSpliced(axis, 1), laned = x.laned || indices.laned
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
  if (!indices.laned) return derived(x, trace.node("Gather", [x.name, indices.name], { axis: axis + shift(x) }), { shape })
  // Gathered along the first axis, then the gathered axes are put where they belong.
  const first = axis === 0 ? x : transpose(trace, x, [axis, ...rest.keys()].map((i, at) => at === 0 ? axis : i < axis ? i : i + 1))
  const name = x.laned
    ? trace.node("GatherND", [first.name, trace.node("Cast", [trace.reshape(indices, [...indices.shape, 1]).name], { to: elementTypes.int64 })], { batch_dims: 1 })
    : trace.node("Gather", [first.name, indices.name], { axis: 0 })
  const gathered = derived({ ...x, laned }, name, { shape: [...indices.shape, ...rest] })
  const n = indices.shape.length
  const order = [...Array.from({ length: axis }, (_, i) => n + i), ...Array.from({ length: n }, (_, i) => i), ...Array.from({ length: rest.length - axis }, (_, i) => n + axis + i)]
  return axis === 0 ? gathered : transpose(trace, gathered, order)
}

const slice = (trace: Trace, x: Traced, begin: ReadonlyArray<number>, size: ReadonlyArray<number>): Traced => {
  const bounds = [begin, begin.map((b, i) => b + size[i]!), begin.map((_, i) => i + shift(x))]
  return derived(x, trace.node("Slice", [x.name, ...bounds.map((values) => trace.graph.int64(values))]), { shape: size })
}
const split = (trace: Trace, x: Traced, axis: number, sizes: ReadonlyArray<number>): ReadonlyArray<Traced> =>
  trace.graph.nodeOf(sizes.length, "Split", [x.name, trace.graph.int64(sizes)], { axis: axis + shift(x) })
    .map((name, i) => derived(x, name, { shape: x.shape.with(axis, sizes[i]!) }))
const concat = (trace: Trace, parts: ReadonlyArray<Traced>, axis: number): Traced => {
  const laned = parts.some((part) => part.laned), first = parts[0]!
  const name = trace.node("Concat", parts.map((part) => (laned ? trace.spread(part) : part).name), { axis: axis + (laned ? 1 : 0) })
  return derived({ ...first, laned }, name, { shape: first.shape.with(axis, parts.reduce((sum, part) => sum + part.shape[axis]!, 0)) })
}

/** Value by value: what is held once stays so. */
const pointwise: Readonly<Record<string, Write>> = {
  Add: binary("Add"),
  Sub: binary("Sub"),
  Multiply: binary("Mul"),
  RealDiv: binary("Div"),
  Maximum: binary("Max"),
  Minimum: binary("Min"),
  Pow: binary("Pow"),
  Equal: binary("Equal", "bool"),
  NotEqual: (trace, inputs) => apply(trace, "Not", elementwise(trace, "Equal", [input(inputs, "a"), input(inputs, "b")], "bool")),
  Greater: binary("Greater", "bool"),
  GreaterEqual: binary("GreaterOrEqual", "bool"),
  Less: binary("Less", "bool"),
  LessEqual: binary("LessOrEqual", "bool"),
  LogicalAnd: binary("And", "bool"),
  LogicalOr: binary("Or", "bool"),
  LogicalNot: unary("Not"),
  DivNoNan: (trace, inputs) => {
    const a = input(inputs, "a"), b = input(inputs, "b"), zero = scalar(trace, 0)
    return elementwise(trace, "Where", [elementwise(trace, "Equal", [b, zero], "bool"), zero, with2(trace, "Div", a, b)], "float32")
  },
  SquaredDifference: (trace, inputs) => {
    const d = with2(trace, "Sub", input(inputs, "a"), input(inputs, "b"))
    return with2(trace, "Mul", d, d)
  },
  AddN: (trace, inputs) => Object.values(inputs).reduce((sum, x) => with2(trace, "Add", sum, x)),
  Neg: unary("Neg"),
  Abs: unary("Abs"),
  Sign: unary("Sign"),
  Floor: unary("Floor"),
  Ceil: unary("Ceil"),
  Round: unary("Round"),
  Sqrt: unary("Sqrt"),
  Exp: unary("Exp"),
  Log: unary("Log"),
  Sin: unary("Sin"),
  Cos: unary("Cos"),
  Erf: unary("Erf"),
  Tanh: unary("Tanh"),
  Sigmoid: unary("Sigmoid"),
  Softplus: unary("Softplus"),
  Reciprocal: unary("Reciprocal"),
  Relu: unary("Relu"),
  IsNan: unary("IsNaN", "bool"),
  Relu6: (trace, inputs) => with2(trace, "Min", apply(trace, "Relu", input(inputs, "x")), scalar(trace, 6)),
  LeakyRelu: (trace, inputs, given) => apply(trace, "LeakyRelu", input(inputs, "x"), { alpha: { float: number(given["alpha"]) } }),
  Square: (trace, inputs) => with2(trace, "Mul", input(inputs, "x"), input(inputs, "x")),
  Rsqrt: (trace, inputs) => apply(trace, "Reciprocal", apply(trace, "Sqrt", input(inputs, "x"))),
  Expm1: (trace, inputs) => with2(trace, "Sub", apply(trace, "Exp", input(inputs, "x")), scalar(trace, 1)),
  // Kahan's: log(1 + x) x / ((1 + x) - 1) undoes the rounding of 1 + x.
  Log1p: (trace, inputs) => {
    const x = input(inputs, "x"), one = scalar(trace, 1), u = with2(trace, "Add", x, one)
    const exact = with2(trace, "Mul", apply(trace, "Log", u), with2(trace, "Div", x, with2(trace, "Sub", u, one)))
    return elementwise(trace, "Where", [elementwise(trace, "Equal", [u, one], "bool"), x, exact], "float32")
  },
  Step: (trace, inputs, given) => {
    const x = input(inputs, "x"), positive = elementwise(trace, "Greater", [x, scalar(trace, 0)], "bool")
    const alpha = number(given["alpha"] ?? 0)
    return alpha === 0 ? trace.cast(positive, "float32") : elementwise(trace, "Where", [positive, scalar(trace, 1), scalar(trace, alpha)], "float32")
  },
  ClipByValue: (trace, inputs, given) => with2(trace, "Min", with2(trace, "Max", input(inputs, "x"), scalar(trace, number(given["clipValueMin"]))), scalar(trace, number(given["clipValueMax"]))),
  Select: (trace, inputs) => elementwise(trace, "Where", [input(inputs, "condition"), input(inputs, "t"), input(inputs, "e")], input(inputs, "t").dtype),
  Identity: (_, inputs) => input(inputs, "x"),
  Cast: (trace, inputs, given) => trace.cast(input(inputs, "x"), dtypeOf(given["dtype"])),
  Reshape: (trace, inputs, given, tf) => trace.reshape(input(inputs, "x"), tf.util.inferFromImplicitShape(numbers(given["shape"]), sizeOf(input(inputs, "x").shape))),
  ExpandDims: (trace, inputs, given) => {
    const x = input(inputs, "input")
    return trace.reshape(x, x.shape.toSpliced(axisOf(given["dim"], x.shape.length + 1), 0, 1))
  },
  Fill: (trace, _, given) => trace.fill(number(given["value"]), numbers(given["shape"] ?? []), dtypeOf(given["dtype"])),
  ZerosLike: (trace, inputs) => trace.fill(0, input(inputs, "x").shape, input(inputs, "x").dtype),
  OnesLike: (trace, inputs) => trace.fill(1, input(inputs, "x").shape, input(inputs, "x").dtype),
  Range: (trace, _, given) => {
    const start = number(given["start"]), step = number(given["step"]), count = Math.max(0, Math.ceil((number(given["stop"]) - start) / step))
    return trace.constant(Array.from({ length: count }, (_, i) => start + i * step), [count], dtypeOf(given["dtype"]))
  }
}

/** These take their operands whole. */
const structural: Readonly<Record<string, Write>> = {
  Sum: reduction("ReduceSum"),
  Mean: reduction("ReduceMean"),
  Prod: reduction("ReduceProd"),
  Max: reduction("ReduceMax", "reductionIndices"),
  Min: reduction("ReduceMin"),
  All: logical("ReduceMin"),
  Any: logical("ReduceMax"),
  ArgMax: argument("ArgMax"),
  ArgMin: argument("ArgMin"),
  BatchMatMul: (trace, inputs, given) => matmul(trace, input(inputs, "a"), input(inputs, "b"), given["transposeA"] === true, given["transposeB"] === true),
  Transpose: (trace, inputs, given) => transpose(trace, input(inputs, "x"), numbers(given["perm"])),
  GatherV2: gather,
  UnsortedSegmentSum: (trace, inputs, given) => {
    const x = input(inputs, "x"), segments = number(given["numSegments"]), n = x.shape[0]!, rest = x.shape.slice(1)
    const member = onehot(trace, input(inputs, "segmentIds"), segments, 1, 0)
    return trace.reshape(matmul(trace, member, trace.reshape(x, [n, sizeOf(rest)]), true, false), [segments, ...rest])
  },
  OneHot: (trace, inputs, given) => trace.cast(
    onehot(trace, input(inputs, "indices"), number(given["depth"]), number(given["onValue"]), number(given["offValue"])),
    dtypeOf(given["dtype"])
  ),
  SplitV: (trace, inputs, given) => {
    const x = input(inputs, "x"), axis = axisOf(given["axis"], x.shape.length), parts = given["numOrSizeSplits"]
    return split(trace, x, axis, typeof parts === "number" ? Array<number>(parts).fill(x.shape[axis]! / parts) : numbers(parts))
  },
  Concat: (trace, inputs, given) => concat(trace, Object.values(inputs), axisOf(given["axis"], inputs["0"]!.shape.length)),
  Pack: (trace, inputs, given) => {
    const parts = Object.values(inputs), axis = axisOf(given["axis"], parts[0]!.shape.length + 1)
    return concat(trace, parts.map((part) => trace.reshape(part, part.shape.toSpliced(axis, 0, 1))), axis)
  },
  Unpack: (trace, inputs, given) => {
    const x = input(inputs, "value"), axis = axisOf(given["axis"], x.shape.length)
    return split(trace, x, axis, Array<number>(x.shape[axis]!).fill(1)).map((part) => trace.reshape(part, x.shape.toSpliced(axis, 1)))
  },
  Slice: (trace, inputs, given, tf) => {
    const x = input(inputs, "x"), [begin, size] = tf.slice_util.parseSliceParams(
      { shape: [...x.shape], dtype: x.dtype, dataId: {} },
      numbers(given["begin"]),
      numbers(given["size"])
    )
    return slice(trace, x, begin!, size!)
  },
  Tile: (trace, inputs, given) => {
    const x = input(inputs, "x"), reps = numbers(given["reps"])
    return derived(x, trace.node("Tile", [x.name, trace.graph.int64(x.laned ? [1, ...reps] : reps)]), { shape: x.shape.map((size, i) => size * reps[i]!) })
  },
  PadV2: (trace, inputs, given) => {
    const x = input(inputs, "x"), pairs = (given["paddings"] as ReadonlyArray<readonly [number, number]>), lane = x.laned ? [0] : []
    const pads = trace.graph.int64([...lane, ...pairs.map(([before]) => before), ...lane, ...pairs.map(([, after]) => after)])
    return derived(x, trace.node("Pad", [x.name, pads, scalar(trace, number(given["constantValue"]), x.dtype).name]), { shape: x.shape.map((size, i) => size + pairs[i]![0] + pairs[i]![1]) })
  },
  Reverse: (trace, inputs, given) => {
    const x = input(inputs, "x"), axes = axesOf(given["dims"], x.shape.length), all = (value: number) => trace.graph.int64(axes.map(() => value))
    return derived(x, trace.node("Slice", [x.name, all(-1), all(Number.MIN_SAFE_INTEGER), trace.graph.int64(axes.map((axis) => axis + shift(x))), all(-1)]))
  },
  Cumsum: (trace, inputs, given) => {
    const x = input(inputs, "x"), axis = axisOf(given["axis"], x.shape.length) + shift(x)
    return derived(x, trace.node("CumSum", [x.name, trace.graph.int64([axis])], { exclusive: given["exclusive"] === true ? 1 : 0, reverse: given["reverse"] === true ? 1 : 0 }))
  },
  TopK: (trace, inputs, given) => {
    const x = input(inputs, "x"), k = number(given["k"]), shape = [...x.shape.slice(0, -1), k]
    const [values, indices] = trace.graph.nodeOf(2, "TopK", [x.name, trace.graph.int64([k])], { axis: -1 })
    return [derived(x, values!, { shape }), derived(x, trace.node("Cast", [indices!], { to: elementTypes.int32 }), { shape, dtype: "int32" })]
  },
  Softmax: (trace, inputs) => apply(trace, "Softmax", input(inputs, "logits"), { axis: -1 }),
  LogSoftmax: (trace, inputs) => apply(trace, "LogSoftmax", input(inputs, "logits"), { axis: -1 })
}

/** The kernels that can be traced. What is not here is an error that names the kernel and the loss. */
export const operations: Readonly<Record<string, Write>> = {
  ...pointwise,
  ...Object.fromEntries(Object.entries(structural).map(([kernel, write]): [string, Write] => [
    kernel,
    (trace, inputs, given, tf) => write(trace, Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, trace.whole(x)])), given, tf)
  ]))
}
