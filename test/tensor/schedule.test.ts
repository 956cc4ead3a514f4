import { describe, expect, it } from "vitest"
import { rateFactor } from "../../tensor/schedule.ts"

describe("the learning rate from epoch to epoch", () => {
  it("constant stays", () => expect([1, 50, 100].map((epoch) => rateFactor("constant", epoch, 100))).toEqual([1, 1, 1]))
  it("cosine begins at the rate and is half of it in the middle (MoCo v2: 0.5 (1 + cos(pi t / T)), t from 0)", () => {
    expect(rateFactor("cosine", 1, 200)).toBe(1)
    expect(rateFactor("cosine", 101, 200)).toBeCloseTo(0.5, 12)
    expect(rateFactor("cosine", 200, 200)).toBeCloseTo(0.5 * (1 + Math.cos(Math.PI * 199 / 200)), 12)
  })
  it("steps multiply after the epochs named", () => {
    const schedule = { steps: [60, 80], factor: 0.1 } as const
    expect([60, 61, 80, 81].map((epoch) => rateFactor(schedule, epoch, 100))).toEqual([1, 0.1, 0.1, 0.1 ** 2])
  })
})
