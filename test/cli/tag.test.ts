import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { removeFolders, study } from "../pipeline.ts"

const base = study()
beforeAll(async () => void (await base.ran("rate=1,2")))
afterAll(removeFolders)

describe("tag", () => {
  it("names what the picked cells have, with all that they stand on; --list shows it", async () => {
    const folder = base.copy()
    expect((await folder.outcrop("tag", "paper", "rate=1", "fold=0")).out).toBe("tagged paper: 6 results of 1 cell of pipeline.yaml\n")
    expect((await folder.outcrop("tag", "all", "rate=1,2")).out).toContain("tagged all: 13 results of 4 cells")
    const { out } = await folder.outcrop("tag", "--list")
    expect(out).toMatch(/paper +6 +\d{4}-\d\d-\d\d \d\d:\d\d UTC +outcrop tag paper rate=1 fold=0\n/)
    expect(await folder.json("tag", "--list")).toMatchObject({ version: 1, tags: [{ name: "all", results: 13, there: 13 }, { name: "paper", results: 6, there: 6 }], unreadable: [] })
  })

  it("says what has no result yet", async () => {
    const { code, err, out } = await base.copy().outcrop("tag", "half")
    expect([code, out]).toEqual([0, "tagged half: 13 results of 6 cells of pipeline.yaml\n"])
    expect(err).toBe("4 of its 17 nodes have no result yet, and are not in the tag\n")
    const empty = study()
    expect(await empty.outcrop("tag", "none")).toMatchObject({ code: 2, err: "nothing to tag: pipeline.yaml has no results yet\n" })
  })

  it("names what a run came to, although the pipeline has changed and even where its file is gone", async () => {
    const folder = study()
    await folder.ran("rate=1,2")
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [7]")
    await folder.ran()
    fs.rmSync(folder.at("pipeline.yaml"))
    expect((await folder.outcrop("tag", "before", "--run", "last~1", "--cache", ".outcrop")).out).toMatch(/tagged before: 13 results of 4 cells of run \d{8}-/)
    expect(await folder.outcrop("tag", "never", "--run", "1999", "--cache", ".outcrop")).toMatchObject({ code: 2, err: expect.stringContaining("there is no run \"1999\"") as string })
  })

  it("never takes the place of another; deleted, the name is free", async () => {
    const folder = base.copy()
    await folder.outcrop("tag", "paper")
    expect(await folder.outcrop("tag", "paper", "rate=1")).toMatchObject({ code: 2, err: expect.stringMatching(/there is a tag "paper" of .* already: .*outcrop tag --delete paper/) as string })
    expect(await folder.outcrop("tag", "--delete", "papre")).toMatchObject({ code: 2, err: expect.stringContaining("did you mean \"paper\"?") as string })
    expect((await folder.outcrop("tag", "--delete", "paper")).out).toContain("what only it kept goes with the next \"outcrop gc\"")
    expect((await folder.outcrop("tag", "paper", "rate=1")).code).toBe(0)
  })

  it.each([
    ["no name", [], /name the tag: outcrop tag NAME/],
    ["a path", ["../x"], /"\.\.\/x" cannot name a tag/],
    ["two names", ["a", "b"], /one name a tag, got a, b/],
    ["cells that are not there", ["a", "rate=9"], /the axis "rate" has no value 9/]
  ] as const)("%s is refused with what to do", async (_, words, message) => {
    const { code, err } = await base.outcrop("tag", ...words)
    expect(code).toBe(2)
    expect(err).toMatch(message)
  })
})
