import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { describe, expect, it } from "vitest"
import { Counts } from "../../cli/counts.ts"
import type { Node } from "../../engine/expand.ts"

/** `n` nodes of each stage, named by their kind. */
const grid = (counts: Readonly<Partial<Record<Stage.Kind, number>>>) => {
  const nodes: Array<Node> = []
  for (const [kind, n] of Object.entries(counts)) {
    const stage = Stage.make({ name: `${kind as Stage.Kind}/thing`, version: 1, summary: "", with: Schema.Struct({}), needs: {}, gives: {}, run: () => Effect.succeed({}) })
    const implementation = { uses: stage.name, stage, file: "", code: {}, decode: Schema.decodeUnknownResult(stage.with), fileParameters: [] }
    for (let i = 0; i < n; i++) nodes.push({ index: nodes.length, stage: kind, implementation, parameters: {}, bindings: [], identity: `${nodes.length}`, cell: 0, address: `${kind} ${i}` })
  }
  return { nodes, stages: Object.keys(counts) }
}
const bar = (filled: number) => "█".repeat(filled) + "░".repeat(20 - filled)

describe("the progress of a run", () => {
  it("of one node: how much of it is done, the time left at the rate so far, and the rate", () => {
    const { nodes: [embed], stages } = grid({ embed: 1 })
    const counts = new Counts({ nodes: [embed!], stages })
    expect(counts.lines(0)).toEqual([])
    counts.on({ type: "started", nodes: [embed!] }, 0)
    expect(counts.lines(1)).toEqual([`embed ${bar(0)} 0/1 (1 running)`])
    // ten seconds go by before the first row, in which a model is loaded: they are no part of the rate
    counts.on({ type: "progress", node: embed!, done: 0, total: 20_000 }, 10)
    expect(counts.lines(10)).toEqual([`embed ${bar(0)} 0/1, 0 of 20,000 rows`])
    counts.on({ type: "progress", node: embed!, done: 5000, total: 20_000 }, 210)
    expect(counts.lines(210)).toEqual([`embed ${bar(5)} 0/1, 10 min 0 s left, 5,000 of 20,000 rows, 25.0 rows/s`])
    expect(counts.line(embed!, 210)).toBe("embed: 5,000 of 20,000 rows, 25.0 rows/s, 10 min 0 s left")
    expect(counts.over(embed!, 210)).toBeUndefined()
    counts.on({ type: "finished", node: embed!, state: "run", seconds: 800 }, 800)
    expect(counts.lines(800)).toEqual([`embed ${bar(20)} 1/1`])
    expect(counts.over(embed!, 800)).toBe("embed: 1 of 1 ran in 13 min 20 s, 20,000 rows, 25.0 rows/s")
  })

  it("of siblings that are tried again one by one, and of a node that fails before it begins: each runs once", () => {
    const { nodes, stages } = grid({ train: 3 }), [a, b, c] = nodes as [Node, Node, Node]
    const counts = new Counts({ nodes, stages })
    counts.on({ type: "started", nodes: [a, b] }, 0)
    counts.on({ type: "started", nodes: [a] }, 1)
    counts.on({ type: "failed", node: a, message: "" }, 2)
    counts.on({ type: "failed", node: c, message: "" }, 2)
    expect(counts.lines(2)).toEqual([`train ${bar(0)} 0/3 (1 running), 2 failed`])
    counts.on({ type: "started", nodes: [b] }, 3)
    counts.on({ type: "finished", node: b, state: "run", seconds: 1 }, 4)
    expect(counts.over(b, 4)).toBe("train: 1 of 3 ran in 4.0 s")
  })

  it("of rows that were cached: the rate is of those that are embedded now", () => {
    const { nodes: [embed], stages } = grid({ embed: 1 })
    const counts = new Counts({ nodes: [embed!], stages })
    counts.on({ type: "started", nodes: [embed!] }, 0)
    counts.on({ type: "progress", node: embed!, done: 64, total: 100 }, 5)
    counts.on({ type: "progress", node: embed!, done: 73, total: 100 }, 14)
    expect(counts.line(embed!, 14)).toBe("embed: 73 of 100 rows, 1.00 rows/s, 27.0 s left")
  })

  it("of nodes that run beside each other: their counts and rates together", () => {
    const { nodes, stages } = grid({ embed: 2 })
    const counts = new Counts({ nodes, stages })
    counts.on({ type: "started", nodes }, 0)
    for (const [i, node] of nodes.entries()) {
      counts.on({ type: "progress", node, done: 0, total: 1000 }, 0)
      counts.on({ type: "progress", node, done: 100 * (i + 1), total: 1000 }, 1)
    }
    expect(counts.lines(1)).toEqual([`embed ${bar(3)} 0/2, 5.7 s left, 300 of 2,000 rows, 300 rows/s`])
  })

  it("of nodes that have not begun: time left by the nodes done so far, parts of nodes included", () => {
    const { nodes, stages } = grid({ ingest: 1, embed: 4 })
    const counts = new Counts({ nodes, stages })
    const [ingest, first, second] = nodes
    counts.on({ type: "finished", node: ingest!, state: "cached", seconds: 1 }, 0)
    counts.on({ type: "started", nodes: [first!] }, 0)
    counts.on({ type: "finished", node: first!, state: "run", seconds: 100 }, 100)
    counts.on({ type: "started", nodes: [second!] }, 100)
    expect(counts.lines(100)).toEqual([`embed  ${bar(5)} 1/4 (1 running), 5 min 0 s left`])
    counts.on({ type: "progress", node: second!, done: 5, total: 10 }, 150)
    expect(counts.lines(150)).toEqual([`embed  ${bar(7)} 1/4, 4 min 10 s left, 5 of 10 rows`])
  })

  it("of siblings in training: epochs, which they do together, and no rate", () => {
    const { nodes, stages } = grid({ train: 16 })
    const counts = new Counts({ nodes, stages })
    counts.on({ type: "started", nodes: nodes.slice(0, 8) }, 0)
    counts.on({ type: "progress", node: nodes[0]!, done: 10, total: 100 }, 1)
    counts.on({ type: "progress", node: nodes[0]!, done: 50, total: 100 }, 10)
    expect(counts.lines(10)).toEqual([`train ${bar(5)} 0/16, 30.0 s left, 50 of 100 epochs`])
  })

  it("failed nodes are not waited for", () => {
    const { nodes, stages } = grid({ embed: 3 })
    const counts = new Counts({ nodes, stages })
    counts.on({ type: "started", nodes: [nodes[0]!] }, 0)
    counts.on({ type: "failed", node: nodes[0]!, message: "no" }, 1)
    counts.on({ type: "started", nodes: [nodes[1]!] }, 1)
    counts.on({ type: "finished", node: nodes[1]!, state: "run", seconds: 9 }, 10)
    expect(counts.lines(10)).toEqual([`embed ${bar(6)} 1/3, 1 failed, 10.0 s left`])
    counts.on({ type: "started", nodes: [nodes[2]!] }, 10)
    counts.on({ type: "finished", node: nodes[2]!, state: "run", seconds: 9 }, 19)
    expect(counts.over(nodes[2]!, 19)).toBe("embed: 2 of 3 ran in 19.0 s")
  })

  it("a result that was cached, turned out lost and was made again does not count twice in the bar", () => {
    const { nodes: [embed], stages } = grid({ embed: 1 })
    const counts = new Counts({ nodes: [embed!], stages })
    counts.on({ type: "finished", node: embed!, state: "cached", seconds: 1 }, 0)
    counts.on({ type: "started", nodes: [embed!] }, 0)
    counts.on({ type: "finished", node: embed!, state: "restored", seconds: 1 }, 1)
    expect(counts.lines(1)[0]).toContain(bar(20))
  })
})
