import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import { allocate } from "../../tensor/optimiser.ts"

// 35 values a lane: lanes begin off every SIMD boundary, and each has a tail of three.
const shapes = { weight: [5, 7], bias: [7] }
const size = { weight: 35, bias: 7 }
const names = ["weight", "bias"] as const

/** Memory with the same random weights in each lane, and a gradient for each step that all lanes share. */
const prepared = () => {
  const memory = allocate(shapes, 8), draw = stream(1, "weights")
  for (const name of names) {
    const own = Float32Array.from({ length: size[name] }, () => draw.normal())
    for (let lane = 0; lane < 8; lane++) memory.weights[name]!.set(own, lane * size[name])
  }
  const gradients = Array.from({ length: 40 }, (_, step) => {
    const draw = stream(2, "gradient", step)
    return Object.fromEntries(names.map((name) => [name, Float32Array.from({ length: size[name] }, () => draw.normal())]))
  })
  const feed = (step: number) => {
    for (const name of names) for (let lane = 0; lane < 8; lane++) memory.gradients[name]!.set(gradients[step]![name]!, lane * size[name])
  }
  return { memory, gradients, feed }
}

describe("optimiser steps", () => {
  it("adam is torch's: epsilon outside the root, bias-corrected", () => {
    const { feed, gradients, memory } = prepared()
    const expected = Float64Array.from(memory.copy(3, "now")["weight"]!), m = new Float64Array(35), v = new Float64Array(35)
    for (let step = 0; step < 40; step++) {
      feed(step)
      memory.step(3, { optimiser: "adam", rate: 1e-2, momentum: 0, decay: 0, count: step + 1 })
      const g = gradients[step]!["weight"]!
      for (let i = 0; i < 35; i++) {
        m[i] = 0.9 * m[i]! + 0.1 * g[i]!
        v[i] = 0.999 * v[i]! + 0.001 * g[i]! ** 2
        expected[i]! -= 1e-2 / (1 - 0.9 ** (step + 1)) * m[i]! / (Math.sqrt(v[i]!) / Math.sqrt(1 - 0.999 ** (step + 1)) + 1e-8)
      }
    }
    const got = memory.copy(3, "now")["weight"]!
    for (let i = 0; i < 35; i++) expect(Math.abs(got[i]! - expected[i]!)).toBeLessThan(1e-6)
  })

  it("sgd has torch's momentum", () => {
    const { feed, gradients, memory } = prepared()
    const expected = Float64Array.from(memory.copy(0, "now")["weight"]!), m = new Float64Array(35)
    for (let step = 0; step < 40; step++) {
      feed(step)
      memory.step(0, { optimiser: "sgd", rate: 1e-2, momentum: 0.9, decay: 0, count: step + 1 })
      for (let i = 0; i < 35; i++) {
        m[i] = 0.9 * m[i]! + gradients[step]!["weight"]![i]!
        expected[i]! -= 1e-2 * m[i]!
      }
    }
    const got = memory.copy(0, "now")["weight"]!
    for (let i = 0; i < 35; i++) expect(Math.abs(got[i]! - expected[i]!)).toBeLessThan(1e-5)
  })

  it("a value's bits do not depend on its place, and a lane that sits out stays as it is", () => {
    for (const optimiser of ["adam", "sgd"] as const) {
      const { feed, memory } = prepared(), before = memory.copy(5, "now")
      for (let step = 0; step < 40; step++) {
        feed(step)
        for (const lane of [0, 1, 2, 3, 4, 6, 7]) memory.step(lane, { optimiser, rate: 1e-2, momentum: 0.9, decay: 0, count: step + 1 })
      }
      for (const lane of [1, 2, 3, 4, 6, 7]) expect(memory.copy(lane, "now")).toEqual(memory.copy(0, "now"))
      expect(memory.copy(5, "now")).toEqual(before)
      expect(memory.copy(0, "now")).not.toEqual(before)
    }
  })

  it("a first moment below 1e-30 is flushed: it does not decay into denormals", () => {
    const memory = allocate({ weight: [35] }, 1)
    memory.gradients["weight"]!.fill(1e-29)
    memory.step(0, { optimiser: "sgd", rate: 1, momentum: 0, decay: 0, count: 1 })
    expect(memory.copy(0, "now")["weight"]!.every((w) => w === Math.fround(-1e-29))).toBe(true)
    memory.gradients["weight"]!.fill(1e-31)
    memory.step(0, { optimiser: "sgd", rate: 1, momentum: 0, decay: 0, count: 2 })
    expect(memory.copy(0, "now")["weight"]!.every((w) => w === Math.fround(-1e-29))).toBe(true)
  })

  it("keeps a checkpoint", () => {
    const { feed, memory } = prepared()
    memory.keep(2)
    const kept = memory.copy(2, "now")
    feed(0)
    memory.step(2, { optimiser: "adam", rate: 1, momentum: 0, decay: 0, count: 1 })
    expect(memory.copy(2, "kept")).toEqual(kept)
    expect(memory.copy(2, "now")).not.toEqual(kept)
  })
})
