import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { Stage, stream } from "outcrop"
import { Train, Triplets } from "outcrop/train"
import type { Rows } from "../../tensor/variant.ts"
import { apply, type Data, fit, fitAll, parametersOf, run, inputsOf, synthetic } from "../stages/train/training.ts"

// One thread, as the engine runs it; read when the binding is loaded.
process.env["TF_NUM_INTRAOP_THREADS"] = "1"
process.env["TF_CPP_MIN_LOG_LEVEL"] = "3"
const absent = await import("@tensorflow/tfjs-node-gpu").then(() => false, () => true)
const failure = (work: Promise<unknown>) => work.then(() => "it went through", (cause: Error) => cause.message)
const difference = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)

/** Regression onto a target vector: least squares of the first k outputs, a loss whose optimum is known. */
const regression = Train.make({
  name: "train/regression",
  version: 1,
  summary: "least squares onto the column `target`",
  with: { weight: Stage.withDefault(Schema.Finite, 1), outputs: Stage.withDefault(Schema.Int, 2), kind: Stage.withDefault(Schema.Literals(["squared", "absolute"]), "squared") },
  fixed: ["outputs"],
  annotations: () => ["target"],
  loss: (tf, { annotations, z }, { kind, outputs, weight }) => {
    const error = tf.sub(tf.slice(z, [0, 0], [z.shape[0], outputs]), annotations["target"]!)
    return tf.mul(weight, tf.mean(kind === "squared" ? tf.square(error) : tf.abs(error)))
  }
})
const draw = stream(0, "regression"), truth = Array.from({ length: 12 }, () => draw.normal())
const x = Float32Array.from({ length: 64 * 6 }, () => draw.normal())
const target = Float32Array.from({ length: 128 }, (_, i) => truth.reduce((sum, w, k) => k % 2 === i % 2 ? sum + w * x[Math.floor(i / 2) * 6 + Math.floor(k / 2)]! : sum, 0.5))
const data: Data = { width: 6, x, annotations: { target: { width: 2, values: target } } }

