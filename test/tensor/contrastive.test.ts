import type * as tfjs from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import { Contrastive } from "outcrop/train"
import type { Program } from "../../tensor/program.ts"
import type { Tf } from "../../tensor/tfjs.ts"
import { oracle, type Rows } from "../math/oracle.ts"
import { difference, eager, traced } from "./programs.ts"

type Given = Readonly<Record<string, Rows | ReadonlyArray<number> | number>>
type Loss = (tf: Tf, inputs: Readonly<Record<string, tfjs.Tensor>>) => tfjs.Scalar
/** Names of the inputs that are class ids; all others are float32. */
const ids = ["ids"]

const shapeOf = (value: Given[string]): ReadonlyArray<number> => typeof value === "number" ? [] : typeof value[0] === "number" ? [value.length] : [value.length, (value as Rows)[0]!.length]
const flat = (value: Given[string]): ReadonlyArray<number> => typeof value === "number" ? [value] : (value as ReadonlyArray<number | ReadonlyArray<number>>).flat()

/** A loss and its gradients by the inputs named, on one engine. */
const evaluate = async (engine: "eager" | "traced", loss: Loss, given: Given, by: ReadonlyArray<string>) => {
  const program: Program = {
    name: "train/contrastive",
    lanes: 1,
    inputs: Object.fromEntries(Object.entries(given).map(([name, value]) => [name, { dtype: ids.includes(name) ? "int32" : "float32", shape: shapeOf(value) }])),
    body: (tf, inputs) => {
      const { grads, value } = tf.valueAndGrads((...own: ReadonlyArray<tfjs.Tensor>) => loss(tf, { ...inputs, ...Object.fromEntries(by.map((name, i) => [name, own[i]!])) }))(by.map((name) => inputs[name]!))
      return { value, ...Object.fromEntries(by.map((name, i) => [`grad ${name}`, grads[i]!])) }
    }
  }
  const values = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, ids.includes(name) ? Int32Array.from(flat(value)) : Float32Array.from(flat(value))]))
  const [lane] = await (engine === "eager" ? eager(program, values) : traced(program, values))
  return { value: lane!["value"]![0]!, grad: (name: string) => lane![`grad ${name}`]! }
}
const here = (rows: number) => Array.from({ length: rows }, () => 1)
const labelsOf = ({ keyLabels, labels }: { readonly keyLabels: tfjs.Tensor | undefined; readonly labels: tfjs.Tensor | undefined }) => ({ anchors: labels as tfjs.Tensor2D, keys: (keyLabels ?? labels) as tfjs.Tensor2D })
const softs: Readonly<Record<string, Loss>> = {
  ce: (tf, { a, b, keyLabels, labels, temperature }) => Contrastive.softCrossEntropy(tf, a as tfjs.Tensor2D, b as tfjs.Tensor2D, labelsOf({ keyLabels, labels }), temperature as tfjs.Scalar),
  bce: (tf, { a, b, keyLabels, labels, temperature }) => Contrastive.softBinaryCrossEntropy(tf, a as tfjs.Tensor2D, b as tfjs.Tensor2D, labelsOf({ keyLabels, labels }), temperature as tfjs.Scalar),
  infonce: (tf, { a, b, present, temperature }) => Contrastive.infoNce(tf, a as tfjs.Tensor2D, b as tfjs.Tensor2D, present as tfjs.Tensor1D, temperature as tfjs.Scalar)
}
const both = (term: Loss): Loss => (tf, inputs) => tf.add(softs["infonce"]!(tf, inputs), term(tf, inputs))
const supCon: Loss = (tf, { ids, temperature, z }) => Contrastive.supervisedContrastive(tf, z as tfjs.Tensor2D, ids as tfjs.Tensor1D, temperature as tfjs.Scalar)
const ntXent: Loss = (tf, { a, b, present, temperature }) => Contrastive.ntXent(tf, a as tfjs.Tensor2D, b as tfjs.Tensor2D, present as tfjs.Tensor1D, temperature as tfjs.Scalar)
const moco: Loss = (tf, { k, present, q, queue, temperature }) => Contrastive.infoNceWithQueue(tf, q as tfjs.Tensor2D, k as tfjs.Tensor2D, queue as tfjs.Tensor2D, present as tfjs.Tensor1D, temperature as tfjs.Scalar)

