import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import triplet from "../../../stages/train/triplet.ts"
import { epochBatches } from "../../../tensor/batches.ts"
import { initial } from "../../../tensor/head.ts"
import { selectRows } from "../../../tensor/selection.ts"
import { apply, type Data, fit, fitAll, type Fitted, inputsOf, parametersOf, run, synthetic } from "./training.ts"

const difference = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)
const failure = (work: Promise<unknown>) => work.then(() => "it went through", (cause: Error) => cause.message)
const tasks = { class: 0.5, box: 0.5 }

/** Loss and its gradient in z by brute force over triplets, in float64: `papers.md`'s formulas and nothing else. */
const triplets = (z: ReadonlyArray<Float64Array>, ids: ReadonlyArray<number>, margin: number, hard: boolean) => {
  const n = z.length, rows = [...z.keys()].filter((i) => ids[i]! >= 0), grad = z.map((row) => new Float64Array(row.length))
  const d = (i: number, j: number) => Math.sqrt(z[i]!.reduce((sum, x, k) => sum + (x - z[j]![k]!) ** 2, 0))
  const pull = (i: number, j: number, weight: number) => {
    const distance = d(i, j)
    if (distance > 0) z[i]!.forEach((x, k) => {
      const g = weight * (x - z[j]![k]!) / distance
      grad[i]![k]! += g
      grad[j]![k]! -= g
    })
  }
  const active: Array<readonly [a: number, p: number, n: number]> = []
  let sum = 0
  if (hard) {
    for (const a of rows) {
      const p = rows.filter((j) => j !== a && ids[j] === ids[a]).toSorted((i, j) => d(a, j) - d(a, i))[0] ?? a
      const q = rows.filter((j) => ids[j] !== ids[a]).toSorted((i, j) => d(a, i) - d(a, j))[0] ?? p
      const hinge = d(a, p) - d(a, q) + margin
      if (hinge > 0) active.push([a, p, q])
      sum += Math.max(0, hinge)
    }
  } else {
    for (const a of rows) for (const p of rows) for (const q of rows) {
      if (a === p || ids[a] !== ids[p] || ids[a] === ids[q]) continue
      const hinge = d(a, p) - d(a, q) + margin
      if (hinge > 1e-16) active.push([a, p, q])
      sum += Math.max(0, hinge)
    }
  }
  const count = hard ? Math.max(1, rows.length) : active.length + 1e-16
  for (const [a, p, q] of active) {
    pull(a, p, 1 / count)
    pull(a, q, -1 / count)
  }
  return { loss: n === 0 ? 0 : sum / count, grad }
}

interface Settings {
  readonly tasks: Readonly<Record<string, number>>
  readonly hard?: boolean
  readonly select?: { readonly top: number; readonly more: number }
  readonly out: number
  readonly rate: number
  readonly batch: number
  readonly epochs: number
  readonly seed: number
}
/** The whole training of a linear projection in float64, in the plainest way. */
const reference = ({ annotations, split, width, x }: Data, { batch, epochs, hard = false, out, rate, seed, select, tasks }: Settings) => {
  const W = Float64Array.from(initial([width, out], stream(seed, "initial", "layer1.weight"))), m = W.map(() => 0), v = W.map(() => 0)
  const rowsOf = (name: string) => Int32Array.from([...split!.keys()].filter((row) => split![row] === name))
  const column = (name: string, rows: Int32Array) => [...rows].map((row) => (annotations[name] as Int32Array)[row]!)
  const evaluate = (rows: Int32Array, kept: ReadonlyArray<number>) => {
    const z = [...rows].map((row) => Float64Array.from({ length: out }, (_, k) => {
      let sum = 0
      for (let i = 0; i < width; i++) sum += x[row * width + i]! * W[i * out + k]!
      return sum
    }))
    const gradient = W.map(() => 0)
    let loss = 0
    for (const [task, weight] of Object.entries(tasks)) {
      const one = triplets(z, column(task, rows).map((id, i) => kept.includes(i) ? id : -1), 0.1, hard)
      loss += weight * one.loss
      for (const [i, g] of one.grad.entries()) for (let j = 0; j < width; j++) for (let k = 0; k < out; k++) gradient[j * out + k]! += weight * x[rows[i]! * width + j]! * g[k]!
    }
    return { loss, gradient }
  }
  const train = rowsOf("train"), val = rowsOf("val"), history: Array<{ train: number; val: number }> = []
  let best = W.slice(), bestLoss = Infinity, step = 0
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const batches = epochBatches(train, batch, true, seed, epoch), losses: Array<number> = []
    for (const rows of batches) {
      const scores = [...rows].map((row) => (annotations["score"] as Float32Array)[row]!)
      const kept = select === undefined ? [...rows.keys()] : selectRows(column("class", rows), scores, select, "next-ranked", () => stream(0))
      const { gradient, loss } = evaluate(rows, kept)
      step++
      losses.push(loss)
      for (let i = 0; i < W.length; i++) {
        m[i] = 0.9 * m[i]! + 0.1 * gradient[i]!
        v[i] = 0.999 * v[i]! + 0.001 * gradient[i]! ** 2
        W[i]! -= rate / (1 - 0.9 ** step) * m[i]! / (Math.sqrt(v[i]! / (1 - 0.999 ** step)) + 1e-8)
      }
    }
    const loss = evaluate(val, [...val.keys()]).loss
    history.push({ train: losses.reduce((a, b) => a + b, 0) / losses.length, val: loss })
    if (loss < bestLoss) {
      bestLoss = loss
      best = W.slice()
    }
  }
  return { W: best, history }
}

