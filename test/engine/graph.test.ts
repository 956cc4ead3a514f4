import { describe, expect, it } from "vitest"
import { type Graph, graphOf, picked, valuesOf } from "../../engine/graph.ts"
import { gridOf } from "./shelf.ts"

const pipeline = `
name: g
axes:
  size: [8, 16]
  method:
    none: { uses: train/none }
    guided: { axes: { top: [0.3, 0.4] }, uses: train/guided }
replicates: { fold: [0, 1] }
stages:
  samples: { uses: ingest/list }
  split: { uses: ingest/split, needs: samples, with: { fold: $fold } }
  embed: { uses: embed/size, needs: samples, with: { size: $size } }
  guide: { uses: mine/guide, needs: samples }
  train: { uses: $method.uses, needs: { embeddings: embed, annotations: guide.second, split } }
  probe: { uses: probe/count, needs: { embeddings: train, samples } }
`
const grid = await gridOf(pipeline)
const keys = grid.nodes.map(({ index, stage }) => stage === "probe" ? undefined : `key of ${index}`)
const graph = graphOf(grid, keys)
const cells = (part: Graph) => Array.from({ length: part.cells }, (_, cell) => JSON.stringify(valuesOf(part, cell)))

describe("the graph of a grid", () => {
  it("has every node once, with its key or null, upstream before downstream", () => {
    expect(graph.nodes).toHaveLength(grid.nodes.length)
    expect(graph.nodes.map(({ key }) => key ?? undefined)).toEqual(keys)
    graph.nodes.forEach(({ up }, node) => expect(up.every(([, from]) => from < node)).toBe(true))
  })

  it("says which output of which node every port takes in", () => {
    const trained = graph.nodes.find(({ address }) => address.includes("size=16") && address.startsWith("train") && address.includes("guided"))!
    expect(trained.up.map(([port, node, output]) => [port, graph.nodes[node]!.address, output])).toEqual([
      ["embeddings", "embed size=16", "embeddings"],
      ["annotations", "guide", "second"],
      ["split", "split fold=0", "split"]
    ])
  })

  it("gives each cell its values; an axis that only some values have is absent from the others", () => {
    expect(graph.cells).toBe(12)
    expect(valuesOf(graph, 0)).toEqual({ size: "8", method: "none", fold: "0" })
    expect(cells(graph).filter((cell) => cell.includes("top"))).toHaveLength(8)
    for (const stage of grid.stages) for (let cell = 0; cell < graph.cells; cell++) expect(graph.of[stage]![cell]).toBe(grid.nodeOf(stage, cell).index)
  })

  it("survives being written down", () => {
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph)
  })
})

describe("picked", () => {
  it("leaves the cells that match, in their order, each with its own nodes", () => {
    const part = picked(graph, { method: ["gui*"], fold: ["1"] })
    expect(part.cells).toBe(4)
    expect(cells(part)).toEqual(cells(graph).filter((cell) => cell.includes("guided") && cell.includes('"fold":"1"')))
    for (const stage of grid.stages) {
      expect(part.of[stage]).toEqual(graph.of[stage]!.filter((_, cell) => cells(graph)[cell]!.includes("guided") && cells(graph)[cell]!.includes('"fold":"1"')))
    }
    expect(part.nodes).toBe(graph.nodes)
  })

  it("picks what a pick of the pipeline's cells picks", async () => {
    const picks = { size: ["16"], top: ["0.3", "0.4"] }
    const direct = await gridOf(pipeline, { picks })
    expect(cells(picked(graph, picks))).toEqual(cells(graphOf(direct, [])))
  })

  it("says what there is where nothing matches", () => {
    expect(() => picked(graph, { size: ["9"] })).toThrow(/the axis "size" has no value 9.*it has 8, 16/)
    expect(() => picked(graph, { siz: ["8"] })).toThrow(/there is no axis "siz" \(did you mean "size"\?\)/)
    expect(() => picked(graph, { method: ["none"], top: ["0.3"] })).toThrow(/no cell has method=none and top=0.3 together/)
  })
})