describe("a loss in a few lines", () => {
  it("learns what it asks for, the bias too", async () => {
    const { history, weights } = await fit(regression, data, { out: 2, rate: 0.05, epochs: 200, batch: 16 })
    expect(history.train_loss.at(-1)).toBeLessThan(1e-6)
    expect(difference(weights["layer1.weight"]!, truth)).toBeLessThan(1e-2)
    expect(difference(weights["layer1.bias"]!, [0.5, 0.5])).toBeLessThan(1e-2)
  })

  it("its numbers are scalars of the graph: siblings differ in them; those that are fixed, and texts, are not", async () => {
    const alike = (given: Readonly<Record<string, unknown>>) => JSON.stringify(regression.siblings!.alike(parametersOf(regression, given)))
    expect(alike({ weight: 3 })).toBe(alike({}))
    expect(alike({ outputs: 1 })).not.toBe(alike({}))
    expect(alike({ kind: "absolute" })).not.toBe(alike({}))
    const [one, three] = await fitAll(regression, [1, 3].map((weight) => ({ data, with: { out: 2, weight, optimizer: "sgd", momentum: 0, rate: 1e-3, epochs: 1, batch: 64 } })))
    expect(three!.history.train_loss[0]).toBeCloseTo(3 * one!.history.train_loss[0]!, 5)
  })

  it("one that is not masked sees whole batches; a short last one is dropped, unless it is the only one", async () => {
    const seen: Array<number> = []
    const counting = Train.make({
      name: "train/counting", version: 1, summary: "", with: {}, annotations: () => ["target"],
      loss: (tf, { present, z }) => {
        seen.push(z.shape[0])
        return tf.add(tf.sum(tf.square(z)), tf.sum(present))
      }
    })
    const { history } = await fit(counting, data, { out: 2, batch: 24, epochs: 2 })
    expect([...history.step]).toEqual([2, 4])
    expect(seen).toEqual([24])
    await fit(counting, data, { out: 2, batch: 100, epochs: 1 })
    expect(seen).toEqual([24, 64])
  })

  it("a masked one is told which rows are samples", async () => {
    const masked = Train.make({
      name: "train/masked", version: 1, summary: "", with: {}, annotations: () => ["class"], masked: true,
      loss: (tf, { annotations, present, z }) => tf.add(tf.sum(tf.mul(tf.sum(tf.square(z), 1), present)), tf.add(tf.mul(tf.sum(present), 1000), tf.sum(tf.cast(tf.equal(annotations["class"]!, -1), "float32"))))
    })
    const { history } = await fit(masked, { ...data, annotations: { class: new Int32Array(64) } }, { out: 2, batch: 40, epochs: 1, rate: 1e-9 })
    // Batches of 40 and 24 samples, 16 rows of padding without a class.
    expect(Math.round((history.train_loss[0]! * 2 - 16) / 1000)).toBe(64)
  })

  it("a new graph is made once for each shape, not for each call", async () => {
    let traces = 0
    const counted = Train.make({
      name: "train/counted", version: 1, summary: "", with: { weight: Schema.Finite },
      loss: (tf, { z }, { weight }) => {
        traces++
        return tf.mul(weight, tf.sum(tf.square(z)))
      }
    })
    for (const weight of [1, 2, 3]) await fit(counted, data, { weight, out: 2, epochs: 1 })
    expect(traces).toBe(1)
    await fit(counted, data, { weight: 1, out: 3, epochs: 1 })
    expect(traces).toBe(2)
  })

  it("without annotations no annotation port is read", () => {
    const unsupervised = Train.make({ name: "train/unsupervised", version: 1, summary: "", with: {}, loss: (tf, { z }) => tf.sum(tf.square(z)) })
    const reads = unsupervised.needs["annotations"]!.when as (parameters: unknown) => boolean
    expect(reads(parametersOf(unsupervised, {}))).toBe(false)
    expect((regression.needs["annotations"]!.when as (parameters: unknown) => boolean)(parametersOf(regression, {}))).toBe(true)
  })
})

describe("a triplet loss of one's own, which linear projections train in WebAssembly", () => {
  // Class ids as a user may have them, far apart; `select` looks at their values, and writes a column of its own.
  const ids = Int32Array.from({ length: 40 }, (_, i) => [5, 90, 700_000_000][i % 3]!), target = Float32Array.from({ length: 80 }, (_, i) => i)
  const own = (select: (rows: Rows) => void) => Train.make({
    name: "train/chosen", version: 1, summary: "", with: {}, annotations: () => ["class", "target"], masked: true, translationInvariant: true,
    working: () => ({ weight: 0.5 }),
    triplets: () => ({ tasks: { class: 1 }, triplets: "all", margin: 0.1 }),
    select,
    loss: (tf, { annotations, z }) => tf.sum(Triplets.batchAll(tf, Triplets.distances(tf, z), tf.reshape(annotations["class"]!, [1, z.shape[0]]), tf.scalar(0.1)))
  })
  const given = { ...synthetic(40, 6), annotations: { class: ids, target: { width: 2, values: target } } }

  it("selects by the same columns and values on every engine", async () => {
    const seen: Array<ReadonlyArray<number>> = []
    const stage = own((rows) => {
      seen.push([rows["weight"]![0]!, rows["target"]!.length])
      rows["class"]!.forEach((id, i) => {
        if (id === 90) rows["class"]![i] = -1
      })
    })
    const [wasm, onnx] = [await fit(stage, given, { out: 3, epochs: 3, batch: 16 }), await fit(stage, given, { out: 3, epochs: 3, batch: 16 }, "onnx")]
    expect(wasm.history.train_loss[0]).toBeGreaterThan(0)
    expect(difference(wasm.history.train_loss, onnx.history.train_loss)).toBeLessThan(1e-5)
    expect(difference(wasm.weights["layer1.weight"]!, onnx.weights["layer1.weight"]!)).toBeLessThan(1e-5)
    expect(new Set(seen.map(([weight]) => weight))).toEqual(new Set([0.5]))
    expect(seen[0]![1]).toBe(32)
  })

  it("may not make up a class", async () => {
    const stage = own((rows) => void (rows["class"]![0] = 6))
    expect(await failure(fit(stage, given, { out: 3, epochs: 1 }))).toBe("train/chosen: selection gave a row the class 6 of class, which no training or validation row has; it may only take labels away (-1)")
  })

  it("takes a batch for all rows, however large it is asked for", async () => {
    const stage = own(() => {}), all = await fit(stage, given, { out: 3, epochs: 3, batch: 35 }), larger = await fit(stage, given, { out: 3, epochs: 3, batch: 1_000_000 })
    expect(larger.weights).toEqual(all.weights)
  })

  it("has to leave out rows that are not there, as triplets do", () => {
    expect(() => Train.make({ name: "train/unmasked", version: 1, summary: "", with: {}, loss: (tf, { z }) => tf.sum(z), triplets: () => undefined })).toThrow("say `masked: true`")
  })
})