describe.each(["wasm", "onnx"])("on %s, training equals a plain float64 reference: batches, loss, Adam, validation, checkpoint", (backend) => {
  for (const [title, given, settings] of [
    ["dtl", { tasks: { class: 1 } }, { tasks: { class: 1 } }],
    ["dtl-hard", { tasks: { class: 1 }, triplets: "hard" }, { tasks: { class: 1 }, hard: true }],
    ["matl", { tasks: { class: 0.3, box: 0.7 } }, { tasks: { class: 0.3, box: 0.7 } }],
    ["tg-matl", { tasks, select: { top: 0.4, more: 0.15 } }, { tasks, select: { top: 0.4, more: 0.15 } }]
  ] as const) {
    it(title, async () => {
      const data = synthetic(40, 10), common = { out: 6, rate: 0.003, batch: 16, epochs: 12, seed: 3 }
      const { history, weights } = await fit(triplet, data, { ...common, ...given }, backend), expected = reference(data, { ...common, ...settings })
      expect(difference(history.train_loss, expected.history.map(({ train }) => train))).toBeLessThan(1e-5)
      expect(difference(history.val_loss, expected.history.map(({ val }) => val))).toBeLessThan(1e-5)
      expect(difference(weights["layer1.weight"]!, expected.W)).toBeLessThan(1e-5)
    })
  }
})

describe.each(["wasm", "onnx"])("siblings on %s", (backend) => {
  const members = Array.from({ length: 8 }, (_, i) => ({
    // Rows and their count, folds, validation chunks, numbers and seeds differ: `fit` is handed the training rows alone, of each fold its own.
    // Shapes are odd, and so is the count of batches.
    data: synthetic(59 + i, 13, { fold: i % 3, folds: 3 + i, seed: i % 2 }),
    with: { tasks: { class: 0.1 * i, box: 0.5 }, select: { top: 0.3 + 0.05 * i, more: 0.1, fill: "random" }, margin: 0.1 + 0.01 * i, out: 5, batch: 11, rate: 1e-3 * (1 + i), epochs: 3 + i, seed: i }
  }))
  const same = (a: Fitted, b: Fitted) => {
    expect(a.weights).toEqual(b.weights)
    expect(a.history).toEqual(b.history)
  }

  it("have the same bits alone, with another and with seven others, in any order", async () => {
    const alone: Array<Fitted> = []
    for (const member of members) alone.push((await fitAll(triplet, [member], backend))[0]!)
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 2 }), async (order) => {
        const together = await fitAll(triplet, order.map((i) => members[i]!), backend)
        for (const [at, i] of order.entries()) same(together[at]!, alone[i]!)
      }),
      { numRuns: 8, seed: 1 }
    )
    same((await fitAll(triplet, members.toReversed(), backend))[7]!, alone[0]!)
  })

  it("may differ in numbers, not in what shapes the graph", () => {
    const alike = (given: Readonly<Record<string, unknown>>) => triplet.siblings!.alike(parametersOf(triplet, { tasks, ...given }))
    expect(alike({ margin: 0.5, rate: 1, seed: 4, epochs: 9, tasks: { class: 1, box: 0 } })).toEqual(alike({}))
    for (const other of [{ out: 3 }, { batch: 3 }, { hidden: [4] }, { normalize: true }, { triplets: "hard" }, { tasks: { class: 1 } }, { select: { top: 0.5 } }]) expect(alike(other)).not.toEqual(alike({}))
    expect(triplet.siblings!.same).toEqual(["embeddings"])
  })

  it("one that diverges leaves the others as they are, and says so when it is applied", async () => {
    const spoilt = { data: synthetic(40, 8), with: { tasks, epochs: 4, rate: 1e39, optimizer: "sgd" } }, sound = { data: synthetic(40, 8, { fold: 1 }), with: { tasks, epochs: 4 } }
    const noVal = { ...spoilt, data: { ...spoilt.data, split: spoilt.data.split!.map(() => "train") } }
    const [lost, kept] = await fitAll(triplet, [noVal, sound], backend)
    same(kept!, (await fitAll(triplet, [sound], backend))[0]!)
    expect(await failure(apply(triplet, lost!, noVal.data, noVal.with, backend))).toBe("train/triplet: the first step left layer1.weight not finite, although the loss was finite: its gradient is not (as that of the square root of 0), or the rate, now 1e+39, is far too high")
    expect(lost!.history.step).toEqual(Int32Array.of(1))
    const later = await fit(triplet, noVal.data, { ...noVal.with, rate: 1e38, epochs: 40 }, backend), epochs = later.history.epoch.length
    expect(epochs).toBeLessThan(40)
    expect(await failure(apply(triplet, later, noVal.data, noVal.with, backend))).toContain(`the training diverged in epoch ${epochs} (layer1.weight is not finite); lower the rate`)
  })
})

