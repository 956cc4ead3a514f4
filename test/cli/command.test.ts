import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { getCommand } from "../../cli/get.ts"
import { initCommand } from "../../cli/init.ts"
import { type RunFlags, runCommand } from "../../cli/run.ts"
import { planOf } from "../opened.ts"
import { Folder, removeFolders, study, type Summary } from "../pipeline.ts"
import { reads } from "../reading.ts"

const base = study()
let said: Awaited<ReturnType<Folder["outcrop"]>>
beforeAll(async () => void (said = await base.outcrop("run", "--jobs", "1")))
afterAll(removeFolders)

const sum = ({ nodes: { total: _, ...others } }: Summary) => Object.values(others).reduce((a, b) => a + b, 0)
/** Every third training fails, by its own word. */
const failing = (folder: Folder) => folder.edit("train.ts", "const mean = weights", "if (rate === 2) return yield* new Stage.StageError({ message: `the rate ${rate} diverges: lower it` })\n    const mean = weights")

describe("a run", () => {
  it("ends with a table that a person can read and a line of what was done", () => {
    expect(said.code).toBe(0)
    expect(said.out).toMatch(/\nrate +class\.sum +value\.sum +n\n/)
    expect(said.out).toMatch(/1 +1\.500 ± 0\.707 +-1\.500 ± 6\.364 +2\n/)
    expect(said.out).toMatch(/\n17 nodes from 6 cells, 17 ran, 0 cached, 9 rows embedded, .* new, .*s\n$/)
    expect(said.err).toContain("samples: 9 samples")
  })

  it("says no word about node's own experiments, and colours nothing where NO_COLOR asks for none", () => {
    expect(said.err).not.toContain("ExperimentalWarning")
    // oxlint-disable-next-line no-control-regex
    expect(said.out + said.err).not.toMatch(/\u001b/)
  })

  it("again does nothing and says so", async () => {
    expect((await base.outcrop("run")).out).toMatch(/17 nodes from 6 cells, nothing to do: all cached/)
  })

  it("with picks runs those cells only; with a stage, up to it; keeps its cache where --cache says", async () => {
    const folder = study(), cache = ["--cache", "elsewhere"]
    expect(await folder.ran("rate=1", "fold=0", ...cache)).toEqual({ samples: 1, split: 1, embed: 1, classes: 1, train: 1, probe: 1 })
    expect(await folder.ran("rate=*", "train", ...cache)).toEqual({ split: 1, train: 5 })
    expect(await folder.ran("rate=1,3", "fold=1", ...cache)).toEqual({ probe: 2 })
    expect(fs.existsSync(folder.at(".outcrop"))).toBe(false)
    expect((await reads(folder, "plan", "rate=1", ...cache)).out).toContain("9 nodes from 2 cells, nothing to do: all cached")
  })

  it("--set replaces the values of an axis, for that run; --force runs a stage although it is cached, and what came out as before stops there", async () => {
    const folder = base.copy()
    expect(await folder.ran("--set", "rate=7,8", "--set", "fold=0")).toEqual({ train: 2, probe: 2 })
    expect(await planOf(folder)).toEqual({ cached: 17 })
    expect(await folder.ran("--force", "train")).toEqual({ train: 6 })
  })

  it("--set may leave out values that the report, exclude and needs speak of", async () => {
    const folder = new Folder({
      "pipeline.yaml": `name: narrowed
axes:
  method: { base: { uses: train/none }, dtl: { uses: train/triplet, with: { tasks: { class: 1 } }, axes: { top: [1, 2] } } }
exclude: [{ method: dtl, top: 2 }]
stages:
  samples: { uses: ingest/synthetic, with: { samples: 24 } }
  embed:   { uses: embed/statistics, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  train:   { uses: $method.uses, needs: { embeddings: embed, annotations: classes }, with: $method.with }
report: { baseline: { method: dtl }, heatmap: { x: top, y: method, metric: class.accuracy } }
`
    })
    expect(await reads(folder, "plan", "--set", "method=base")).toMatchObject({ code: 0, out: expect.stringMatching(/\n4 nodes from 1 cells, 4 will run/) as string })
    expect((await reads(folder, "plan")).out).toMatch(/\n5 nodes from 2 cells/)
    expect((await reads(folder, "plan", "--set", "method=bse")).err).toMatch(/the axis "method" has no value bse \(did you mean "base"\?\)/)
  })

  it("prints the same numbers whatever the number of workers and the memory", async () => {
    const table = (await reads(base, "table", "rate=2", "--json")).out
    const folder = study()
    await folder.ran("rate=2", "--jobs", "3", "--memory", "1kB")
    expect((await reads(folder, "table", "rate=2", "--json")).out).toBe(table)
  })

  it("works in a folder whose name has spaces, umlauts and signs, called from elsewhere", async () => {
    const folder = new Folder()
    const name = "meine Hüte #1 (100%)"
    fs.cpSync(study().path, folder.at(name), { recursive: true })
    expect(await folder.ran(`${name}/pipeline.yaml`, "rate=1")).toMatchObject({ train: 2, probe: 2 })
    expect(fs.existsSync(folder.at(`${name}/.outcrop/index.sqlite`))).toBe(true)
    folder.edit(`${name}/arithmetic.ts`, "let total = 0\n", "let total = 0.5\n")
    expect(await folder.ran(`${name}/pipeline.yaml`, "rate=1")).toEqual({ probe: 2 })
  })
})

