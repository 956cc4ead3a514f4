import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { historyOf } from "../opened.ts"
import { read, reads } from "../reading.ts"
import { Folder, removeFolders, study } from "../pipeline.ts"

/** A run of one rate. */
const base = study()
beforeAll(async () => void await base.ran("rate=1"))
afterAll(removeFolders)

interface History {
  readonly version: number
  readonly runs: ReadonlyArray<{ readonly id: string; readonly state: string; readonly asked: ReadonlyArray<string>; readonly nodes: Readonly<Record<string, number>>; readonly seconds: number; readonly git: null | { readonly commit: string; readonly dirty: boolean } }>
  readonly unreadable: ReadonlyArray<string>
}
const record = (folder: Folder, id: string) => folder.at(`.outcrop/runs/${id.slice(0, 2)}/${id}.json`)

describe("status --runs", () => {
  it("lists every run that worked: what was asked, how it ended, what it did", async () => {
    const folder = study()
    await folder.outcrop("run", "rate=1", "--jobs", "1")
    folder.edit("train.ts", "const mean = weights", "if (rate === 3) return yield* new Stage.StageError({ message: `the rate ${rate} diverges` })\n    const mean = weights")
    expect((await folder.outcrop("run", "--jobs", "1")).code).toBe(1)
    const { runs, unreadable, version } = await folder.json<History>("status", "--runs")
    expect([version, unreadable]).toEqual([1, []])
    expect(runs.map(({ asked, state }) => [state, asked])).toEqual([["done", ["run", "rate=1", "--jobs", "1"]], ["failed", ["run", "--jobs", "1"]]])
    expect(runs[0]!.nodes).toEqual({ total: 9, run: 9, cached: 0, failed: 0 })
    expect(runs[1]!.nodes).toMatchObject({ total: 17, failed: 4 })
    const { out } = await reads(folder, "status", "--runs")
    expect(out).toMatch(/^run +began \(UTC\) +state +asked +ran +cached +failed +commit +took\n/)
    const [newest, oldest] = out.split("\n").slice(2)
    expect(newest).toMatch(/^\d{8}-\d{6}-[0-9a-f]{4} +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +failed +outcrop run --jobs 1 +\d+ +\d+ +4 .*[\d.]+ m?s$/)
    expect(oldest).toMatch(/ done +outcrop run rate=1 --jobs 1 +9 +0 +0 /)
  })

  it("tells the commit, and whether files differed from it", async () => {
    const folder = base.copy()
    const git = (...words: ReadonlyArray<string>) => spawnSync("git", ["-C", folder.path, "-c", "user.name=a", "-c", "user.email=a@b.c", ...words], { encoding: "utf8" }).stdout.trim()
    git("init", "-q")
    git("add", "pipeline.yaml", "train.ts")
    git("commit", "-qm", "one")
    await folder.ran("rate=1")
    // its other stages are in no commit: nobody could get them from there
    git("add", "*.ts")
    git("commit", "-qm", "two")
    folder.write("notes.txt", "nothing that a result rests on")
    await folder.ran("rate=1")
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2]")
    await folder.ran("rate=1")
    const [first, commit] = [git("rev-parse", "HEAD~1"), git("rev-parse", "HEAD")]
    expect(historyOf(folder).runs.map(({ git }) => git)).toEqual([null, { commit: first, dirty: true }, { commit, dirty: false }, { commit, dirty: true }])
    expect((await reads(folder, "status", "--runs")).out).toMatch(new RegExp(` ${commit.slice(0, 10)}\\+ .*\\n.* ${commit.slice(0, 10)} .*\\n.* ${first.slice(0, 10)}\\+ .*\\n.*\\n\\+ with uncommitted changes\\n$`))
  })

  it("works where the pipeline is gone, and makes no cache where there is none", async () => {
    const folder = base.copy(), empty = new Folder()
    fs.rmSync(folder.at("pipeline.yaml"))
    expect((await folder.json<History>("status", "--runs")).runs).toHaveLength(1)
    expect((await read<History>(empty, "status", "--runs", "--cache", folder.at(".outcrop"))).runs).toHaveLength(1)
    expect(await empty.outcrop("status", "--runs")).toMatchObject({ code: 2, err: expect.stringMatching(/there is no cache at .*\.outcrop: name it with --cache/) as string })
    expect(fs.readdirSync(empty.path)).toEqual([])
    fs.mkdirSync(empty.at("pipelines"))
    fs.renameSync(folder.at(".outcrop"), empty.at("pipelines/.outcrop"))
    expect(await empty.outcrop("diff", "last~1", "last")).toMatchObject({ code: 2, err: expect.stringMatching(/lies beside; there is one at pipelines\/\.outcrop\n/) as string })
  })

  it("says that no run is on record of a cache without one", async () => {
    const folder = study()
    await reads(folder, "plan")
    expect(await reads(folder, "status", "--runs")).toMatchObject({ code: 0, out: "no run is on record in this cache\n" })
  })

  it("tells a run that was killed as cut off; what it finished is told as made by it", async () => {
    const folder = study()
    folder.edit("probe.ts", "const test =", "yield* Effect.sleep(\"60 seconds\")\n    const test =")
    const { child, said } = folder.start("run", "rate=1", "fold=0")
    const limit = Date.now() + 15_000
    while (Date.now() < limit && folder.files(".outcrop/actions").length < 5) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(historyOf(folder).runs.map(({ state }) => state)).toEqual(["running"])
    child.kill("SIGKILL")
    await said
    const { runs: [cut] } = historyOf(folder)
    expect(cut!.state).toBe("cut off")
    expect((await reads(folder, "status", "--runs")).out).toMatch(/ cut off +outcrop run rate=1 fold=0\n/)
    expect(await reads(folder, "lineage", "--run", cut!.id)).toMatchObject({ code: 2, err: expect.stringMatching(/did not come to its end, and what it came to is not on record; results that it finished are cached/) as string })
    const { nodes } = await read<{ readonly nodes: ReadonlyArray<{ readonly result: { readonly runs: ReadonlyArray<string> } }> }>(folder, "lineage", "train", "rate=1", "fold=0")
    for (const { result } of nodes) expect(result.runs).toEqual([cut!.id])
  })

  it("tells records that cannot be read, and lists the others", async () => {
    const folder = base.copy()
    await folder.ran("rate=2", "fold=0")
    const { runs: [first] } = historyOf(folder), file = record(folder, first!.id)
    fs.truncateSync(file, 100)
    const after = historyOf(folder)
    expect([after.runs.length, after.unreadable]).toEqual([1, [first!.id]])
    expect((await folder.outcrop("status", "--runs")).err).toBe(`1 record of a run cannot be read: ${first!.id}; results are not lost by it\n`)
    expect((await reads(folder, "lineage", "--run", "last")).code).toBe(0)
  })
})