describe("a training", () => {
  it("keeps the weights of the best validation loss, and those at the end without validation rows", async () => {
    const data = synthetic(48, 8), given = { tasks, out: 4, rate: 0.1, epochs: 30, seed: 2 }
    const full = await fit(triplet, data, given), best = full.history.val_loss.indexOf(Math.min(...full.history.val_loss)) + 1
    expect(best).toBeLessThan(30)
    expect((await fit(triplet, data, { ...given, epochs: best })).weights).toEqual(full.weights)
    const { split: _, ...unsplit } = data
    const all = await fit(triplet, unsplit, given), shorter = await fit(triplet, unsplit, { ...given, epochs: 29 })
    expect(all.history.val_loss.every(Number.isNaN)).toBe(true)
    expect(all.history.step.at(-1)).toBe(60)
    expect(all.weights).not.toEqual(shorter.weights)
  })

  it.each(["wasm", "onnx"])("on %s, has no bias where the loss would not move with it: Adam would turn its rounding noise into steps", async (backend) => {
    const data = synthetic(40, 8)
    expect(Object.keys((await fit(triplet, data, { tasks, out: 4, epochs: 2 }, backend)).weights)).toEqual(["layer1.weight"])
    expect(Object.keys((await fit(triplet, data, { tasks, out: 4, epochs: 2, normalize: true })).weights)).toEqual(["layer1.weight", "layer1.bias"])
  })

  it("stops after `patience` epochs without a better validation loss", async () => {
    const data = synthetic(48, 8), given = { tasks, out: 4, rate: 0.1, epochs: 60, seed: 2 }
    const full = await fit(triplet, data, given), patient = await fit(triplet, data, { ...given, patience: 3 })
    let best = Infinity, since = 0, expected = 60
    for (const [i, loss] of full.history.val_loss.entries()) {
      since = loss < best ? 0 : since + 1
      best = Math.min(best, loss)
      if (since === 3) {
        expected = i + 1
        break
      }
    }
    expect(expected).toBeLessThan(60)
    expect(patient.history.epoch.length).toBe(expected)
    expect(patient.history.val_loss).toEqual(full.history.val_loss.slice(0, expected))
  })

  it("projects all rows: z = x W, on the sphere where it was trained there", async () => {
    const data = synthetic(300, 8, { fold: 1 })
    for (const given of [{ tasks, out: 4, epochs: 1 }, { tasks, out: 4, epochs: 1, normalize: true, hidden: [6] }]) {
      const fitted = await fit(triplet, data, given), { values, width } = await apply(triplet, fitted, data, given)
      expect([width, values.length]).toEqual([4, 1200])
      const w = (layer: string) => fitted.weights[layer]!
      for (const row of [0, 255, 256, 299]) {
        const x = [...data.x.subarray(row * 8, row * 8 + 8)]
        const linear = (x: ReadonlyArray<number>, layer: number, out: number) => Array.from({ length: out }, (_, k) => x.reduce((sum, v, i) => sum + v * w(`layer${layer}.weight`)[i * out + k]!, w(`layer${layer}.bias`)?.[k] ?? 0))
        const z = given.hidden === undefined ? linear(x, 1, 4) : linear(linear(x, 1, 6).map((v) => Math.max(0, v)), 2, 4)
        const norm = given.normalize === true ? Math.hypot(...z) : 1
        expect(difference(z.map((v) => v / norm), values.subarray(row * 4, row * 4 + 4))).toBeLessThan(1e-5)
      }
    }
  })

  it.each(["wasm", "onnx"])("on %s, refuses labels of which no triplet can be made; batches without one change nothing", async (backend) => {
    const data = synthetic(40, 8), rows = 40
    const fitted = (id: (row: number) => number) => fit(triplet, { ...data, annotations: { class: Int32Array.from({ length: rows }, (_, row) => id(row)) } }, { tasks: { class: 1 }, out: 4, epochs: 3, seed: 1, batch: 2 }, backend)
    expect(await failure(fitted(() => -1))).toBe("train/triplet: the annotation column class has no label (all are -1) in the training rows (35), so nothing can be learned from it")
    expect(await failure(fitted(() => 1))).toMatch(/^train\/triplet: no triplet can be made of the training rows by the annotation column class, as all that have a label are of one class/)
    expect(await failure(fitted((row) => row))).toMatch(/as no two are of one class/)
    const { history, weights } = await fitted((row) => row % 2)
    expect(history.train_loss.every((loss) => loss === 0)).toBe(true)
    expect(weights["layer1.weight"]).toEqual(Float64Array.from(initial([8, 4], stream(1, "initial", "layer1.weight"))))
  })

  it("selection: more that is taken at random is drawn by the seed; triplets differ from samples", async () => {
    const data = synthetic(64, 8), given = (fill: string, seed = 0) => ({ tasks, out: 4, epochs: 4, seed, select: { top: 0.3, more: 0.3, fill } })
    const losses = await Promise.all(["next-ranked", "random", "triplet"].map(async (fill) => [...(await fit(triplet, data, given(fill))).history.train_loss]))
    expect(new Set(losses.map((loss) => loss.join())).size).toBe(3)
    expect([...(await fit(triplet, data, given("random"))).history.train_loss]).toEqual(losses[1])
    const whole = [...(await fit(triplet, data, { tasks, out: 4, epochs: 4 })).history.train_loss]
    expect(difference((await fit(triplet, data, { ...given("triplet"), select: { top: 1, more: 0, fill: "triplet" } })).history.train_loss, whole)).toBeLessThan(1e-5)
    expect([...(await fit(triplet, data, { ...given("next-ranked"), select: { top: 1, more: 0 } })).history.train_loss]).toEqual(whole)
  })
})