interface SoftOracle {
  readonly labels: Rows
  readonly kept: ReadonlyArray<number>
  readonly a: Rows
  readonly b: Rows
  readonly cases: ReadonlyArray<{ readonly name: string; readonly temperature: number; readonly loss: number; readonly grad_a: Rows; readonly grad_b: Rows }>
}
const soft = oracle<SoftOracle>("softcon")
interface ContrastiveOracle {
  readonly cases: ReadonlyArray<
    & { readonly name: string; readonly temperature: number; readonly loss: number; readonly z: Rows; readonly y: ReadonlyArray<number>; readonly grad: Rows; readonly a: Rows; readonly b: Rows; readonly grad_a: Rows; readonly grad_b: Rows }
    & { readonly steps: ReadonlyArray<{ readonly q: Rows; readonly k: Rows; readonly queue_before: Rows; readonly loss: number; readonly grad_q: Rows }> }
  >
}
const contrastive = oracle<ContrastiveOracle>("contrastive")
const close = (found: ArrayLike<number>, expected: ReadonlyArray<number>) => expect(difference(found, expected)).toBeLessThan(1e-5 * Math.max(1, ...expected.map(Math.abs)))

for (const engine of ["eager", "traced"] as const) {
  describe.skipIf(soft === undefined)(`soft targets, ${engine}: values and gradients are torch's in float64 (skipped where shared/data/oracles is absent)`, () => {
    for (const { grad_a, grad_b, loss, name, temperature } of soft?.cases ?? []) {
      it(`${name}, temperature ${temperature}`, async () => {
        const labels = soft!.kept.map((row) => soft!.labels[row]!)
        const term = name.startsWith("infonce +") ? both(softs[name.slice(10)]!) : softs[name.split(" ")[0]!]!
        const { grad, value } = await evaluate(engine, term, { a: soft!.a, b: soft!.b, labels, present: here(labels.length), temperature }, ["a", "b"])
        close([value], [loss])
        close(grad("a"), grad_a.flat())
        close(grad("b"), grad_b.flat())
      })
    }
  })

  describe.skipIf(contrastive === undefined)(`contrasts, ${engine}: values and gradients are pytorch-metric-learning's and torch's (skipped where shared/data/oracles is absent)`, () => {
    for (const { a, b, grad: expected, grad_a, grad_b, loss, name, steps, temperature, y, z } of contrastive?.cases ?? []) {
      if (name.startsWith("SupCon PML")) {
        it(`${name}, temperature ${temperature}`, async () => {
          const { grad, value } = await evaluate(engine, supCon, { z, ids: y, temperature }, ["z"])
          close([value], [loss])
          close(grad("z"), expected.flat())
        })
      } else if (name.startsWith("NT-Xent two views")) {
        it(`${name}, temperature ${temperature}`, async () => {
          const { grad, value } = await evaluate(engine, ntXent, { a, b, present: here(a.length), temperature }, ["a", "b"])
          close([value], [loss])
          close(grad("a"), grad_a.flat())
          close(grad("b"), grad_b.flat())
        })
      } else if (name.startsWith("MoCo InfoNCE")) {
        it(name, async () => {
          for (const { grad_q, k, loss, q, queue_before } of steps) {
            const queue = queue_before[0]!.map((_, i) => queue_before.map((row) => row[i]!))
            const { grad, value } = await evaluate(engine, moco, { q, k, queue, present: here(q.length), temperature }, ["q"])
            close([value], [loss])
            close(grad("q"), grad_q.flat())
          }
        })
      }
    }
  })
}

const drawn = (name: string, rows: number, width: number, seed = 0): Rows => {
  const draw = stream(seed, name)
  return Array.from({ length: rows }, () => Array.from({ length: width }, () => draw.normal()))
}
const lossOf = async (term: Loss, given: Given) => (await evaluate("traced", term, given, [Object.keys(given)[0]!])).value

