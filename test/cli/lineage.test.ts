import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Folder, removeFolders, study } from "../pipeline.ts"
import { read, reads } from "../reading.ts"

/** Two methods on two folds; two probes measure the class. */
const pipeline = `name: traced
axes:
  method:
    base: { uses: train/none }
    dtl:  { uses: train/triplet, with: { tasks: { class: 1 }, out: 4, epochs: 2 } }
replicates: { fold: [0, 1] }
stages:
  samples: { uses: ingest/synthetic, with: { samples: 24, size: 16 } }
  split:   { uses: ingest/split, needs: samples, with: { test: 0.5, folds: 2, fold: $fold } }
  embed:   { uses: embed/statistics, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  train:   { uses: $method.uses, needs: { embeddings: embed, annotations: classes, split }, with: $method.with }
  probe:   { uses: probe/linear, needs: { embeddings: train, samples, split }, with: { bootstrap: 0 } }
  knn:     { uses: probe/knn, needs: { embeddings: train, samples, split } }
`
const base = new Folder({ "pipeline.yaml": pipeline })
beforeAll(async () => {
  const { code, err } = await base.outcrop("run", "--jobs", "1")
  if (code !== 0) throw new Error(err)
})
afterAll(removeFolders)

interface Lineage {
  readonly version: number
  readonly of: { readonly pipeline: string; readonly run: string | null }
  readonly metric: string | null
  readonly targets: ReadonlyArray<number>
  readonly values: ReadonlyArray<{ readonly node: number; readonly value: number; readonly split: string; readonly n: number; readonly cells: ReadonlyArray<Readonly<Record<string, string>>> }>
  readonly nodes: ReadonlyArray<{
    readonly node: number
    readonly stage: string
    readonly address: string
    readonly key: string | null
    readonly result: null | {
      readonly with: Readonly<Record<string, unknown>>
      readonly code: { readonly closure: string }
      readonly took: ReadonlyArray<{ readonly port: string; readonly node: number; readonly output: string; readonly columns: Readonly<Record<string, string>> }>
      readonly gave: Readonly<Record<string, { readonly rows: number; readonly blob: string; readonly columns: Readonly<Record<string, string>>; readonly lost: boolean }>>
      readonly handed: { readonly by: string; readonly roles: Readonly<Record<string, number>> } | null
      readonly seconds: number
      readonly runs: ReadonlyArray<string>
    }
  }>
}
const lineage = (folder: Folder, ...words: ReadonlyArray<string>) => read<Lineage>(folder, "lineage", ...words)
const cell = ["probe", "class.accuracy", "method=dtl", "fold=1"]
const runsOf = async (folder: Folder) => (await read<{ readonly runs: ReadonlyArray<{ readonly id: string }> }>(folder, "status", "--runs")).runs.map(({ id }) => id)

