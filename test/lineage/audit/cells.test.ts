import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { boxesOf } from "../../../lineage/audit/cells.ts"

const column = (name: string, ...labels: Array<string>) => ({ name, replicate: name === "fold", labels, values: labels, paths: [] })
/** method x fold, and a rate that only matl has. */
const columns = [column("method", "base", "dtl", "matl"), column("rate", "1", "2"), column("fold", "0", "1")]
const codes = [[0, -1], [1, -1], [2, 0], [2, 1]].flatMap(([method, rate]) => [0, 1].flatMap((fold) => [method!, rate!, fold]))
const cells = { columns, count: 8, codes: Int32Array.from(codes) }
const boxes = boxesOf(cells)

describe("cells in few words", () => {
  it("all of them, or the only one", () => {
    expect(boxes(new Set(Array(8).keys()))).toEqual(["all 8 cells"])
    expect(boxesOf({ columns, count: 1, codes: cells.codes.slice(0, 3) })(new Set([0]))).toEqual(["the only cell"])
  })

  it("an axis of which all values are meant is left out; values of one axis stand together", () => {
    expect(boxes(new Set([0, 1]))).toEqual(["method=base"])
    expect(boxes(new Set([0, 2]))).toEqual(["method=base,dtl fold=0"])
    expect(boxes(new Set([4, 5, 6, 7]))).toEqual(["method=matl"])
    expect(boxes(new Set([0, 1, 4, 5, 6, 7]))).toEqual(["method=base,matl"])
    expect(boxes(new Set([0, 2, 4, 6]))).toEqual(["fold=0"])
    expect(boxes(new Set([0, 3]))).toEqual(["method=base fold=0", "method=dtl fold=1"])
  })

  it("picks exactly the cells it stands for", () => {
    const labelsOf = (cell: number) => Object.fromEntries(columns.flatMap(({ labels, name }, i) => cells.codes[cell * 3 + i]! < 0 ? [] : [[name, labels[cells.codes[cell * 3 + i]!]!]]))
    const picked = (box: string) => {
      const wanted = box.split(" ").filter((part) => part.includes("=")).map((part) => part.split("=") as [string, string])
      return Array.from(Array(8).keys()).filter((cell) => wanted.every(([name, values]) => labelsOf(cell)[name] === undefined || values.split(",").includes(labelsOf(cell)[name]!)))
    }
    fc.assert(fc.property(fc.uniqueArray(fc.nat(7), { minLength: 1 }), (chosen) => {
      expect(new Set(boxes(new Set(chosen)).flatMap(picked))).toEqual(new Set(chosen))
    }))
  })
})
