/** What happens when something breaks: nothing finished is lost, nothing half is believed, and the message says what to do. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Folder, ranOf, removeFolders, study, type Summary } from "../pipeline.ts"
import { read, reads } from "../reading.ts"
import { png } from "../stages/ingest/services.ts"

const base = study()
let table: string
beforeAll(async () => {
  await base.ran()
  table = (await reads(base, "table", "--json")).out
})
afterAll(removeFolders)

const slow = (folder: Folder, millis: number) => {
  folder.edit("train.ts", "const mean = new Float64Array", `yield* Effect.sleep("${millis} millis")\n    const mean = new Float64Array`)
}
/** Waits until so many lines of output tell of a kind of event. */
const until = (child: ReturnType<Folder["start"]>["child"], wanted: RegExp, times: number) => new Promise<void>((resolve) => {
  let text = ""
  child.stdout!.on("data", (chunk: Buffer) => {
    text += chunk.toString()
    if ((text.match(wanted)?.length ?? 0) >= times) resolve()
  })
})
/** How many processes have a text in their command line. */
const processes = (text: string) => spawnSync("ps", ["-eo", "args"]).stdout.toString().split("\n").filter((line) => line.includes(text)).length

describe("kill -9 in the middle", () => {
  it("loses nothing that was finished; the next run goes on from there to the same table", async () => {
    const folder = study()
    slow(folder, 100)
    const { child, said } = folder.start("run", "--events", "--jobs", "1")
    await until(child, /"type":"finished","nodes":\["train/g, 2)
    child.kill("SIGKILL")
    const { out } = await said
    const finished = out.match(/"type":"finished"/g)!.length
    const { nodes } = await folder.json("run")
    expect(nodes.cached).toBeGreaterThanOrEqual(finished)
    expect(nodes.run).toBe(17 - nodes.cached)
    expect(nodes.run).toBeGreaterThan(0)
    expect(await read<Summary>(folder, "plan")).toMatchObject({ nodes: { cached: 17 } })
    const values = (text: string) => (JSON.parse(text) as { readonly rows: ReadonlyArray<{ readonly mean: number }> }).rows.map(({ mean }) => mean)
    expect(values((await reads(folder, "table", "--json")).out)).toEqual(values(table))
  })

  it("keeps the rows that were embedded so far", async () => {
    const folder = study()
    folder.write("data/samples.csv", Array.from({ length: 384 }, (_, i) => `s${i},x,${i}\n`).join(""))
    folder.edit("embed.ts", "const values = new", "yield* Effect.sleep(\"60 millis\")\n    const values = new")
    const { child, said } = folder.start("run", "embed", "--events", "--jobs", "1")
    await until(child, /"type":"progress"/g, 3)
    child.kill("SIGKILL")
    await said
    const { rows } = await folder.json("run", "embed")
    expect(rows.cached).toBeGreaterThanOrEqual(3 * 64 - 64)
    expect(rows.embedded + rows.cached).toBe(384)
  })
})

describe("Ctrl-C", () => {
  it("stops at once even where a stage never yields, keeps what is finished, and ends with code 130", async () => {
    const folder = study()
    folder.edit("train.ts", "const mean = new Float64Array", "for (;;) if (rows < 0) break\n    const mean = new Float64Array")
    const { child, said } = folder.start("run", "--events", "--jobs", "1")
    await until(child, /"type":"started","nodes":\["train/g, 1)
    const begin = Date.now()
    child.kill("SIGINT")
    const { code, err } = await said
    expect(code).toBe(130)
    expect(Date.now() - begin).toBeLessThan(5000)
    expect(err).toContain("what is finished is kept")
    expect((await read<Summary>(folder, "plan")).nodes.cached).toBeGreaterThanOrEqual(2)
  })
})

describe("a damaged cache", () => {
  const flip = (file: string) => {
    const bytes = fs.readFileSync(file)
    bytes[bytes.length >> 1]! ^= 4
    fs.writeFileSync(file, bytes)
  }

  it("tables and vectors with a flipped bit are noticed where they are read, said, and made again", async () => {
    const folder = base.copy()
    const blobs = folder.blobs("tables")
    expect(blobs.length).toBeGreaterThan(1)
    for (const file of blobs) flip(file)
    folder.edit("train.ts", "rate * (value", "1 * rate * (value")
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(0)
    expect(err).toMatch(/damaged/)
    expect((await reads(folder, "get", "embed.embeddings")).out).toBe((await reads(base, "get", "embed.embeddings")).out)
  })

  it("pixels that ingest kept, with a flipped bit or gone, are made again where an embedding needs them", async () => {
    for (const harm of [flip, (file: string) => fs.rmSync(file)]) {
      const folder = base.copy()
      for (const file of folder.blobs("pixels")) harm(file)
      folder.edit("embed.ts", "value * value", "value ** 3")
      const { code, err } = await folder.outcrop("run", "--jobs", "1")
      expect(`${code} ${err}`).toMatch(/^0 /)
      expect((await reads(folder, "get", "embed", "--json")).out).toContain("{\"sample_id\":\"s2\",\"view\":\"full\",\"embedding\":[3,27]}")
    }
  })

  it("pixels that two encoders find gone at the same time are made again once, and both go on", async () => {
    const folder = base.copy()
    for (const file of folder.blobs("pixels")) fs.rmSync(file)
    folder.edit("embed.ts", "value * value", "value ** 3")
    folder.write("other.ts", fs.readFileSync(folder.at("embed.ts"), "utf8").replace("value ** 3", "value ** 4"))
    folder.edit("pipeline.yaml", "  classes:", "  other: { uses: ./other.ts, needs: samples }\n  classes:")
    const { code, err } = await folder.outcrop("run", "--jobs", "2")
    expect(`${code} ${err}`).toMatch(/^0 /)
    expect((await reads(folder, "get", "embed", "--json")).out).toContain("\"embedding\":[3,27]")
    expect((await reads(folder, "get", "other", "--json")).out).toContain("\"embedding\":[3,81]")
  })

  it("actions that are damaged are not believed", async () => {
    const folder = base.copy()
    fs.rmSync(folder.at(".outcrop/index.sqlite"))
    const actions = folder.files(".outcrop/actions")
    expect(actions).toHaveLength(17)
    for (const file of actions) fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("\"rows\":", "\"rows\": "))
    expect((await read<Summary>(folder, "plan")).nodes).toMatchObject({ cached: 0, restored: 0 })
  })

  it("an index that is lost is filled again: nothing runs", async () => {
    const folder = base.copy()
    for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(folder.at(`.outcrop/index.sqlite${suffix}`), { force: true })
    expect(await folder.ran()).toEqual({})
    expect((await reads(folder, "table", "--json")).out).toBe(table)
  })

  it("an index that is damaged somewhere is filled again: nothing runs", async () => {
    // the tables that a run looks up, and those that only its report reads
    for (const page of [0, 1, 3, 6, 7]) {
      const folder = base.copy()
      for (const suffix of ["-wal", "-shm"]) fs.rmSync(folder.at(`.outcrop/index.sqlite${suffix}`), { force: true })
      const bytes = fs.readFileSync(folder.at(".outcrop/index.sqlite"))
      bytes.fill(0xa5, page * 4096, (page + 2) * 4096)
      fs.writeFileSync(folder.at(".outcrop/index.sqlite"), bytes)
      const { code, err, out } = await folder.outcrop("run", "--jobs", "1", "--json")
      if (code !== 0) expect(err, `pages ${page} and ${page + 1}`).toMatch(/index of the cache was damaged.*run the command again/i)
      expect(code === 0 ? ranOf(JSON.parse(out) as Summary) : await folder.ran(), `pages ${page} and ${page + 1}`).toEqual({})
    }
  })

  it("code that was changed in the cache is not run under its old digest", async () => {
    const folder = study()
    const long = new Date(Date.now() - 3_600_000)
    for (const file of folder.files().filter((file) => file.endsWith(".ts"))) fs.utimesSync(file, long, long)
    await folder.ran()
    const closures = folder.files(".outcrop/closures")
    expect(closures.length).toBeGreaterThanOrEqual(6)
    for (const file of closures) fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("rate*(value-", "rate*1000*(value-"))
    expect(closures.some((file) => fs.readFileSync(file, "utf8").includes("*1000*"))).toBe(true)
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 1.5]")
    await folder.outcrop("run", "--jobs", "1")
    const { rows } = await read<{ readonly rows: ReadonlyArray<{ readonly mean: number }> }>(folder, "table", "value.sum")
    expect(rows.map(({ mean }) => mean)).toEqual([-1.5, -3, -2.25])
  })

  it("an embedding whose vectors are gone is made again when it is asked for", async () => {
    const folder = base.copy()
    const before = (await reads(folder, "get", "embed.embeddings")).out
    for (const file of folder.files(".outcrop/segments")) fs.rmSync(folder.at(`.outcrop/blobs/${file.slice(-69, -67)}/${file.slice(-69, -5)}`), { force: true })
    expect((await reads(folder, "get", "embed.embeddings")).err).toMatch(/lost from the cache/)
    await folder.outcrop("run", "embed", "--jobs", "1")
    expect((await reads(folder, "get", "embed.embeddings")).out).toBe(before)
  })
})

const canMount = (() => {
  const folder = new Folder({ "mount/.keep": "" })
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "outcrop-test", folder.at("mount")]).status === 0
  if (mounted) spawnSync("umount", [folder.at("mount")])
  return mounted
})()