describe("a loss that does not work", () => {
  const broken = (loss: Parameters<typeof Train.make>[0]["loss"]) => Train.make({ name: "train/broken", version: 1, summary: "", with: {}, loss })
  const fitting = (stage: Stage.Stage) => failure(run(stage.siblings!.fit([{ inputs: inputsOf(synthetic(16, 4)), parameters: parametersOf(stage, { epochs: 1 }) }])))
  it("an operation that cannot be traced: it runs on TensorFlow, and says so; where that is absent, what to do", async () => {
    const said: Array<string> = []
    const stage = broken((tf, { z }) => tf.sum(tf.atan2(z, z))), fitted = run(stage.siblings!.fit([{ inputs: inputsOf(synthetic(16, 4)), parameters: parametersOf(stage, { epochs: 1 }) }]), "onnx", said)
    const reason = "train/broken: the loss uses the tfjs operation Atan2, which cannot be traced to ONNX; "
    if (absent) expect(await failure(fitted)).toBe(`${reason}run it with TensorFlow, which \`npm run tfjs\` (installed: \`node node_modules/outcrop/tfjs.mjs\`) makes ready, or write the loss without it`)
    else {
      await fitted
      expect(said).toEqual([`${reason}it ran on TensorFlow instead, which is slower and rounds in its own way`])
    }
  })
  it("one that does not depend on the projection", async () => {
    expect(await fitting(broken((tf) => tf.scalar(1)))).toMatch(/^the loss of train\/broken has no gradient: Cannot compute gradient of y=f\(x\) with respect to x/)
  })
  it("one that throws, or misspells an operation", async () => {
    expect(await fitting(broken(() => {
      throw new Error("no such margin")
    }))).toBe("the loss of train/broken threw: no such margin")
    expect(await fitting(broken((tf, { z }) => tf.sum((tf as typeof tf & { readonly sofmax: typeof tf.softmax }).sofmax(z))))).toBe("the loss of train/broken threw: tf.sofmax is not a function")
    expect(await fitting(broken((tf, { z }) => tf.sum(tf.add(z, tf.ones([5])))))).toBe("the loss of train/broken threw: shapes [14, 64] and [5] do not broadcast")
  })
  it("one that reads what it did not ask for", async () => {
    expect(await fitting(broken((tf, { annotations, z }) => tf.sum(tf.add(z, annotations["class"]!))))).toBe('the loss of train/broken reads "class" of `annotations`, but its `annotations` asks for nothing: ask for it there, or read what is there')
    expect(await fitting(broken((tf, { layers, z }) => tf.sum(tf.add(z, layers["class.bias"]!))))).toMatch('reads "class.bias" of `layers`, but its `layers` asks for layer1.weight, layer1.bias')
  })
  it("one that is not a single number", async () => {
    expect(await fitting(broken((tf, { z }) => tf.sum(z, 1)))).toBe("the loss of train/broken has shape [14], it has to be one number: take tf.mean of it")
    expect(await fitting(broken((() => 1) as never))).toBe("the loss of train/broken gives a number, it has to give a tensor of one number")
    expect(await fitting(broken((() => {}) as never))).toMatch("the loss of train/broken gives nothing")
  })
  it("one that is not finite at the first step, or has no finite gradient there: no rate would help", async () => {
    const applied = async (loss: Parameters<typeof broken>[0]) => {
      const stage = broken(loss), given = { epochs: 5 }, learned = await fit(stage, synthetic(16, 4), given)
      return failure(apply(stage, learned, synthetic(16, 4), given))
    }
    expect(await applied((tf, { z }) => tf.mean(tf.log(tf.mul(z, 0))))).toBe("train/broken: the loss is not finite at the first step, before anything was learned: look for a logarithm or a quotient of 0 in it, or an annotation that is not finite")
    expect(await applied((tf, { z }) => tf.mean(tf.sqrt(tf.square(tf.sub(z, z)))))).toMatch("train/broken: the first step left layer1.weight not finite, although the loss was finite")
  })
  it("one that diverges later: the epoch is told, and no further one is trained; weights that were kept before are given", async () => {
    const stage = broken((tf, { z }) => tf.mean(tf.square(tf.square(z)))), given = { out: 2, optimizer: "sgd", rate: 10, epochs: 50, batch: 16 }, { split: _, ...unsplit } = synthetic(16, 4)
    const lost = await fit(stage, unsplit, given), epochs = lost.history.epoch.length
    expect(epochs).toBeGreaterThan(1)
    expect(epochs).toBeLessThan(50)
    expect(lost.history.train_loss.slice(0, -1).some(Number.isFinite)).toBe(true)
    expect(await failure(apply(stage, lost, unsplit, given))).toBe(`train/broken: the training diverged in epoch ${epochs} (layer1.weight is not finite); lower the rate, now 10`)
    const kept = await fit(stage, synthetic(16, 4), given)
    expect(kept.weights["layer1.weight"]!.every(Number.isFinite)).toBe(true)
  })
  it("a parameter that every training has", () => {
    expect(() => Train.make({ name: "train/clash", version: 1, summary: "", with: { rate: Schema.Finite }, loss: (tf, { z }) => tf.sum(z) })).toThrow("train/clash: every training has a parameter rate; give the loss's own another name")
  })
})

describe("a validation that nothing takes part in", () => {
  it("chooses nothing: the last weights are given, and the user is told", async () => {
    const given = synthetic(64, 6), ids = Int32Array.from({ length: 64 }, (_, i) => given.split![i] === "val" ? -1 : i % 3)
    const triplet = (await import("../../stages/train/triplet.ts")).default
    for (const backend of ["wasm", "onnx"]) {
      const notices: Array<string> = [], parameters = { tasks: { class: 1 }, out: 3, epochs: 4, rate: 0.01 }
      const learned = await run(triplet.siblings!.fit([{ inputs: inputsOf({ ...given, annotations: { class: ids } }), parameters: parametersOf(triplet, parameters) }]), backend, notices)
      expect(notices.join()).toMatch(/the validation loss is 0 from the first epoch on/)
      const one = await fit(triplet, { ...given, annotations: { class: ids } }, { ...parameters, epochs: 1 }, backend)
      const weights = learned[0]!["weights"] as unknown as { values: ReadonlyArray<Float64Array> }
      expect([...weights.values[0]!]).not.toEqual([...one.weights["layer1.weight"]!])
    }
  })
})
