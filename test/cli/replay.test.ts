import { hash } from "node:crypto"
import * as fs from "node:fs"
import { stripVTControlCharacters } from "node:util"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { CommandError } from "../../cli/error.ts"
import { replayCommand, type ReplayFlags } from "../../cli/replay.ts"
import { encode } from "../../schemas/arrow.ts"
import { Annotations } from "../../schemas/annotations.ts"
import { make } from "../../schemas/table.ts"
import { Folder, removeFolders, type Said, study } from "../pipeline.ts"

interface Replayed {
  readonly version: number
  readonly verdict: string
  readonly nodes: ReadonlyArray<{ readonly address: string; readonly recorded: { readonly key: string }; readonly replayed?: { readonly key: string }; readonly outputs: ReadonlyArray<{ readonly output: string; readonly likeness: string; readonly columns: ReadonlyArray<{ readonly column: string; readonly rows: number; readonly most: number | null }> }> }>
}
/** `replay` as it would be called in a folder, in the process of the test. */
const replay = async (folder: Folder, words: ReadonlyArray<string>, flags: Partial<ReplayFlags> = {}): Promise<Said> => {
  let out = "", err = "", code = 0
  const cwd = process.cwd(), { error, log } = console, write = process.stderr.write
  process.chdir(folder.path)
  Object.assign(console, { log: (text: string) => void (out += `${text}\n`), error: (text: string) => void (err += `${text}\n`) })
  process.stderr.write = ((text: string) => (err += text) !== "") as typeof write
  try {
    await Effect.runPromise(replayCommand({ words, cache: undefined, data: undefined, set: [], backend: undefined, jobs: 1, tolerance: 1e-6, withInstalled: false, withCode: false, json: false, ...flags }))
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause
    code = cause.code
    err += `${cause.message}\n`
  } finally {
    process.stderr.write = write
    Object.assign(console, { error, log })
    process.chdir(cwd)
  }
  return { code, out: stripVTControlCharacters(out), err: stripVTControlCharacters(err) }
}
const replayed = async (folder: Folder, ...words: ReadonlyArray<string>) => JSON.parse((await replay(folder, words, { json: true })).out) as Replayed

const cell = ["rate=2", "fold=0"]
const base = study()
/** An export of one cell of it, with all tables; `data` beside it. */
const elsewhere = new Folder()
/** A training that gives something else in every process. */
const unsteady = study()
beforeAll(async () => {
  await base.ran()
  const { code, err } = await base.outcrop("export", ...cell, elsewhere.at("paper"), "--with-embeddings")
  if (code !== 0) throw new Error(err)
  fs.cpSync(base.at("data"), elsewhere.at("data"), { recursive: true })
  unsteady.edit("train.ts", "rate * (value - mean[i % embedding.width]!)", "rate * (value - mean[i % embedding.width]!) + process.pid * 1e-5")
  await unsteady.ran(...cell)
})
afterAll(removeFolders)