describe("the lineage of a number", () => {
  it("has the value that the table has, and every node behind it, each input with the very columns that were given", async () => {
    const { metric, nodes, targets, values } = await base.json<Lineage>("lineage", ...cell)
    expect(metric).toBe("class.accuracy")
    expect(nodes.map(({ stage }) => stage)).toEqual(["samples", "split", "embed", "classes", "train", "probe"])
    const table = await read<ReadonlyArray<{ readonly task: string; readonly metric: string; readonly split: string; readonly value: number; readonly n: number; readonly class: string }>>(base, "get", "probe.metrics", "method=dtl", "fold=1")
    const row = table.find((row) => row.task === "class" && row.metric === "accuracy" && row.split === "test" && row.class === "")!
    expect(values).toMatchObject([{ node: targets[0], value: row.value, n: row.n, split: "test", cells: [{ method: "dtl", fold: "1" }] }])
    const byNode = new Map(nodes.map((node) => [node.node, node]))
    for (const { result } of nodes) for (const { columns, node, output } of result!.took) {
      expect(Object.keys(columns).length).toBeGreaterThan(0)
      expect(byNode.get(node)!.result!.gave[output]!.columns).toMatchObject(columns)
    }
  })

  it("has parameters resolved, the code's digest, whom a fit was handed, and the run that made each", async () => {
    const { nodes } = await lineage(base, ...cell), [run] = await runsOf(base)
    const train = nodes.find(({ stage }) => stage === "train")!.result!
    expect(train.with).toMatchObject({ tasks: { class: 1 }, out: 4, epochs: 2, margin: expect.any(Number) as number })
    expect(train.code.closure).toMatch(/^[0-9a-f]{64}$/)
    expect(train.handed).toMatchObject({ by: "split", roles: { train: expect.any(Number) as number } })
    expect(train.handed!.roles).not.toHaveProperty("test")
    for (const { result } of nodes) expect(result!.runs).toEqual([run])
  })

  it("is a tree on the terminal; what was told is not told again, defaults are told with --full only", async () => {
    const { out } = await base.outcrop("lineage", ...cell)
    expect(out).toMatch(/^class\.accuracy = [\d.]+ {2}test, n 12\nmethod=dtl fold=1\n\nprobe {2}probe\/linear\n│ {2}with {3}bootstrap: 0\n│ {2}code {3}[0-9a-f]{12}\n│ {2}fitted on \d+ train, \d+ val samples\n/)
    expect(out).toMatch(/\n├─ embeddings ← train\.embeddings {2}train\/triplet\n│ {2}│ {2}with {3}out: 4, epochs: 2, tasks: \{ class: 1 \}\n|with {3}.*tasks: \{ class: 1 \}.*epochs: 2/)
    expect(out.match(/samples {2}ingest\/synthetic\n/g)).toHaveLength(1)
    expect(out.match(/samples {2}ingest\/synthetic {2}\(above\)\n/g)!.length).toBeGreaterThan(2)
    expect(out).not.toContain("margin")
    expect(out).toMatch(/\nall made by run \d{8}-\d{6}-[0-9a-f]{4} on \S+\n$/)
    expect((await reads(base, "lineage", ...cell, "--full")).out).toMatch(/margin: [\d.]+/)
  })

  it("of several cells stands together, with every value; --expand takes it apart", async () => {
    const { out } = await reads(base, "lineage", "probe", "accuracy")
    expect(out).toMatch(/^class\.accuracy = [\d.]+ to [\d.]+ {2}test, 4 cells\nmethod +fold +class\.accuracy +n +95%\n/)
    expect(out).toMatch(/\nprobe {2}probe\/linear x4\n/)
    expect(out).toMatch(/train\.embeddings method=base {2}train\/none\n/)
    expect(out).toMatch(/train\.embeddings method=dtl {2}train\/triplet x2\n/)
    expect(out).toMatch(/fold: 0 \| 1/)
    const expanded = (await reads(base, "lineage", "probe", "accuracy", "--expand")).out
    expect(expanded).toMatch(/\nprobe method=dtl fold=1 {2}probe\/linear\n/)
    expect(expanded).not.toMatch(/ x\d/)
  })

  it("of a stage, of one of its outputs, or of all that nothing else takes in, has no value", async () => {
    expect((await lineage(base, "train", "method=base")).nodes.map(({ stage }) => stage)).toEqual(["samples", "embed", "train"])
    expect((await reads(base, "lineage", "train.embeddings", "method=base")).out).toMatch(/^train\.embeddings {2}2 cells of method=base\n\ntrain {2}train\/none\n/)
    expect(new Set((await lineage(base)).targets).size).toBe(8)
  })

  it("is drawn as Mermaid and DOT", async () => {
    expect((await reads(base, "lineage", ...cell, "--format", "mermaid")).out).toMatch(/^flowchart LR\n {2}s0\["samples<br>ingest\/synthetic<br>[0-9a-f]{12}"\]\n[^]*--> asked\n$/)
    expect((await reads(base, "lineage", ...cell, "--format", "dot")).out).toMatch(/^digraph lineage \{\n[^]*shape=ellipse[^]*-> asked\n\}\n$/)
  })
})