describe.skipIf(!canMount)(`a cache on a disk of its own${canMount ? "" : " (skipped: mounting a tmpfs is not permitted here)"}`, () => {
  const mounts: Array<string> = []
  const mount = (folder: Folder, size: string) => {
    folder.write("disk/.keep", "")
    spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "outcrop-test", folder.at("disk")])
    mounts.push(folder.at("disk"))
  }
  afterAll(() => {
    for (const path of mounts) spawnSync("umount", [path])
  })

  it("that is full: said, with advice; what was finished is kept, and the run goes on when there is room", async () => {
    const folder = study()
    mount(folder, "3m")
    folder.edit("train.ts", "learns: { weights: Weights }", "learns: { weights: Weights, filler: Weights }")
    folder.edit("train.ts", "return { weights: {", "return { filler: { layer: [\"filler\"], shape: [Float64Array.of(60_000)], values: [Float64Array.from({ length: 60_000 }, (_, i) => i + mean[0]!)] }, weights: {")
    folder.edit("train.ts", "fit: Effect.fn(\"train/centre.fit\")(function*({ embeddings: { embedding, rows, sample_id } }) {", "fit: Effect.fn(\"train/centre.fit\")(function*({ embeddings: { embedding, rows, sample_id } }, { rate }) {")
    folder.edit("train.ts", "i + mean[0]!", "i + mean[0]! + rate")
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 3, 4, 5, 6]")
    const { code, err } = await folder.outcrop("run", "--cache", "disk/cache", "--jobs", "1")
    expect(code).toBe(1)
    expect(err).toMatch(/the disk is full: free some space and run again/)
    expect(err).not.toMatch(/\n\s+at /)
    spawnSync("mount", ["-o", "remount,size=60m", folder.at("disk")])
    const { nodes } = await folder.json("run", "--cache", "disk/cache")
    expect(nodes.failed + nodes.skipped).toBe(0)
    expect(nodes.cached, "what was finished before is kept").toBeGreaterThanOrEqual(5)
    expect(nodes.run).toBeGreaterThan(0)
    expect(await folder.ran("--cache", "disk/cache")).toEqual({})
  })

  it("that is read-only: a clear error where something would have to be written, and nothing is lost", async () => {
    const folder = study()
    mount(folder, "20m")
    await folder.ran("--cache", "disk/cache")
    spawnSync("mount", ["-o", "remount,ro", folder.at("disk")])
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 4]")
    const { code, err } = await folder.outcrop("run", "--cache", "disk/cache", "--jobs", "1")
    expect([1, 2]).toContain(code)
    expect(err).toContain(folder.at("disk/cache"))
    expect(err).toMatch(/read-only|permission|cannot write/)
    expect(err).not.toMatch(/\n\s+at /)
    spawnSync("mount", ["-o", "remount,rw", folder.at("disk")])
    expect(await folder.ran("--cache", "disk/cache")).toEqual({ train: 2, probe: 2 })
  })
})