describe("replay of cells", () => {
  it("computes the chain in an empty cache and finds it equal to the bit", async () => {
    const before = base.files(".outcrop/actions").length
    const { code, out } = await base.outcrop("replay", ...cell)
    expect(code).toBe(0)
    expect(out).toMatch(/nodes +stage +output +rows +replay +recorded +now/)
    expect(out).toMatch(/1 +train +weights +2 +equal to the bit +\d.* s\n +embeddings +9 +equal to the bit\n/)
    expect(out).toMatch(/\nrecorded {2}20.* UTC on .*, Node v.*\nreplayed {2}20.*\nall 7 outputs of 6 nodes came out equal to the bit\n$/)
    expect(base.files(".outcrop/actions").length, "the cache of the pipeline is not written to").toBe(before)
  })

  it("narrows to a stage; of a metric it tells the values of both", async () => {
    const { nodes } = await replayed(base, ...cell, "embed")
    expect(nodes.map(({ address }) => address)).toEqual(["samples", "embed"])
    expect((await replay(base, [...cell, "class.sum"])).out).toMatch(/\nclass\.sum \(probe rate=2 fold=0\): (\d+) recorded, \1 now\nall 7 outputs/)
    expect(await replay(base, [...cell, "nothing"])).toMatchObject({ code: 2, err: expect.stringContaining("there is no stage and no metric \"nothing\"") })
  })

  it("takes several cells at once", async () => {
    const { nodes, verdict } = await replayed(base, "fold=0")
    expect(verdict).toBe("equal")
    expect(nodes).toHaveLength(10)
  })

  it("that come out otherwise: says where and how far, and ends with 3", async () => {
    const { code, err, out } = await unsteady.outcrop("replay", ...cell)
    expect(code).toBe(3)
    expect(out).toMatch(/train\.embeddings rate=2 fold=0: embedding: 9 of 9 rows differ, by [\d.e-]+ at most \(beyond tolerance\)/)
    expect(err).toMatch(/\nnot equal: 2 of 7 outputs came out otherwise than recorded, by more than 0\.000001 of their size\n$/)
    const { nodes, verdict } = await replayed(unsteady, ...cell)
    expect(verdict).toBe("differs")
    const first = nodes.find(({ outputs }) => outputs.some(({ likeness }) => likeness !== "equal"))!
    expect(first.address).toBe("train rate=2 fold=0")
    expect(first.replayed!.key, "it was asked to do the same").toBe(first.recorded.key)
  })

  it("that come out within the tolerance are equal in that sense, and it ends with 0", async () => {
    const { code, out } = await replay(unsteady, cell, { tolerance: 0.5 })
    expect(code).toBe(0)
    expect(out).toMatch(/train\.embeddings rate=2 fold=0: embedding: \d of 9 rows differ, by [\d.e-]+ at most\n/)
    expect(out).toMatch(/all 7 outputs of 6 nodes came out equal within the tolerance: 5 to the bit, others within 0\.5 of their size\n$/)
  })

  it("asks for a run where there is nothing on record", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "- margin", "- margin - 0.5")
    expect(await replay(folder, cell)).toMatchObject({ code: 2, err: expect.stringMatching(/nothing on record of train rate=2 fold=0 and 1 more.*"outcrop run rate=2 fold=0" first; "outcrop why" says/) })
  })

  it("that fail now: says which and why, and ends with 1", async () => {
    // a program that works once: it leaves a mark beside the pipeline
    const folder = new Folder({
      "once.yaml": `
name: once
stages:
  samples: { uses: ingest/synthetic, with: { samples: 4, size: 16 } }
  marks: { uses: mine/command, needs: samples, with: { command: [node, once.mjs], sources: [once.mjs], gives: annotations } }
  again: { uses: mine/command, needs: marks, with: { command: [node, once.mjs, again], gives: annotations } }
`,
      "once.mjs": `
import * as fs from "node:fs"
if (fs.existsSync("mark") && process.argv[2] === undefined) throw new Error("the disk is full")
fs.writeFileSync("mark", "")
fs.copyFileSync(process.env.OUTCROP_IN_MARKS ?? "table.arrow", process.env.OUTCROP_OUT_ANNOTATIONS)
`
    })
    fs.writeFileSync(folder.at("table.arrow"), encode(make(Annotations, { sample_id: ["scene-000000"] })))
    await folder.ran("once.yaml")
    const { code, err, out } = await replay(folder, ["once.yaml"])
    expect(code).toBe(1)
    expect(out).toMatch(/1 +marks .*1 could not be made/)
    expect(out).toMatch(/marks: node once\.mjs ended with code 1[^]*the disk is full/)
    expect(out).toMatch(/again: an upstream node failed\n/)
    expect(err).toMatch(/2 of 3 nodes could not be made again\n$/)
  })
})

