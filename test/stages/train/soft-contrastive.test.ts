import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import soft from "../../../stages/train/soft-contrastive.ts"
import { apply, type Data, fit, fitAll } from "./training.ts"

const failure = (work: Promise<unknown>) => work.then(() => "it went through", (cause: Error) => cause.message)

/** Scenes of one to three of five covers, in two views: the covers' directions, what the scene alone has, and noise. */
const scenes = (count: number, width: number): Data => {
  const draw = stream(0, "soft"), covers = Array.from({ length: 5 }, () => Array.from({ length: width }, () => draw.normal()))
  const labels = new Float32Array(count * 5), x = new Float32Array(count * 2 * width)
  for (let sample = 0; sample < count; sample++) {
    for (let i = 0; i <= sample % 3; i++) labels[sample * 5 + draw.integer(5)] = 1
    const alone = Array.from({ length: width }, () => 1.5 * draw.normal())
    for (let view = 0; view < 2; view++) {
      for (let k = 0; k < width; k++) x[(sample * 2 + view) * width + k] = covers.reduce((sum, cover, c) => sum + labels[sample * 5 + c]! * cover[k]!, 0) + alone[k]! + (view === 0 ? 0.3 : 0.6) * draw.normal()
    }
  }
  return { width, x, views: ["full", "masked"], annotations: { labels: { width: 5, values: labels } }, split: Array.from({ length: count }, (_, i) => i % 4 === 0 ? "val" : "train") }
}
const data = scenes(96, 16), small = { out: 8, epochs: 40, rate: 0.01, batch: 24 }
const labels = (data.annotations["labels"] as { readonly values: Float32Array }).values

/** Correlation, over pairs of samples, of the cosine of the full views' projections with the cosine of their labels. */
const agreement = ({ values, width }: { readonly width: number; readonly values: Float32Array }): number => {
  const cosine = (v: Float32Array, a: number, b: number, w: number) => {
    let dot = 0, aa = 0, bb = 0
    for (let k = 0; k < w; k++) {
      dot += v[a * w + k]! * v[b * w + k]!
      aa += v[a * w + k]! ** 2
      bb += v[b * w + k]! ** 2
    }
    return dot / Math.sqrt(aa * bb)
  }
  const pairs = Array.from({ length: 96 * 95 / 2 }, () => [0, 0] as [number, number])
  let at = 0
  for (let a = 0; a < 96; a++) for (let b = 0; b < a; b++) pairs[at++] = [cosine(values, 2 * a, 2 * b, width), cosine(labels, a, b, 5)]
  const mean = (i: 0 | 1) => pairs.reduce((sum, pair) => sum + pair[i], 0) / pairs.length, [x, y] = [mean(0), mean(1)]
  const moment = (i: 0 | 1, j: 0 | 1) => pairs.reduce((sum, pair) => sum + (pair[i] - (i === 0 ? x : y)) * (pair[j] - (j === 0 ? x : y)), 0)
  return moment(0, 1) / Math.sqrt(moment(0, 0) * moment(1, 1))
}

describe("soft contrast", () => {
  it("both soft terms bring cosines nearer to those of the labels than InfoNCE alone does", async () => {
    const of = async (given: Readonly<Record<string, unknown>>) => agreement(await apply(soft, await fit(soft, data, { ...small, ...given }), data, { ...small, ...given }))
    const [none, ce, bce] = [await of({ soft: "none" }), await of({ soft: "ce" }), await of({ soft: "bce" })]
    expect(ce).toBeGreaterThan(none + 0.05)
    expect(bce).toBeGreaterThan(none + 0.05)
  })
  it("projects every view of every sample", async () => {
    expect((await apply(soft, await fit(soft, data, { ...small, epochs: 1 }), data, small)).values).toHaveLength(96 * 2 * 8)
  })
  it("samples without labels take part in InfoNCE only: with all labels gone, training is that of `soft: none`", async () => {
    const blank: Data = { ...data, annotations: { labels: { width: 5, values: new Float32Array(96 * 5) } } }
    const losses = async (of: Data, given: Readonly<Record<string, unknown>>) => [...(await fit(soft, of, { ...small, epochs: 5, ...given })).history.train_loss]
    const none = await losses(data, { soft: "none" })
    for (const [i, loss] of (await losses(blank, { soft: "ce" })).entries()) expect(loss).toBeCloseTo(none[i]!, 4)
  })
  it("the key's copy of the head follows slowly: with ema 1 it stays as it began, and training goes another way", async () => {
    const [still, follows] = await fitAll(soft, [1, 0.5].map((ema) => ({ data, with: { ...small, epochs: 5, ema } })))
    expect(still!.history.train_loss[0]).not.toBe(follows!.history.train_loss[0])
    // a copy that stays has the same keys for any seed of drawing: at ema 1 and 0 the first step alone is equal
    const [a, b] = await fitAll(soft, [1, 0].map((ema) => ({ data, with: { ...small, epochs: 1, batch: 72, ema } })))
    expect(a!.history.train_loss[0]).toBe(b!.history.train_loss[0])
  })
  it("an MLP head trains too", async () => {
    const { history, weights } = await fit(soft, data, { ...small, hidden: [12] })
    expect(Object.keys(weights)).toEqual(["layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias"])
    expect(history.val_loss.at(-1)!).toBeLessThan(history.val_loss[0]!)
  })
  it("positives may be other samples (temporal positives) instead of other views", async () => {
    const pairs = Array.from({ length: 96 }, (_, i) => [i, i ^ 1, 1] as const)
    const loss = async (labelsOf: Data) => (await fit(soft, { ...labelsOf, pairs }, { ...small, positives: "pairs", epochs: 1, rate: 1e-20, identity: 0, query: ["full"], batch: 72 })).history.train_loss[0]!
    // whoever pairs with a sample meets its labels: those of the positives count, not the anchors' own again
    const blind = labels.slice()
    for (let i = 0; i < 96; i++) if (i % 2 === 0) blind.set(labels.subarray((i + 1) * 5, (i + 2) * 5), i * 5)
    expect(Math.abs(await loss(data) - await loss({ ...data, annotations: { labels: { width: 5, values: blind } } }))).toBeGreaterThan(1e-4)
  })
  it("class ids are no targets", async () => {
    expect(await failure(fit(soft, { ...data, annotations: { labels: new Int32Array(96) } }, small))).toMatch(/the annotation column labels holds no target vectors; mine\/soft-labels makes them/)
  })
})