describe("a run on record", () => {
  it("has its lineage after the pipeline changed, and after its file is gone; it keeps who made what: of a second run only what it ran", async () => {
    const folder = base.copy(), before = await lineage(folder, ...cell), [first] = await runsOf(folder)
    folder.edit("pipeline.yaml", "epochs: 2", "epochs: 3")
    expect(await folder.ran()).toMatchObject({ train: 2 })
    const now = await lineage(folder, ...cell)
    expect(now.nodes.at(-1)!.key).not.toBe(before.nodes.at(-1)!.key)
    expect((await lineage(folder, ...cell, "--run", first!)).nodes).toEqual(before.nodes)
    const second = (await runsOf(folder))[1]
    expect(now.nodes.map(({ result, stage }) => [stage, ...result!.runs])).toEqual([["samples", first], ["split", first], ["embed", first], ["classes", first], ["train", second], ["probe", second]])
    expect((await reads(folder, "lineage", ...cell)).out, "told at each step where they differ").toMatch(new RegExp(`made .*, by run ${second}`))
    fs.rmSync(folder.at("pipeline.yaml"))
    const there = [...cell, "--cache", ".outcrop"]
    expect((await lineage(folder, ...there, "--run", "last")).nodes).toEqual(now.nodes)
    expect((await lineage(folder, ...there, "--run", "last~1")).nodes).toEqual(before.nodes)
    expect((await reads(folder, "lineage", ...there, "--run", "last")).out).toMatch(/^run \d{8}-\d{6}-[0-9a-f]{4} of [^\n]+ UTC \(outcrop run --jobs 1 --json\)\nclass\.accuracy = /)
    expect(await reads(folder, "lineage", ...cell)).toMatchObject({ code: 2, err: 'there is no file pipeline.yaml; what was run of it is on record: "outcrop status --runs pipeline.yaml" lists the runs, --run last shows the last\n' })
  })

  it("of the last of a cache that several pipelines share is that of the one asked for, also after it moved", async () => {
    const mine = new Folder(), other = new Folder(), cache = mine.at("shared")
    for (const [folder, name] of [[mine, "mine"], [other, "other"]] as const) folder.write("pipeline.yaml", `name: ${name}\nstages: { samples: { uses: ingest/synthetic, with: { samples: 4, size: 16 } } }\n`)
    await mine.ran("--cache", cache)
    const [first] = (await read<{ readonly runs: ReadonlyArray<{ readonly id: string }> }>(mine, "status", "--runs", "--cache", cache)).runs
    await other.ran("--cache", cache)
    expect((await lineage(mine, "--run", "last", "--cache", cache)).of.run).toBe(first!.id)
    expect(await reads(mine, "diff", "last~1", "last", "--cache", cache)).toMatchObject({ code: 2, err: "there is no last~1: the oldest run on record is last~0\n" })
    const moved = mine.copy()
    await moved.ran("--cache", cache)
    expect((await lineage(moved, "--run", "last~1", "--cache", cache)).of.run).toBe(first!.id)
  })

  it("that a crash cut short is told as such", async () => {
    const folder = base.copy(), [id] = await runsOf(folder)
    fs.truncateSync(folder.at(`.outcrop/runs/${id!.slice(0, 2)}/${id!}.json`), 100)
    expect(await reads(folder, "lineage", "--run", id!)).toMatchObject({ code: 2, err: `the record of the run ${id!} cannot be read; its results are not lost by it, "outcrop lineage" of the pipeline shows them\n` })
    expect(await reads(folder, "diff", id!, "last")).toMatchObject({ code: 2, err: expect.stringMatching(`^the record of the run ${id!} cannot be read; no run is on record`) as string })
  })

  it("that is not there is told with what is", async () => {
    const { code, err } = await reads(base, "lineage", "--run", "20200101")
    expect(code).toBe(2)
    expect(err).toMatch(/there is no run "20200101".*; the last is \d{8}-\d{6}-[0-9a-f]{4} \("outcrop status --runs" lists all\)/)
    expect(await reads(base, "lineage", "--run", "last", "--cache", "nowhere")).toMatchObject({ code: 2, err: expect.stringMatching(/there is no cache at .*nowhere/) as string })
    expect(fs.existsSync(base.at("nowhere"))).toBe(false)
  })
})

