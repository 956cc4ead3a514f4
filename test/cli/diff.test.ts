import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Folder, removeFolders, study } from "../pipeline.ts"
import { read, reads } from "../reading.ts"

interface Cause {
  readonly kind: string
  readonly part: string
  readonly before: unknown
  readonly after: unknown
}
interface Table {
  readonly output: string
  readonly lost?: string
  readonly diff?: {
    readonly rows: Readonly<Record<"a" | "b" | "onlyA" | "onlyB" | "changed", number>>
    readonly columns: ReadonlyArray<{ readonly name: string; readonly changed: number; readonly max?: number; readonly mean?: number }>
    readonly examples: { readonly onlyB: ReadonlyArray<string>; readonly changed: ReadonlyArray<unknown> }
  }
}
interface Finding {
  readonly stage: string
  readonly a: string
  readonly b: string
  readonly nodes: number
  readonly causes: ReadonlyArray<Cause>
  readonly outputs: ReadonlyArray<string>
  readonly tables: ReadonlyArray<Table>
  readonly code: { readonly added: number; readonly removed: number; readonly lines: ReadonlyArray<string> } | string | null
}
interface Diff {
  readonly version: number
  readonly a: { readonly name: string; readonly run: string | null; readonly git: { readonly dirty: boolean } | null }
  readonly b: Diff["a"]
  readonly cells: { readonly both: number; readonly onlyA: number; readonly onlyB: number }
  readonly stages: { readonly onlyA: ReadonlyArray<string>; readonly onlyB: ReadonlyArray<string> }
  readonly metrics: ReadonlyArray<{ readonly nodes: ReadonlyArray<string>; readonly task: string; readonly metric: string; readonly a: number; readonly b: number; readonly change: number }>
  readonly first: ReadonlyArray<Finding>
  readonly further: ReadonlyArray<Finding>
  readonly withoutEffect: ReadonlyArray<Finding>
  readonly stage: ReadonlyArray<Finding>
}

const base = study()
beforeAll(async () => void await base.ran())
afterAll(removeFolders)

/** Runs again after an edit, and compares with the run before. */
const afterwards = async (folder: Folder, ...words: ReadonlyArray<string>): Promise<Diff> => {
  await folder.outcrop("run", "--jobs", "1")
  return await read<Diff>(folder, "diff", "last~1", "last", ...words)
}
const parts = (findings: ReadonlyArray<Finding>) => findings.map(({ causes, stage }) => `${stage}: ${causes.map(({ kind, part }) => `${kind} ${part}`).join(", ")}`)