describe("what a training reads follows from its parameters", () => {
  const open = triplet.needs["annotations"]!.open as (parameters: unknown) => ReadonlyArray<string>
  it("dtl: the class column; with selection the score; more tasks, their columns", () => {
    expect(open(parametersOf(triplet, { tasks: { class: 1 } }))).toEqual(["class"])
    expect(open(parametersOf(triplet, { tasks: { class: 1 }, select: { top: 0.3 } }))).toEqual(["class", "score"])
    expect(open(parametersOf(triplet, { tasks: { box: 1 }, select: { top: 0.3 } }))).toEqual(["box", "class", "score"])
  })
})

describe("bad input", () => {
  const data = synthetic(24, 4)
  const fitting = (given: Readonly<Record<string, unknown>>, changed: Partial<Data> = {}) => failure(fit(triplet, { ...data, ...changed }, { epochs: 1, ...given }))
  it("a column that is not there", async () => {
    expect(await fitting({ tasks: { klass: 1 } })).toBe("train/triplet: there is no annotation column klass; there are box, class, score")
  })
  it("a column of scores where class ids are needed", async () => {
    expect(await fitting({ tasks: { score: 1 } })).toBe("train/triplet: the annotation column score holds no class ids (int32); box, class do")
  })
  it("no training rows", async () => {
    expect(await fitting({ tasks }, { split: data.split!.map(() => "val") })).toContain("there are no training rows; the split marks none as train")
  })
  it("batch-hard with selected triplets", async () => {
    expect(await fitting({ tasks, triplets: "hard", select: { top: 0.3, fill: "triplet" } })).toContain("choose one of the two")
  })
  it("weights of another width", async () => {
    const fitted = await fit(triplet, data, { tasks, epochs: 1 })
    expect(await failure(apply(triplet, fitted, synthetic(24, 5), { tasks }))).toContain("the weights have 256 values for layer1.weight, where embeddings of width 5 need 320")
  })
  it("an unknown backend", async () => {
    expect(await failure(run(triplet.siblings!.fit([{ inputs: inputsOf(data), parameters: parametersOf(triplet, { tasks }) }]), "jax"))).toContain('there is no backend "jax"; there are wasm, onnx, tfjs')
  })
})
