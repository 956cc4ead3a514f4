import { describe, expect, it } from "vitest"
import { resampledT } from "../../math/corrected-t.ts"
import { cohensDz } from "../../math/effect.ts"
import { signFlip } from "../../math/permutation.ts"
import { signedRanks } from "../../math/wilcoxon.ts"
import { marksNote, spreadNote } from "../../report/caption.ts"
import { comparer, family, leastP, marks } from "../../report/compare.ts"
import type { Design } from "../../report/design.ts"
import { result } from "./result.ts"

/** Designs by the split of each node: nodes of equal `node % 100` are measured by one split. */
const designs = (design: Design, splitOf = (node: number): string | undefined => design.kind === "seeds" ? "one" : String(node % 100)) =>
  ({ of: splitOf, sameTest: (a: string | undefined, b: string | undefined) => a === b, design: () => design })
const seeds = comparer(designs({ kind: "seeds" }))
const close = (values: ReadonlyArray<number>, wanted: ReadonlyArray<number>) => wanted.forEach((value, i) => expect(values[i]).toBeCloseTo(value, 12))
const differences = [0.1, 0.3, 0.2, 0.25, 0.05, 0.15]
const low = [0.4, 0.5, 0.45, 0.6, 0.5, 0.55], high = low.map((value, i) => value + differences[i]!)

describe("two results", () => {
  it("that differ in seeds are compared by a sign-flip test, paired by replicate, with dz", () => {
    const got = seeds(result({ method: "a" }, "accuracy", high), result({ method: "b" }, "accuracy", low, 100))
    close([got.n, got.difference, got.p, got.effect], [6, 0.175, signFlip(differences), cohensDz(differences)])
    close([got.low, got.high], [resampledT(differences, 0).low, resampledT(differences, 0).high])
  })
  it("whose replicates share rows are compared by the corrected resampled t", () => {
    const { high: top, low: bottom, p } = resampledT(differences, 0.6)
    const got = comparer(designs({ kind: "one test", shared: 0.6, correlation: 0.6 }))(result({}, "accuracy", high), result({}, "accuracy", low, 100))
    close([got.p, got.low, got.high], [p, bottom, top])
    expect(got.p).toBeGreaterThan(signFlip(differences))
  })
  it("pair what both have, by name and not by place, and leave out what is not a number", () => {
    const a = result({}, "accuracy", [0.5, 0.7, Number.NaN]), b = result({}, "accuracy", [0.4, 0.5, 0.6, 0.9], 100)
    const turned = { ...b, each: b.each.toReversed() }
    close([seeds(a, turned).n, seeds(a, turned).difference], [2, 0.15])
  })
  it("count once what several replicates share: seeds that change nothing are no replicates", () => {
    const fixed = (value: number, node: number) => ({ ...result({}, "accuracy", [value, value, value]), each: [0, 1, 2].map((seed) => ({ name: `seed=${seed}`, value, node })) })
    const got = seeds(fixed(0.9, 1), fixed(0.5, 2))
    expect(got).toMatchObject({ n: 1, p: Number.NaN })
    expect(seeds(fixed(0.9, 1), result({}, "accuracy", [0.5, 0.6, 0.7], 100)).n).toBe(3)
  })
  it("average the seeds of a split before splits are compared: the seeds of one share all its rows", () => {
    const design: Design = { kind: "redrawn", test: 20, train: 60, correlation: 0.25 }
    // two seeds of each of three splits
    const compare = comparer(designs(design, (node) => String(Math.floor((node % 100) / 2))))
    const got = compare(result({}, "accuracy", high), result({}, "accuracy", low, 100)), bySplit = [0.2, 0.225, 0.1]
    close([got.n, got.difference, got.p], [3, 0.175, resampledT(bySplit, 0.25).p])
  })
  it("over different samples are not tested", () => {
    const compare = comparer(designs({ kind: "unknown" }, (node) => String(node)))
    expect(compare(result({}, "accuracy", high), result({}, "accuracy", low, 100))).toMatchObject({ p: Number.NaN, design: { kind: "other samples" } })
  })
  it("over blocks are compared by signed ranks, with the rank-biserial correlation", () => {
    const over = (values: ReadonlyArray<number>) => ({ ...result({}, "accuracy", values), blocks: ["encoder"] })
    const got = seeds(over(high), over(low))
    close([got.p, got.effect], [signedRanks(differences).p, 1])
    expect(seeds(over(low), over(low)).p).toBe(1)
  })
})

