/**
 * Turns a tfjs program into one ONNX model that runs it for several lanes (sibling variants) at once.
 *
 * The tracer is a tfjs backend that computes nothing: every kernel that tfjs calls, forward or in its autodiff, is written down as ONNX
 * nodes. The program is written for ONE lane. Each traced tensor either has a hidden leading axis of lanes or, where it does not depend on
 * any lane's input (a constant), has none; `operations.ts` shifts axes and aligns ranks accordingly. This is what `vmap` is in JAX.
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import { lackedBy, Obstacle, Untraceable } from "./fallback.ts"
import { type Attributes, type ElementType, elementTypes, Graph } from "./onnx.ts"
import { operations } from "./operations.ts"
import type { Program } from "./program.ts"

/**
 * A tensor of the program while it is traced: the ONNX value that holds it, and its shape as the program sees it. What repeats along an
 * axis is held once: where `held` has a 1, `shape` may have more. So autodiff's products with ones, by which it spreads the gradient of a
 * sum, cost nothing until something needs the values apart.
 */
export interface Traced {
  readonly name: string
  readonly laned: boolean
  readonly shape: ReadonlyArray<number>
  /** The value's own shape, without lanes; as long as `shape`. */
  readonly held: ReadonlyArray<number>
  readonly dtype: tfjs.DataType
  /** Of a constant that is one number throughout: that number. */
  readonly uniform?: number
}

const same = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean => a.length === b.length && a.every((size, i) => size === b[i])

const elementType = (dtype: tfjs.DataType): ElementType => {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype
  throw new Obstacle(`it has tensors of type ${dtype}`)
}

/** One model under construction. */
export class Trace {
  readonly graph = new Graph()
  readonly lanes: number
  constructor(lanes: number) {
    this.lanes = lanes
  }

  /** The shape with lanes, where there are lanes. */
  physical(laned: boolean, shape: ReadonlyArray<number>): ReadonlyArray<number> {
    return laned ? [this.lanes, ...shape] : shape
  }
  node(type: string, inputs: ReadonlyArray<string>, attributes?: Attributes, domain?: string): string {
    return this.graph.node(type, inputs, attributes, domain)
  }
  constant(values: ArrayLike<number>, shape: ReadonlyArray<number>, dtype: tfjs.DataType): Traced {
    const first = values[0]
    let length = 0
    while (length < values.length && Object.is(values[length], first)) length++
    if (first !== undefined && length === values.length) return this.fill(first, shape, dtype)
    return { name: this.write(values, shape, dtype), laned: false, shape, held: shape, dtype }
  }
  /** One number throughout. */
  fill(value: number, shape: ReadonlyArray<number>, dtype: tfjs.DataType): Traced {
    const held = shape.map(() => 1)
    return { name: this.write([value], held, dtype), laned: false, shape, held, dtype, uniform: dtype === "float32" ? Math.fround(value) : value }
  }
  private write(values: ArrayLike<number>, shape: ReadonlyArray<number>, dtype: tfjs.DataType): string {
    const type = elementType(dtype)
    return this.graph.constant(type === "float32" ? Float32Array.from(values) : type === "int32" ? Int32Array.from(values) : Uint8Array.from(values), shape)
  }
  /** The tensor with every value in its place. */
  whole({ held, laned, name, shape, dtype }: Traced): Traced {
    const there = same(held, shape)
    return { name: there ? name : this.node("Expand", [name, this.graph.int64(this.physical(laned, shape))]), laned, shape, held: shape, dtype }
  }
  reshape(x: Traced, shape: ReadonlyArray<number>): Traced {
    if (same(shape, x.shape)) return x
    if (x.uniform !== undefined) return this.fill(x.uniform, shape, x.dtype)
    const { dtype, laned, name } = this.whole(x)
    return { name: this.node("Reshape", [name, this.graph.int64(this.physical(laned, shape))]), laned, shape, held: shape, dtype }
  }
  cast(x: Traced, dtype: tfjs.DataType): Traced {
    if (x.dtype === dtype) return x
    if (x.uniform !== undefined && dtype === "float32") return this.fill(x.uniform, x.shape, dtype)
    const { held, laned, name, shape } = x
    return { name: this.node("Cast", [name], { to: elementTypes[elementType(dtype)] }), laned, shape, held, dtype }
  }
  /** The whole tensor with an axis of lanes, the same in each. */
  spread(x: Traced): Traced {
    const { dtype, name, shape } = x
    return x.laned ? this.whole(x) : { name: this.node("Expand", [name, this.graph.int64([this.lanes, ...shape])]), laned: true, shape, held: shape, dtype }
  }
  /** The tensor with axes of size 1 in front, up to the given rank, so that it broadcasts against tensors of that rank whether they have lanes or not. */
  align(x: Traced, rank: number): Traced {
    const ones = Array<number>(rank - x.shape.length).fill(1), shape = [...ones, ...x.shape], held = [...ones, ...x.held]
    if (ones.length === 0) return x
    if (x.uniform !== undefined) return this.fill(x.uniform, shape, x.dtype)
    return { ...x, shape, held, name: this.node("Reshape", [x.name, this.graph.int64(this.physical(x.laned, held))]) }
  }
}

/** Why a trace cannot go on, in the words of who wrote the loss. What is neither its doing nor the tracer's stays as it is. */
const explain = (program: string, cause: unknown): unknown => {
  const missing = lackedBy(cause)
  if (missing !== undefined) return new Untraceable(program, `uses the tfjs operation ${missing}, which cannot be traced to ONNX`)
  return cause instanceof Obstacle ? new Untraceable(program, `cannot be traced to ONNX: ${cause.message}`) : cause
}