describe("what stages say", () => {
  it("is told once for all nodes of a stage that say it of other numbers; logs have each", async () => {
    const folder = new Folder({
      "pipeline.yaml": `name: told
replicates: { seed: [0, 1, 2] }
stages:
  samples: { uses: ingest/synthetic, with: { samples: 24, size: 16 } }
  split:   { uses: ingest/split, needs: samples, with: { test: 0.5, seed: $seed } }
`
    })
    const { err } = await folder.outcrop("run")
    expect(err.match(/spatial leak: /g)).toHaveLength(1)
    expect(err).toMatch(/^split seed=0 and 2 more(, of other numbers)?: spatial leak: \d+ of 12 test samples/m)
    expect((await folder.outcrop("logs", "split")).out.match(/spatial leak: /g)).toHaveLength(3)
  })
})

describe("a stage that fails", () => {
  it("ends the run with code 1; independent work goes on, what needs it is skipped, and one cause is told once", async () => {
    const folder = base.copy()
    failing(folder)
    const { code, err, out } = await folder.outcrop("run", "--json")
    expect(code).toBe(1)
    const summary = JSON.parse(out) as Summary
    expect(summary.nodes).toEqual({ total: 17, run: 4, cached: 9, restored: 0, maybe: 0, failed: 2, skipped: 2 })
    expect(sum(summary)).toBe(17)
    expect(err.match(/the rate 2 diverges: lower it/g)).toHaveLength(1)
    expect(err).toMatch(/failed train rate=2 fold=\d and 1 more\n {2}the rate 2 diverges: lower it\n/)
    expect(err, "an expected failure is told without a stack").not.toMatch(/\n\s+at /)

    expect(await planOf(folder), "a failure is never cached; what was finished is kept").toMatchObject({ cached: 13, run: 2 })
    folder.edit("train.ts", "if (rate === 2)", "if (rate === 22)")
    expect(await folder.ran(), "mended: all trainings are of new code, their results are as they were before").toEqual({ train: 6 })
  })

  it("by what its loss threw is told with the place in the loss, and no other", async () => {
    const folder = new Folder({
      "loss.ts": `import { Train } from "outcrop/train"
export default Train.make({
  name: "train/own", version: 1, summary: "", with: {}, annotations: () => ["class"],
  loss: (tf, { z }) =>
    tf.maen(z)
})
`,
      "pipeline.yaml": `name: own
stages:
  samples: { uses: ingest/synthetic, with: { samples: 12 } }
  split:   { uses: ingest/split, needs: samples, with: { group: location } }
  embed:   { uses: embed/statistics, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  train:   { uses: ./loss.ts, needs: { embeddings: embed, annotations: classes, split } }
`
    })
    expect((await folder.outcrop("run")).err).toMatch(/failed train\n {2}the loss of train\/own threw: tf\.maen is not a function\n +at loss \(loss\.ts:5:8\)\n(?! +at)/)
  })

  it("--fail-fast stops at the first; every node is accounted for", async () => {
    const folder = base.copy()
    failing(folder)
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [2, 11, 12, 13, 14, 15, 16]")
    const { code, out } = await folder.outcrop("run", "--fail-fast", "--jobs", "1", "--json")
    expect(code).toBe(1)
    const summary = JSON.parse(out) as Summary
    expect(summary.nodes.failed).toBe(1)
    expect(summary.nodes.run).toBeLessThan(6)
    expect(sum(summary)).toBe(summary.nodes.total)
    expect((await folder.outcrop("run", "--fail-fast", "--keep-going")).code).toBe(2)
  })

  it("by a defect is told with its place in the code; by an invalid table with stage, port, column, row and value; by NaN in an embedding with the sample", async () => {
    const folder = base.copy()
    folder.edit("classes.ts", "const names", "samples.rows.toFixed(1000)\n    const names")
    folder.edit("split.ts", "\"test\" :", "\"tset\" :")
    folder.edit("data/samples.csv", "s4,deer,5", "s4,deer,none")
    const { code, err } = await folder.outcrop("run", "--jobs", "1")
    expect(code).toBe(1)
    const line = fs.readFileSync(folder.at("classes.ts"), "utf8").split("\n").findIndex((text) => text.includes("toFixed")) + 1
    expect(err).toMatch(new RegExp(`failed classes\\n {2}RangeError: toFixed\\(\\).*\\n +at .*\\(classes\\.ts:${line}:\\d+\\)\\n(?! +at)`))
    expect(err).toMatch(/ingest\/thirds gave an invalid table on its port "split": column split, row 0: "tset" is none of train, val, test, unused/)
    expect(err).toMatch(/embed\/value gave NaN in the embedding of sample "s4" \(entry 0\): embeddings must be finite/)
    const other = base.copy()
    other.edit("list.ts", "lines.map(([id]) => id!)", "lines.map(() => \"same\")")
    expect((await other.outcrop("run", "samples", "--jobs", "1")).err).toMatch(/port "samples": column sample_id, row 1: "same" stands in more than one row/)
  })

  it.each([
    ["return { annotations:", "return { annotation:", 'mine/classes gave "annotation" (did you mean "annotations"?), which is none of its ports: annotations'],
    ["return { annotations:", "void { annotations:", 'mine/classes gave nothing on its port "annotations": return { annotations: { ... } }'],
    ["open: { class: Int32Array.from(samples.label, (label) => names.indexOf(label)) }", "class: names", 'column class: annotations has no column "class"; columns of your own go into open: { class }'],
    ["Effect.fn(\"mine/classes\")(function*({ samples }) {", "(({ samples }) => {", 'mine/classes has to return an Effect: write its functions as Effect.fn("mine/classes")(function*(...) { ... })']
  ])("by what a stage returns is told in words: %s as %s", async (from, to, message) => {
    const folder = base.copy()
    folder.edit("classes.ts", from, to)
    const { err } = await folder.outcrop("run", "classes", "--jobs", "1")
    expect(err).toContain(message)
    expect(err).not.toMatch(/\n\s+at /)
  })

  it("by an embedding that is none is told in words", async () => {
    const folder = base.copy()
    folder.edit("embed.ts", "return {", "void {")
    expect((await folder.outcrop("run", "embed", "--jobs", "1")).err).toContain("gave no vectors: return { width, values: Float32Array }")
  })

  it("among siblings fails alone", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "  fit: Effect.fn(\"train/centre.fit\")(function*({ embeddings: { embedding, rows, sample_id } }) {", `  siblings: {
    most: 8,
    alike: () => 0,
    same: [],
    fit: Effect.fn("train/centre.fit")(function*(members) {
      const bad = members.find(({ parameters }) => parameters.rate === 2)
      if (bad !== undefined) return yield* new Stage.StageError({ message: \`one of \${members.length > 1 ? "several" : "one"} diverges\` })
      return members.map(({ inputs }) => learn(inputs))
    })
  },
  apply: Effect.fn("x")(function*({ weights }, { embeddings: { embedding, sample_id, view } }, { margin, rate }) {
    const mean = weights.values[0]!
    return { embeddings: { sample_id, view, embedding: { width: embedding.width, values: embedding.values.map((value, i) => rate * (value - mean[i % embedding.width]!) - margin) } } }
  })
})
const learn = ({ embeddings: { embedding, rows, sample_id } }) => {`)
    const text = fs.readFileSync(folder.at("train.ts"), "utf8")
    folder.write("train.ts", `${text.slice(0, text.indexOf("  }),\n  apply: Effect.fn(\"train/centre.apply\")"))}}\n`)
    const { err, out } = await folder.outcrop("run", "--jobs", "1", "--json")
    expect((JSON.parse(out) as Summary).nodes).toMatchObject({ failed: 2, run: 4, cached: 9, skipped: 2 })
    expect(err).toContain("one of one diverges")
    expect(await planOf(folder, "rate=1")).toEqual({ cached: 9 })
  })
})