describe("what is best", () => {
  const best = result({ method: "a" }, "accuracy", [0.9, 0.92, 0.91, 0.93, 0.9, 0.94, 0.92, 0.95]), next = result({ method: "b" }, "accuracy", best.each.map(({ value }) => value - 0.1), 100)
  const near = result({ method: "c" }, "accuracy", best.each.map(({ value }, i) => value + (i % 2 === 0 ? 0.02 : -0.021)), 200)

  it("is marked where it is better than every other after correction", () => {
    const marked = marks([[next, best]], seeds)
    expect([...marked.marks]).toEqual([[best, "best"]])
    expect(marksNote(marked)).toEqual(["* better than all others (p < 0.05)", "sign-flip test: replicates are seeds of one split"])
  })
  it("is shared where it is not told apart, whichever mean is higher", () => {
    const marked = marks([[next, near, best]], seeds)
    expect(marked.marks.get(best)).toBe("shared")
    expect(marked.marks.get(near)).toBe("shared")
    expect(marked.marks.has(next)).toBe(false)
    expect(marksNote(marked)[0]).toBe("= not told apart from the best (p < 0.05 after Holm's correction for 2 comparisons)")
  })
  it("is the least where less is better", () => {
    const loss = (of: typeof best) => ({ ...of, metric: "log_loss" })
    const [a, b] = [loss(best), loss(next)]
    expect([...marks([[a, b]], seeds).marks]).toEqual([[b, "best"]])
  })
  it("is the least of one's own errors and losses, and the note says so", () => {
    for (const metric of ["rmse", "loss", "triplet_loss", "error_rate", "Brier", "distance_km"]) {
      const [a, b] = [best, next].map((of) => ({ ...of, metric }))
      const marked = marks([[a!, b!]], seeds)
      expect([...marked.marks]).toEqual([[b, "best"]])
      expect(marksNote(marked)[0]).toBe(`* better than all others (p < 0.05); less is better: class.${metric}`)
    }
  })
  it("is nobody's where the best mean is behind in the replicates that both have: it lacks the hard ones", () => {
    const all = result({ method: "all" }, "accuracy", [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.3, 0.31]), lacks = result({ method: "lacks" }, "accuracy", [0.8, 0.82, 0.81, 0.83, 0.85, 0.84], 100)
    expect(lacks.mean).toBeGreaterThan(all.mean)
    expect(seeds(lacks, all).p).toBeLessThan(0.05)
    expect(marks([[all, lacks]], seeds).marks.size).toBe(0)
    expect(spreadNote([all, lacks], {}).at(-1)).toBe("not every row has every seed: each mean is over those that its row has; --against pairs those that both have")
    expect(spreadNote([all, { ...all, axes: { method: "twin" } }], {})).toHaveLength(1)
  })
  it("says of a deviation of 0 that no replicate moves the figure: it is no mistake", () => {
    const still = result({ method: "base" }, "accuracy", [0.5, 0.5, 0.5]), moves = result({ method: "a" }, "accuracy", [0.5, 0.6, 0.4], 100)
    expect(spreadNote([still, moves], {}).slice(1)).toEqual(["± 0: class.accuracy method=base is the same for every seed"])
    expect(spreadNote([still, { ...still, axes: { method: "twin" } }, moves], {}).slice(1)).toEqual(["± 0: 2 of 3 figures are the same for every seed"])
    expect(spreadNote([result({}, "accuracy", [0.5])], {})).toEqual([])
  })
  it("is not told of folds that differ by the same amount, whose t-test has no spread to judge by", () => {
    const flat = comparer(designs({ kind: "one test", shared: 0.5, correlation: 0.5 }))
    const [a, b] = [result({}, "accuracy", [0.75, 0.5]), result({}, "accuracy", [0.5, 0.25], 100)]
    expect(flat(a, b)).toMatchObject({ difference: 0.25, p: Number.NaN, effect: Number.NaN })
    expect(marksNote(marks([[a, b]], flat))).toEqual(["nothing can be concluded on which is best: not tested where differences are all equal: they have no spread to judge by"])
  })
  it("takes figures that are equal but for rounding for equal", () => {
    const values = Array.from({ length: 8 }, (_, i) => 0.1 * i), a = result({}, "accuracy", values), b = result({}, "accuracy", values.map((value) => value * (1 - 1e-16)), 100)
    expect(seeds(a, b)).toMatchObject({ difference: 0, p: 1 })
  })
  it("has its corrected t-tests told together, with their numbers from the least to the greatest", () => {
    const of = (design: Design) => comparer(designs(design, (node) => String(node % 100)))
    const a = result({}, "accuracy", [0.5, 0.6, 0.4]), b = result({}, "accuracy", [0.4, 0.55, 0.35], 100)
    const made = family([
      ...[19, 186].map((train) => of({ kind: "redrawn", test: 87, train, correlation: 87 / (87 + train) })(a, b)),
      of({ kind: "one test", shared: 0.81, correlation: 0.81 })(a, b)
    ])
    expect(marksNote({ family: made, marks: new Map([[a, "shared"]]) })[1]).toBe(
      "corrected resampled t-test: 3 splits share rows (19 to 186 train, 87 tested on), or 3 training sets share 81% of their rows and have one test set; n = 3: it leans on normal differences"
    )
  })
  it("is corrected over all columns of the table: what one column shows, ten may not", () => {
    const pair = (i: number) => [{ ...best, metric: `m${i}` }, { ...next, metric: `m${i}` }]
    expect(marks([pair(0)], seeds).marks.size).toBe(1)
    const many = marks(Array.from({ length: 10 }, (_, i) => pair(i)), seeds)
    expect(many.marks.size).toBe(0)
    expect(marksNote(many)).toEqual(["nothing can be concluded on which is best: no sign-flip test of 8 replicates comes below p = 0.00781, or 0.0781 after Holm's correction for 10 comparisons"])
  })
  it("is not told of few replicates, which cannot tell: four come to 0.125 at best", () => {
    const few = (of: typeof best) => ({ ...of, each: of.each.slice(0, 4) })
    const marked = marks([[few(best), few(next)]], seeds)
    expect(marked.marks.size).toBe(0)
    expect(leastP(marked.family)).toBe(0.125)
    expect(marksNote(marked)).toEqual(["nothing can be concluded on which is best: no sign-flip test of 4 replicates comes below p = 0.125"])
  })
  it("is not told of one replicate, of one row, nor where test samples differ", () => {
    const one = (of: typeof best) => ({ ...of, each: of.each.slice(0, 1) })
    expect(marksNote(marks([[one(best), one(next)]], seeds))).toEqual(["nothing can be concluded on which is best: one replicate each; outcrop table --interval shows what the test samples say"])
    expect(marks([[best]], seeds).marks.size).toBe(0)
    const other = marks([[best, next]], comparer(designs({ kind: "unknown" }, (node) => String(node))))
    expect(other.marks.size).toBe(0)
  })
})

describe("a family of comparisons", () => {
  it("has no least p where a t-test is among them, and none where nothing was tested", () => {
    const t = comparer(designs({ kind: "one test", shared: 0.5, correlation: 0.5 })), a = result({}, "accuracy", high), b = result({}, "accuracy", low, 100)
    expect(leastP(family([t(a, b)]))).toBe(0)
    expect(leastP(family([]))).toBeNaN()
  })
})