describe("replay of an export", () => {
  const allowed = { data: "data", withCode: true }

  it("on another machine, in another folder, is equal to the bit, and writes nothing into the export", async () => {
    const before = elsewhere.files("paper").map((file) => [file, fs.statSync(file).mtimeMs])
    const { code, err, out } = await elsewhere.outcrop("replay", "paper", "--data", "data", "--with-code")
    expect(code, err).toBe(0)
    expect(out).toContain("all 7 outputs of 6 nodes came out equal to the bit")
    expect(elsewhere.files("paper").map((file) => [file, fs.statSync(file).mtimeMs])).toEqual(before)
    expect(fs.readdirSync(elsewhere.path).toSorted()).toEqual(["data", "paper"])
  })

  it("asks for the data, and says which file is another one", async () => {
    expect(await replay(elsewhere, ["paper"], { withCode: true })).toMatchObject({ code: 2, err: expect.stringContaining("name their folder with --data") })
    const folder = elsewhere.copy()
    folder.edit("data/samples.csv", "s3,boar,4", "s3,boar,5")
    expect(await replay(folder, ["paper"], allowed)).toMatchObject({ code: 2, err: expect.stringMatching(/the data below .* are not those of the export: samples\.csv has other bytes/) })
    fs.rmSync(folder.at("data/samples.csv"))
    expect((await replay(folder, ["paper"], allowed)).err).toContain("samples.csv is not there")
  })

  it("runs code that an export brings only where that is allowed", async () => {
    const { code, err } = await replay(elsewhere, ["paper"], { data: "data" })
    expect(code).toBe(2)
    expect(err).toMatch(/this export brings code of its own, which would run with your rights: \.\/list\.ts, .*\nRead it in .*paper\/code.*--with-code/)
  })

  it("takes a whole export", async () => {
    expect(await replay(elsewhere, ["paper", "rate=2"], allowed)).toMatchObject({ code: 2, err: expect.stringContaining("an export is replayed as a whole") })
    expect(await replay(elsewhere, ["./data"])).toMatchObject({ code: 2, err: expect.stringContaining("./data is no export: there is no data/ro-crate-metadata.json") })
    expect(await replay(elsewhere, ["data"])).toMatchObject({ code: 2, err: expect.stringContaining("data is no export") })
  })

  it("measures tables that the export holds, and takes the word of what was made of the others", async () => {
    const twin = new Folder()
    for (const [name, ...flags] of [["with", "--with-embeddings"], ["without"]]) {
      expect((await unsteady.outcrop("export", ...cell, twin.at(name!), ...flags)).code).toBe(0)
      const { code, out } = await replay(twin, [name!], { data: unsteady.at("data"), withCode: true, tolerance: 0.5 })
      expect(code, out).toBe(0)
      expect(out).toMatch(name === "with" ? /train\.embeddings .* rows differ, by/ : /train\.embeddings .*other bits in embedding; how far is unknown/)
    }
  })
})

