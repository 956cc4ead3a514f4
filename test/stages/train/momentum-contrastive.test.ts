import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import moco from "../../../stages/train/momentum-contrastive.ts"
import { apply, type Data, fit, fitAll, inputsOf, parametersOf, run } from "./training.ts"

const failure = (work: Promise<unknown>) => work.then(() => "it went through", (cause: Error) => cause.message)
const draw = stream(0, "momentum contrast")

/** Places of two dates each, in two regions: what is of a place has a direction of its own, what is of a date is noise; places of a region are alike. */
const places = (count: number, width: number): Data => {
  const directions = Array.from({ length: count }, () => Array.from({ length: width }, () => draw.normal()))
  const x = Float32Array.from({ length: count * 2 * width }, (_, i) => {
    const sample = Math.floor(i / width), place = Math.floor(sample / 2), k = i % width
    return directions[place]![k]! + 0.8 * draw.normal() + (k === 0 ? (place % 2 === 0 ? 2 : -2) : 0)
  })
  return {
    width,
    x,
    annotations: { place: Int32Array.from({ length: 2 * count }, (_, sample) => Math.floor(sample / 2) % 2) },
    names: { place: ["east", "west"] },
    pairs: Array.from({ length: 2 * count }, (_, sample) => [sample, sample ^ 1, 1]),
    split: Array.from({ length: 2 * count }, (_, sample) => Math.floor(sample / 2) % 4 === 0 ? "val" : "train")
  }
}
const data = places(32, 12)
const small = { positives: "pairs", key: ["full"], out: 4, batch: 16, queue: 32, epochs: 30, rate: 0.05, temperature: 0.2, ema: 0.9, schedule: "constant" }

describe("momentum contrast on four samples, two a batch, by hand", () => {
  it("the loss of an epoch is that of the formula: the second batch meets the keys of the first in the queue", async () => {
    const x = Float32Array.from({ length: 4 * 3 }, () => draw.normal()), four: Data = { width: 3, x, annotations: {}, pairs: [[0, 1, 1], [1, 0, 1], [2, 3, 1], [3, 2, 1]] }
    const given = { positives: "pairs", key: ["full"], standardize: false, out: 2, batch: 2, queue: 4, epochs: 1, rate: 1e-20, decay: 0, temperature: 0.5, seed: 7 }
    const { history, weights } = await fit(moco, four, given)
    const W = weights["layer1.weight"]!
    const direction = (sample: number) => {
      const z = [0, 1].map((o) => [0, 1, 2].reduce((sum, i) => sum + x[sample * 3 + i]! * W[i * 2 + o]!, 0)), norm = Math.hypot(...z)
      return z.map((value) => value / norm)
    }
    const cosine = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
    const random = stream(7, "queue"), queue = Array.from({ length: 4 }, () => {
      const key = [random.normal(), random.normal()], norm = Math.hypot(...key)
      return key.map((value) => value / norm)
    })
    const order = stream(7, "batches", 1).shuffle(Int32Array.of(0, 1, 2, 3))
    let expected = 0
    for (const [step, batch] of [order.subarray(0, 2), order.subarray(2)].entries()) {
      for (const sample of batch) {
        const own = cosine(direction(sample), direction(sample ^ 1)) / 0.5, others = queue.map((key) => cosine(direction(sample), key) / 0.5)
        expected += (Math.log([own, ...others].reduce((sum, logit) => sum + Math.exp(logit), 0)) - own) / 4
      }
      for (const [i, sample] of batch.entries()) queue[step * 2 + i] = direction(sample ^ 1)
    }
    expect(history.train_loss[0]).toBeCloseTo(expected, 5)
  })
})

