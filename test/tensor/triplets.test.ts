import type * as tfjs from "@tensorflow/tfjs-core"
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import { allocate } from "../../tensor/optimiser.ts"
import { names, type Objective, programOf } from "../../tensor/objective.ts"
import { onnxEngine } from "../../tensor/onnx-engine.ts"
import type { Program } from "../../tensor/program.ts"
import { selectRows } from "../../tensor/selection.ts"
import type { Tf } from "../../tensor/tfjs.ts"
import * as closed from "../../tensor/triplet-gradients.ts"
import * as defined from "../../tensor/triplets.ts"
import { difference, eager, traced } from "./programs.ts"

type Loss = (tf: Tf, z: tfjs.Tensor2D, ids: tfjs.Tensor2D, margin: tfjs.Scalar) => tfjs.Tensor1D
const losses: Readonly<Record<"batch_all" | "batch_hard", Readonly<Record<"defined" | "closed", Loss>>>> = {
  batch_all: { defined: defined.batchAll, closed: (tf, z, ids, margin) => closed.batchAll(tf, closed.distances(tf, z), ids, margin) },
  batch_hard: { defined: defined.batchHard, closed: (tf, z, ids, margin) => closed.batchHard(tf, closed.distances(tf, z), ids, margin) }
}

/** Value and gradient of the weighted sum of a loss over label sets. */
const programFor = (loss: Loss, rows: number, width: number, sets: number): Program => ({
  name: "train/triplet",
  lanes: 1,
  inputs: { z: { dtype: "float32", shape: [rows, width] }, ids: { dtype: "int32", shape: [sets, rows] }, margin: { dtype: "float32", shape: [] }, weights: { dtype: "float32", shape: [sets] } },
  body: (tf, inputs) => {
    const take = <T extends tfjs.Tensor>(name: string) => inputs[name] as T
    const { grad, value } = tf.valueAndGrad((z: tfjs.Tensor) => tf.sum<tfjs.Scalar>(tf.mul(loss(tf, tf.reshape(z, [rows, width]), take("ids"), take("margin")), take("weights"))))(take("z"))
    return { value, grad }
  }
})
const evaluate = async (engine: "eager" | "traced", loss: Loss, z: ReadonlyArray<ReadonlyArray<number>>, ids: ReadonlyArray<ReadonlyArray<number>>, margin: number, weights: ReadonlyArray<number>) => {
  const program = programFor(loss, z.length, z[0]!.length, ids.length)
  const values = { z: Float32Array.from(z.flat()), ids: Int32Array.from(ids.flat()), margin: Float32Array.of(margin), weights: Float32Array.from(weights) }
  const [lane] = await (engine === "eager" ? eager(program, values) : traced(program, values))
  return { value: lane!["value"]![0]!, grad: lane!["grad"]! }
}

interface LossOracle {
  readonly batch_all: number
  readonly batch_all_grad: ReadonlyArray<ReadonlyArray<number>>
  readonly batch_hard: number
  readonly batch_hard_grad: ReadonlyArray<ReadonlyArray<number>>
}
interface Case {
  readonly name: string
  readonly z: ReadonlyArray<ReadonlyArray<number>>
  readonly y: ReadonlyArray<number>
  readonly box_labels: ReadonlyArray<number>
  readonly margin: number
  readonly lambda_: number
  readonly class: LossOracle
  readonly box: LossOracle
  readonly matl: { readonly loss: number; readonly grad: ReadonlyArray<ReadonlyArray<number>> }
  readonly score?: ReadonlyArray<number>
  readonly tg_matl?: ReadonlyArray<{ readonly tau: number; readonly rho: number; readonly selected: ReadonlyArray<number>; readonly loss: number; readonly grad: ReadonlyArray<ReadonlyArray<number>> }>
}
const oracleFile = (name: string) => new URL(`../../../shared/data/oracles/${name}.json`, import.meta.url)
const present = existsSync(oracleFile("triplet"))

