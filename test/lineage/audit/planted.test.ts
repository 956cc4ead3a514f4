/** Each fault planted once in the embedded data: the audit finds that one, and nothing in the data as they are. */
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parse } from "yaml"
import { openCache } from "../../../cache/cache.ts"
import { finishedOf } from "../../../cli/finished.ts"
import { type Audit, audit } from "../../../lineage/audit/audit.ts"
import { withSession } from "../../opened.ts"
import { Folder, removeFolders } from "../../pipeline.ts"

interface Document extends Audit {
  readonly version: 1
  readonly failed: number
}
interface Written {
  readonly axes: Readonly<Record<string, unknown>>
  readonly stages: Readonly<Record<string, { readonly needs?: string | Readonly<Record<string, string | null>> }>>
}

const study = fileURLToPath(new URL("../../fixtures/audit", import.meta.url))
const clean = fs.readFileSync(`${study}/pipeline.yaml`, "utf8")

type Edit = readonly [from: string, to: string]
/** The clean study's pipeline with a few words changed. */
const changed = (edits: ReadonlyArray<Edit>): string => edits.reduce((text, [from, to]) => {
  if (!text.includes(from)) throw new Error(`the pipeline does not hold ${from}`)
  return text.replaceAll(from, to)
}, clean)

/** Pipelines as one, so that one run makes the results of all: the same stage of several is one stage. */
const together = (pipelines: ReadonlyArray<string>): string => {
  const axes: Record<string, unknown> = {}, stages: Record<string, unknown> = {}, names = new Map<string, string>()
  for (const pipeline of pipelines) {
    const written = parse(pipeline) as Written, own: Record<string, string> = {}
    Object.assign(axes, written.axes)
    for (const [name, { needs, ...rest }] of Object.entries(written.stages)) {
      const bound = needs === undefined ? {} : { needs: typeof needs === "string" ? own[needs] : Object.fromEntries(Object.entries(needs).map(([port, from]) => [port, own[from ?? port]])) }
      const stage = { ...rest, ...bound }, text = JSON.stringify(stage)
      if (!names.has(text)) names.set(text, `${name}-${names.size}`)
      own[name] = names.get(text)!
      stages[own[name]] = stage
    }
  }
  return JSON.stringify({ name: "together", axes, stages })
}

const levels = ({ findings }: Audit) => findings.map(({ check, level }) => `${level}: ${check}`)
const fault = (stage: string, name: string): Edit => stage === "samples" ? ["needs: { samples: drawn, split } }", `needs: { samples: drawn, split }, with: { fault: ${name} } }`] :
  stage === "scale" ? ["needs: { embeddings: embed, split } }", `needs: { embeddings: embed, split }, with: { fault: ${name} } }`] :
  ["samples, split } }", `samples, split }, with: { fault: ${name} } }`]
const byTime: Edit = ["group: location, test: 0.5, val: 0.2", "test: { from: 2022-06-01 }"]
const random: Edit = ["group: location, test: 0.5", "test: 0.5"]