describe("momentum contrast", () => {
  it("learns to pull the two dates of a place together", async () => {
    const fitted = await fit(moco, data, small), { values, width } = await apply(moco, fitted, data, small)
    expect(fitted.history.val_loss.at(-1)!).toBeLessThan(fitted.history.val_loss[0]!)
    const cosine = (a: number, b: number) => {
      let dot = 0, aa = 0, bb = 0
      for (let k = 0; k < width; k++) {
        dot += values[a * width + k]! * values[b * width + k]!
        aa += values[a * width + k]! ** 2
        bb += values[b * width + k]! ** 2
      }
      return dot / Math.sqrt(aa * bb)
    }
    let own = 0, other = 0
    for (let sample = 0; sample < 64; sample += 2) {
      own += cosine(sample, sample + 1) / 32
      other += cosine(sample, (sample + 2) % 64) / 32
    }
    expect(own).toBeGreaterThan(other + 0.4)
  })

  it("the geo-location head has a class a cluster, and alone it needs no positives and learns the cluster", async () => {
    const { pairs: _, ...without } = data
    const { history, weights } = await fit(moco, without, { ...small, alpha: 0, beta: 1 })
    expect(weights["place.weight"]).toHaveLength(4 * 2)
    expect(weights["place.bias"]).toHaveLength(2)
    expect(history.train_loss[0]!).toBeGreaterThan(0.3)
    expect(history.train_loss.at(-1)!).toBeLessThan(0.1)
  })

  it("the pretext alone sees the views that `query` names", async () => {
    const views = (second: number): Data => ({ ...data, x: Float32Array.from({ length: data.x.length * 2 }, (_, i) => Math.floor(i / 12) % 2 === 0 ? data.x[Math.floor(i / 24) * 12 + i % 12]! : second * (i % 7)), views: ["one", "two"] })
    const weights = async (second: number, query: string) => (await fit(moco, views(second), { ...small, epochs: 2, alpha: 0, beta: 1, query: [query] })).weights["layer1.weight"]
    expect(await weights(1, "one")).toEqual(await weights(2, "one"))
    expect(await weights(1, "two")).not.toEqual(await weights(1, "one"))
  })

  it("no epoch before the queue is full of keys is taken for the best", async () => {
    // three batches of 16 an epoch, so that 480 keys are full after ten: until then validation chooses nothing
    const given = { ...small, queue: 480, epochs: 9, patience: 2 }, unvalidated: Data = { ...data, split: data.split!.map((role) => role === "val" ? "unused" : role) }
    const chosen = await fit(moco, data, given)
    expect(chosen.history.val_loss).toHaveLength(9)
    expect(chosen.weights).toEqual((await fit(moco, unvalidated, given)).weights)
  })

  it("fewer training rows than a batch: the queue holds as many whole batches of them as fit, and says so", async () => {
    const fraction = (count: number): Data => ({ ...data, split: data.split!.map((role, sample) => role === "train" && sample >= 4 * count ? "unused" : role) })
    const given = { ...small, batch: 32, queue: 64, epochs: 3 }, notices: Array<string> = []
    const members = [16, 8, 4, 1].map((count) => ({ inputs: inputsOf(fraction(count)), parameters: parametersOf(moco, given) }))
    await run(moco.siblings!.fit(members), "onnx", notices)
    expect(notices.filter((text) => text.includes("queue"))).toEqual(["where 24 rows train, the batch of 32 is cut to them, and the queue holds 48 keys in place of 64: whole batches", "where 12 rows train, the batch of 32 is cut to them, and the queue holds 60 keys in place of 64: whole batches"])
    // what a queue of that length asked for would have given
    expect((await fit(moco, fraction(8), given)).weights).toEqual((await fit(moco, fraction(8), { ...given, batch: 24, queue: 48 })).weights)
    expect((await fit(moco, fraction(8), { ...given, queue: 7 })).weights).toEqual((await fit(moco, fraction(8), { ...given, batch: 24, queue: 24 })).weights)
  })

  it("alpha and beta add the two losses", async () => {
    const once = { ...small, epochs: 1, rate: 1e-20, decay: 0 }
    const [both, contrast, pretext] = await Promise.all([{ alpha: 2, beta: 3 }, { alpha: 1, beta: 0 }, { alpha: 0, beta: 1 }].map(async (weights) => (await fit(moco, data, { ...once, ...weights })).history.train_loss[0]!))
    expect(both!).toBeCloseTo(2 * contrast! + 3 * pretext!, 4)
  })

  it("siblings have the same bits alone and with seven others, whose rows, seeds and numbers differ", async () => {
    const fold = (k: number): Data => ({ ...data, split: Array.from({ length: 64 }, (_, sample) => Math.floor(sample / 2) % 4 === k % 4 ? "val" : "train") })
    const members = Array.from({ length: 8 }, (_, k) => ({ data: fold(k), with: { ...small, epochs: 3, beta: 1, seed: k, temperature: 0.1 + 0.05 * k } }))
    const together = await fitAll(moco, members), alone = await Promise.all([0, 3, 7].map((k) => fitAll(moco, [members[k]!])))
    for (const [i, k] of [0, 3, 7].entries()) expect(alone[i]![0]!.weights).toEqual(together[k]!.weights)
  })

  it("weight decay pulls the weights in, and the paper's settings are the defaults", async () => {
    const weights = async (decay: number) => (await fit(moco, data, { ...small, epochs: 20, decay })).weights["layer1.weight"]!
    const norm = (values: Float64Array) => Math.hypot(...values)
    expect(norm(await weights(0.5))).toBeLessThan(0.5 * norm(await weights(0)))
    expect(parametersOf(moco, {})).toMatchObject({ out: 128, optimizer: "sgd", rate: 0.03, momentum: 0.9, decay: 1e-4, schedule: "cosine", batch: 256, temperature: 0.02, ema: 0.999, standardize: true, alpha: 1, beta: 0 })
  })
})

describe("what cannot be trained says why", () => {
  it("a queue that does not hold whole batches", async () => {
    expect(await failure(fit(moco, data, { ...small, queue: 40 }))).toMatch(/the queue of 40 keys does not hold whole batches of 16: .* give a multiple, such as 48/)
  })
  it("a positive that would be the sample itself", async () => {
    const { pairs: _, ...without } = data
    expect(await failure(fit(moco, without, small))).toMatch(/`positives: pairs` needs the port `pairs`; mine\/temporal-positives gives them/)
    expect(await failure(fit(moco, data, { ...small, positives: "views" }))).toMatch(/a sample in its view "full" would be its own positive, as no other view is a key.*bind `pairs` and say `positives: pairs`/)
  })
  it("a view among several that has no other view for a key", async () => {
    const twice: Data = { ...data, x: Float32Array.from({ length: data.x.length * 2 }, (_, i) => data.x[Math.floor(i / 24) * 12 + i % 12]!), views: ["full", "masked"] }
    expect(await failure(fit(moco, twice, { ...small, positives: "views", query: ["full", "masked"], key: ["full"] }))).toMatch(/a sample in its view "full" would be its own positive/)
  })
  it("a head without classes to tell apart", async () => {
    expect(await failure(fit(moco, { ...data, annotations: { place: new Int32Array(64) }, names: { place: ["one"] } }, { ...small, beta: 1 }))).toMatch(/the annotation column place has one class/)
  })
  it("a view that is not there", async () => {
    expect(await failure(fit(moco, data, { ...small, key: ["augmented"] }))).toMatch(/the embeddings have no view "augmented"; they have full/)
  })
  it("no loss", async () => expect(await failure(fit(moco, data, { ...small, alpha: 0 }))).toMatch(/alpha and beta are both 0/))
})
