/** What `outcrop audit` prints, and how it ends. */
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"
import { openCache } from "../../cache/cache.ts"
import { Folder, removeFolders } from "../pipeline.ts"

const folder = new Folder()
beforeAll(async () => {
  fs.cpSync(fileURLToPath(new URL("../fixtures/audit", import.meta.url)), folder.path, { recursive: true })
  folder.edit("pipeline.yaml", "axes: {}", "axes: { fault: [none, place] }")
  folder.edit("pipeline.yaml", "needs: { samples: drawn, split } }", "needs: { samples: drawn, split }, with: { fault: $fault } }")
})
afterAll(removeFolders)

it("before anything ran it says what to do", async () => {
  expect(await folder.outcrop("audit")).toMatchObject({ code: 2, out: "", err: "there is nothing to audit yet: run \"outcrop run pipeline.yaml\"\n" })
})

it("shows findings with samples and cells, then the checklist; a failed check ends it with 3", async () => {
  await folder.ran()
  const { code, err, out } = await folder.outcrop("audit")
  expect(out.split("\n").slice(0, 7)).toEqual([
    expect.stringMatching(/^failed places apart: 1 of 149 test samples are in the same place as a training sample, though "split" keeps each place whole \(group: location\)$/),
    expect.stringMatching(/^ {2}for example: scene-\d+ and scene-\d+ at place-\d+$/),
    "  in fault=place",
    "",
    expect.stringMatching(/^check +what was looked at$/),
    expect.stringMatching(/^─+ {2}─+ {2}─+$/),
    "samples apart             passed          2 splits, predictions of 2 of 10 nodes"
  ])
  expect(out).toContain("\nplaces apart              failed          2 splits\n")
  expect({ code, err }).toEqual({ code: 3, err: "1 of 16 checks failed\n" })
}, 30_000)

it("of picked cells only", async () => {
  expect(await folder.outcrop("audit", "fault=none")).toMatchObject({ code: 0, err: "" })
  expect((await folder.outcrop("audit", "fault=place")).code).toBe(3)
}, 30_000)

it("--json is one document", async () => {
  const { code, out } = await folder.outcrop("audit", "--json")
  const { checks, findings, ...rest } = JSON.parse(out) as { readonly checks: ReadonlyArray<object>; readonly findings: ReadonlyArray<object> }
  expect({ code, ...rest }).toEqual({ code: 3, version: 1, failed: 1, missing: 0, lost: [] })
  expect(checks).toHaveLength(16)
  expect(findings).toEqual([{
    check: "places apart",
    level: "failed",
    what: expect.any(String) as string,
    count: 1,
    examples: [expect.any(String) as string],
    cells: ["fault=place"]
  }])
})

it("is of what there is where results are missing", async () => {
  const { code, err } = await folder.outcrop("audit", "fault=none", "--set", "fault=none,label")
  expect({ code, err }).toEqual({ code: 0, err: "" })
  expect(await folder.outcrop("audit", "--set", "fault=none,label")).toMatchObject({ code: 0, err: "4 of 10 nodes have no result yet: the audit is of what is there\n" })
}, 30_000)

it("says where what it would look at is lost from the cache, and leaves tables no line", async () => {
  const lacking = folder.copy()
  fs.rmSync(lacking.at(".outcrop/audits"), { recursive: true })
  const { store } = openCache(lacking.at(".outcrop"))
  const samples = store.documents("actions").map((key) => JSON.parse(store.document("actions", key)!) as { readonly uses: string; readonly outputs: Readonly<Record<string, { readonly blob: string }>> }).filter(({ uses }) => uses === "ingest/plant")
  for (const { outputs } of samples) fs.rmSync(store.blobPath(outputs["samples"]!.blob))
  const { code, err, out } = await lacking.outcrop("audit")
  expect(out).toMatch(/\nplaces apart +not applicable +the samples or the split are lost from the cache\n/)
  expect({ code, err }).toEqual({ code: 0, err: "the audit could not look at all: tables of samples fault=none and 1 more are lost from the cache; \"outcrop run pipeline.yaml samples\" makes them again\n" })
  expect((await lacking.outcrop("table")).out).toContain("audit: not made of these results yet")
  await lacking.ran("samples")
  expect((await lacking.outcrop("audit")).code).toBe(3)
}, 60_000)

it.each([
  [["--metres", "0"], "--metres takes a distance along the ground, more than 0 and at most 20000000, got 0"],
  [["--near-duplicates", "65"], "--near-duplicates takes how many of 64 bits may differ, 0 to 32, got 65"],
  [["fault=nothing"], "has no value nothing"]
])("%j is refused", async (words, message) => {
  const { code, err } = await folder.outcrop("audit", ...words)
  expect(err).toContain(message)
  expect(code).toBe(2)
})