describe("wrong input ends with code 2 and one message, without a stack", () => {
  const wrong: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["--force of a stage that is not there, in a plan", ["plan", "--force", "trian"], /--force: there is no stage "trian"/],
    ["a file that is not there", ["run", "nowhere.yaml"], /there is no file nowhere\.yaml: name a pipeline, or make one with "outcrop init"/],
    ["a command that is not there", ["rnu"], /rnu/],
    ["a flag that is not there", ["run", "--jbos", "2"], /--jbos/],
    ["--jobs 0", ["run", "--jobs", "0"], /--jobs/]
  ]
  it.each(wrong)("%s", async (_, words, message) => {
    const { code, err } = await base.outcrop(...words)
    expect(err).toMatch(message)
    expect(code).toBe(2)
    expect(err).not.toMatch(/\n\s+at /)
  })

  const plain = { words: [], cache: undefined, data: undefined, set: [], backend: undefined, json: false }
  const here = (words: ReadonlyArray<string>) => [base.at("pipeline.yaml"), ...words]
  const run = ({ words = [], ...flags }: Partial<RunFlags>) => runCommand({ ...plain, words: here(words), jobs: 1, memory: "1GB", force: [], failFast: false, rehash: false, events: false, ...flags })
  const get = (words: ReadonlyArray<string>, output?: string) => getCommand({ ...plain, words: here(words), output })
  it.each<readonly [string, Effect.Effect<unknown, unknown>, RegExp]>([
    ["a stage that is not there", run({ words: ["prob"] }), /there is no stage "prob" \(did you mean "probe"\?\); stages are samples, split, embed, classes, train, probe/],
    ["an axis that is not there", run({ words: ["rat=1"] }), /there is no axis "rat" \(did you mean "rate"\?\)/],
    ["a value that an axis does not have", run({ words: ["rate=9"] }), /the axis "rate" has no value 9.*it has 1, 2, 3/],
    ["--set of an axis that is not there", run({ set: ["rat=1"] }), /--set rat=1: there is no axis "rat" \(did you mean "rate"\?\)/],
    ["--set without a value", run({ set: ["rate"] }), /--set takes axis=value, got "rate"/],
    ["--force of a stage that is not there", run({ force: ["trian"] }), /--force: there is no stage "trian"/],
    ["--memory that is none", run({ memory: "much" }), /--memory takes bytes like 2GB, got "much"/],
    ["a table that is many", get(["train.embeddings"]), /"train\.embeddings" is 6 tables here; pick one cell with axis=value/],
    ["an output that is not there", get(["train.embedings", "rate=1", "fold=0"]), /did you mean "embeddings"\?/],
    ["an ending that no format has", get(["classes"], "x.xls"), /--output ends in \.arrow, \.parquet, \.csv or \.json, got x\.xls/]
  ])("%s", async (_, command, message) => {
    expect(await Effect.runPromise(Effect.flip(command))).toMatchObject({ code: 2, message: expect.stringMatching(message) as string })
  })
})

