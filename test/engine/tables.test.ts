import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { memoryUsage } from "node:process"
import { afterAll, describe, expect, it } from "vitest"
import type { Output } from "../../cache/action.ts"
import { openCache } from "../../cache/cache.ts"
import { collectGarbage } from "../../engine/garbage.ts"
import { keepTables } from "../../engine/output.ts"
import { Tables } from "../../engine/tables.ts"
import { Embeddings } from "../../schemas/embeddings.ts"
import { make } from "../../schemas/table.ts"

const home = fs.mkdtempSync(join(tmpdir(), "outcrop-tables-"))
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

/** A table of 40 kB, which is kept as a blob. */
const embeddings = (seed: number) => {
  const sample_id = Array.from({ length: 100 }, (_, i) => String(i).padStart(3, "0"))
  return make(Embeddings, { sample_id, view: sample_id.map(() => "full"), embedding: { width: 100, values: new Float32Array(10_000).fill(seed) } })
}

describe("tables in memory", () => {
  const cache = openCache(home)
  const kept = [1, 2, 3].map((seed) => keepTables(cache.store, { embeddings: embeddings(seed) }).outputs["embeddings"]!)
  const read = ["sample_id", "view", "embedding"]
  const bytesOf = (tables: Tables, output: Output) => tables.input("", output, read).bytes

  it("are read once, and stay while there is room", () => {
    const tables = new Tables(cache, 1e6)
    const first = bytesOf(tables, kept[0]!)
    bytesOf(tables, kept[1]!)
    expect(bytesOf(tables, kept[0]!)).toBe(first)
  })

  it("give way, those used longest ago first, before another is read", () => {
    const tables = new Tables(cache, 1e5)
    const [first, second] = [bytesOf(tables, kept[0]!), bytesOf(tables, kept[1]!)]
    expect(bytesOf(tables, kept[0]!)).toBe(first)
    bytesOf(tables, kept[2]!)
    expect(bytesOf(tables, kept[0]!)).toBe(first)
    expect(bytesOf(tables, kept[1]!)).not.toBe(second)
  })

  it("are there however small the room, one at a time", () => {
    const tables = new Tables(cache, 1)
    for (const output of kept) expect(bytesOf(tables, output)).toHaveLength(output.bytes)
    expect(tables.table("", kept[2]!).columns.get("embedding")!.column).toMatchObject({ width: 100 })
  })
})

describe("garbage", () => {
  it("of large arrays goes when it is told to", () => {
    const before = memoryUsage().arrayBuffers, size = 2 ** 28
    const made = (): number => {
      const large = new ArrayBuffer(size)
      return large.byteLength + memoryUsage().arrayBuffers - before
    }
    expect(made()).toBeGreaterThan(1.5 * size)
    collectGarbage()
    expect(memoryUsage().arrayBuffers - before).toBeLessThan(size / 2)
  })
})