describe("diff of two runs finds where they part", () => {
  it("a parameter: the stage that has it, its tables, and the figures of every cell", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: $rate }", "rate: $rate, margin: 0.5 }")
    const { cells, first, further, metrics, version, withoutEffect } = await afterwards(folder)
    expect(version).toBe(1)
    expect(cells).toEqual({ both: 6, onlyA: 0, onlyB: 0 })
    expect(first).toHaveLength(1)
    expect(first[0]).toMatchObject({ stage: "train", a: "train rate=1 fold=0", b: "train rate=1 fold=0", nodes: 6, outputs: ["embeddings"], code: null })
    expect(first[0]!.causes).toEqual([{ kind: "parameter", part: "margin", before: 0, after: 0.5 }])
    expect(first[0]!.tables).toMatchObject([{ output: "embeddings", diff: { rows: { a: 9, b: 9, onlyA: 0, onlyB: 0, changed: 9 }, columns: [{ name: "embedding", changed: 9, max: 0.5, mean: 0.5 }] } }])
    expect([further, withoutEffect], "the probes differ by what they are given").toEqual([[], []])
    expect(metrics.map(({ change, metric, nodes, task }) => [nodes[0], task, metric, change])).toEqual([0, 1].flatMap((fold) => [1, 2, 3].map((rate) => [`probe rate=${rate} fold=${fold}`, "value", "sum", -1.5])).toSorted())
  })

  it("data: the file, the row and the value", async () => {
    const folder = base.copy()
    folder.edit("data/samples.csv", "s3,boar", "s3,lynx")
    const { first, further, metrics } = await afterwards(folder)
    expect(parts(first)).toEqual(["samples: file samples.csv"])
    expect(first[0]!.tables[0]!.diff).toMatchObject({ rows: { a: 9, b: 9, changed: 1 }, columns: [{ name: "label", changed: 1 }], examples: { changed: [{ row: "s3", values: [{ column: "label", a: "boar", b: "lynx" }] }] } })
    expect(further).toEqual([])
    expect(metrics.map(({ nodes, task }) => `${nodes[0]!} ${task}`), "only where s3 is tested").toEqual([1, 2, 3].map((rate) => `probe rate=${rate} fold=0 class`))
  })

  it("rows that only one has", async () => {
    const folder = base.copy()
    fs.appendFileSync(folder.at("data/samples.csv"), "s9,deer,10\n")
    const { first } = await afterwards(folder)
    expect(first[0]!.tables[0]!.diff).toMatchObject({ rows: { a: 9, b: 10, onlyA: 0, onlyB: 1, changed: 0 }, columns: [], examples: { onlyB: ["s9"] } })
  })

  it("code: its changed lines, laid out, without what else moved in the file; said where its text is lost", async () => {
    const folder = base.copy()
    folder.edit("arithmetic.ts", "let total = 0\n", "// a comment\n  let total = 0.5\n")
    const { first } = await afterwards(folder)
    expect(parts(first)).toEqual(["probe: code code.closure"])
    expect(first[0]!.code).toMatchObject({ added: 1, removed: 1 })
    const lines = (first[0]!.code as { readonly lines: ReadonlyArray<string> }).lines.map((line) => line.replace(/^(.)\s+/, "$1"))
    expect(lines.filter((line) => /^[-+]/.test(line))).toEqual(["-let total = 0;", "+let total = 0.5;"])
    const { out } = await reads(folder, "diff", "last~1", "last")
    expect(out).toMatch(/the first outputs that differ:\nprobe rate=1 fold=0 and 5 more\n {2}code: [0-9a-f]{12} -> [0-9a-f]{12}\n {2}its code: 1 line out, 1 line in\n/)
    expect(out).toMatch(/\n {2}- +let total = 0;\n {2}\+ +let total = 0\.5;\n/)
    const digest = String(first[0]!.causes[0]!.before)
    fs.rmSync(folder.at(`.outcrop/blobs/${digest.slice(0, 2)}/${digest}`))
    expect((await read<Diff>(folder, "diff", "last~1", "last")).first[0]!.code).toBe("the lines cannot be shown: the text of A is not in the cache (lost, or made before texts were kept)")
  })

  it("code that changes nothing: said as such, with no stage to blame", async () => {
    const folder = base.copy()
    folder.edit("arithmetic.ts", "total += value", "total = value + total")
    const { first, metrics, withoutEffect } = await afterwards(folder)
    expect([first, metrics]).toEqual([[], []])
    expect(parts(withoutEffect)).toEqual(["probe: code code.closure"])
    expect(withoutEffect[0]!.nodes).toBe(6)
    expect((await reads(folder, "diff", "last~1", "last")).out).toMatch(/what differs without changing an output:\nprobe .*\n {2}code:[^]*every output is the same\n$/)
  })

  it("several branches: each first stage, and what differs further down by itself; of a lost table that it is, with what brings it back, and the rest", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "uses: ./embed.ts, needs: samples", "uses: ./embed.ts, needs: samples, with: { scale: 2 }")
    folder.edit("classes.ts", "names.indexOf(label))", "names.indexOf(label) + 1)")
    folder.edit("pipeline.yaml", "rate: $rate }", "rate: $rate, margin: 0.5 }")
    const { first, further } = await afterwards(folder)
    expect(parts(first).toSorted()).toEqual(["classes: code code.closure", "embed: parameter scale"])
    expect(parts(further)).toEqual(["train: parameter margin"])
    for (const file of folder.blobs("tables")) fs.rmSync(file)
    const { first: told, metrics } = await read<Diff>(folder, "diff", "last~1", "last")
    expect(parts(told)).toEqual(parts(first))
    expect(told.find(({ stage }) => stage === "embed")!.tables).toEqual([{ output: "embeddings", lost: "the table of embed is lost from the cache and cannot be compared; this makes it again: outcrop run --jobs 1 --json with the files as they were" }])
    expect(metrics.length).toBeGreaterThan(0)
  })

  it("another implementation explains its parameters", async () => {
    const folder = base.copy()
    folder.write("flat.ts", fs.readFileSync(folder.at("embed.ts"), "utf8").replace("embed/value", "embed/flat").replace("scale: Stage.withDefault(Schema.Finite, 1)", "factor: Stage.withDefault(Schema.Finite, 3)").replace("{ scale }", "{ factor: scale }"))
    folder.edit("pipeline.yaml", "uses: ./embed.ts", "uses: ./flat.ts")
    const { first } = await afterwards(folder)
    expect(first.map(({ causes }) => causes)).toEqual([[{ kind: "code", part: "stage", before: "embed/value", after: "embed/flat" }]])
    expect(first[0]!.code, "lines of two implementations are not compared").toBeNull()
  })

  it("another source for a port; a stage under another name", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "  classes:", "  other: { uses: ./embed.ts, needs: samples, with: { scale: 3 } }\n  classes:")
    folder.edit("pipeline.yaml", "embeddings: embed,", "embeddings: other,")
    const moved = await afterwards(folder)
    expect(moved.stages).toEqual({ onlyA: [], onlyB: ["other"] })
    expect(moved.first.map(({ causes, stage }) => [stage, causes])).toEqual([["train", [{ kind: "input", part: "embeddings", before: "embed", after: "other" }]]])

    const renamed = base.copy()
    renamed.edit("pipeline.yaml", "  embed: { uses: ./embed.ts, needs: samples }", "  encode: { uses: ./embed.ts, needs: samples, with: { scale: 3 } }")
    renamed.edit("pipeline.yaml", "embeddings: embed,", "embeddings: encode,")
    expect(parts((await afterwards(renamed)).first)).toEqual(["embed -> encode: parameter scale"])
  })

  it("a failure in one of them", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "const mean = new", "if (rows > 1) return yield* new Stage.StageError({ message: \"it diverges\" })\n    const mean = new")
    const { first, further, metrics } = await afterwards(folder)
    expect(first).toMatchObject([{ stage: "train", nodes: 6, tables: [], causes: [{ kind: "impossible", part: "no result in B: it diverges" }] }])
    expect(further).toEqual([])
    expect(metrics[0]).toMatchObject({ b: null, change: null })
  })

  it("cells that only one has are counted; those asked for are compared", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [2, 3, 4]")
    folder.edit("pipeline.yaml", "rate: $rate }", "rate: $rate, margin: 0.5 }")
    const { cells, first } = await afterwards(folder)
    expect(cells).toEqual({ both: 4, onlyA: 2, onlyB: 2 })
    expect(first[0]).toMatchObject({ a: "train rate=2 fold=0", nodes: 4 })
    expect((await read<Diff>(folder, "diff", "last~1", "last", "rate=3", "fold=1")).first[0]).toMatchObject({ a: "train rate=3 fold=1", nodes: 1 })
  })

  it("nothing", async () => {
    expect(await read<Diff>(base, "diff", "last", "last")).toMatchObject({ metrics: [], first: [], further: [], withoutEffect: [] })
    expect((await base.outcrop("diff", "last", "last")).out).toMatch(/nothing differs\n$/)
  })
})