describe.skipIf(!present)("triplet losses and gradients equal torch's in float64 (oracles; skipped where shared/data is absent)", () => {
  const { cases }: { cases: ReadonlyArray<Case> } = present ? JSON.parse(readFileSync(oracleFile("triplet"), "utf8")) : { cases: [] }
  for (const engine of ["eager", "traced"] as const) {
    for (const one of cases) {
      // Rounding the coordinates to float32 alone moves these by up to 3e-5.
      const tolerance = one.name.startsWith("well separated") ? 3e-5 : 1e-5
      for (const form of ["defined", "closed"] as const) {
        it(`${one.name}: ${form}, ${engine}`, async () => {
          const { lambda_: lambda } = one, weights = [1 - lambda, lambda]
          for (const [set, ids] of [["class", one.y], ["box", one.box_labels]] as const) {
            for (const loss of ["batch_all", "batch_hard"] as const) {
              const { grad, value } = await evaluate(engine, losses[loss][form], one.z, [ids], one.margin, [1])
              expect(Math.abs(value - one[set][loss])).toBeLessThan(tolerance)
              // tfjs gives every one of several equal maxima a gradient, torch the first: with coincident rows the definition's differs.
              if (form === "closed" || loss === "batch_all" || !one.name.startsWith("coincident")) {
                expect(difference(one[set][`${loss}_grad`].flat(), grad), `${loss} of ${set}`).toBeLessThan(loss === "batch_hard" ? 3e-5 : tolerance)
              }
            }
          }
          const matl = await evaluate(engine, losses.batch_all[form], one.z, [one.y, one.box_labels], one.margin, weights)
          expect(Math.abs(matl.value - one.matl.loss)).toBeLessThan(tolerance)
          expect(difference(one.matl.grad.flat(), matl.grad)).toBeLessThan(tolerance)
          for (const { grad, loss, rho, selected, tau } of one.tg_matl ?? []) {
            const rows = selectRows(one.y, one.score!, { top: tau, more: rho }, "next-ranked", () => stream(0))
            expect(rows).toEqual(selected)
            const only = (ids: ReadonlyArray<number>) => ids.map((id, row) => rows.includes(row) ? id : -1)
            const got = await evaluate(engine, losses.batch_all[form], one.z, [only(one.y), only(one.box_labels)], one.margin, weights)
            expect(Math.abs(got.value - loss)).toBeLessThan(tolerance)
            expect(difference(grad.flat(), got.grad)).toBeLessThan(tolerance)
          }
        })
      }
    }
  }
})

interface TrainingOracle {
  readonly X: ReadonlyArray<ReadonlyArray<number>>
  readonly y: ReadonlyArray<number>
  readonly box: ReadonlyArray<number>
  readonly score: ReadonlyArray<number>
  readonly W0: ReadonlyArray<ReadonlyArray<number>>
  readonly batches: ReadonlyArray<ReadonlyArray<number>>
  readonly lr: number
  readonly cases: ReadonlyArray<{ readonly loss_name: string; readonly losses: ReadonlyArray<number>; readonly first_grad: { readonly W: ReadonlyArray<ReadonlyArray<number>> }; readonly W: ReadonlyArray<ReadonlyArray<number>> }>
}

describe.skipIf(!present)("40 steps of Adam follow torch's in float64 (oracles; skipped where shared/data is absent)", () => {
  const oracle: TrainingOracle | undefined = present ? JSON.parse(readFileSync(oracleFile("training"), "utf8")) : undefined
  for (const { W, first_grad, loss_name, losses: expected } of oracle?.cases ?? []) {
    it(loss_name, async () => {
      const { X, W0, batches, box, lr, score, y } = oracle!
      const rows = batches[0]!.length, width = X[0]!.length, out = W0[0]!.length, lanes = 8, lane = 3
      const sets = loss_name.startsWith("dtl") ? ["class"] : ["class", "box"]
      const objective: Objective = {
        name: "train/triplet",
        head: { width, out, hidden: [], normalize: false, bias: false },
        columns: { class: { dtype: "int32", shape: [] }, box: { dtype: "int32", shape: [] } },
        scalars: ["margin"],
        layers: {},
        keys: undefined,
        queue: 0,
        loss: (tf, { annotations, z }, scalar) => {
          const ids = tf.reshape<tfjs.Rank.R2>(tf.stack(sets.map((set) => annotations[set]!)), [sets.length, rows])
          return tf.mean(losses[loss_name === "dtl-hard" ? "batch_hard" : "batch_all"].closed(tf, z, ids, scalar("margin")))
        }
      }
      const memory = allocate({ "layer1.weight": [width, out] }, lanes)
      const x = new Float32Array(lanes * rows * width), ids = { class: new Int32Array(lanes * rows), box: new Int32Array(lanes * rows) }, loss = new Float32Array(lanes)
      const gradient = memory.gradients["layer1.weight"]!
      const run = (await onnxEngine.compile(programOf(objective, rows, lanes, true))).bind({
        ...memory.weights,
        [names.x]: x,
        [names.column("class")]: ids.class,
        [names.column("box")]: ids.box,
        [names.scalar("margin")]: new Float32Array(lanes).fill(0.1),
        [names.loss]: loss,
        [names.gradient("layer1.weight")]: gradient
      })
      memory.weights["layer1.weight"]!.set(W0.flat(), lane * width * out)
      for (const [step, batch] of batches.entries()) {
        const kept = loss_name === "tg-matl" ? selectRows(batch.map((row) => y[row]!), batch.map((row) => score[row]!), { top: 0.5, more: 0.2 }, "next-ranked", () => stream(0)) : [...batch.keys()]
        for (const [i, row] of batch.entries()) {
          x.set(X[row]!, (lane * rows + i) * width)
          ids.class[lane * rows + i] = kept.includes(i) ? y[row]! : -1
          ids.box[lane * rows + i] = kept.includes(i) ? box[row]! : -1
        }
        await run([lane])
        expect(Math.abs(loss[lane]! - expected[step]!), `loss before step ${step}`).toBeLessThan(1e-5)
        if (step === 0) expect(difference(first_grad.W.flat(), gradient.subarray(lane * width * out, (lane + 1) * width * out))).toBeLessThan(1e-5)
        memory.step(lane, { optimiser: "adam", rate: lr, momentum: 0, decay: 0, count: step + 1 })
      }
      expect(difference(W.flat(), memory.copy(lane, "now")["layer1.weight"]!)).toBeLessThan(1e-5)
    })
  }
})

