/**
 * Turns a tfjs program into one ONNX model that runs it for several lanes (sibling variants) at once.
 *
 * The tracer is a tfjs backend that computes nothing: every kernel that tfjs calls, forward or in its autodiff, is written down as ONNX
 * nodes. The program is written for ONE lane. Each traced tensor either has a hidden leading axis of lanes or, where it does not depend on
 * any lane's input (a constant), has none; `operations.ts` shifts axes and aligns ranks accordingly. This is what `vmap` is in JAX.
 */
import type * as tfjs from "@tensorflow/tfjs-core"
import { Stage } from "outcrop"
import { type Attributes, type ElementType, Graph } from "./onnx.ts"
import { operations } from "./operations.ts"
import type { Program } from "./program.ts"

/** A tensor of the program while it is traced: the ONNX value that holds it, and its shape as the program sees it. */
export interface Traced {
  readonly name: string
  readonly laned: boolean
  readonly shape: ReadonlyArray<number>
  readonly dtype: tfjs.DataType
}

const elementType = (dtype: tfjs.DataType): ElementType => {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype
  throw new Error(`the tracer has no tensors of type ${dtype}`)
}

/** One model under construction. */
export class Trace {
  readonly graph = new Graph()
  readonly lanes: number
  constructor(lanes: number) {
    this.lanes = lanes
  }

  /** The shape that the ONNX value has. */
  physical({ laned, shape }: Pick<Traced, "laned" | "shape">): ReadonlyArray<number> {
    return laned ? [this.lanes, ...shape] : shape
  }
  node(type: string, inputs: ReadonlyArray<string>, attributes?: Attributes, domain?: string): string {
    return this.graph.node(type, inputs, attributes, domain)
  }
  constant(values: ArrayLike<number>, shape: ReadonlyArray<number>, dtype: tfjs.DataType): Traced {
    const type = elementType(dtype)
    const data = type === "float32" ? Float32Array.from(values) : type === "int32" ? Int32Array.from(values) : Uint8Array.from(values)
    return { name: this.graph.constant(data, shape), laned: false, shape, dtype }
  }
  reshape(x: Traced, shape: ReadonlyArray<number>): Traced {
    if (shape.length === x.shape.length && shape.every((size, i) => size === x.shape[i])) return x
    return { ...x, shape, name: this.node("Reshape", [x.name, this.graph.int64(this.physical({ ...x, shape }))]) }
  }
  cast(x: Traced, dtype: tfjs.DataType): Traced {
    return x.dtype === dtype ? x : { ...x, dtype, name: this.node("Cast", [x.name], { to: { float32: 1, int32: 6, int64: 7, bool: 9 }[elementType(dtype)] }) }
  }
  /** The tensor with an axis of lanes, the same in each. */
  spread(x: Traced): Traced {
    return x.laned ? x : { ...x, laned: true, name: this.node("Expand", [x.name, this.graph.int64([this.lanes, ...x.shape])]) }
  }
  /**
   * The tensor with axes of size 1 in front, up to the given rank. A tensor without lanes needs them only where it would otherwise
   * be as long as one with lanes.
   */
  align(x: Traced, rank: number): string {
    return x.laned && x.shape.length < rank ? this.reshape(x, [...Array<number>(rank - x.shape.length).fill(1), ...x.shape]).name : x.name
  }
}

/** Why a trace cannot go on, in the words of who wrote the loss. */
const explain = (program: string, cause: unknown): Stage.StageError => {
  if (cause instanceof Stage.StageError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  const missing = /Kernel '(\w+)' not registered/.exec(message)?.[1]
  return new Stage.StageError({
    message: missing !== undefined
      ? `${program}: the loss uses the tfjs operation ${missing}, which cannot be traced to ONNX; run it with --backend tfjs, or write the loss without it`
      : `${program}: the loss cannot be traced to ONNX: ${message}`
  })
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
    if (made === undefined) throw new Error("it uses a tensor that was made outside of it")
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
      if (made === undefined) throw new Error("it reads the value of a tensor (dataSync, arraySync), which is not known while it is traced")
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
let registered: ReturnType<typeof register> | undefined

/**
 * Traces a program. The model's inputs and outputs are named as the program's, each `[lanes, ...shape]`; inputs that the program does not
 * read are not there. Throws a `StageError` that names the operation which stands in the way.
 */
export const trace = (tf: typeof tfjs, program: Program): ReturnType<Graph["model"]> & { readonly outputs: ReadonlyMap<string, ReadonlyArray<number>> } => {
  registered ??= register(tf)
  const { begin, name, symbol, tensor } = registered
  const into = new Trace(program.lanes)
  const before = tf.getBackend()
  const outputs = new Map<string, ReadonlyArray<number>>()
  begin(into)
  // Selecting a backend that needs no set-up is synchronous in effect, and nothing awaits between here and the restoring line.
  void tf.setBackend(name)
  try {
    tf.engine().startScope()
    const inputs: Record<string, tfjs.Tensor> = {}
    for (const [key, { dtype, shape }] of Object.entries(program.inputs)) {
      into.graph.input({ name: key, type: dtype, shape: [program.lanes, ...shape] })
      inputs[key] = tensor({ name: key, laned: true, shape, dtype })
    }
    for (const [key, out] of Object.entries(program.body(tf, inputs))) {
      const result = into.cast(into.spread(symbol(out)), "float32")
      outputs.set(key, result.shape)
      into.graph.output({ name: key, type: "float32", shape: into.physical(result) }, result.name)
    }
  } catch (cause) {
    throw explain(program.name, cause)
  } finally {
    tf.engine().endScope()
    if (before !== undefined && before !== "") void tf.setBackend(before)
  }
  return { ...into.graph.model(), outputs }
}
