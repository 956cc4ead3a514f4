/**
 * A small writer of ONNX models (https://onnx.ai/onnx/repo-docs/IR.html): nodes, constants, inputs and outputs to protobuf bytes.
 * Nodes that no output needs are left out, and so are inputs and constants that no node reads.
 */

/** Element types in use, by their number in `TensorProto.DataType`. */
export const elementTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 } as const
export type ElementType = keyof typeof elementTypes

/** Attributes of a node: an integer, a list of integers, or `{ float }` (a JavaScript number cannot say which of the two it is). */
export type Attributes = Readonly<Record<string, number | ReadonlyArray<number> | { readonly float: number }>>

export interface Value {
  readonly name: string
  readonly type: ElementType
  readonly shape: ReadonlyArray<number>
}
interface Node {
  readonly type: string
  readonly domain: string
  readonly inputs: ReadonlyArray<string>
  readonly outputs: ReadonlyArray<string>
  readonly attributes: Attributes
}

/** Protobuf wire format: just the field types that ONNX needs. */
class Message {
  private readonly parts: Array<Uint8Array> = []
  private length = 0
  private push(bytes: Uint8Array): this {
    this.parts.push(bytes)
    this.length += bytes.length
    return this
  }
  private varint(value: number | bigint): this {
    const bytes: Array<number> = []
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
      const low = Number(rest & 127n)
      bytes.push(rest > 127n ? low | 128 : low)
      if (rest <= 127n) return this.push(Uint8Array.from(bytes))
    }
  }
  integer(field: number, value: number | bigint): this {
    return this.varint(field << 3).varint(value)
  }
  float(field: number, value: number): this {
    return this.varint((field << 3) | 5).push(new Uint8Array(Float32Array.of(value).buffer))
  }
  bytes(field: number, bytes: Uint8Array): this {
    return this.varint((field << 3) | 2).varint(bytes.length).push(bytes)
  }
  text(field: number, text: string): this {
    return this.bytes(field, new TextEncoder().encode(text))
  }
  message(field: number, message: Message): this {
    return this.bytes(field, message.finish())
  }
  finish(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.length)
    let at = 0
    for (const part of this.parts) {
      out.set(part, at)
      at += part.length
    }
    return out
  }
}

const attribute = (name: string, value: Attributes[string]): Message => {
  const message = new Message().text(1, name)
  if (typeof value === "number") return message.integer(3, value).integer(20, 2)
  if ("float" in value) return message.float(2, value.float).integer(20, 1)
  for (const entry of value) message.integer(8, entry)
  return message.integer(20, 7)
}

const valueInfo = ({ name, type, shape }: Value): Message => {
  const dimensions = new Message()
  for (const size of shape) dimensions.message(1, new Message().integer(1, size))
  return new Message().text(1, name).message(2, new Message().message(1, new Message().integer(1, elementTypes[type]).message(2, dimensions)))
}

export class Graph {
  private readonly nodes: Array<Node> = []
  private readonly constants = new Map<string, { readonly value: Value; readonly bytes: Uint8Array }>()
  private readonly inputs = new Map<string, Value>()
  private readonly outputs: Array<Value> = []
  private sequence: string | undefined
  private names = 0

  /** Declares an input of the model. */
  input(value: Value): string {
    this.inputs.set(value.name, value)
    return value.name
  }
  /** Declares the value `from` as an output of the model under a name of its own. */
  output(value: Value, from: string): void {
    this.nodes.push({ type: "Identity", domain: "", inputs: [from], outputs: [value.name], attributes: {} })
    this.outputs.push(value)
  }
  /** Declares an output that comes before all others and is an empty sequence: see `onnx-engine.ts`. */
  emptySequence(name: string): void {
    this.sequence = name
  }
  constant(data: Float32Array | Int32Array | BigInt64Array | Uint8Array, shape: ReadonlyArray<number>): string {
    const name = `c${this.names++}`
    const type = data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : data instanceof BigInt64Array ? "int64" : "bool"
    this.constants.set(name, { value: { name, type, shape }, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() })
    return name
  }
  /** Sizes, axes and the like, which ONNX takes as int64 tensors. */
  int64(values: ReadonlyArray<number>): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length])
  }
  /** Adds a node with several outputs; `domain` is "" for ONNX's own operators. */
  nodeOf(outputs: number, type: string, inputs: ReadonlyArray<string>, attributes: Attributes = {}, domain = ""): ReadonlyArray<string> {
    const names = Array.from({ length: outputs }, () => `t${this.names++}`)
    this.nodes.push({ type, domain, inputs, outputs: names, attributes })
    return names
  }
  node(type: string, inputs: ReadonlyArray<string>, attributes: Attributes = {}, domain = ""): string {
    return this.nodeOf(1, type, inputs, attributes, domain)[0]!
  }

  /** The model's bytes and the inputs that it really reads. */
  model(): { readonly bytes: Uint8Array<ArrayBuffer>; readonly reads: ReadonlySet<string>; readonly nodes: number } {
    const needed = new Set(this.outputs.map(({ name }) => name))
    const kept: Array<Node> = []
    for (const node of this.nodes.toReversed()) {
      if (!node.outputs.some((name) => needed.has(name))) continue
      kept.unshift(node)
      for (const name of node.inputs) needed.add(name)
    }
    const graph = new Message()
    for (const { type, domain, inputs, outputs, attributes } of kept) {
      const message = new Message()
      for (const name of inputs) message.text(1, name)
      for (const name of outputs) message.text(2, name)
      message.text(4, type).text(7, domain)
      for (const [name, value] of Object.entries(attributes)) message.message(5, attribute(name, value))
      graph.message(1, message)
    }
    graph.text(2, "outcrop")
    for (const { value, bytes } of this.constants.values()) {
      if (!needed.has(value.name)) continue
      const tensor = new Message()
      for (const size of value.shape) tensor.integer(1, size)
      graph.message(5, tensor.integer(2, elementTypes[value.type]).text(8, value.name).bytes(9, bytes))
    }
    const reads = new Set<string>()
    for (const value of this.inputs.values()) {
      if (!needed.has(value.name)) continue
      reads.add(value.name)
      graph.message(11, valueInfo(value))
    }
    if (this.sequence !== undefined) {
      graph.message(1, new Message().text(2, this.sequence).text(4, "SequenceEmpty"))
      const floats = new Message().message(4, new Message().message(1, new Message().message(1, new Message().integer(1, elementTypes.float32))))
      graph.message(12, new Message().text(1, this.sequence).message(2, floats))
    }
    for (const value of this.outputs) graph.message(12, valueInfo(value))
    const bytes = new Message().integer(1, 8).text(2, "outcrop").message(7, graph)
      .message(8, new Message().text(1, "").integer(2, 17)).message(8, new Message().text(1, "com.microsoft").integer(2, 1)).finish()
    return { bytes, reads, nodes: kept.length }
  }
}
