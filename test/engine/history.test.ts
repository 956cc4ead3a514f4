import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { hostname, tmpdir, uptime } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { openCache } from "../../cache/cache.ts"
import type { Graph } from "../../engine/graph.ts"
import { graphAt, gitState, makers, putGraph, putRun, type Run, runId, runNamed, runs, stateOf } from "../../engine/history.ts"

const root = fs.mkdtempSync(join(tmpdir(), "outcrop-history-"))
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))
let caches = 0
const cacheOf = () => openCache(join(root, String(caches++)))

const graphWith = (...keys: ReadonlyArray<string>): Graph => ({
  version: 1,
  axes: [{ name: "fold", replicate: true, labels: ["0"] }],
  codes: [0],
  cells: 1,
  nodes: keys.map((key, i) => ({ stage: `s${i}`, address: `s${i}`, uses: "ingest/list", key, up: [] })),
  of: Object.fromEntries(keys.map((_, i) => [`s${i}`, [i]]))
})
const run = (id: string, started: string, rest: Partial<Run> = {}): Omit<Run, "version" | "host" | "pid"> => ({
  id,
  state: "done",
  started,
  seconds: 10,
  asked: ["run"],
  pipeline: { name: "p", file: "/p.yaml", text: "name: p\n" },
  dataRoot: "/data",
  git: null,
  versions: {},
  graph: null,
  nodes: { total: 1, run: 1, cached: 0, failed: 0 },
  cells: 1,
  embedded: 0,
  failures: [],
  ...rest
})
const document = (cache: ReturnType<typeof cacheOf>, id: string) => join(cache.store.root, "runs", id.slice(0, 2), `${id}.json`)

describe("the history of runs", () => {
  it("keeps a run as it was written last, the oldest first", () => {
    const cache = cacheOf()
    putRun(cache, run("20260102-000000-aaaa", "2026-01-02T00:00:00.500Z", { state: "running" }))
    putRun(cache, run("20260101-000000-ffff", "2026-01-01T00:00:00.000Z"))
    putRun(cache, run("20260102-000000-0000", "2026-01-02T00:00:00.900Z"))
    putRun(cache, run("20260102-000000-aaaa", "2026-01-02T00:00:00.500Z", { state: "failed", failures: [{ address: "train", message: "diverged" }] }))
    const { runs: all, unreadable } = runs(cache)
    expect(all.map(({ id, state }) => [id, state])).toEqual([["20260101-000000-ffff", "done"], ["20260102-000000-aaaa", "failed"], ["20260102-000000-0000", "done"]])
    expect(all[1]).toMatchObject({ host: hostname(), pid: process.pid, failures: [{ address: "train", message: "diverged" }] })
    expect(unreadable).toEqual([])
  })

  it("tells which records cannot be read, and reads the others", () => {
    const cache = cacheOf()
    for (const id of ["20260101-000000-aaaa", "20260101-000000-bbbb", "20260101-000000-cccc"]) putRun(cache, run(id, "2026-01-01T00:00:00.000Z"))
    const cut = document(cache, "20260101-000000-aaaa"), text = fs.readFileSync(cut, "utf8")
    fs.writeFileSync(cut, text.slice(0, text.length / 2))
    cache.store.putDocument("runs", "20260101-000000-bbbb", JSON.stringify({ version: 2 }))
    expect(runs(cache)).toMatchObject({ runs: [{ id: "20260101-000000-cccc" }], unreadable: ["20260101-000000-aaaa", "20260101-000000-bbbb"] })
  })

  it("names runs so that they sort by time, and two that begin at once differ", () => {
    const now = new Date("2026-07-03T10:11:12.345Z")
    expect(runId(now)).toMatch(/^20260703-101112-[0-9a-f]{4}$/)
    expect(new Set(Array.from({ length: 50 }, () => runId(now))).size).toBeGreaterThan(40)
  })
})

describe("a graph", () => {
  it("is kept once for all runs that came to the same, and comes back as it was", () => {
    const cache = cacheOf(), digest = putGraph(cache, graphWith("k1", "k2"))
    expect(putGraph(cache, graphWith("k1", "k2"))).toBe(digest)
    expect(cache.store.documents("graphs")).toEqual([digest])
    expect(graphAt(cache, digest)).toEqual(graphWith("k1", "k2"))
  })

  it("that is lost or damaged is not there", () => {
    const cache = cacheOf(), digest = putGraph(cache, graphWith("k1")), file = join(cache.store.root, "graphs", digest.slice(0, 2), `${digest}.json`)
    expect(graphAt(cache, "00")).toBeUndefined()
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(/^./, "x"))
    expect(graphAt(cache, digest)).toBeUndefined()
  })
})

