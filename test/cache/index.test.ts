import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Worker } from "node:worker_threads"
import { afterAll, describe, expect, it } from "vitest"
import type { Action } from "../../cache/action.ts"
import { type Cache, openCache } from "../../cache/cache.ts"
import { Index } from "../../cache/index.ts"
import { gather, keepSegment, rowKey } from "../../cache/segments.ts"
import { Store } from "../../cache/store.ts"

const home = fs.mkdtempSync(join(tmpdir(), "outcrop-index-"))
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))
let folders = 0
const folder = () => join(home, String(folders++))

const actionOf = (number: number): Action => ({
  version: 1,
  key: number.toString(16).padStart(64, "0"),
  identity: `identity ${number % 3}`,
  uses: "ingest/list",
  preimage: { with: { number } },
  outputs: { samples: { table: "samples", rows: 1, columns: {}, metadata: {}, blob: `b${number}`, bytes: 3, kept: "inline" } },
  inline: { [`b${number}`]: Buffer.from([number % 256, 1, 2]).toString("base64") },
  notices: [],
  trace: { "a.csv": `digest ${number}` },
  staticKey: "static",
  started: new Date(1.6e12 + number * 1000).toISOString(),
  seconds: 0.5,
  host: "here",
  node: "v22"
})
const keep = ({ index, store }: Pick<Cache, "index" | "store">, action: Action) => {
  store.putDocument("actions", action.key, JSON.stringify(action))
  index.batch(() => index.record(action))
}
const vectors = (width: number, ...values: ReadonlyArray<number>) => ({ width, values: Float32Array.from(values) })
const keysOf = (...names: ReadonlyArray<string>) => names.map((name) => rowKey("embedder", name))

/** A cache with 200 results and three embedded rows. */
const filled = (root: string) => {
  const cache = openCache(root)
  for (let i = 0; i < 200; i++) keep(cache, actionOf(i))
  keepSegment(cache.store, cache.index, keysOf("x", "y", "z"), vectors(2, 1, 2, 3, 4, 5, 6))
  cache.index.close()
}
const expectWhole = (root: string) => {
  const { index, store } = openCache(root)
  for (const i of [0, 77, 199]) {
    expect(index.entry(actionOf(i).key)?.outputs, `result ${i}`).toEqual(actionOf(i).outputs)
    expect(index.inline(`b${i}`), `small table ${i}`).toEqual(Uint8Array.of(i % 256, 1, 2))
  }
  expect([...index.traces("static")]).toHaveLength(32)
  expect(index.byIdentity("identity 1")?.key).toBe(actionOf(199).key)
  expect(gather(store, index, keysOf("z", "x").map((key) => index.row(key)!))).toEqual({ width: 2, values: Float32Array.of(5, 6, 1, 2) })
  index.close()
}

describe("the index holds nothing that the store does not", () => {
  it("deleted, it is filled again from the store", () => {
    const root = folder()
    filled(root)
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(join(root, `index.sqlite${suffix}`), { force: true })
    expectWhole(root)
  })

  it("overwritten by something else, it is made anew", () => {
    const root = folder()
    filled(root)
    fs.writeFileSync(join(root, "index.sqlite"), "this is not a database ".repeat(1000))
    expectWhole(root)
  })

  it("of an earlier layout, it is made anew", () => {
    const root = folder()
    filled(root)
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(join(root, `index.sqlite${suffix}`), { force: true })
    const old = new DatabaseSync(join(root, "index.sqlite"))
    old.exec("create table actions (key text primary key, identity text, uses text, outputs text, seconds real, at text)")
    old.close()
    expectWhole(root)
  })

  it("killed while it is filled, it is filled when it is opened next", () => {
    const root = folder()
    filled(root)
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(join(root, `index.sqlite${suffix}`), { force: true })
    expect(() => Index.open(Store.open(root), (index) => {
      index.record(actionOf(3))
      throw new Error("killed")
    })).toThrow("killed")
    expectWhole(root)
  })

  it("a result kept just before a kill, not yet entered, is found in the store", () => {
    const root = folder()
    filled(root)
    const cache = openCache(root)
    cache.store.putDocument("actions", actionOf(500).key, JSON.stringify(actionOf(500)))
    expect(cache.index.entry(actionOf(500).key)?.outputs).toEqual(actionOf(500).outputs)
    expect(cache.index.byIdentity("identity 2")?.key).toBe(actionOf(500).key)
    cache.index.close()
  })

  it("a result whose document is damaged is not brought back", () => {
    const root = folder()
    filled(root)
    const { key } = actionOf(7)
    fs.appendFileSync(join(root, "actions", key.slice(0, 2), `${key}.json`), "x")
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(join(root, `index.sqlite${suffix}`), { force: true })
    const { index } = openCache(root)
    expect(index.entry(key)).toBeUndefined()
    expect(index.entry(actionOf(8).key)).toBeDefined()
    index.close()
  })

  it("two processes write at once and see each other's results", () => {
    const root = folder()
    const one = openCache(root), two = openCache(root)
    keep(one, actionOf(1))
    keep(two, actionOf(2))
    expect(one.index.entry(actionOf(2).key)).toBeDefined()
    expect(two.index.entry(actionOf(1).key)).toBeDefined()
    one.index.close()
    two.index.close()
  })
})

