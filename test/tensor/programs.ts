/** What the engine's tests share: runs a program traced (all lanes at once) and eagerly on tfjs's own CPU backend (lane by lane). */
import { stream } from "outcrop"
import { onnxEngine } from "../../tensor/onnx-engine.ts"
import { type Input, type Program, sizeOf } from "../../tensor/program.ts"
import { load } from "../../tensor/tfjs.ts"
import { trace } from "../../tensor/trace.ts"

export type Values = Readonly<Record<string, Float32Array | Int32Array>>

/** Inputs for every lane: normal numbers, or integers 0..4. */
export const drawn = (inputs: Readonly<Record<string, Input>>, lanes: number, seed = 0): Values =>
  Object.fromEntries(Object.entries(inputs).map(([name, { dtype, shape }]) => {
    const draw = stream(seed, name), length = lanes * sizeOf(shape)
    return [name, dtype === "int32" ? Int32Array.from({ length }, () => draw.integer(5)) : Float32Array.from({ length }, () => draw.normal())]
  }))

/** The outputs of each lane on the CPU backend of tfjs, by name. */
export const eager = async (program: Program, values: Values): Promise<ReadonlyArray<Readonly<Record<string, Float32Array>>>> => {
  const tf = await load()
  await tf.setBackend("cpu")
  return Array.from({ length: program.lanes }, (_, lane) => tf.tidy(() => {
    const inputs = Object.fromEntries(Object.entries(program.inputs).map(([name, { dtype, shape }]) => {
      const size = sizeOf(shape)
      return [name, tf.tensor(values[name]!.subarray(lane * size, (lane + 1) * size), [...shape], dtype)]
    }))
    return Object.fromEntries(Object.entries(program.body(tf, inputs)).map(([name, out]) => [name, Float32Array.from(out.dataSync())]))
  }))
}

/** A program as ONNX: from values to the outputs of each lane. */
export const compiled = async (program: Program): Promise<(values: Values) => Promise<ReadonlyArray<Readonly<Record<string, Float32Array>>>>> => {
  const sizes = [...trace(await load(), program).outputs].map(([name, shape]) => [name, sizeOf(shape)] as const), { bind } = await onnxEngine.compile(program)
  return async (values) => {
    const out = Object.fromEntries(sizes.map(([name, size]) => [name, new Float32Array(size * program.lanes)]))
    await bind({ ...values, ...out })(Array.from({ length: program.lanes }, (_, lane) => lane))
    return Array.from({ length: program.lanes }, (_, lane) => Object.fromEntries(sizes.map(([name, size]) => [name, out[name]!.slice(lane * size, (lane + 1) * size)])))
  }
}
/** The outputs of each lane as ONNX. */
export const traced = async (program: Program, values: Values): Promise<ReadonlyArray<Readonly<Record<string, Float32Array>>>> => (await compiled(program))(values)

/** The largest difference; NaN equals NaN, an infinity itself. */
export const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length ? Array.from(a).reduce((most, x, i) => Object.is(x, b[i]) || x === b[i] ? most : Number.isNaN(x - b[i]!) ? Infinity : Math.max(most, Math.abs(x - b[i]!)), 0) : Infinity
