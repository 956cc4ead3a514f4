import { describe, expect, it } from "vitest"
import type { Graph } from "../../engine/graph.ts"
import { ahead, behind, cellsByNode, chainOf, leavesOf, sharedBy, varying } from "../../lineage/trace.ts"
import { dot, mermaid } from "../../lineage/diagram.ts"

const node = (stage: string, uses: string, address: string, ...up: Graph["nodes"][number]["up"]) => ({ stage, uses, address, key: `key of ${address}`, up })
/** Two methods, of which one needs no fold, on two folds. */
const graph: Graph = {
  version: 1,
  axes: [{ name: "method", replicate: false, labels: ["base", "dtl"] }, { name: "fold", replicate: true, labels: ["0", "1"] }],
  codes: [0, 0, 0, 1, 1, 0, 1, 1],
  cells: 4,
  nodes: [
    node("samples", "ingest/list", "samples"),
    node("split", "ingest/split", "split fold=0", ["samples", 0, "samples"]),
    node("split", "ingest/split", "split fold=1", ["samples", 0, "samples"]),
    node("train", "train/none", "train method=base", ["samples", 0, "samples"]),
    node("train", "train/triplet", "train method=dtl fold=0", ["samples", 0, "samples"], ["split", 1, "split"]),
    node("train", "train/triplet", "train method=dtl fold=1", ["samples", 0, "samples"], ["split", 2, "split"]),
    node("probe", "probe/linear", "probe method=base fold=0", ["embeddings", 3, "embeddings"], ["split", 1, "split"]),
    node("probe", "probe/linear", "probe method=base fold=1", ["embeddings", 3, "embeddings"], ["split", 2, "split"]),
    node("probe", "probe/linear", "probe method=dtl fold=0", ["embeddings", 4, "embeddings"], ["split", 1, "split"]),
    node("probe", "probe/linear", "probe method=dtl fold=1", ["embeddings", 5, "embeddings"], ["split", 2, "split"])
  ],
  of: { samples: [0, 0, 0, 0], split: [1, 2, 1, 2], train: [3, 3, 4, 5], probe: [6, 7, 8, 9] }
}

describe("what lies behind and ahead", () => {
  it("is all that a node took in, directly or not, and all that took it in", () => {
    expect(behind(graph, [8])).toEqual([0, 1, 4, 8])
    expect(ahead(graph, [2]).flatMap((reached, i) => reached ? [i] : [])).toEqual([2, 5, 7, 9])
  })

  it("ends in the nodes that nothing else takes in", () => {
    expect(leavesOf(graph)).toEqual([6, 7, 8, 9])
    expect(leavesOf({ ...graph, of: { samples: [0, 0, 0, 0], split: [1, 2, 1, 2] } }), "of a run up to a stage").toEqual([1, 2])
  })
})

describe("a chain", () => {
  it("of one cell has every node once, with what came through which port", () => {
    const { ends, steps } = chainOf(graph, [8], false)
    expect(steps.map(({ nodes, stage }) => [stage, nodes])).toEqual([["samples", [0]], ["split", [1]], ["train", [4]], ["probe", [8]]])
    expect(steps[3]!.up).toEqual([{ port: "embeddings", output: "embeddings", step: 2 }, { port: "split", output: "split", step: 1 }])
    expect(ends).toEqual([3])
  })

  it("of several cells stands nodes of one stage and implementation together", () => {
    const { ends, steps } = chainOf(graph, [6, 7, 8, 9], false)
    expect(steps.map(({ nodes, uses }) => [uses, nodes.length])).toEqual([["ingest/list", 1], ["ingest/split", 2], ["train/none", 1], ["train/triplet", 2], ["probe/linear", 4]])
    expect(steps[4]!.up.map(({ port, step }) => [port, steps[step]!.uses])).toEqual([["embeddings", "train/none"], ["split", "ingest/split"], ["embeddings", "train/triplet"]])
    expect(ends).toEqual([4])
  })

  it("expanded has each by itself", () => {
    expect(chainOf(graph, [6, 7, 8, 9], true)).toMatchObject({ steps: { length: 10 }, ends: [6, 7, 8, 9] })
  })
})

describe("cells", () => {
  it("of a node are those that it serves", () => {
    const cells = cellsByNode(graph, [3, 5])
    expect([...cells.get(3)!]).toEqual([0, 1])
    expect([...cells.get(5)!]).toEqual([3])
  })

  it("share the values that all of them have", () => {
    expect(varying(graph)).toEqual(["method", "fold"])
    expect(varying({ ...graph, cells: 2 })).toEqual(["fold"])
    expect(sharedBy(graph, [0, 1], ["method", "fold"])).toBe("method=base")
    expect(sharedBy(graph, [3], ["method", "fold"])).toBe("method=dtl fold=1")
    expect(sharedBy(graph, [1, 2], ["method", "fold"])).toBe("")
    expect(sharedBy(graph, [], ["method"])).toBe("")
  })
})

describe("a drawing", () => {
  const chain = chainOf(graph, [8], false), labels = [["samples"], ["split"], ["train", 'a "b" <c> #1 \\n'], ["probe"]]
  it("is Mermaid with every sign that Mermaid would take for its own written as an entity", () => {
    expect(mermaid(chain, { labels, title: "accuracy = 0.5" }).split("\n")).toEqual([
      "flowchart LR",
      '  s0["samples"]',
      '  s1["split"]',
      '  s2["train<br>a #34;b#34; #60;c#62; #35;1 \\n"]',
      '  s3["probe"]',
      '  asked(["accuracy = 0.5"])',
      '  s0 -->|"samples"| s1',
      '  s0 -->|"samples"| s2',
      '  s1 -->|"split"| s2',
      '  s2 -->|"embeddings"| s3',
      '  s1 -->|"split"| s3',
      "  s3 --> asked"
    ])
  })

  it("is DOT with quotation marks and backslashes escaped, one edge for the ports between two steps", () => {
    const twice = { ...chain, steps: chain.steps.map((step, i) => i === 3 ? { ...step, up: [...step.up, { port: "before", output: "embeddings", step: 2 }] } : step) }
    const text = dot(twice, { labels, title: "accuracy" })
    expect(text).toContain('  s2 [label="train\\na \\"b\\" <c> #1 \\\\n"]')
    expect(text).toContain('  s2 -> s3 [label="embeddings, before"]')
    expect(text.match(/s2 -> s3/g)).toHaveLength(1)
  })
})