describe("table --run", () => {
  it("is the table that the run came to, after the pipeline changed and after it is gone", async () => {
    const folder = study(), table = (...words: ReadonlyArray<string>) => read<{ readonly rows: ReadonlyArray<object> }>(folder, "table", ...words)
    await folder.ran()
    const before = await table()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 5]")
    folder.edit("pipeline.yaml", "rate: $rate", "rate: $rate, margin: 1")
    await folder.ran()
    const now = await table()
    expect(now.rows).not.toEqual(before.rows)
    expect(await table("--run", "last")).toEqual(now)
    for (const file of ["pipeline.yaml", "train.ts", "probe.ts"]) fs.rmSync(folder.at(file))
    expect(await table("--run", "last~1")).toEqual(before)
    expect((await table("--run", "last~1", "rate=2")).rows).toEqual(before.rows.filter((row) => JSON.stringify(row).includes("\"rate\":\"2\"")))
    expect((await folder.outcrop("table", "--run", "last~1")).out).toMatch(/^run \d{8}-\d{6}-[0-9a-f]{4} of .*\nrate +class\.sum +value\.sum +n/)
    expect(await reads(folder, "table", "--run", "20200101")).toMatchObject({ code: 2, err: expect.stringMatching(/^there is no run "20200101"/) as string })
  })

  it("is there without the data, and the table of the pipeline says that the data root is not", async () => {
    const folder = study()
    await folder.ran()
    const before = (await folder.outcrop("table")).out
    fs.renameSync(folder.at("data"), folder.at("elsewhere"))
    const { err, out } = await reads(folder, "table")
    expect(err).toMatch(/^the data root .*data does not exist: name it with --data or `data: \{ root: \.\.\. \}`\..*"outcrop table .*pipeline\.yaml --run last" shows/)
    expect(out).not.toContain("class.sum")
    const rows = before.split("\n").slice(0, 5).join("\n")
    expect((await reads(folder, "table", "--run", "last")).out).toContain(rows)
    expect((await reads(folder, "table", "--data", "elsewhere")).out).toContain(rows)
  })
})