describe("what is defined at the edges", () => {
  const a = drawn("a", 6, 4), b = drawn("b", 6, 4), temperature = 0.2
  it("equal targets everywhere: ce asks for equal shares, bce for agreement of every pair", async () => {
    const labels = a.map(() => [1, 0, 1]), z = a.map(() => [1, 2, 3, 4])
    expect(await lossOf(softs["ce"]!, { a: z, b: z, labels, temperature })).toBeCloseTo(Math.log(6), 5)
    expect(await lossOf(softs["bce"]!, { a: z, b: z, labels, temperature })).toBeCloseTo(Math.log(1 + Math.exp(5)) - 5, 5)
  })
  it("a row without a label takes part in no soft term; the rows that remain are as if it were not there", async () => {
    const labels = [[1, 0], [0, 0], [1, 1], [0, 1], [0, 0], [1, 0]], kept = [0, 2, 3, 5], of = (rows: Rows) => kept.map((row) => rows[row]!)
    for (const name of ["ce", "bce"]) {
      expect(await lossOf(softs[name]!, { a, b, labels, temperature })).toBeCloseTo(await lossOf(softs[name]!, { a: of(a), b: of(b), labels: of(labels), temperature }), 5)
    }
  })
  it("a key has the labels of the sample that it is of: exchanging two keys together with their labels changes nothing", async () => {
    const labels = [[1, 0], [0, 1], [1, 1], [0, 1], [1, 0], [1, 1]], swapped = (rows: Rows) => [rows[1]!, rows[0]!, ...rows.slice(2)]
    for (const name of ["ce", "bce"]) {
      const value = await lossOf(softs[name]!, { a, b, labels, keyLabels: labels, temperature })
      expect(await lossOf(softs[name]!, { a, b: swapped(b), labels, keyLabels: swapped(labels), temperature })).toBeCloseTo(value, 5)
      expect(Math.abs(await lossOf(softs[name]!, { a, b: swapped(b), labels, keyLabels: labels, temperature }) - value)).toBeGreaterThan(1e-3)
    }
  })
  it("no labels at all: the soft term is 0 and moves nothing", async () => {
    for (const name of ["ce", "bce"]) {
      const { grad, value } = await evaluate("traced", softs[name]!, { a, b, labels: a.map(() => [0, 0]), temperature }, ["a"])
      expect(value).toBe(0)
      expect(difference(grad("a"), new Float32Array(24))).toBe(0)
    }
  })
  it("two rows with one label set are each other's equals: exchanging them changes nothing", async () => {
    const labels = [[1, 1], [1, 1], [0, 1], [1, 0], [0, 1], [1, 0]], swapped = (rows: Rows) => [rows[1]!, rows[0]!, ...rows.slice(2)]
    for (const name of ["ce", "bce"]) {
      expect(await lossOf(softs[name]!, { a: swapped(a), b, labels, temperature })).toBeCloseTo(await lossOf(softs[name]!, { a, b: swapped(b), labels, temperature }), 5)
    }
  })
  it("rows that pad a batch take part in nothing", async () => {
    const pad = (rows: Rows) => [...rows, [0, 0, 0, 0], [0, 0, 0, 0]], present = [...here(6), 0, 0]
    for (const term of [softs["infonce"]!, ntXent]) {
      expect(await lossOf(term, { a: pad(a), b: pad(b), present, temperature })).toBeCloseTo(await lossOf(term, { a, b, present: here(6), temperature }), 5)
    }
    expect(await lossOf(supCon, { z: pad(a), ids: [0, 0, 1, 1, 2, 2, -1, -1], temperature })).toBeCloseTo(await lossOf(supCon, { z: a, ids: [0, 0, 1, 1, 2, 2], temperature }), 5)
  })
  it("no anchor with a positive: the supervised contrast is 0", async () => {
    expect(await lossOf(supCon, { z: a, ids: [0, 1, 2, 3, 4, 5], temperature })).toBeCloseTo(0, 10)
    expect(await lossOf(supCon, { z: a, ids: a.map(() => -1), temperature })).toBeCloseTo(0, 10)
  })
  it("all losses are of directions: lengths do not matter", async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 1000 }), fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 6, maxLength: 6 }), async (seed, lengths) => {
      const z = drawn("z", 6, 4, seed), keys = drawn("keys", 6, 4, seed), longer = z.map((row, i) => row.map((value) => value * lengths[i]!)), labels = drawn("labels", 6, 3, seed).map((row) => row.map((value) => value > 0 ? 1 : 0))
      for (const term of [softs["ce"]!, softs["bce"]!, softs["infonce"]!, ntXent]) {
        const given = { b: keys, labels, present: here(6), temperature: 0.5 }
        expect(await lossOf(term, { a: longer, ...given })).toBeCloseTo(await lossOf(term, { a: z, ...given }), 4)
      }
    }), { numRuns: 5 })
  })
})