describe("history", () => {
  it("remembers the key a node had before, until the next change", () => {
    const { index } = openCache(folder())
    index.putAddresses("p", [["probe fold=0", "k1"], ["train", "t"]])
    index.putAddresses("p", [["probe fold=0", "k2"]])
    index.putAddresses("p", [["probe fold=0", "k2"]])
    index.putAddresses("other", [["probe fold=0", "z"]])
    expect(index.addresses("p")).toEqual(new Map([["probe fold=0", { key: "k2", previous: "k1" }], ["train", { key: "t", previous: undefined }]]))
    index.close()
  })

  it("a batch that fails leaves nothing behind", () => {
    const { index } = openCache(folder())
    expect(() => index.batch(() => {
      index.record(actionOf(1))
      throw new Error("stop")
    })).toThrow("stop")
    expect(index.byIdentity("identity 1")).toBeUndefined()
    index.batch(() => index.record(actionOf(1)))
    expect(index.byIdentity("identity 1")?.key).toBe(actionOf(1).key)
    index.close()
  })
})

describe("two that open a new cache at the same moment", () => {
  it("both get it, and both can write", async () => {
    const roots = Array.from({ length: 60 }, folder)
    const arrived = new Int32Array(new SharedArrayBuffer(4 * roots.length))
    const opener = () => new Promise<unknown>((done, fail) => {
      new Worker(new URL("./opener.ts", import.meta.url), { workerData: { roots, arrived } }).once("message", done).once("error", fail)
    })
    // Every other one has an index of an earlier layout, which both find.
    for (const root of roots.filter((_, i) => i % 2 === 1)) {
      fs.mkdirSync(root)
      const old = new DatabaseSync(join(root, "index.sqlite"))
      old.exec("create table actions (key text primary key); create table things (a, b); pragma user_version = 1")
      old.close()
    }
    expect(await Promise.all([opener(), opener()])).toEqual([[], []])
    for (const root of roots.slice(0, 2)) {
      const { index } = openCache(root)
      expect(index.addresses("pipeline").size).toBe(2)
      index.close()
    }
  })
})

describe("a large grid's index", () => {
  it("takes about what its rows take: one of over 1 kB has no page of its own", () => {
    const root = folder(), count = 500, text = "x".repeat(1400)
    const { index } = openCache(root)
    index.batch(() => {
      for (let i = 0; i < count; i++) {
        const action = actionOf(i)
        index.record({ ...action, inline: { [`b${i}`]: Buffer.from(text).toString("base64") }, outputs: { samples: { ...action.outputs["samples"]!, metadata: { text } } } })
      }
    })
    index.close()
    expect(fs.statSync(join(root, "index.sqlite")).size).toBeLessThan(count * 2 * 1400 * 1.8)
  })

  it("enters addresses that changed, whether or not they were read before", () => {
    const root = folder()
    const { index, store } = openCache(root)
    keep({ index, store }, actionOf(1))
    keep({ index, store }, actionOf(2))
    index.putAddresses("grid", [["a", actionOf(1).key], ["b", "unknown"]])
    index.prefetch("grid")
    index.putAddresses("grid", [["a", actionOf(1).key], ["b", "unknown"]])
    expect(index.addresses("grid").get("a")).toEqual({ key: actionOf(1).key, previous: undefined })
    index.putAddresses("grid", [["a", actionOf(2).key], ["c", "new"]])
    expect(Object.fromEntries(index.addresses("grid"))).toEqual({
      a: { key: actionOf(2).key, previous: actionOf(1).key },
      b: { key: "unknown", previous: undefined },
      c: { key: "new", previous: undefined }
    })
    index.close()
  })
})
