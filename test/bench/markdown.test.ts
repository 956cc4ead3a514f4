import { describe, expect, it } from "vitest"
import { measured } from "../../bench/figures.ts"
import { figure, line, report, table, targetOf } from "../../bench/markdown.ts"
import type { Row } from "../../bench/subject.ts"

const row: Row = {
  what: "matl, batch 32",
  unit: "steps/s",
  better: "higher",
  ours: measured([9000, 10_000, 11_000]),
  peers: { expert: measured([5000, 6000, 5500]), compiled: undefined, plain: measured([1000]) },
  target: { ratio: 1.7 }
}

describe("a figure", () => {
  it("has the digits that it can bear", () => {
    expect([0.04321, 0.5, 1.234, 2, 12.34, 99.96, 123.4, 12_345].map(figure)).toEqual(["0.043", "0.50", "1.2", "2", "12.3", "100", "123", "12,345"])
  })
})

describe("the table", () => {
  it("has the first peer beside ours, a line more for each further one, and none for what is not there", () => {
    expect(table([row]).split("\n")).toEqual([
      "|  | outcrop | peer | ratio | target |",
      "| --- | --- | --- | --- | --- |",
      "| matl, batch 32 | 10,000 (9,000–11,000) steps/s | expert: 5,500 (5,000–6,000) | 1.82x | ≥ 1.7x |",
      "|  |  | plain: 1,000 | 10.00x |  |"
    ])
  })

  it("leaves out the columns that no row has, and keeps a | in a name from ending its cell", () => {
    expect(table([{ what: "a | b", unit: "s", better: "lower", ours: measured([1.5]) }]).split("\n")).toEqual(["|  | outcrop |", "| --- | --- |", "| a \\| b | 1.5 s |"])
  })
})

describe("a target", () => {
  it("that is missed says so: a ratio to the first peer, or a value", () => {
    expect(targetOf(row)).toBe("≥ 1.7x")
    expect(targetOf({ ...row, target: { ratio: 2 } })).toBe("≥ 2x **missed**")
    expect(targetOf({ ...row, target: { value: 20_000 } })).toBe("≥ 20,000 **missed**")
    expect(targetOf({ what: "", unit: "s", better: "lower", ours: measured([0.5]), target: { value: 0.6 } })).toBe("≤ 0.60")
  })

  it("without its peer is neither met nor missed", () => {
    expect(targetOf({ ...row, peers: { expert: undefined, plain: measured([1e9]) } })).toBe("≥ 1.7x")
  })
})

describe("a line of the terminal", () => {
  it("says all that the table does", () => {
    expect(line(row)).toBe("matl, batch 32: 10,000 (9,000–11,000) steps/s; expert: 5,500 (5,000–6,000) (1.82x); target ≥ 1.7x; plain: 1,000 (10.00x)")
  })
})

describe("the report", () => {
  it("names machine, date and command, then has a section a subject: what it is, its table, its remarks", () => {
    const text = report([
      { title: "Training", about: "Steps.", rows: [row], remarks: ["Left out: faiss.", "Ours on one core."] },
      { title: "Embedding", about: "Rows.", rows: [], remarks: ["Not run."] }
    ], { facts: ["2 x CPU.", "Peers: torch 1."], date: "2030-01-02", minutes: 12.3 })
    expect(text).toContain("    npm run bench ")
    expect(text).toContain("2 x CPU.  \nPeers: torch 1.  \n2030-01-02, 12 minutes.\n")
    expect(text).toContain(`## Training\n\nSteps.\n\n${table([row])}\n\n- Left out: faiss.\n- Ours on one core.\n\n## Embedding\n\nRows.\n\n- Not run.\n`)
    expect(text).not.toContain("undefined")
  })
})