describe("triplet losses", () => {
  const draw = stream(0, "triplets")
  const cloud = (rows: number, width: number) => Array.from({ length: rows }, () => Array.from({ length: width }, () => draw.normal()))

  it("the closed form is the definition, also where the anchors go slice by slice", async () => {
    const rows = 96, z = cloud(rows, 8), ids = [0, 1].map(() => Array.from({ length: rows }, () => draw.integer(4) - 1))
    for (const loss of ["batch_all", "batch_hard"] as const) {
      const expected = await evaluate("eager", losses[loss].defined, z, ids, 0.2, [0.3, 0.7]), got = await evaluate("traced", losses[loss].closed, z, ids, 0.2, [0.3, 0.7])
      expect(Math.abs(expected.value - got.value)).toBeLessThan(1e-5)
      expect(difference(expected.grad, got.grad)).toBeLessThan(1e-5)
    }
  })

  it("rows without a class change nothing", async () => {
    const z = cloud(14, 4), ids = z.map(() => draw.integer(3)), padding = cloud(5, 4)
    for (const loss of ["batch_all", "batch_hard"] as const) {
      for (const form of ["defined", "closed"] as const) {
        const alone = await evaluate("eager", losses[loss][form], z, [ids], 0.1, [1]), padded = await evaluate("eager", losses[loss][form], [...z, ...padding], [[...ids, ...padding.map(() => -1)]], 0.1, [1])
        expect(Math.abs(alone.value - padded.value)).toBeLessThan(1e-6)
        expect(difference([...alone.grad, ...Array(20).fill(0)], padded.grad)).toBeLessThan(1e-6)
      }
    }
  })

  it("degenerate batches have defined values and gradients of 0", async () => {
    const same = Array.from({ length: 6 }, () => [1, 2, 3])
    for (const engine of ["eager", "traced"] as const) {
      for (const form of ["defined", "closed"] as const) {
        for (const [ids, all, hard] of [[[-1, -1, -1, -1, -1, -1], 0, 0], [[0, 0, 0, 0, 0, 0], 0, 0.1], [[0, 1, 2, 3, 4, 5], 0, 0.1], [[0, 0, 0, 1, 1, 1], 0.1, 0.1]] as const) {
          for (const [loss, value] of [["batch_all", all], ["batch_hard", hard]] as const) {
            const got = await evaluate(engine, losses[loss][form], same, [ids], 0.1, [1])
            expect(got.value, `${loss} of ${ids.join(" ")}, ${form}`).toBeCloseTo(value, 6)
            expect(got.grad.every((g) => g === 0)).toBe(true)
          }
        }
      }
    }
  })

  it("triplets below the cut do not count", async () => {
    const z = [[0, 0], [1, 0], [3, 0], [0.5, 0]], ids = [0, 0, 1, 1], score = [1, 1, 0, 2]
    // Triplets (0, 1, n) and (1, 0, n) score 2 with row 2 and 4 with row 3; (2, 3, n) and (3, 2, n) score 3.
    const withCut = (cut: number): Loss => (tf, z, ids, margin) =>
      closed.batchAll(tf, closed.distances(tf, z), ids, margin, { score: tf.tensor1d(score), cut: tf.tensor2d([[cut, cut, cut, cut]]) })
    const hinges = { low: [1 - 3 + 0.1, 1 - 2 + 0.1], high: [1 - 0.5 + 0.1, 1 - 0.5 + 0.1], middle: [2.5 - 3 + 0.1, 2.5 - 2 + 0.1, 2.5 - 0.5 + 0.1, 2.5 - 0.5 + 0.1] }
    const mean = (values: ReadonlyArray<number>) => values.filter((h) => h > 0).reduce((a, b) => a + b, 0) / values.filter((h) => h > 0).length
    for (const [cut, kept] of [[4, hinges.high], [3, [...hinges.high, ...hinges.middle]], [2, [...hinges.high, ...hinges.middle, ...hinges.low]]] as const) {
      expect((await evaluate("traced", withCut(cut), z, [ids], 0.1, [1])).value).toBeCloseTo(mean(kept), 5)
    }
    expect((await evaluate("traced", withCut(5), z, [ids], 0.1, [1])).value).toBe(0)
  })
})
