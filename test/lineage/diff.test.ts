import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import type { Action } from "../../cache/action.ts"
import { type Cache, openCache } from "../../cache/cache.ts"
import type { Document } from "../../cache/canonical.ts"
import { putEviction } from "../../cache/evictions.ts"
import type { Graph, GraphNode } from "../../engine/graph.ts"
import { diffGraphs, type Side } from "../../lineage/diff.ts"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true })
})
const fresh = (): Cache => {
  const folder = fs.mkdtempSync(join(tmpdir(), "outcrop-diff-"))
  folders.push(folder)
  return openCache(folder)
}

/** Writes a result down: what its key is of, and the digest of the one column that it gave. */
const result = ({ index, store }: Cache, key: string, preimage: Readonly<Record<string, Document>>, digest: string): string => {
  const action: Action = {
    version: 1, key, identity: key, uses: String(preimage["stage"]), preimage, inline: {}, notices: [], started: "2026-01-01T00:00:00.000Z", seconds: 1, host: "h", node: "v22",
    outputs: { annotations: { table: "annotations", rows: 3, columns: { class: { kind: "integer", digest } }, metadata: {}, blob: digest, bytes: 1, kept: "inline" } }
  }
  store.putDocument("actions", key, JSON.stringify(action))
  index.batch(() => index.record(action))
  return key
}
const node = (stage: string, key: string | null, up: GraphNode["up"] = []): GraphNode => ({ stage, address: stage, uses: `mine/${stage}`, key, up })
const side = (nodes: ReadonlyArray<GraphNode>): Side => {
  const graph: Graph = { version: 1, axes: [], codes: [], cells: 1, nodes, of: Object.fromEntries(nodes.map(({ stage }, i) => [stage, [i]])) }
  return { graph, failures: new Map() }
}
const reading = (columns: Readonly<Record<string, string>>, rest: Readonly<Record<string, Document>> = {}) => ({ stage: "mine/b", with: {}, ...rest, ports: { in: { table: "annotations", rows: 3, columns, metadata: {} } } })

describe("diffGraphs", () => {
  it("a stage that gave two results under one key: what read the one and the other is told apart by the column", () => {
    const cache = fresh(), above = result(cache, "aa", { stage: "mine/a" }, "later")
    const { first } = diffGraphs(cache,
      side([node("a", above), node("b", result(cache, "b1", reading({ class: "earlier" }), "x"), [["in", 0, "annotations"]])]),
      side([node("a", above), node("b", result(cache, "b2", reading({ class: "later" }), "y"), [["in", 0, "annotations"]])]))
    expect(first).toMatchObject([{ stage: "b", outputs: ["annotations"], causes: [{ kind: "input", part: "in.class", before: "earlier", after: "later" }] }])
  })

  it("a parameter that makes a stage read another column explains that column", () => {
    const cache = fresh(), above = result(cache, "aa", { stage: "mine/a" }, "later")
    const { first } = diffGraphs(cache,
      side([node("a", above), node("b", result(cache, "b1", reading({ class: "c" }, { with: { tasks: { class: 1 } } }), "x"), [["in", 0, "annotations"]])]),
      side([node("a", above), node("b", result(cache, "b2", reading({ class: "c", box: "d" }, { with: { tasks: { class: 1, box: 1 } } }), "y"), [["in", 0, "annotations"]])]))
    expect(first.map(({ causes }) => causes)).toEqual([[{ kind: "parameter", part: "tasks.box", before: null, after: 1 }]])
  })

  it("the code's digest explains its version and the packages that it took up", () => {
    const cache = fresh()
    const { first } = diffGraphs(cache,
      side([node("a", result(cache, "a1", { stage: "mine/a", version: 1, code: { closure: "1", packages: { sharp: "1" } } }, "x"))]),
      side([node("a", result(cache, "a2", { stage: "mine/a", version: 2, code: { closure: "2", packages: { sharp: "2", "h3-js": "4" } } }, "y"))]))
    expect(first[0]!.causes.map(({ part }) => part)).toEqual(["code.closure", "code.packages.sharp"])
    expect(first[0]!.code).toEqual(["1", "2"])
  })

  it("what is below a difference is no finding, nor is what is below a stage without a result", () => {
    const cache = fresh()
    const chain = (key: string | null, digest: string, below: string | null) => side([node("a", key), node("b", below === null ? null : result(cache, below, reading({ class: digest }), digest), [["in", 0, "annotations"]])])
    const a = chain(result(cache, "a1", { stage: "mine/a", with: { k: 1 } }, "x"), "x", "b1")
    const different = diffGraphs(cache, a, chain(result(cache, "a2", { stage: "mine/a", with: { k: 2 } }, "y"), "y", "b2"))
    expect([different.first.map(({ stage }) => stage), different.further]).toEqual([["a"], []])
    const failed = diffGraphs(cache, a, chain(null, "", null))
    expect([failed.first.map(({ causes, stage }) => [stage, causes[0]!.part]), failed.further]).toEqual([[["a", "no result in B"]], []])
  })

  it("a record that is lost is named", () => {
    const cache = fresh(), before = side([node("a", "0123456789abcdef")]), after = side([node("a", result(cache, "a2", { stage: "mine/a" }, "y"))])
    const { first } = diffGraphs(cache, before, after)
    expect(first[0]!.causes).toEqual([{ kind: "impossible", part: "the record of a (0123456789ab) is lost from the cache", before: null, after: null }])
    putEviction(cache.store, { by: "gc", why: "no pipeline reaches it", removed: ["0123456789abcdef"] })
    expect(diffGraphs(cache, before, after).first[0]!.causes[0]!.part).toMatch(/^the record of a \(0123456789ab\) was removed by gc on \d{4}-\d\d-\d\d$/)
  })
})