describe("diff of two cells", () => {
  it("shows all figures beside each other and the stage that tells the cells apart", async () => {
    const { first, metrics } = await read<Diff>(base, "diff", "rate=1 fold=0", "rate=3 fold=0")
    expect(metrics.map(({ change, task }) => [task, change])).toEqual([["class", 0], ["value", expect.any(Number) as number]])
    expect(first).toHaveLength(1)
    expect(first[0]).toMatchObject({ a: "train rate=1 fold=0", b: "train rate=3 fold=0", causes: [{ kind: "parameter", part: "rate", before: 1, after: 3 }] })
    const { out } = await base.outcrop("diff", "rate=1 fold=0", "rate=3 fold=0")
    expect(out).toMatch(/^A {2}rate=1 fold=0\nB {2}rate=3 fold=0\n\nmetric \(test\) +A +B +change\n/)
  })

  it("--stage looks at another stage, with every part of its key", async () => {
    const { stage } = await read<Diff>(base, "diff", "rate=1 fold=0", "rate=3 fold=0", "--stage", "probe")
    expect(parts(stage)).toEqual(["probe: input embeddings.embedding"])
    expect(stage[0]!.tables).toMatchObject([{ output: "metrics", diff: { rows: { a: 2, b: 2, changed: 1 }, columns: [{ name: "value", changed: 1 }] } }])
    expect((await reads(base, "diff", "rate=1 fold=0", "rate=3 fold=0", "--stage", "embed")).out).toMatch(/embed is one and the same in A and B\n$/)
    const { code, err } = await reads(base, "diff", "rate=1 fold=0", "rate=3 fold=0", "--stage", "prob")
    expect(`${code} ${err}`).toMatch(/^2 there is no stage "prob" that both have \(did you mean "probe"\?\)/)
  })
})