/** The fault, what the audit finds, and what it says of it. */
const faults: ReadonlyArray<readonly [what: string, edits: ReadonlyArray<Edit>, found: ReadonlyArray<string>, says: string]> = [
  ["a sample predicted under another role", [fault("probe", "roles")], ["failed: samples apart"], "predicted under another role than the split gives: 1 of 300 samples"],
  ["one picture on both sides", [fault("samples", "image")], ["failed: images apart"], "1 of 149 test samples are the very picture of a training sample"],
  ["windows of one scene that overlap", [fault("samples", "window")], ["failed: windows apart"], "share pixels with a training sample: windows of one scene overlap, by up to 100%"],
  ["a place on both sides, though the split keeps places whole", [fault("samples", "place")], ["failed: places apart"], "though \"split\" keeps each place whole (group: location)"],
  ["places on both sides of a random split", [random], ["warning: places apart", "warning: metres apart"], "`group: location` keeps places apart"],
  ["a test sample 111 m from a training sample", [fault("samples", "metres")], ["warning: metres apart"], "lie within 1.0 km of a training sample, the nearest 111 m away"],
  ["a test sample 111 m from a training sample, though the split leaves a buffer", [["group: location", "group: h3, buffer: 1"], fault("samples", "metres")], ["failed: places apart", "failed: metres apart"], "leaves a buffer of H3 cells between them"],
  ["a test sample of before the day that the test begins", [byTime, fault("samples", "time")], ["failed: times apart"], "on the wrong side of the time that \"split\" divides by (test: from 2022-06-01 on): 1 sample"],
  ["a fit on all rows, because the authors' code does", [["embeddings: embed, split } }", "embeddings: embed, split }, with: { protocol: released } }"]], ["warning: fitted on training"], "was fitted on all 300 samples, test rows included: `protocol: released`"],
  ["a fit without a split", [["embeddings: embed, split } }", "embeddings: embed } }"]], ["warning: fitted on training"], "no split is bound to it"],
  ["a fit on another split than the metric's", [["  scale:", "  other:   { uses: ingest/split, needs: drawn, with: { by: [label], group: location, test: 0.5, val: 0.2, seed: 1 } }\n  scale:"], ["embed, split }", "embed, split: other }"]], ["failed: fitted on training"], "that \"probe\" tests on: their splits differ"],
  ["settings compared on test", [["axes: {}", "axes: { strength: [1, 2, 3] }"], ["embeddings: embed, split } }", "embeddings: embed, split }, with: { gain: $strength } }"]], ["note: test unseen by choices"], "best of 3 on test (strength)"],
  ["a selection without validation rows", [[", val: 0.2", ""], ["uses: ./probe.ts", "uses: probe/linear"], ["samples, split } }", "samples, split }, with: { tasks: [class], C: [1], bootstrap: 0 } }"]], ["note: test unseen by choices"], "can select on validation rows and was handed none"],
  ["a class that only test has", [fault("samples", "label")], ["warning: classes trained"], "test samples of \"probe\" of a class that no training sample has, which count as wrong: 1 (class: moose)"],
  ["one answer to everything", [fault("probe", "constant")], ["warning: predictions vary"], "predicts one thing for all 149 test samples (class: cow)"],
  ["a figure that is NaN", [fault("probe", "undefined")], ["warning: figures defined"], "class.accuracy of \"probe\" is undefined in 1 of 1 figures"],
  ["too few samples for three digits", [["test: 0.5", "test: 0.1"]], ["note: samples for the digits"], "are of as few as"],
  ["embeddings that are one vector", [fault("scale", "constant")], ["failed: embeddings tell apart", "warning: predictions vary"], "all 300 embeddings of \"scale\" (./scale.ts) are one vector"],
  ["two samples of one vector", [fault("scale", "twins")], ["warning: embeddings tell apart"], "2 of 300 embeddings of \"scale\" (./scale.ts) are equal to another sample's"],
  ["an encoder that sees less than the colours", [["axes: {}", "axes: { encoder: [embed/statistics, ./noise.ts] }"], ["uses: embed/statistics", "uses: $encoder"]], ["warning: encoders beat statistics"], "./noise.ts loses to embed/statistics in class.accuracy"]
]
/** What other tests look at. */
const others = {
  silent: [fault("probe", "silent")],
  loses: [["axes: {}", "axes: { encoder: [embed/statistics, ./noise.ts], gain: { low: { by: 1 }, high: { by: 2 } } }"], ["uses: embed/statistics", "uses: $encoder"], ["embeddings: embed, split } }", "embeddings: embed, split }, with: { gain: $gain.by } }"]],
  dated: [byTime, fault("samples", "nowhere")],
  picture: [fault("samples", "picture")],
  loose: [fault("scale", "loose")]
} as const satisfies Readonly<Record<string, ReadonlyArray<Edit>>>

const folder = new Folder()
beforeAll(async () => {
  fs.cpSync(study, folder.path, { recursive: true })
  folder.write("together.yaml", together([clean, ...[...faults.map(([, edits]) => edits), ...Object.values(others)].map(changed)]))
  folder.limit = 50_000
  await folder.ran("together.yaml")
})
afterAll(removeFolders)

/** The audit of the pipeline with these edits, all results of which are there. */
const auditOf = (edits: ReadonlyArray<Edit>, of = folder): Promise<Audit> => {
  of.write("pipeline.yaml", changed(edits))
  return withSession(of, [], (session) => {
    const finished = finishedOf(session)
    expect(finished.missing, "nodes without a result").toBe(0)
    return audit(session.cache, finished, session.file.pipeline.report, { metres: 1000, nearDuplicates: undefined })
  })
}