describe("other words", () => {
  it("get writes Arrow, Parquet, CSV and JSON", async () => {
    const folder = new Folder()
    for (const ending of ["arrow", "parquet", "json"]) expect((await reads(base, "get", "classes", "--output", folder.at(`x.${ending}`))).code).toBe(0)
    expect((await base.outcrop("get", "classes", "-o", folder.at("x.csv"))).code).toBe(0)
    expect(fs.readFileSync(folder.at("x.csv"), "utf8").split("\n").slice(0, 3)).toEqual(["sample_id,class", "s0,1", "s1,0"])
    expect(JSON.parse(fs.readFileSync(folder.at("x.json"), "utf8"))).toHaveLength(9)
    expect(fs.readFileSync(folder.at("x.arrow")).subarray(0, 6).toString()).toBe("ARROW1")
    expect(fs.readFileSync(folder.at("x.parquet")).subarray(0, 4).toString()).toBe("PAR1")
  })

  it("get says beside a text which names the numbers of classes stand for", async () => {
    const folder = base.copy()
    folder.edit("classes.ts", "names.indexOf(label)) } }", "names.indexOf(label)) }, metadata: { class: JSON.stringify(names), scale: \"2\" } }")
    await folder.ran("classes")
    const said = 'class, names by number from 0: ["boar","deer"]\n'
    expect((await reads(folder, "get", "classes")).err).toBe(said)
    expect((await reads(folder, "get", "classes", "--output", folder.at("x.csv"))).err).toContain(said)
    expect((await reads(folder, "get", "classes", "--output", folder.at("x.parquet"))).err).not.toContain("boar")
    expect((await reads(folder, "get", "samples")).err).toBe("")
  })

  it("status names what is not up to date, and why", async () => {
    expect((await base.outcrop("status")).out).toBe("up to date: 17 nodes from 6 cells\n")
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: $rate }", "rate: $rate, margin: 1 }")
    expect((await reads(folder, "status")).out).toMatch(/run +train rate=1 fold=0: parameter margin: 0 -> 1\n/)
  })

  it("--backend asks for an engine, of every command; one that no stage has is named", async () => {
    const folder = new Folder()
    folder.write("pipeline.yaml", `name: engines
stages:
  samples: { uses: ingest/synthetic, with: { samples: 24 } }
  embed:   { uses: embed/statistics, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  train:   { uses: train/triplet, needs: { embeddings: embed, annotations: classes }, with: { tasks: { class: 1 }, out: 4, epochs: 2 } }
`)
    expect((await folder.outcrop("run", "--backend", "onnx")).code).toBe(0)
    expect((await reads(folder, "status", "--backend", "onnx")).out).toBe("up to date: 4 nodes from 1 cells\n")
    expect((await reads(folder, "status")).out).toMatch(/run +train: .*onnx.* -> wasm/)
    const losses = async (...flags: ReadonlyArray<string>) => (await reads(folder, "get", "train.history", ...flags)).out.trim().split("\n").slice(1).map((line) => Number(line.split(",")[2]))
    await folder.outcrop("run")
    const [onnx, wasm] = [await losses("--backend", "onnx"), await losses()]
    expect(onnx).toHaveLength(2)
    for (const [i, loss] of wasm.entries()) expect(loss).toBeCloseTo(onnx[i]!, 5)
    expect(await folder.outcrop("run", "--backend", "was")).toMatchObject({ code: 2, err: 'there is no backend "was" (did you mean "wasm"?); there are wasm, onnx, tfjs\n' })
  })

  it("logs tells when, how long, and what stages said", async () => {
    const { out } = await base.outcrop("logs", "samples")
    expect(out).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +[\d.]+ m?s +samples\n +9 samples\n$/)
  })

  it("stages shows what an object among the parameters holds, and the ports and parameters of a stage of one's own", async () => {
    const triplet = (await base.outcrop("stages", "train/triplet")).out
    expect(triplet).toMatch(/\nselect +object .*\nselect\.top +number +required .*\nselect\.more .*\nselect\.fill +"next-ranked" \| "random" \| "triplet" +"next-ranked" /)
    expect((await base.outcrop("stages", "ingest/split")).out).toMatch(/\ngiven\.file +string +required\ngiven\.id +string +"sample_id"\n/)
    expect((await base.outcrop("stages", "./train.ts")).out).toMatch(/^train\/centre: .*\n[^]* needs split \(optional\): split[^]*\nrate +number +1\n/)
    expect(await base.outcrop("stages", "./nowhere.ts")).toMatchObject({ code: 2, err: expect.stringMatching(/^there is no file \.\/nowhere\.ts/) as string })
  })

  it("init makes a folder with a pipeline, its schema for editors and a .gitignore, and never writes over one", async () => {
    const folder = new Folder()
    expect((await folder.outcrop("init", "mine")).out).toMatch(/next: cd mine && outcrop run/)
    expect(fs.readFileSync(folder.at("mine/pipeline.yaml"), "utf8")).toMatch(/^# yaml-language-server: \$schema=\.\/pipeline\.schema\.json$/m)
    expect(fs.readFileSync(folder.at("mine/.gitignore"), "utf8")).toBe(".outcrop/\n")
    expect((await folder.outcrop("schema")).out).toBe(fs.readFileSync(folder.at("mine/pipeline.schema.json"), "utf8"))
    expect((await reads(folder, "plan", "mine/pipeline.yaml")).code).toBe(0)
    expect(await Effect.runPromise(Effect.flip(initCommand(folder.at("mine"))))).toMatchObject({ code: 2 })
  })

  it("--help is short and names every command", async () => {
    const { code, out } = await base.outcrop("--help")
    expect(code).toBe(0)
    for (const word of ["run", "plan", "status", "why", "table", "get", "logs", "stages", "schema", "init"]) expect(out).toMatch(new RegExp(`^ *${word} `, "m"))
  })

  it("a reader that stops reading (| head) is no error", async () => {
    const { child, said } = base.start("logs")
    child.stdout!.destroy()
    expect((await said).err).not.toContain("EPIPE")
  })
})
