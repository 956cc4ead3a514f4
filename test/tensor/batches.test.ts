import { describe, expect, it } from "vitest"
import { batchRows, epochBatches, validationChunks } from "../../tensor/batches.ts"

const rows = Int32Array.from({ length: 70 }, (_, i) => 3 * i)
const sorted = (parts: ReadonlyArray<Int32Array>) => parts.flatMap((part) => [...part]).toSorted((a, b) => a - b)

describe("training batches", () => {
  it("an epoch of a masked loss has every row once; the last batch is short", () => {
    const batches = epochBatches(rows, 32, true, 0, 1)
    expect(batches.map((batch) => batch.length)).toEqual([32, 32, 6])
    expect(sorted(batches)).toEqual([...rows])
  })
  it("a loss that is not masked gets whole batches", () => {
    expect(epochBatches(rows, 32, false, 0, 1).map((batch) => batch.length)).toEqual([32, 32])
    expect(batchRows(32, 20, false)).toBe(20)
    expect(epochBatches(rows.subarray(0, 20), 20, false, 0, 1).map((batch) => batch.length)).toEqual([20])
    expect(batchRows(32, 20, true)).toBe(32)
  })
  it("the order is drawn from seed and epoch", () => {
    const order = (seed: number, epoch: number) => [...epochBatches(rows, 70, true, seed, epoch)[0]!]
    expect(order(0, 1)).toEqual(order(0, 1))
    expect(order(0, 1)).not.toEqual(order(0, 2))
    expect(order(0, 1)).not.toEqual(order(1, 1))
    expect([...rows]).toEqual(Array.from({ length: 70 }, (_, i) => 3 * i))
  })
})

describe("validation chunks", () => {
  const sizes = (n: number, batch: number, masked: boolean) => validationChunks(Int32Array.from({ length: n }, (_, i) => i), batch, masked, 0).map(({ rows, size }) => [rows.length, size])
  it("a small fold is one chunk, padded to a multiple of 16", () => {
    expect(sizes(9, 32, true)).toEqual([[9, 16]])
    expect(sizes(63, 32, true)).toEqual([[63, 64]])
  })
  it("a large one is cut by the batch size, at least 64", () => {
    expect(sizes(150, 32, true)).toEqual([[64, 64], [64, 64], [22, 32]])
    expect(sizes(250, 100, true)).toEqual([[112, 112], [112, 112], [26, 32]])
  })
  it("a loss that is not masked sees no padding", () => {
    expect(sizes(70, 32, false)).toEqual([[64, 64], [6, 6]])
  })
  it("no rows, no chunks", () => {
    expect(sizes(0, 32, true)).toEqual([])
  })
})

describe("validation rows", () => {
  it("are shuffled by seed, so that a table sorted by class makes no chunk of one class", () => {
    const rows = Int32Array.from({ length: 256 }, (_, i) => i), chunks = validationChunks(rows, 32, true, 3)
    for (const { rows: part } of chunks) expect(new Set(Array.from(part, (row) => Math.floor(row / 64))).size).toBe(4)
    expect(chunks.flatMap(({ rows: part }) => [...part]).toSorted((a, b) => a - b)).toEqual([...rows])
    expect(validationChunks(rows, 32, true, 3)).toEqual(chunks)
    expect(validationChunks(rows, 32, true, 4)).not.toEqual(chunks)
  })
})