describe("the data as they are", () => {
  it("have no finding, and the audit ends with 0", async () => {
    folder.write("pipeline.yaml", clean)
    const { code, out } = await folder.outcrop("audit", "--near-duplicates", "0", "--json")
    const { checks, findings, missing } = JSON.parse(out) as Document & { readonly missing: number }
    expect(findings).toEqual([])
    expect({ code, missing }).toEqual({ code: 0, missing: 0 })
    expect(checks.filter(({ state }) => state !== "passed").map(({ about, check }) => `${check}: ${about}`)).toEqual([
      "windows apart: no two samples are windows of one scene",
      "times apart: no split claims a division by time",
      "encoders beat statistics: no encoder stands beside embed/statistics"
    ])
  })
})

describe("what is planted is what is found", () => {
  it.each(faults)("%s", async (_, edits, found, says) => {
    const made = await auditOf(edits)
    expect(levels(made)).toEqual(found)
    expect(made.findings.map(({ what }) => what).join("\n")).toContain(says)
    for (const { cells, count } of made.findings) expect({ cells: cells.length, some: count > 0 }).toEqual({ cells: 1, some: true })
  })

  it("predictions of test samples alone are no fault: classes are not held against training samples that nobody predicted", async () => {
    const { checks, findings } = await auditOf(others.silent)
    expect(findings).toEqual([])
    expect(checks).toContainEqual({ check: "classes trained", state: "not applicable", about: "no predictions of classes for training samples as well" })
  })

  it("an encoder that loses is told of once, with the figures that show it", async () => {
    const { findings } = await auditOf(others.loses)
    expect(findings).toMatchObject([{ check: "encoders beat statistics", what: "./noise.ts loses to embed/statistics in 2 of 2 figures that differ in nothing else; the colours alone say more", count: 2, cells: ["encoder=./noise.ts"] }])
    expect(findings[0]!.examples).toEqual(["low", "high"].map((gain) => expect.stringMatching(`^class.accuracy: 0\\.\\d+ against 0\\.\\d+ \\(encoder=./noise.ts gain=${gain}\\)$`)))
  })

  it("a division by time, as it is, is one", async () => {
    const { checks, findings } = await auditOf(others.dated)
    expect(findings).toEqual([])
    expect(checks).toContainEqual({ check: "times apart", state: "passed", about: "1 split" })
  })

  it("a picture that looks the same, told where asked for: a warning, with which the command ends with 0", async () => {
    expect((await auditOf(others.picture)).findings).toEqual([])
    const { code, out } = await folder.outcrop("audit", "--near-duplicates", "0", "--json")
    const { findings } = JSON.parse(out) as Document
    expect(findings).toMatchObject([{ check: "near-duplicates apart", level: "warning", count: 1, examples: [expect.stringMatching(/^scene-\d+ and scene-\d+ \(0 bits\)$/)] }])
    expect(code).toBe(0)
  })

  it("a result that comes out differently under the same key: a failed check, with which the command ends with 3", async () => {
    expect((await auditOf(others.loose)).findings).toEqual([])
    await folder.ran("--force", "scale")
    const { code, out } = await folder.outcrop("audit", "--json")
    expect(levels(JSON.parse(out) as Document)).toEqual(["failed: results repeat"])
    expect(out).toContain("(embeddings.embedding)")
    expect(code).toBe(3)
  })

  it("a record of other samples than the split gives", async () => {
    const twin = folder.copy()
    twin.write("pipeline.yaml", clean)
    const key = await withSession(twin, [], (session) => finishedOf(session).keys[session.grid.nodeOf("scale", 0).index]!)
    const { close, store } = openCache(twin.at(".outcrop"))
    const action = JSON.parse(store.document("actions", key)!) as { readonly handed: object }
    store.putDocument("actions", key, JSON.stringify({ ...action, handed: { ...action.handed, samples: "0".repeat(64) } }))
    close()
    const made = await auditOf([], twin)
    expect(levels(made)).toEqual(["failed: fitted on training"])
    expect(made.findings[0]!.what).toMatch(/was fitted on \d+ samples that are not the \d+ its split gives to fitting/)
  })
})
