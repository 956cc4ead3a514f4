/** What users of other tools complain of (their issue numbers), one test each; that they cannot happen here. */
import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Folder, ranOf, removeFolders, study, type Summary } from "../pipeline.ts"
import { read, reads } from "../reading.ts"

const base = study()
/** With a helper edited. */
let edited: Folder, ranEdited: Readonly<Record<string, number>>
beforeAll(async () => {
  await base.ran()
  edited = base.copy()
  edited.edit("arithmetic.ts", "total += value", "total += 2 * value")
  ranEdited = await edited.ran()
})
afterAll(removeFolders)

/** A stage that takes whatever parameter it is given, and two that swap. */
const anything = `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage } from "outcrop"
const value = Stage.withDefault(Schema.Union([Schema.Finite, Schema.String, Schema.Boolean, Schema.Null, Schema.Array(Schema.Finite)]), 0)
export default Stage.make({
  name: "ingest/anything", version: 1, summary: "", with: Schema.Struct({ a: value, b: value }), needs: {}, gives: { samples: Samples },
  run: (_, parameters) => Effect.succeed({ samples: { sample_id: [JSON.stringify(parameters)], assets: [[]] } })
})
`
const withValues = (text: string) => `name: p\nstages:\n  it: { uses: ./anything.ts, with: { ${text} } }\n`

describe("Hamilton", () => {
  it("1 and \"1\", true and \"true\", null and \"null\" are other values; 1 and 1.0 are one (it hashed str(x), #1242)", async () => {
    const folder = new Folder({ "anything.ts": anything, "pipeline.yaml": withValues("a: 1") })
    expect(await folder.ran()).toEqual({ it: 1 })
    folder.write("pipeline.yaml", withValues("a: 1.0"))
    expect(await folder.ran()).toEqual({})
    const others = [{ a: "\"1\"" }, { a: "true" }, { a: "\"true\"" }, { a: "null" }, { a: "\"null\"" }, { a: "[1]" }, { a: "0" }]
    folder.write("pipeline.yaml", `name: p\naxes:\n  value: { one: { with: { a: 1 } }, ${others.map(({ a }, i) => `other${i}: { with: { a: ${a} } }`).join(", ")}, zero: { with: { b: -0 } } }\nstages:\n  it: { uses: ./anything.ts, with: $value.with }\n`)
    expect(await folder.ran(), "of -0 and 0 one is run").toEqual({ it: others.length })
    expect((await read<Summary>(folder, "plan")).nodes).toMatchObject({ total: others.length + 1, run: 0 })
  })

  it("a column under another name, of another type or another shape is another input (#1616, #1628)", async () => {
    const folder = base.copy()
    folder.edit("classes.ts", "open: { class:", "open: { other: Int32Array.from(samples.label, () => 0), class:")
    expect(await folder.ran(), "a further column that the probe does not read").toEqual({ classes: 1 })
    folder.edit("classes.ts", "class: Int32Array.from", "class: Float32Array.from")
    expect(await folder.ran(), "the same numbers of another type").toEqual({ classes: 1, probe: 6 })
  })
})

describe("Snakemake", () => {
  it("two parameters that swap their values run again (it hashes a set of the values)", async () => {
    const folder = new Folder({ "anything.ts": anything, "pipeline.yaml": "name: p\naxes: { value: { given: { with: { a: 1, b: 2 } }, list: { with: { a: [1, 2] } } } }\nstages:\n  it: { uses: ./anything.ts, with: $value.with }\n" })
    expect(await folder.ran()).toEqual({ it: 2 })
    folder.edit("pipeline.yaml", "a: 1, b: 2", "a: 2, b: 1")
    folder.edit("pipeline.yaml", "[1, 2]", "[2, 1]")
    expect(await folder.ran(), "the order of a list too").toEqual({ it: 2 })
  })

  it("a cosmetic edit runs nothing (#1694), an edit within the same line runs its stage (#3213)", async () => {
    const folder = base.copy()
    folder.edit("train.ts", "(value - mean[i % embedding.width]!)", "( value - mean[ i % embedding.width ]! )")
    expect((await read<Summary>(folder, "plan")).nodes).toMatchObject({ total: 17, cached: 17 })
    folder.edit("train.ts", "rate * ( value", "rate * 10 * ( value")
    expect(await folder.ran()).toEqual({ train: 6, probe: 6 })
  })
})

