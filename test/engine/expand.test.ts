import { describe, expect, it } from "vitest"
import type { Grid } from "../../engine/expand.ts"
import { gridOf, wrongIn } from "./shelf.ts"

const base = `
name: p
axes:
  method:
    base: { uses: train/none }
    guided: { uses: train/guided, axes: { top: [0.3, 0.5] }, with: { top: $top } }
replicates: { fold: [0, 1] }
stages:
  samples: { uses: ingest/list }
  split: { uses: ingest/split, needs: samples, with: { fold: $fold } }
  embed: { uses: embed/size, needs: samples }
  guide: { uses: mine/guide, needs: samples }
  train: { uses: $method.uses, needs: { embeddings: embed, annotations: guide.annotations, split }, with: $method.with }
  probe: { uses: probe/count, needs: { embeddings: train, samples } }
`
const identities = (grid: Grid) => grid.nodes.map(({ identity }) => identity).toSorted()
const counts = (grid: Grid) => Object.fromEntries(grid.stages.map((stage) => [stage, grid.nodes.filter((node) => node.stage === stage).length]))
const withStages = (stages: string, head = "") => `name: p\n${head}stages:\n${stages.split("\n").filter((line) => line.trim() !== "").map((line) => `  ${line.trim()}`).join("\n")}\n`

describe("cells fold into distinct work", () => {
  it("a stage has a node for each combination that it depends on", async () => {
    const grid = await gridOf(base)
    expect(grid.cells.count).toBe(6)
    expect(counts(grid)).toEqual({ samples: 1, split: 2, embed: 1, guide: 1, train: 5, probe: 5 })
    expect(grid.stages.indexOf("samples")).toBe(0)
    expect(grid.nodes.every(({ bindings, index }) => bindings.every(({ node }) => node < index))).toBe(true)
  })

  it("a bound port that an implementation does not need leaves its identity: the base is one node over all folds", async () => {
    const grid = await gridOf(base)
    const trained = grid.nodes.filter(({ stage }) => stage === "train")
    expect(trained.filter(({ implementation }) => implementation.uses === "train/none")).toHaveLength(1)
    expect(trained.filter(({ implementation }) => implementation.uses === "train/guided")).toHaveLength(4)
    expect(trained[0]!.bindings.map(({ port }) => port)).toEqual(["embeddings"])
  })

  it("so does a port that is not read with these parameters", async () => {
    const hard = (guide: string) => gridOf(base.replace("with: { top: $top }", "with: { top: $top, mode: hard }").replace("guide.annotations", guide))
    const [one, other] = [await hard("guide.annotations"), await hard("guide.second")]
    expect(one.nodes.find(({ implementation }) => implementation.uses === "train/guided")!.bindings.map(({ port }) => port)).toEqual(["embeddings", "split"])
    expect(identities(one)).toEqual(identities(other))
  })

  it("every cell finds its node", async () => {
    const grid = await gridOf(base)
    const addresses = Array.from({ length: grid.cells.count }, (_, cell) => grid.nodeOf("train", cell).address)
    expect(new Set(addresses).size).toBe(5)
    expect(addresses).toContain("train method=guided top=0.5 fold=1")
  })

  it("only picked cells, and only up to the stages asked for", async () => {
    const grid = await gridOf(base, { picks: { method: ["guided"], fold: ["1"] }, until: ["train"] })
    expect(counts(grid)).toEqual({ samples: 1, split: 1, embed: 1, guide: 1, train: 2 })
    await expect(gridOf(base, { until: ["trian"] })).rejects.toThrow(/there is no stage "trian" \(did you mean "train"\?\)/)
  })

  it("100,000 cells fold into their nodes in moments", async () => {
    const many = (n: number) => `[${Array.from({ length: n }, (_, i) => i).join()}]`
    const begin = performance.now()
    const grid = await gridOf(withStages(`
      samples: { uses: ingest/list, with: { n: $a } }
      embed: { uses: embed/size, needs: samples }
      probe: { uses: probe/count, needs: { embeddings: embed }, with: { seed: $b } }
    `, `axes: { a: ${many(10)}, b: ${many(10)}, unused: ${many(1000)} }\n`))
    expect(grid.cells.count).toBe(100_000)
    expect(grid.nodes.length).toBe(120)
    expect(performance.now() - begin).toBeLessThan(3000)
  })
})