describe("replay of a built-in pipeline's export", () => {
  const tiny = `
name: tiny
stages:
  samples: { uses: ingest/synthetic, with: { samples: 4, size: 16 } }
  embed: { uses: embed/statistics, needs: samples }
`
  const folder = new Folder({ "tiny.yaml": tiny })
  beforeAll(async () => {
    await folder.ran("tiny.yaml")
    expect((await folder.outcrop("export", "tiny.yaml", "paper")).code).toBe(0)
  })
  /** Changes a document of the export, and makes the metadata fit. */
  const forge = (twin: Folder, path: string, change: (text: string) => string) => {
    const before = fs.readFileSync(twin.at(`paper/${path}`)), after = change(before.toString("utf8"))
    expect(after).not.toBe(before.toString("utf8"))
    twin.write(`paper/${path}`, after)
    const metadata = "paper/ro-crate-metadata.json"
    const { "@graph": graph, ...rest } = JSON.parse(fs.readFileSync(twin.at(metadata), "utf8")) as { readonly "@graph": ReadonlyArray<Record<string, unknown>> }
    twin.write(metadata, JSON.stringify({ ...rest, "@graph": graph.map((entity) => entity["@id"] === path ? { ...entity, contentSize: String(Buffer.byteLength(after)), sha256: hash("sha256", after, "hex") } : entity) }))
  }

  it("needs no data and brings no code", async () => {
    expect(await replay(folder, ["paper"])).toMatchObject({ code: 0, out: expect.stringContaining("all 2 outputs of 2 nodes came out equal to the bit") })
  })

  it("stops where the installed code is another one, and says which; --with-installed compares nevertheless", async () => {
    const twin = folder.copy()
    forge(twin, "nodes.json", (text) => text.replace(/("stage": "embed\/statistics",\s+"version": 1,\s+"code": \{\s+"contract": 1,\s+"closure": ")[0-9a-f]{64}/, `$1${"ab".repeat(32)}`))
    const { code, err } = await replay(twin, ["paper"])
    expect(code).toBe(2)
    expect(err).toMatch(/the code that is installed is not the code of the export \(outcrop .*\):\n {2}embed\/statistics: closure abababababab -> [0-9a-f]{12}\n/)
    expect(await replay(twin, ["paper"], { withInstalled: true })).toMatchObject({ code: 0, err: expect.stringContaining("with installed code that is not that of the export") })
  })

  /** What is done to an export whose metadata fit it, and what the refusal says. What metadata show is in test/lineage/crate.test.ts. */
  const hostile: ReadonlyArray<readonly [what: string, change: (twin: Folder) => void, says: RegExp]> = [
    ["a pipeline outside of its folder", (twin) => forge(twin, "outcrop.json", (text) => text.replace("pipeline/tiny.yaml", "../tiny.yaml")), /names "\.\.\/tiny\.yaml" as the pipeline, which is not in pipeline\//],
    ["a table outside of the folder", (twin) => {
      forge(twin, "nodes.json", (text) => text.replace("tables/samples/samples.parquet", "../../secret").replace(/("sample_id": \{\s+"kind": "text",\s+"digest": ")[0-9a-f]{64}/, `$1${"ab".repeat(32)}`))
    }, /holds no "\.\.\/\.\.\/secret"/],
    ["a table that is not what its record says", (twin) => forge(twin, "nodes.json", (text) => text.replace(/("sample_id": \{\s+"kind": "text",\s+"digest": ")[0-9a-f]{64}/, `$1${"ab".repeat(32)}`)), /samples\.parquet does not hold what nodes\.json says of it/],
    ["code that only the YAML names", (twin) => forge(twin, "pipeline/tiny.yaml", (text) => text.replace("embed/statistics", "./own.ts")), /the pipeline uses \.\/own\.ts, the code of which is not in the export/],
    ["code of this machine that only the YAML names", (twin) => forge(twin, "pipeline/tiny.yaml", (text) => text.replace("embed/statistics", twin.at("own.ts"))), /own\.ts, the code of which is not in the export/],
    ["a program that only the YAML names", (twin) => forge(twin, "pipeline/tiny.yaml", (text) => text.replace("uses: embed/statistics,", "uses: embed/command, with: { command: [touch, /tmp/outcrop-was-here], gives: embeddings },")), /this export brings code of its own.*embed\/command/],
    ["other cells than the pipeline has", (twin) => forge(twin, "lineage.json", (text) => text.replace("\"samples\": [\n   0", "\"sampels\": [\n   0")), /lineage\.json tells of a stage sampels that the pipeline does not have/]
  ]

  it.each(hostile)("refuses %s", async (_, change, says) => {
    const twin = folder.copy()
    change(twin)
    const { code, err, out } = await replay(twin, ["paper"])
    expect(err).toMatch(says)
    expect(err).toMatch(/^refused: /m)
    expect(code).toBe(2)
    expect(out).toBe("")
    expect(fs.existsSync("/tmp/outcrop-was-here")).toBe(false)
  })

  it("never reads the data root that the YAML of an export names", async () => {
    const twin = folder.copy()
    forge(twin, "pipeline/tiny.yaml", (text) => `data: { root: / }\n${text}`)
    expect((await replay(twin, ["paper"])).code).toBe(0)
  })
})

it("an export of a grid with axes inside of values, and of programs, is replayed", async () => {
  const folder = new Folder({
    "grid.yaml": `
name: grid
axes:
  encoder:
    plain: { uses: embed/statistics }
    views:
      axes: { features: [4, 8] }
      uses: embed/rcf
      with: { features: $features }
replicates: { seed: [0, 1] }
stages:
  samples: { uses: ingest/synthetic, with: { samples: 4, size: 16, seed: $seed } }
  embed: { uses: $encoder.uses, needs: samples, with: $encoder.with }
  marks: { uses: mine/command, needs: samples, with: { command: [node, tools/mark.mjs], sources: [tools/mark.mjs], gives: annotations } }
`,
    "tools/mark.mjs": `
import * as fs from "node:fs"
fs.copyFileSync(new URL("table.arrow", import.meta.url), process.env.OUTCROP_OUT_ANNOTATIONS)
`
  })
  fs.writeFileSync(folder.at("tools/table.arrow"), encode(make(Annotations, { sample_id: ["scene-000000"] })))
  folder.edit("grid.yaml", "sources: [tools/mark.mjs]", "sources: [tools/mark.mjs, tools/table.arrow]")
  await folder.ran("grid.yaml")
  const twin = new Folder()
  expect((await folder.outcrop("export", "grid.yaml", twin.at("paper"))).code).toBe(0)
  const refused = await replay(twin, ["paper"])
  expect(refused).toMatchObject({ code: 2, err: expect.stringMatching(/code of its own.*mine\/command\.\nRead it in .*pipeline, then/) })
  const { code, err, out } = await replay(twin, ["paper"], { withCode: true })
  expect(code, err).toBe(0)
  expect(out).toContain("equal to the bit\n")
  expect(fs.readdirSync(twin.at("paper/pipeline/tools")).toSorted()).toEqual(["mark.mjs", "table.arrow"])
})
