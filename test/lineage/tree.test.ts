import { stripVTControlCharacters } from "node:util"
import { describe, expect, it } from "vitest"
import type { Document } from "../../cache/canonical.ts"
import type { Result, Told } from "../../lineage/node.ts"
import { flow, type StepText, treeText } from "../../lineage/tree.ts"

const result = (rest: Partial<Result> = {}): Result => ({
  with: {},
  version: 1,
  code: { closure: "c".repeat(64) },
  backend: null,
  took: [],
  gave: { embeddings: { table: "embeddings", rows: 1234, blob: "b".repeat(64), bytes: 10, columns: {}, lost: false } },
  handed: null,
  files: {},
  notices: [],
  started: "2026-07-03T10:11:12.345Z",
  seconds: 2,
  host: "mill",
  runtime: "v22",
  earlier: [],
  runs: ["20260703-101100-abcd"],
  ...rest
})
const told = (node: number, of: Result | null, key: string | null = "e".repeat(64)): Told => ({ node, stage: "train", address: `train fold=${node}`, uses: "train/triplet", key, result: of })
const step = (nodes: ReadonlyArray<Told>, defaults: Readonly<Record<string, Document>> = {}): StepText => ({ cells: "", told: nodes, defaults })
/** The lines of one step that stands by itself. */
const lines = (text: StepText, full = false, nodes = text.told.length) =>
  stripVTControlCharacters(treeText(
    { steps: [{ stage: "train", uses: "train/triplet", nodes: Array.from({ length: nodes }, (_, i) => i), up: [] }], ends: [0] },
    { steps: [text], full, remedy: '"outcrop run"', seconds: (seconds) => `${seconds} s`, loss: (digest) => digest.startsWith("e") ? "was removed by gc on 2026-08-01" : "is lost from the cache" }
  )).split("\n").map((line) => line.trim())

describe("a step of the tree", () => {
  it("tells parameters that are not at their defaults; with full, all", () => {
    const text = step([told(0, result({ with: { rate: 0.1, margin: 0.2, tasks: { class: 1 } } }))], { rate: 0.1, margin: 0.1 })
    expect(lines(text)).toContain("with   margin: 0.2, tasks: { class: 1 }")
    expect(lines(text, true)).toContain("with   rate: 0.1, margin: 0.2, tasks: { class: 1 }")
  })

  it("of several nodes tells what differs between them, and a default that only some have", () => {
    const rates = (...values: ReadonlyArray<number>) => step(values.map((rate, i) => told(i, result({ with: { rate } }))), { rate: 1 })
    expect(lines(rates(1, 2, 1))).toContain("with   rate: 1 | 2")
    expect(lines(rates(1, 1)).join("\n")).not.toContain("with")
    expect(lines(rates(1, 2, 3, 4, 5, 6, 7))).toContain("with   rate: 1 | 2 | 3 | 4 | 5 | ... 7 in all")
    expect(lines(step([told(0, result({ with: { top: 0.3 } })), told(1, result())]))).toContain("with   top: 0.3 | absent")
  })

  it("tells whom the fit was handed", () => {
    const handed = (by: "split" | "all", roles: Readonly<Record<string, number>>) => lines(step([told(0, result({ handed: { by, roles, samples: "" } }))]))
    expect(handed("split", { val: 3, train: 12 })).toContain("fitted on 12 train, 3 val samples")
    expect(handed("all", { test: 2, train: 12 })).toContain("fitted on all 12 train, 2 test samples")
    expect(handed("all", { "": 14 })).toContain("fitted on all 14 samples")
  })

  it("tells when, how long, and by which run, once where all was made by one", () => {
    const one = lines(step([told(0, result()), told(1, result({ started: "2026-07-03T10:12:00Z", seconds: 3 }))]))
    expect(one).toContain("made   2026-07-03 10:11:12 to 10:12:00 UTC, 5 s in all")
    expect(one.at(-1)).toBe("all made by run 20260703-101100-abcd on mill")
    expect(lines(step([told(0, result()), told(1, result({ runs: [], host: "barn" }))]))).toContain("made   2026-07-03 10:11:12 UTC, 4 s in all, by run 20260703-101100-abcd on mill, barn")
  })

  it("says where an input was made again since: what came out the same makes nothing anew", () => {
    const embeddings = (digest: string) => ({ table: "embeddings", rows: 1, blob: "b".repeat(64), bytes: 1, columns: { embedding: digest }, lost: false })
    const tree = (input: string, digest = "new") => stripVTControlCharacters(treeText(
      { steps: [{ stage: "embed", uses: "embed/rcf", nodes: [0], up: [] }, { stage: "train", uses: "train/none", nodes: [1], up: [{ port: "embeddings", output: "embeddings", step: 0 }] }], ends: [1] },
      { steps: [step([told(0, result({ started: input, gave: { embeddings: embeddings(digest) } }))]), step([told(1, result({ took: [{ port: "embeddings", node: 0, output: "embeddings", rows: 1, columns: { embedding: "new" } }] }))])], full: false, remedy: "", seconds: String, loss: String }
    ))
    expect(tree("2026-07-03T10:00:00.000Z")).not.toContain("kept since")
    expect(tree("2026-07-03T11:00:00.000Z").match(/kept since: an input was made again later and came out the same/g)).toHaveLength(1)
    // a key that gave two results: what is on record now is not what was taken in
    const other = tree("2026-07-03T11:00:00.000Z", "other")
    expect(other).not.toContain("kept since")
    expect(other).toContain("input  embeddings.embedding was new: what is told of it below was made later and came out otherwise")
  })

  it("tells of a key that gave two results", () => {
    expect(lines(step([told(0, result({ earlier: ["2026-07-02T09:00:00.000Z"] }))]))).toContain("again  came out otherwise before under the same key (2026-07-02 09:00:00 UTC): the last is told")
  })

  it("marks what is lost, and of how many, with what makes it again", () => {
    const gone = result({ gave: { embeddings: { table: "embeddings", rows: 5, blob: "d".repeat(64), bytes: 1, columns: {}, lost: true } } })
    expect(lines(step([told(0, gone)]))).toContain('lost   embeddings is lost from the cache; "outcrop run" makes it again where it is needed')
    const some = lines(step([told(0, gone), told(1, result()), told(2, null), told(3, null, null)]))
    expect(some).toContain('lost   embeddings of 1 of 4 is lost from the cache; "outcrop run" makes it again where it is needed')
    expect(some).toContain(`lost   the record of 1 of 4 (key ${"e".repeat(12)}) was removed by gc on 2026-08-01; "outcrop run" makes it again`)
    expect(some).toContain('none   no result yet of 1 of 4; "outcrop run" makes it')
    expect(some).toContain(`gave   embeddings 5 rows | 1,234 rows (2 different)`)
  })

  it("says where it did not look at all of its nodes", () => {
    expect(lines(step([told(0, result())]), false, 1000)).toContain("(read of 1 of 1,000; pick cells with axis=value to see all)")
  })
})

describe("a value", () => {
  it("is written as YAML writes it on one line; a file by its digest", () => {
    expect(flow({ tasks: { class: 0.5 }, params: {}, bands: ["B02", 3], model: { file: "a1b2c3d4e5f6a7b8" }, on: true, none: null })).toBe("{ tasks: { class: 0.5 }, params: {}, bands: [B02, 3], model: file a1b2c3d4e5f6, on: true, none: null }")
  })
})