describe("the identity of work does not change with", () => {
  it.each<readonly [string, string]>([
    ["the names of stages", base.replaceAll("embed:", "vectors:").replace("embeddings: vectors:", "embeddings: embed").replaceAll("embeddings: embed,", "embeddings: vectors,")],
    ["the names of axes", base.replaceAll("method", "how").replaceAll("fold:", "part:").replace("with: { part: $fold }", "with: { fold: $part }")],
    ["the names of values", base.replace("guided:", "tg:").replace("base:", "frozen:")],
    ["the order of keys", base.replace("{ uses: ingest/split, needs: samples, with: { fold: $fold } }", "{ with: { fold: $fold }, needs: samples, uses: ingest/split }").replace("{ embeddings: embed, annotations: guide.annotations, split }", "{ split, annotations: guide.annotations, embeddings: embed }")],
    ["comments", base.replace("stages:", "# here it begins\nstages: # all of them")],
    ["a parameter written at its default", base.replace("with: { top: $top }", "with: { top: $top, margin: 0.1, mode: all }").replace("{ uses: ingest/list }", "{ uses: ingest/list, with: { n: 4.0 } }")],
    ["a new axis at the old value", base.replace("axes:\n", "axes:\n  size: [8]\n").replace("{ uses: embed/size, needs: samples }", "{ uses: embed/size, needs: samples, with: { size: $size } }")],
    ["a port named or found by its table", base.replaceAll("needs: samples", "needs: { samples }")],
    ["an output named or found by its table", base.replace("embeddings: train,", "embeddings: train.embeddings,")],
    ["a literal written as an axis's interpolated name", base.replace("uses: train/none", "uses: \"train/${plain}\"").replace("axes:\n", "axes:\n  plain: [none]\n")]
  ])("%s", async (_, changed) => {
    expect(changed).not.toBe(base)
    expect(identities(await gridOf(changed))).toEqual(identities(await gridOf(base)))
  })

  it("but with a parameter, an implementation, and what is upstream", async () => {
    const original = new Set(identities(await gridOf(base)))
    const fresh = async (changed: string) => (await gridOf(changed)).nodes.filter(({ identity }) => !original.has(identity)).map(({ stage }) => stage)
    expect(await fresh(base.replace("top: $top }", "top: $top, margin: 0.2 }"))).toEqual(Array.from({ length: 8 }, (_, i) => i < 4 ? "train" : "probe"))
    expect(await fresh(base.replace("ingest/list }", "ingest/list, with: { n: 5 } }"))).toHaveLength(15)
    expect(await fresh(base.replace("guide.annotations", "guide.second"))).toHaveLength(8)
    expect(new Set(await fresh(base.replace("{ embeddings: train, samples }", "{ embeddings: train }")))).toEqual(new Set(["probe"]))
  })
})

describe("ports are checked before anything runs", () => {
  it("a table of the wrong type: what is needed, what is given", async () => {
    expect(await wrongIn(withStages(`
      samples: { uses: ingest/list }
      probe: { uses: probe/count, needs: { embeddings: samples } }
    `))).toBe(`p.yaml:4:52 stages.probe.needs.embeddings: the port "embeddings" of probe/count takes an embeddings table, but "samples" gives samples (samples)
   4 |   probe: { uses: probe/count, needs: { embeddings: samples } }
     |                                                    ^`)
    expect(await wrongIn(withStages(`
      samples: { uses: ingest/list }
      train: { uses: train/none, needs: samples }
    `))).toMatch(/train\/none needs embeddings \(an embeddings table\), but "samples" gives samples \(samples\)/)
  })

  it("a port that is needed and not bound", async () => {
    expect(await wrongIn(withStages("probe: { uses: probe/count }"))).toMatch(/^p\.yaml:3:3 stages\.probe: probe\/count needs the port "embeddings" \(an embeddings table\): add it under needs/)
  })

  it("a port that its parameters make it need, and with others not", async () => {
    const guided = (mode: string) => withStages(`
      samples: { uses: ingest/list }
      embed: { uses: embed/size, needs: samples }
      train: { uses: train/guided, needs: { embeddings: embed }, with: { mode: ${mode} } }
    `)
    expect(await wrongIn(guided("all"))).toMatch(/stages\.train: train\/guided needs the port "annotations" \(an annotations table\) with these parameters: add it under needs/)
    expect(await wrongIn(guided("hard"))).toBe("")
  })

  it("a port that no implementation has suggests the near one", async () => {
    expect(await wrongIn(base.replace("annotations: guide.annotations", "anotations: guide.annotations"))).toMatch(/train\/none, train\/guided have no port "anotations" \(did you mean "annotations"\?\); its ports are /)
  })

  it("an ambiguity lists the choices: several ports for a table", async () => {
    expect(await wrongIn(withStages(`
      samples: { uses: ingest/list }
      embed: { uses: embed/size, needs: samples }
      probe: { uses: probe/pair, needs: embed }
    `))).toMatch(/"embed" fits more than one port of probe\/pair: write needs: \{ before: embed \} or \{ after: embed \}/)
  })

  it("an ambiguity lists the choices: several tables for a port, none of the port's own name", async () => {
    expect(await wrongIn(withStages(`
      samples: { uses: ingest/list }
      first: { uses: embed/two, needs: samples }
      train: { uses: train/none, needs: { embeddings: first } }
    `))).toMatch(/"first" gives several embeddings tables: write first\.near or first\.far/)
  })

  it("of several tables the one of the port's own name is meant", async () => {
    const grid = await gridOf(base.replace("guide.annotations", "guide"))
    expect(grid.nodes.find(({ implementation }) => implementation.uses === "train/guided")!.bindings.find(({ port }) => port === "annotations")!.output).toBe("annotations")
  })

  it("an output that a stage does not give suggests the near one", async () => {
    expect(await wrongIn(base.replace("guide.annotations", "guide.anotations"))).toMatch(/"guide" gives no "anotations" \(did you mean "annotations"\?\); it gives annotations, second/)
  })

  it("implementations of several kinds under one stage", async () => {
    expect(await wrongIn(base.replace("base: { uses: train/none }", "base: { uses: probe/count }"))).toMatch(/all values of "uses" are of one kind; here are probe and train \(train\/guided\)/)
  })
})
