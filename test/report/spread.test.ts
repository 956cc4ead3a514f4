import { describe, expect, it } from "vitest"
import { studentReach } from "../../math/student.ts"
import type { Design } from "../../report/design.ts"
import { withSpread } from "../../report/spread.ts"
import { result } from "./result.ts"

const values = [0.4, 0.5, 0.45, 0.65]
/** Replicates of which so many in a row are seeds of one split. */
const designs = (design: Design, seeds = 1) => ({ of: (node: number) => String(Math.floor(node / seeds)), design: () => design })
const sdOf = (of: ReadonlyArray<number>) => {
  const mean = of.reduce((sum, value) => sum + value, 0) / of.length
  return Math.sqrt(of.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (of.length - 1))
}
const half = ({ ci: { high, low } }: ReturnType<typeof result>) => (high - low) / 2

describe("the interval of a mean over replicates", () => {
  it("is Student's where they share nothing", () => {
    expect(half(withSpread(result({}, "accuracy", values), designs({ kind: "apart" })))).toBeCloseTo(studentReach(0.95, 3) * sdOf(values) / 2, 12)
  })
  it("is wider where their training rows are partly the same: 1/J + r / (1 - r) instead of 1/J", () => {
    const shared = withSpread(result({}, "accuracy", values), designs({ kind: "one test", shared: 2 / 3, correlation: 2 / 3 }))
    expect(half(shared)).toBeCloseTo(studentReach(0.95, 3) * sdOf(values) * Math.sqrt(1 / 4 + 2), 12)
    expect([shared.mean, shared.sd, shared.ci.over]).toEqual([result({}, "accuracy", values).mean, result({}, "accuracy", values).sd, "replicates"])
  })
  it("counts several seeds of a split as one replicate of it", () => {
    expect(half(withSpread(result({}, "accuracy", values), designs({ kind: "apart" }, 2)))).toBeCloseTo(studentReach(0.95, 1) * sdOf([0.45, 0.55]) / Math.SQRT2, 12)
  })
  it("is none where all are equal, and stays what it is over samples", () => {
    expect(withSpread(result({}, "accuracy", [0.5, 0.5, 0.5]), designs({ kind: "apart" })).ci.low).toBeNaN()
    const one = result({}, "accuracy", [0.5], 0, { ci: { low: 0.4, high: 0.6, over: "samples" } })
    expect(withSpread(one, designs({ kind: "apart" }))).toBe(one)
  })
})