describe("one sample", () => {
  interface Story {
    readonly images: ReadonlyArray<{ readonly assets: ReadonlyArray<{ readonly digest: string }>; readonly columns: Readonly<Record<string, unknown>> }>
    readonly roles: ReadonlyArray<{ readonly address: string; readonly role: string }>
    readonly embeddings: ReadonlyArray<{ readonly address: string; readonly view: string; readonly segment: string; readonly position: number; readonly made: string | null; readonly run: string | null }>
    readonly annotations: ReadonlyArray<{ readonly values: Readonly<Record<string, unknown>> }>
    readonly predictions: ReadonlyArray<{ readonly address: string; readonly task: string; readonly split: string; readonly truth: unknown; readonly predicted: unknown }>
  }
  type Rows = ReadonlyArray<Readonly<Record<string, unknown>>>

  it("is told with its image, roles, embedding rows, annotations and predictions, as the tables have them", async () => {
    const id = "scene-000003", story = await base.json<Story>("lineage", "--sample", id), [run] = await runsOf(base)
    const rowOf = async (...words: ReadonlyArray<string>) => (await read<Rows>(base, "get", ...words)).filter((row) => row["sample_id"] === id)
    const [sample] = await rowOf("samples")
    expect(story.images).toMatchObject([{ assets: sample!["assets"], columns: { label: sample!["label"], box: sample!["box"] } }])
    expect(story.annotations).toEqual([{ address: "classes", output: "annotations", values: expect.objectContaining({ class: sample!["label"] }) as object }])
    for (const fold of ["0", "1"]) {
      const [row] = await rowOf("split", `fold=${fold}`)
      expect(story.roles.find(({ address }) => address === `split fold=${fold}`)!.role).toBe(row!["split"])
    }
    expect(story.embeddings).toMatchObject([{ address: "embed", view: "full", run }])
    expect(fs.existsSync(base.at(`.outcrop/blobs/${story.embeddings[0]!.segment.slice(0, 2)}/${story.embeddings[0]!.segment}`))).toBe(true)
    const predicted = story.predictions.filter(({ address, task }) => address === "probe method=dtl fold=1" && task === "class"), [row] = (await rowOf("probe.predictions", "method=dtl", "fold=1")).filter(({ task }) => task === "class")
    expect(predicted).toMatchObject([{ truth: sample!["label"], split: row!["split"] }])
  })

  it("of a cache that was copied without its times is not dated by the copy", async () => {
    const folder = base.copy(), [row] = (await read<Story>(base, "lineage", "--sample", "scene-000003")).embeddings
    const later = new Date(Date.now() + 3_600_000)
    for (const file of folder.files(".outcrop/blobs")) fs.utimesSync(file, later, later)
    const { embeddings } = await read<Story & { readonly embeddings: ReadonlyArray<{ readonly notAfter: string | null }> }>(folder, "lineage", "--sample", "scene-000003")
    expect(embeddings).toMatchObject([{ made: null, run: null }])
    expect(Math.abs(Date.parse(embeddings[0]!.notAfter!) - Date.parse(row!.made!))).toBeLessThan(60_000)
    expect((await reads(folder, "lineage", "--sample", "scene-000003")).out).toMatch(/row \d+ +not after \d{4}-\d\d-\d\d /)
  })

  it("is asked of picked cells and of what stands behind a stage", async () => {
    const { predictions } = await read<Story>(base, "lineage", "--sample", "scene-000003", "knn", "method=dtl", "fold=0")
    expect(new Set(predictions.map(({ address }) => address))).toEqual(new Set(["knn method=dtl fold=0"]))
    const { out } = await reads(base, "lineage", "--sample", "scene-000003", "method=dtl", "fold=0")
    expect(out).toMatch(/^sample scene-000003\n {2}file +\(pixels made by ingest\) {2}sha256 [0-9a-f]{12} {2}image/)
    for (const part of ["role", "embeddings", "annotations", "predictions"]) expect(out).toContain(`\n\n${part}\n`)
  })

  it("that is not there is told with what is", async () => {
    expect(await reads(base, "lineage", "--sample", "scene-00003")).toMatchObject({ code: 2, err: 'there is no sample "scene-00003" (did you mean "scene-000003"?); there are 24: scene-000000, scene-000001, scene-000002, scene-000003, scene-000004, ...\n' })
  })
})