describe("a cache that cannot be", () => {
  it("because a file stands where the folder should be: said, with what to do", async () => {
    const folder = study()
    folder.write(".outcrop", "a file")
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(2)
    expect(err).toMatch(/cannot write the cache at .*\.outcrop/)
    expect(err).not.toMatch(/\n\s+at /)
  })
})

describe("a stage that fails", () => {
  it("says what it left out before: why nothing is left", async () => {
    const folder = new Folder({ "pipeline.yaml": "name: crops\ndata: { root: data }\nstages:\n  samples: { uses: ingest/boxes, with: { file: list.csv, crop: 20 } }\n", "data/list.csv": "image_path,xmin,ymin,xmax,ymax,label\na.png,5,5,32,32,ship\na.png,50,50,77,77,ship\n" })
    fs.writeFileSync(folder.at("data/a.png"), await png(100, 80))
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(1)
    expect(err).toMatch(/failed samples\n {2}no sample is left: every image or box was missing or dropped\n {2}said before: boxes that gave no crop: 2 of 2 \(2 larger than the crop\)\n/)
  })
})

describe("a command stage", () => {
  const command = `
const fs = require("node:fs")
const { tableFromIPC, tableToIPC, vectorFromArray, Table, Int32, Utf8 } = require(process.env.APACHE_ARROW)
const params = JSON.parse(process.env.OUTCROP_PARAMS)
fs.appendFileSync("log.txt", "ran\\n")
if (params.fail) { console.error("the reason it fails\\nin two lines"); process.exit(3) }
if (params.hang) { require("node:child_process").spawnSync("sleep", ["41.5"]) }
const ids = [...tableFromIPC(fs.readFileSync(process.env.OUTCROP_IN_SAMPLES)).getChild("sample_id")]
if (!params.nothing) fs.writeFileSync(process.env.OUTCROP_OUT_ANNOTATIONS, tableToIPC(new Table({ sample_id: vectorFromArray(ids, new Utf8()), class: params.words ? vectorFromArray(ids, new Utf8()) : vectorFromArray(ids.map((_, i) => i % params.classes), new Int32()) }), "file"))
`.replace("process.env.APACHE_ARROW", JSON.stringify(new URL("../../node_modules/apache-arrow/Arrow.node.js", import.meta.url).pathname))
  const withCommand = (params: string, needs = "{ samples }") => {
    const folder = base.copy()
    folder.write("mine.cjs", command)
    folder.edit("pipeline.yaml", "classes: { uses: ./classes.ts, needs: samples }", `classes: { uses: mine/command, needs: ${needs}, with: { command: [${JSON.stringify(process.execPath)}, mine.cjs], sources: [mine.cjs], gives: annotations, params: ${params} } }`)
    return folder
  }
  const cell = ["rate=1", "fold=0"]
  const log = (folder: Folder) => fs.readFileSync(folder.at("log.txt"), "utf8").length / 4

  it("runs any program once; its parameters and its sources are in the key", async () => {
    const folder = withCommand("{ classes: 2 }")
    expect(await folder.ran(...cell)).toEqual({ classes: 1, probe: 1 })
    expect((await reads(folder, "get", "classes")).out.split("\n").slice(0, 4)).toEqual(["sample_id,class", "s0,0", "s1,1", "s2,0"])
    expect(await folder.ran(...cell)).toEqual({})
    expect(log(folder)).toBe(1)
    folder.edit("pipeline.yaml", "params: { classes: 2 }", "params: { classes: 3 }")
    expect(await folder.ran(...cell)).toEqual({ classes: 1, probe: 1 })
    fs.appendFileSync(folder.at("mine.cjs"), "// edited\n")
    expect(await folder.ran(...cell), "the same output: nothing after it runs").toEqual({ classes: 1 })
    expect(log(folder)).toBe(3)
  })

  it("takes its port from `needs: samples` too", async () => {
    expect(await withCommand("{ classes: 2 }", "samples").ran(...cell)).toEqual({ classes: 1, probe: 1 })
  })

  it("that fails shows its last words and its code", async () => {
    const { code, err } = await withCommand("{ classes: 2, fail: true }").outcrop("run", "classes", "--jobs", "1")
    expect(code).toBe(1)
    expect(err).toMatch(/failed classes\n.*mine\.cjs ended with code 3; its last words:\n {2}the reason it fails\n {2}in two lines\n/)
  })

  it("that writes nothing is told so", async () => {
    expect((await withCommand("{ classes: 2, nothing: true }").outcrop("run", "classes", "--jobs", "1")).err).toContain("it ended well but wrote no file to OUTCROP_OUT_ANNOTATIONS")
  })

  it("whose table has a column of another type is told which, and what it may be", async () => {
    expect((await withCommand("{ classes: 2, words: true }").outcrop("run", "classes", "--jobs", "1")).err).toContain("its table annotations is invalid: column class: Utf8 is none of what an annotation can be: class ids (integers), scores (floats), vectors")
  })

  it("whose program or source is not there is told so", async () => {
    const folder = withCommand("{ classes: 2 }")
    folder.edit("pipeline.yaml", "sources: [mine.cjs]", "sources: [mien.cjs]")
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(2)
    expect(err).toContain("the source file mien.cjs of mine/command is missing")
    folder.edit("pipeline.yaml", "sources: [mien.cjs]", "sources: [mine.cjs]")
    folder.edit("pipeline.yaml", JSON.stringify(process.execPath), "no-such-program")
    expect((await folder.outcrop("run", "--jobs", "1")).err).toMatch(/no-such-program cannot be started/)
  })

  it("whose ports would share a variable is refused before anything runs, with both names", async () => {
    const { code, err } = await withCommand("{ classes: 2 }", "{ my-samples: samples, my_samples: samples }").outcrop("plan")
    expect(code).toBe(2)
    expect(err).toContain('the ports "my-samples" and "my_samples" would share the variable OUTCROP_IN_MY_SAMPLES: rename one')
    const gives = withCommand("{ classes: 2 }")
    gives.edit("pipeline.yaml", "gives: annotations", "gives: { a.b: annotations, A-B: annotations }")
    expect((await gives.outcrop("plan")).err).toContain('the ports "a.b" and "A-B" would share the variable OUTCROP_OUT_A_B: rename one')
  })

  it("is killed with all it started on Ctrl-C", async () => {
    const folder = withCommand("{ classes: 2, hang: true }")
    const { child, said } = folder.start("run", "classes", "--jobs", "1")
    while (processes("sleep 41.5") === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(processes("sleep 41.5")).toBe(1)
    child.kill("SIGINT")
    expect((await said).code).toBe(130)
    expect(processes("sleep 41.5")).toBe(0)
  })
})
