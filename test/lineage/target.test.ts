import { describe, expect, it } from "vitest"
import type { Graph } from "../../engine/graph.ts"
import type { Results, Value } from "../../lineage/metric.ts"
import { targetOf, valuesAt } from "../../lineage/target.ts"

const value = (task: string, metric: string, rest: Partial<Value> = {}): Value => ({ task, metric, class: "", split: "test", value: 0.5, n: 10, low: Number.NaN, high: Number.NaN, ...rest })
const nodes = 100
const graph: Graph = {
  version: 1,
  axes: [{ name: "rate", replicate: false, labels: Array.from({ length: nodes }, (_, i) => String(i)) }],
  codes: Array.from({ length: nodes }, (_, i) => i),
  cells: nodes,
  nodes: Array.from({ length: nodes }, (_, i) => ({ stage: "probe", address: `probe rate=${i}`, uses: "probe/linear", key: String(i), up: [] })),
  of: { probe: Array.from({ length: nodes }, (_, i) => i) }
}
const resultsOf = (metrics: (node: number) => ReadonlyArray<Value>) => ({ metrics, outputs: () => ({}) }) as unknown as Results

describe("a metric that is asked for", () => {
  it("is found where only one of many nodes gives it, and is of just that one", () => {
    const results = resultsOf((node) => [value("class", "accuracy"), ...(node === 57 ? [value("box", "r2")] : [])])
    expect(targetOf(["r2"], graph, results)).toEqual({ nodes: [57], metric: "box.r2" })
    expect(targetOf(["class.accuracy"], graph, results).nodes).toHaveLength(nodes)
    expect(() => targetOf(["box.r3"], graph, results)).toThrow(/there is no stage and no metric "box\.r3" \(did you mean "box\.r2"\?\)/)
  })

  it("has the value of all classes on the test samples, where there is one", () => {
    const results = resultsOf(() => [value("class", "f1", { class: "deer" }), value("class", "f1"), value("class", "f1", { split: "val" })])
    expect(valuesAt(0, "class.f1", results)).toEqual([value("class", "f1")])
  })
})