describe("upward", () => {
  interface Uses {
    readonly reached: ReadonlyArray<{
      readonly run: string | null
      readonly kind: string
      readonly what: string
      readonly stage: string
      readonly metrics: ReadonlyArray<string>
      readonly nodes: ReadonlyArray<{ readonly address: string; readonly cells: number; readonly roles: ReadonlyArray<string> }>
    }>
  }
  const uses = async (folder: Folder, what: string) => (await read<Uses>(folder, "lineage", "--uses", what)).reached

  it("a sample reaches the cells that were tested on it or learned from it", async () => {
    const reached = await uses(base, "scene-000003"), { roles } = await read<{ readonly roles: ReadonlyArray<{ readonly address: string; readonly role: string }> }>(base, "lineage", "--sample", "scene-000003")
    expect(reached.map(({ kind, run, stage }) => [kind, run, stage])).toEqual([["sample", null, "probe"], ["sample", null, "knn"]])
    for (const { metrics, nodes } of reached) {
      expect(metrics).toContain("class.accuracy")
      expect(nodes).toHaveLength(4)
      for (const { address, cells, roles: [role, ...others] } of nodes) {
        expect([cells, others]).toEqual([1, []])
        expect(role).toBe(roles.find((each) => each.address === `split ${address.split(" ").at(-1)}`)!.role)
      }
    }
  })

  const studied = study()
  beforeAll(async () => void await studied.ran())

  it("a data file reaches whatever lies downstream of who read it, by its path or its digest", async () => {
    const [reached] = await uses(studied, "samples.csv")
    expect(reached).toMatchObject({ kind: "file", what: "samples.csv", stage: "probe", nodes: { length: 6 } })
    const { nodes } = await lineage(studied, "samples"), [digest] = Object.values((nodes[0]!.result as unknown as { readonly files: Readonly<Record<string, string>> }).files)
    expect(await uses(studied, digest!.slice(0, 10))).toMatchObject([{ kind: "file", nodes: { length: 6 } }])
  })

  it("old code reached what runs on record made by it; the code of now what is there now", async () => {
    const folder = studied.copy()
    const [old] = await uses(folder, "train/centre"), digest = old!.what.split(" ")[1]!
    expect(old).toMatchObject({ kind: "code", run: null, stage: "probe", metrics: ["class.sum", "value.sum"] })
    expect(old!.nodes.reduce((sum, { cells }) => sum + cells, 0)).toBe(6)
    folder.edit("train.ts", "rate * (value", "2 * rate * (value")
    await folder.ran("rate=1")
    const [first] = await runsOf(folder), both = await uses(folder, "train")
    expect(both.map(({ nodes, run, what }) => [run, what === old!.what, nodes.length])).toEqual([[null, false, 2], [first, true, 6]])
    expect((await uses(folder, digest)).map(({ run, what }) => [run, what])).toEqual([[first, old!.what]])
    const { out } = await reads(folder, "lineage", "--uses", "train")
    expect(out).toMatch(/code train\/centre [0-9a-f]{12} reached\nin +stage +cells +metrics\n[─ ]+\nthe pipeline as it is now +probe +2 +2\nmetrics: class\.sum, value\.sum\n/)
  })

  it("a stage is found by a name that could be the beginning of a digest", async () => {
    const folder = new Folder({ "pipeline.yaml": pipeline.replace("embed:   {", "facade:  {").replace("embeddings: embed,", "embeddings: facade,") })
    await folder.ran("method=base", "fold=0")
    expect(await uses(folder, "facade")).toMatchObject([{ kind: "code", stage: "probe" }, { kind: "code", stage: "knn" }])
  })

  it("what reached nothing is said to", async () => {
    expect(await reads(base, "lineage", "--uses", "nothing")).toMatchObject({ code: 2, err: expect.stringMatching(/"nothing" reached no metric of the pipeline as it is or of any run on record: it is the name of no stage/) as string })
  })
})