describe("diff of two git revisions", () => {
  it("compares the last runs there, and says where one had uncommitted changes", async () => {
    const folder = base.copy()
    const git = (...words: ReadonlyArray<string>) => execFileSync("git", ["-C", folder.path, "-c", "user.name=a", "-c", "user.email=a@example.org", ...words], { stdio: "pipe" })
    git("init", "-q")
    git("add", "pipeline.yaml", "*.ts")
    git("commit", "-qm", "one")
    await folder.ran()
    folder.edit("pipeline.yaml", "rate: $rate }", "rate: $rate, margin: 0.5 }")
    git("commit", "-qam", "two")
    await folder.ran()
    const clean = await folder.json<Diff>("diff", "HEAD~1..HEAD")
    expect(parts(clean.first)).toEqual(["train: parameter margin"])
    expect([clean.a.git!.dirty, clean.b.git!.dirty]).toEqual([false, false])
    // what was run of files as they were committed stands for a revision, even where another run came after it
    folder.edit("pipeline.yaml", "margin: 0.5", "margin: 1")
    await folder.ran()
    expect(await read<Diff>(folder, "diff", "HEAD~1..HEAD")).toEqual(clean)
    git("commit", "--allow-empty", "-qm", "nothing")
    await folder.ran()
    const { out } = await reads(folder, "diff", "HEAD~1", "HEAD")
    expect(out).toMatch(/^A .* at [0-9a-f]{10}\nB .* at [0-9a-f]{10} with uncommitted changes\n/)
    expect(out).toContain("parameter margin: 0.5 -> 1\n")
    git("commit", "-qam", "three")
    const { code, err } = await folder.outcrop("diff", "HEAD~1..")
    expect(`${code} ${err}`).toMatch(/^2 no run on record was made at HEAD \([0-9a-f]{10}\); runs on record are:\n/)
  })
})

describe("what cannot be compared", () => {
  it.each([
    ["nothing named", [], /name two things to compare:\n {2}outcrop diff /],
    ["one run", ["last"], /name two things to compare/],
    ["several cells where one is needed", ["rate=1", "rate=2 fold=0"], /^"rate=1" is 2 cells; pick one:\n {2}rate=1 fold=0\n {2}rate=1 fold=1\n$/],
    ["a value that there is not", ["rate=9 fold=0", "rate=1 fold=0"], /^the axis "rate" has no value 9; it has 1, 2, 3\n$/],
    ["an axis that there is not", ["rat=1", "rate=1 fold=0"], /^there is no axis "rat" \(did you mean "rate"\?\)/],
    ["neither a run nor a revision", ["nonsense", "last"], /^"nonsense" is neither a run nor a git revision here; runs on record are:\n {2}run \d{8}-/],
    ["a run before the first", ["last~5", "last"], /^there is no last~5: the oldest run on record is last~0\n$/],
    ["a cache that there is not", ["last~1", "last", "--cache", "nowhere"], /^there is no cache at .*nowhere/]
  ])("%s", async (_, words, expected) => {
    const { code, err, out } = await reads(base, "diff", ...words)
    expect(code).toBe(2)
    expect(out).toBe("")
    expect(err).toMatch(expected)
  })

  it("a cell without results: said, with the command that makes them", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 4]")
    const { code, err } = await reads(folder, "diff", "rate=1 fold=0", "rate=4 fold=0")
    expect(`${code} ${err}`).toMatch(/^2 train rate=4 fold=0 has no result yet: run "outcrop run pipeline\.yaml rate=4 fold=0"\n$/)
  })

  it("a run that a crash cut off", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "const mean = new", "for (;;) if (rows < 0) break\n    const mean = new")
    const { child, said } = folder.start("run", "--events")
    await new Promise<void>((resolve) => child.stdout!.on("data", (chunk: Buffer) => {
      if (chunk.includes("\"nodes\":[\"train")) resolve()
    }))
    child.kill("SIGKILL")
    await said
    const [, id] = fs.readdirSync(folder.at(".outcrop/runs"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json")).map((name) => name.slice(-25, -5)).toSorted()
    const { code, err } = await reads(folder, "diff", id!, "last")
    expect(`${code} ${err}`).toMatch(/^2 run .* did not come to its end: what it left cannot be compared\n$/)
    expect((await read<Diff>(folder, "diff", "last", "last")).first, "last is the last that did").toEqual([])
  })
})