describe("DVC", () => {
  it("one new file does not redo the folder (#331)", async () => {
    const folder = base.copy()
    fs.appendFileSync(folder.at("data/samples.csv"), "s9,boar,33\n")
    expect((await folder.json("run")).rows).toEqual({ embedded: 1, cached: 9 })
  })

  it("stages that do not need each other run side by side (#755)", async () => {
    const folder = new Folder({
      "anything.ts": anything.replace("run: (_, parameters) =>", "run: (_, parameters) => Effect.delay(\"300 millis\")(").replace("[[]] } })", "[[]] } }))"),
      "pipeline.yaml": "name: p\naxes: { a: [1, 2] }\nstages:\n  it: { uses: ./anything.ts, with: { a: $a } }\n"
    })
    const { out } = await folder.outcrop("run", "--events", "--jobs", "2")
    const types = out.trim().split("\n").map((line) => (JSON.parse(line) as { readonly type: string }).type)
    expect(types).toEqual(["started", "started", "finished", "finished"])
  })

  it("a second run over the same cache at the same time does not fail on a lock (#3783, #10752); both end well", async () => {
    const folder = study()
    const both = await Promise.all([1, 2].map(() => folder.outcrop("run", "--json", "--jobs", "1")))
    expect(both.map(({ code, err }) => `${code} ${err}`)).toEqual(["0 ", "0 "])
    expect((await read<Summary>(folder, "plan")).nodes).toMatchObject({ total: 17, cached: 17 })
    expect((await reads(folder, "table", "--json")).out).toBe((await reads(base, "table", "--json")).out)
  })

  it("status is not clean over a cache whose outputs are gone and needed (#9641)", async () => {
    const folder = base.copy()
    fs.rmSync(folder.at(".outcrop/blobs"), { recursive: true })
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [1, 2, 4]")
    expect((await reads(folder, "status")).out).toMatch(/restored +embed: its output is lost from the cache/)
  })
})

describe("Nextflow", () => {
  it("other pipelines, under other names, share what was done (#3141)", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "name: study", "name: another")
    expect((await read<Summary>(folder, "plan")).nodes).toMatchObject({ total: 17, cached: 17 })
  })

  it("deleting the intermediates does not break what stands on them (#452)", async () => {
    const folder = base.copy()
    fs.rmSync(folder.at(".outcrop/blobs"), { recursive: true })
    expect(await folder.ran()).toEqual({})
    expect((await reads(folder, "table", "--json")).out).toBe((await reads(base, "table", "--json")).out)
  })
})

describe("Hydra", () => {
  it("a value put before others renumbers nothing (#1407)", async () => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [0.5, 3, 2, 1]")
    expect(ranOf(await read<Summary>(folder, "plan"))).toEqual({ train: 2, probe: 2 })
  })
})

describe("Dagster", () => {
  it("a grid may have more than two axes (#21177)", async () => {
    const folder = new Folder({ "anything.ts": anything, "pipeline.yaml": "name: p\naxes: { a: [1, 2], b: [1, 2], c: [1, 2] }\nreplicates: { d: [1, 2] }\nstages:\n  it: { uses: ./anything.ts, with: { a: $a, b: \"${b} ${c} ${d}\" } }\n" })
    expect(await folder.ran()).toEqual({ it: 16 })
  })
})

describe("Turborepo", () => {
  it("an output that somebody edited in the cache is not served (#13918)", async () => {
    const folder = base.copy()
    for (const file of folder.blobs("tables")) fs.appendFileSync(file, "edited")
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [4]")
    const { code, err } = await folder.outcrop("run", "rate=4", "--jobs", "1")
    expect(code).toBe(0)
    expect(err).toMatch(/damaged/)
    const fresh = base.copy()
    fresh.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [4]")
    await fresh.ran()
    const values = async (each: Folder) => (await read<{ readonly rows: ReadonlyArray<{ readonly mean: number }> }>(each, "table")).rows.map(({ mean }) => mean)
    expect(await values(folder)).toEqual(await values(fresh))
  })
})

describe("redun", () => {
  it("a helper in another file is in the hash of the stage that calls it", () => {
    expect(ranEdited).toEqual({ probe: 6 })
  })
})

describe("targets", () => {
  it("results have a history: going back to earlier code finds them", async () => {
    const folder = edited.copy()
    folder.edit("arithmetic.ts", "total += 2 * value", "total += value")
    expect((await read<Summary>(folder, "plan")).nodes).toMatchObject({ total: 17, cached: 17 })
  })
})