describe("wrong words", () => {
  const wrong: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["a metric that several stages give", ["accuracy"], /"accuracy" is 2 metrics here; name one:\n {2}probe accuracy\n {2}knn accuracy\n/],
    ["a metric that is not there", ["class.acuracy"], /there is no stage and no metric "class\.acuracy" \(did you mean "class\.accuracy"\?\); stages are samples, .*; metrics are .*class\.accuracy/],
    ["a cell that is not there", ["accuracy", "method=matl"], /the axis "method" has no value matl.*it has base, dtl/],
    ["a number that the table computes of several results", ["probe", "class.auc (pooled)"], /computes it from the predictions of all replicates; "class\.auc" is what stands behind each/],
    ["two things", ["train", "embed"], /a lineage is of one thing: a stage, stage\.output or a metric; got train, embed/],
    ["up and down at once", ["--uses", "train", "--sample", "x"], /--uses goes upward/],
    ["a format that is not there", ["--format", "svg"], /svg/]
  ]
  it.each(wrong)("%s", async (what, words, message) => {
    const { code, err } = what.startsWith("a format") || what.startsWith("up and down") ? await base.outcrop("lineage", ...words) : await reads(base, "lineage", ...words)
    expect(err).toMatch(message)
    expect(code).toBe(2)
    expect(err).not.toMatch(/\n\s+at /)
  })
})

describe("what is lost", () => {
  it("in the middle is marked, with what to do; the chain is shown all the same", async () => {
    const folder = base.copy(), before = await lineage(folder, ...cell)
    const { blob } = before.nodes.find(({ stage }) => stage === "embed")!.result!.gave["embeddings"]!
    fs.rmSync(folder.at(`.outcrop/blobs/${blob.slice(0, 2)}/${blob}`))
    const after = await lineage(folder, ...cell), embed = after.nodes.find(({ stage }) => stage === "embed")!
    expect(embed.result!.gave["embeddings"]!.lost).toBe(true)
    expect(after.nodes.map(({ key }) => key)).toEqual(before.nodes.map(({ key }) => key))
    expect((await reads(folder, "lineage", ...cell)).out).toMatch(/lost {3}embeddings is lost from the cache; "outcrop run pipeline\.yaml" makes it again where it is needed\n/)
    expect((await reads(folder, "lineage", ...cell, "--run", "last")).out).toMatch(/lost {3}embeddings is lost from the cache; "outcrop run --jobs 1" with the files of then makes it again/)
  })

  it("as a segment of embedding rows is marked too", async () => {
    const folder = base.copy(), { embeddings: [row] } = await read<{ readonly embeddings: ReadonlyArray<{ readonly segment: string }> }>(folder, "lineage", "--sample", "scene-000003")
    fs.rmSync(folder.at(`.outcrop/blobs/${row!.segment.slice(0, 2)}/${row!.segment}`))
    expect((await reads(folder, "lineage", ...cell)).out).toMatch(/lost {3}embeddings is lost/)
    expect((await reads(folder, "lineage", "--sample", "scene-000003")).out).toMatch(/embed +full +[0-9a-f]{12} row \d+ +lost from the cache/)
  })

  it("as a record leaves its key; of the pipeline as it is, nothing stands on it any more", async () => {
    const folder = base.copy(), { key } = (await lineage(folder, ...cell)).nodes.find(({ stage }) => stage === "classes")!
    fs.rmSync(folder.at(`.outcrop/actions/${key!.slice(0, 2)}/${key}.json`))
    const { out } = await reads(folder, "lineage", ...cell, "--run", "last")
    expect(out).toMatch(new RegExp(`lost {3}the record \\(key ${key!.slice(0, 12)}\\) is lost from the cache; "outcrop run --jobs 1"`))
    expect(out).toMatch(/^run .*\nclass\.accuracy = /)
  })

  it("a result that is not there yet is no loss", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "epochs: 2", "epochs: 3")
    const { out } = await reads(folder, "lineage", "train", "method=dtl", "fold=0")
    expect(out).toMatch(/\ntrain {2}train\/triplet\n│ {2}none {3}no result yet; "outcrop run pipeline\.yaml" makes it\n/)
    expect((await reads(folder, "lineage", "class.accuracy", "method=dtl")).err).toMatch(/no metrics are there yet/)
  })

  it("a cache of another format is refused, never misread", async () => {
    const folder = base.copy()
    folder.write(".outcrop/format", "2\n")
    for (const [command, ...words] of [["lineage", ...cell], ["lineage", "--run", "last"], ["status", "--runs"]] as const) {
      expect(await reads(folder, command, ...words)).toMatchObject({ code: 2, out: "", err: expect.stringMatching(/has format 2, this outcrop reads format 1: use another --cache/) as string })
    }
  })
})
