import { describe, expect, it } from "vitest"
import { assignment, type Cells, enumerate, pick } from "../../engine/axes.ts"
import type { Mistake } from "../../schemas/diagnostic.ts"
import { InvalidPipeline } from "../../schemas/diagnostic.ts"
import type { Pipeline } from "../../schemas/pipeline.ts"

const pipeline = (axes: object, replicates: object = {}, exclude: Pipeline["exclude"] = []): Pipeline => ({ name: "p", axes: axes as Pipeline["axes"], replicates: replicates as Pipeline["axes"], exclude, stages: {}, report: { split: "test" } })
const cellsOf = (cells: Cells) => Array.from({ length: cells.count }, (_, cell) => Object.entries(assignment(cells, cell)).map(([name, label]) => `${name}=${label}`).join(" "))
const grid = (...given: Parameters<typeof pipeline>): Array<string> => {
  const mistakes: Array<Mistake> = []
  const cells = enumerate(pipeline(...given), mistakes)
  expect(mistakes).toEqual([])
  return cellsOf(cells)
}
const mistakesIn = (...given: Parameters<typeof pipeline>): Array<string> => {
  const mistakes: Array<Mistake> = []
  enumerate(pipeline(...given), mistakes)
  return mistakes.map(({ message, path }) => `${path.join(".")}: ${message}`)
}

describe("cells", () => {
  it("are all combinations of axes and replicates", () => {
    expect(grid({ a: [1, 2], b: ["x", "y"] }, { fold: [0, 1] })).toEqual([
      "a=1 b=x fold=0", "a=1 b=x fold=1", "a=1 b=y fold=0", "a=1 b=y fold=1",
      "a=2 b=x fold=0", "a=2 b=x fold=1", "a=2 b=y fold=0", "a=2 b=y fold=1"
    ])
  })

  it("without axes there is one", () => {
    expect(grid({})).toEqual([""])
  })

  it("axes of a value multiply only the cells that have it", () => {
    expect(grid({ method: { base: {}, tg: { axes: { top: [0.3, 0.5], more: [0.1] } } } }, { fold: [0] })).toEqual(["method=base fold=0", "method=tg top=0.3 more=0.1 fold=0", "method=tg top=0.5 more=0.1 fold=0"])
  })

  it("nesting goes deeper", () => {
    expect(grid({ a: { x: { axes: { b: { y: { axes: { c: [1, 2] } }, z: {} } } }, w: {} } })).toEqual(["a=x b=y c=1", "a=x b=y c=2", "a=x b=z", "a=w"])
  })

  it("nested axes of one name share a column", () => {
    const mistakes: Array<Mistake> = []
    const cells = enumerate(pipeline({ method: { dtl: { axes: { margin: [0.1, 0.2] } }, matl: { axes: { margin: [0.2, 0.3] } } } }), mistakes)
    expect(cells.columns.map(({ labels, name }) => `${name}: ${labels.join()}`)).toEqual(["method: dtl,matl", "margin: 0.1,0.2,0.3"])
    expect(cellsOf(cells)).toEqual(["method=dtl margin=0.1", "method=dtl margin=0.2", "method=matl margin=0.2", "method=matl margin=0.3"])
  })

  it("a value's own axes are not part of it", () => {
    const cells = enumerate(pipeline({ m: { tg: { uses: "x", axes: { top: [1] } } } }), [])
    expect(cells.columns[0]!.values).toEqual([{ uses: "x" }])
  })
})