describe("the state of a run", () => {
  const as = (rest: Partial<Run>): Run => ({ ...run("x", new Date().toISOString(), { state: "running" }), version: 1, host: hostname(), pid: process.pid, ...rest })
  const gone = spawnSync(process.execPath, ["-e", ""]).pid

  it("is running while its process lives, and cut off when that is gone", () => {
    expect(stateOf(as({}))).toBe("running")
    expect(stateOf(as({ pid: gone }))).toBe("cut off")
    expect(stateOf(as({ pid: gone, state: "done" })), "what was written down as ended has ended").toBe("done")
  })

  it("is cut off where the machine was started anew since: the process of that number is another", () => {
    expect(stateOf(as({ started: new Date(Date.now() - (uptime() + 60) * 1000).toISOString() }))).toBe("cut off")
  })

  it("of another machine's run is what was written down", () => {
    expect(stateOf(as({ host: "elsewhere", pid: gone }))).toBe("running")
  })
})

describe("the name of a run", () => {
  const all = ["20260101-000000-aaaa", "20260101-000000-abbb", "20260102-000000-cccc"].map((id): Run => ({ ...run(id, "2026-01-01T00:00:00Z"), version: 1, host: "h", pid: 1 }))
  it("is its id, the beginning of one, last, or so many before the last", () => {
    expect(runNamed(all, "20260102-000000-cccc")).toBe(all[2])
    expect(runNamed(all, "20260102")).toBe(all[2])
    expect(runNamed(all, "last")).toBe(all[2])
    expect(runNamed(all, "last~2")).toBe(all[0])
  })

  it("that fits several or none says so", () => {
    expect(runNamed(all, "20260101-000000-a")).toBe('2 runs begin with "20260101-000000-a": 20260101-000000-aaaa, 20260101-000000-abbb')
    expect(runNamed(all, "20260102-000000-ccdc")).toMatch(/there is no run "20260102-000000-ccdc" \(did you mean "20260102-000000-cccc"\?\); the last is 20260102-000000-cccc/)
    expect(runNamed(all, "last~3")).toBe("there is no last~3: 3 runs are on record, the oldest is last~2")
    expect(runNamed([], "last")).toBe("no run is on record in this cache")
  })
})

describe("the run that made a result", () => {
  const cache = cacheOf()
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
  const put = (id: string, second: number, seconds: number, rest: Partial<Run> = {}) => putRun(cache, run(id, at(second), { seconds, ...rest }))
  put("a", 0, 10, { graph: putGraph(cache, graphWith("k1", "k2")) })
  put("b", 20, 10, { graph: putGraph(cache, graphWith("k3")) })
  put("c", 25, 10, { graph: putGraph(cache, graphWith("k4", "k5")) })
  put("d", 27, 1, { graph: putGraph(cache, graphWith("k5")) })
  put("e", 50, 0, { state: "running" })
  put("f", 60, 10, { graph: putGraph(cache, graphWith("k6")) })
  const { runs: all } = runs(cache)
  const by = makers(cache, all), madeBy = (key: string, second: number, host = hostname()) => by({ key, started: at(second), host }).map(({ id }) => id)

  it("was under way on that machine when the work began", () => {
    expect(madeBy("k1", 5)).toEqual(["a"])
    expect(madeBy("k1", 5, "elsewhere")).toEqual([])
    expect(madeBy("k1", 15)).toEqual([])
  })

  it("of several under way is the one that came to its key; both, where both did", () => {
    expect(madeBy("k3", 26)).toEqual(["b"])
    expect(madeBy("k4", 26)).toEqual(["c"])
    expect(madeBy("k5", 27.5)).toEqual(["c", "d"])
  })

  it("may be one that was cut off, where no run that ended came to the key", () => {
    expect(madeBy("k9", 55)).toEqual(["e"])
    expect(madeBy("k6", 65)).toEqual(["f"])
    expect(madeBy("k9", 65)).toEqual(["e"])
  })
})

describe("the state of the repository", () => {
  const git = (folder: string, ...words: ReadonlyArray<string>) => spawnSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.c", ...words], { encoding: "utf8" })
  it("is the commit, and whether anything differs from it; null where there is none", async () => {
    const folder = join(root, "repository")
    fs.mkdirSync(folder)
    expect(await gitState(folder)).toBeNull()
    git(folder, "init", "-q")
    fs.writeFileSync(join(folder, "p.yaml"), "name: p\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    const commit = git(folder, "rev-parse", "HEAD").stdout.trim()
    expect(await gitState(folder)).toEqual({ commit, dirty: false })
    fs.writeFileSync(join(folder, "p.yaml"), "name: q\n")
    expect(await gitState(folder)).toEqual({ commit, dirty: true })
  })
})
