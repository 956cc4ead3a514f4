import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import { makeQueue, makeTarget } from "../../tensor/target.ts"
import { oracle, type Rows } from "../math/oracle.ts"

describe("the copy of the head that projects keys", () => {
  it("after k steps of a head that moves by 1 each, it is behind by the closed form of a moving average", () => {
    const head = { w: new Float32Array(6) }, target = makeTarget({ w: [3] }, head, 2), m = 0.9
    target.begin(1)
    for (let k = 1; k <= 20; k++) {
      head.w.fill(k, 3, 6)
      target.follow(1, m)
      // sum over j of (1 - m) m^(k - j) j, from 0 at the start
      const closed = k - m * (1 - m ** k) / (1 - m)
      expect(target.weights["w"]![4]).toBeCloseTo(closed, 4)
    }
    expect([...target.weights["w"]!.subarray(0, 3)]).toEqual([0, 0, 0])
  })
  it("does not move at momentum 1, and is the head at momentum 0", () => {
    const head = { w: Float32Array.of(1, 2, 3) }, target = makeTarget({ w: [3] }, head, 1)
    target.begin(0)
    head.w.set([4, 5, 6])
    target.follow(0, 1)
    expect([...target.weights["w"]!]).toEqual([1, 2, 3])
    target.follow(0, 0)
    expect([...target.weights["w"]!]).toEqual([4, 5, 6])
  })
  const update = oracle<{ readonly cases: ReadonlyArray<{ readonly name: string; readonly momentum: number; readonly query: Rows; readonly key: Rows; readonly key_after: Rows }> }>("contrastive")?.cases.find(({ name }) => name === "momentum encoder update")
  it.skipIf(update === undefined)("is MoCo's update (oracle; skipped where shared/data/oracles is absent)", () => {
    const head = { w: Float32Array.from(update!.key.flat()) }, target = makeTarget({ w: [head.w.length] }, head, 1)
    target.begin(0)
    head.w.set(update!.query.flat())
    target.follow(0, update!.momentum)
    for (const [i, expected] of update!.key_after.flat().entries()) expect(target.weights["w"]![i]).toBeCloseTo(expected, 6)
  })
})

describe("the queue of keys, by hand: two samples a batch, four keys", () => {
  const queue = makeQueue(4, 2, 2)
  queue.begin(0, stream(0, "queue"))
  queue.begin(1, stream(0, "queue"))
  const lane = () => [...queue.values.subarray(0, 8)], begin = lane()
  it("begins with directions, the same for the same seed", () => {
    for (let row = 0; row < 4; row++) expect(Math.hypot(begin[2 * row]!, begin[2 * row + 1]!)).toBeCloseTo(1, 6)
    expect([...queue.values.subarray(8)]).toEqual(begin)
  })
  it("a batch takes the place of the oldest keys, and comes round to the first again", () => {
    queue.enqueue(0, Float32Array.of(1, 0, 0, 1))
    expect(lane()).toEqual([1, 0, 0, 1, ...begin.slice(4)])
    queue.enqueue(0, Float32Array.of(-1, 0, 0, -1))
    expect(lane()).toEqual([1, 0, 0, 1, -1, 0, 0, -1])
    queue.enqueue(0, Float32Array.of(0.6, 0.8, 0.8, 0.6))
    expect(lane()).toEqual([...Float32Array.of(0.6, 0.8, 0.8, 0.6), -1, 0, 0, -1])
  })
  it("another lane's keys are its own", () => expect([...queue.values.subarray(8)]).toEqual(begin))
})