describe("what cannot be meant is a mistake, at its place", () => {
  it("one label for two values, in nested axes that share a column: the second is not silently the first", () => {
    expect(mistakesIn({ method: { dtl: { axes: { size: { small: { width: 64 } } } }, matl: { axes: { size: { small: { width: 32 } } } } } }).join()).toMatch(/^axes\.method\.matl\.axes\.size\.small: .*small/)
    expect(mistakesIn({ method: { dtl: { axes: { top: [1] } }, matl: { axes: { top: ["1"] } } } })).toHaveLength(1)
  })

  it("a nested axis that has the name of another axis of the same cell", () => {
    expect(mistakesIn({ method: { a: { axes: { lr: [1, 2] } }, b: {} }, lr: [3, 4] })).toHaveLength(1)
    expect(mistakesIn({ lr: [3, 4], method: { a: { axes: { lr: [1, 2] } }, b: {} } })).toHaveLength(1)
    expect(mistakesIn({ m: { a: { axes: { t: [1] } } }, n: { c: { axes: { t: [2] } } } })).toHaveLength(1)
    expect(mistakesIn({ m: { a: { axes: { m: [1] } } } })).toHaveLength(1)
    expect(mistakesIn({ m: { a: { axes: { fold: [1] } } } }, { fold: [0, 1] })).toHaveLength(1)
  })

  it("a value that stands twice", () => {
    expect(mistakesIn({ a: [1, 2, 1] })).toEqual(["axes.a.2: the value 1 stands twice in the axis \"a\""])
  })

  it("an axis and a replicate of one name", () => {
    expect(mistakesIn({ fold: [1] }, { fold: [0] }).join()).toMatch(/replicates\.fold: "fold" is an axis already/)
  })

  it("an axis without values", () => {
    expect(mistakesIn({ a: [] })).toEqual(["axes.a: the axis \"a\" needs a list of values or a mapping of named values"])
  })

  it("axes inside a value that are no mapping, or badly named", () => {
    expect(mistakesIn({ m: { a: { axes: [1] } } })).toEqual(["axes.m.a.axes: axes is a mapping from name to values"])
    expect(mistakesIn({ m: { a: { axes: { Top: [1] } } } })[0]).toMatch(/^axes\.m\.a\.axes\.Top: an axis is named by lower-case letters/)
  })

  it("10 million cells are refused with their count, before any is made", () => {
    const ten = Array.from({ length: 10 }, (_, i) => i)
    const begin = performance.now()
    const [message] = mistakesIn(Object.fromEntries(["a", "b", "c", "d", "e", "f", "g"].map((name) => [name, ten])))
    expect(message).toMatch(/^axes: the axes multiply to 10,000,000 cells, more than 2,000,000/)
    expect(performance.now() - begin).toBeLessThan(100)
  })
})

describe("exclude", () => {
  it("leaves out the cells that have all of the values; a list means any of them", () => {
    expect(grid({ a: [1, 2], b: ["x", "y", "z"] }, {}, [{ a: 1, b: ["x", "z"] }])).toEqual(["a=1 b=y", "a=2 b=x", "a=2 b=y", "a=2 b=z"])
    expect(grid({ m: { base: {}, tg: { axes: { top: [1, 2] } } } }, {}, [{ top: 1 }])).toEqual(["m=base", "m=tg top=2"])
  })

  it("that matches nothing is a mistake", () => {
    expect(mistakesIn({ m: { base: {}, tg: { axes: { top: [1, 2] } } } }, {}, [{ m: "base", top: 1 }])).toEqual(["exclude.0: this excludes nothing: no cell has these values together"])
  })

  it("of an unknown axis or value is a mistake that suggests the near one", () => {
    expect(mistakesIn({ method: ["base", "dtl"] }, {}, [{ methd: "base" }, { method: "dlt" }])).toEqual([
      "exclude.0.methd: there is no axis \"methd\" (did you mean \"method\"?)",
      "exclude.1.method: the axis \"method\" has no value dlt (did you mean \"dtl\"?); it has base, dtl"
    ])
  })
})

describe("picks", () => {
  const cells = enumerate(pipeline({ method: ["base", "dtl", "dtl-hard"], top: [0.3, 0.5] }), [])
  it("keep the cells whose labels match; * stands for anything, a dot for itself", () => {
    expect(cellsOf(pick(cells, { method: ["dtl*"], top: ["0.3"] }))).toEqual(["method=dtl top=0.3", "method=dtl-hard top=0.3"])
    expect(cellsOf(pick(cells, { method: ["base", "*-hard"], top: ["*"] }))).toHaveLength(4)
    expect(() => pick(cells, { top: ["0x3"] })).toThrow(InvalidPipeline)
  })

  it("that match nothing are wrong input", () => {
    expect(() => pick(cells, { methd: ["base"] })).toThrow(/there is no axis "methd" \(did you mean "method"\?\); axes are method, top/)
    expect(() => pick(cells, { method: ["bse"] })).toThrow(/has no value bse \(did you mean "base"\?\); it has base, dtl, dtl-hard/)
    const nested = enumerate(pipeline({ m: { base: {}, tg: { axes: { top: [1] } } } }), [])
    expect(() => pick(nested, { m: ["base"], top: ["1"] })).toThrow(/no cell has m=base and top=1 together/)
  })
})