/**
 * The tfjs backend that traces. It is registered under a name of its own: tfjs keeps one registry a process, and each bundled stage
 * brings a copy of this module.
 */
const register = (tf: typeof tfjs): { readonly name: string; readonly begin: (trace: Trace) => void; readonly symbol: (x: tfjs.TensorInfo) => Traced; readonly tensor: (x: Traced) => tfjs.Tensor } => {
  let name = "outcrop-trace"
  while (tf.findBackendFactory(name) !== null) name += "+"
  let trace = new Trace(1)
  let symbols = new WeakMap<object, Traced>()
  const constants = new WeakMap<object, { readonly values: tfjs.backend_util.TypedArray; readonly shape: ReadonlyArray<number>; readonly dtype: tfjs.DataType }>()
  const symbol = (x: tfjs.TensorInfo): Traced => {
    const known = symbols.get(x.dataId)
    if (known !== undefined) return known
    const made = constants.get(x.dataId)
    if (made === undefined) throw new Obstacle("it uses a tensor that was made outside of it")
    const constant = trace.constant(made.values, made.shape, made.dtype)
    symbols.set(x.dataId, constant)
    return constant
  }
  class TraceBackend extends tf.KernelBackend {
    override write(values: tfjs.backend_util.TypedArray, shape: Array<number>, dtype: tfjs.DataType): object {
      const dataId = {}
      constants.set(dataId, { values, shape, dtype })
      return dataId
    }
    override readSync(dataId: object): tfjs.backend_util.TypedArray {
      const made = constants.get(dataId)
      if (made === undefined) throw new Obstacle("it reads the value of a tensor (dataSync, arraySync), which is not known while it is traced")
      return made.values
    }
    override read(dataId: object): Promise<tfjs.backend_util.TypedArray> {
      return Promise.resolve(this.readSync(dataId))
    }
    override refCount(): number {
      return 1
    }
    override incRef(): void {}
    override disposeData(): boolean {
      return true
    }
    override numDataIds(): number {
      return 0
    }
    override memory(): { unreliable: boolean } {
      return { unreliable: true }
    }
    override floatPrecision(): 32 {
      return 32
    }
    override epsilon(): number {
      return 1e-7
    }
  }
  const backend = new TraceBackend()
  tf.registerBackend(name, () => backend)
  const info = ({ shape, dtype }: Pick<Traced, "shape" | "dtype">, dataId: object): tfjs.TensorInfo => ({ dataId, shape: [...shape], dtype })
  const remember = (x: Traced): tfjs.TensorInfo => {
    const dataId = {}
    symbols.set(dataId, x)
    return info(x, dataId)
  }
  for (const [kernelName, write] of Object.entries(operations)) {
    tf.registerKernel({
      kernelName,
      backendName: name,
      kernelFunc: ({ inputs, attrs }) => {
        const traced = Object.fromEntries(Object.entries(inputs).flatMap(([key, x]) => x === undefined ? [] : [[key, symbol(x)]]))
        const out = write(trace, traced, attrs ?? {}, tf)
        return Array.isArray(out) ? out.map(remember) : remember(out as Traced)
      }
    })
  }
  return {
    name,
    begin: (next) => {
      trace = next
      symbols = new WeakMap()
    },
    symbol,
    tensor: (x) => tf.engine().makeTensorFromTensorInfo(remember(x))
  }
}
/** The model's first output, an empty sequence: see `onnx-engine.ts`. */
export const finished = "finished"

let registered: ReturnType<typeof register> | undefined

/**
 * Traces a program. The model's inputs and outputs are named as the program's, each `[lanes, ...shape]`; inputs that the program does not
 * read are not there. Throws an `Untraceable` that names the operation which stands in the way; the program's own errors pass.
 */
export const trace = (tf: typeof tfjs, program: Program): ReturnType<Graph["model"]> & { readonly outputs: ReadonlyMap<string, ReadonlyArray<number>> } => {
  registered ??= register(tf)
  const { begin, name, symbol, tensor } = registered
  const into = new Trace(program.lanes)
  const before = tf.getBackend()
  const outputs = new Map<string, ReadonlyArray<number>>()
  into.graph.emptySequence(finished)
  begin(into)
  // Selecting a backend that needs no set-up is synchronous in effect, and nothing awaits between here and the restoring line.
  void tf.setBackend(name)
  try {
    tf.engine().startScope()
    const inputs: Record<string, tfjs.Tensor> = {}
    for (const [key, { dtype, shape }] of Object.entries(program.inputs)) {
      into.graph.input({ name: key, type: dtype, shape: [program.lanes, ...shape] })
      inputs[key] = tensor({ name: key, laned: true, shape, held: shape, dtype })
    }
    for (const [key, out] of Object.entries(program.body(tf, inputs))) {
      const result = into.cast(into.spread(symbol(out)), "float32")
      outputs.set(key, result.shape)
      into.graph.output({ name: key, type: "float32", shape: into.physical(true, result.shape) }, result.name)
    }
  } catch (cause) {
    throw explain(program.name, cause)
  } finally {
    tf.engine().endScope()
    if (before !== undefined && before !== "") void tf.setBackend(before)
  }
  return { ...into.graph.model(), outputs }
}
