import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Folder, removeFolders, study } from "../pipeline.ts"

const base = study()
beforeAll(async () => void (await base.ran()))
afterAll(removeFolders)

describe("import", () => {
  it("takes over a colleague's results: the run has nothing to do, and their runs are in the history", async () => {
    const folder = study(), before = base.files(".outcrop").map((file) => `${file} ${fs.statSync(file).mtimeMs}`)
    const { code, err, out } = await folder.outcrop("import", base.path)
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(/^imported 17 results, \d+ blobs, 9 embedded rows, 1 run of the history, [\d.]+ kB; 0 results were here already\n$/)
    expect(base.files(".outcrop").map((file) => `${file} ${fs.statSync(file).mtimeMs}`)).toEqual(before)
    expect((await folder.outcrop("verify")).out).toContain("all whole")
    expect(await folder.ran()).toEqual({})
    expect((await folder.outcrop("table")).out).toBe((await base.outcrop("table")).out)
    expect((await folder.outcrop("status", "--runs")).out).toMatch(/outcrop run/)
    expect(await folder.json("import", base.at(".outcrop"))).toMatchObject({ results: 0, known: 17, blobs: 0, bytes: 0, findings: [] })
  })

  it("of embedded rows serves another collection too", async () => {
    const folder = study()
    await folder.outcrop("import", base.path)
    fs.appendFileSync(folder.at("data/samples.csv"), "s9,deer,10\n")
    expect((await folder.json("run")).rows).toEqual({ embedded: 1, cached: 9 })
  })

  it("leaves out what is damaged, names it, and ends with 3", async () => {
    const from = base.copy(), folder = study(), [path] = from.files(".outcrop/actions")
    fs.appendFileSync(path!, "x")
    const { code, err, out } = await folder.outcrop("import", from.path)
    expect(code).toBe(3)
    expect(out).toContain(`${path}\n  it is damaged\n`)
    expect(out).toContain("imported 16 results")
    expect(err).toContain("1 of its files was left out")
    expect((await folder.outcrop("verify")).code, "the graph of their run names what did not come").toBe(3)
  })

  const refused: ReadonlyArray<readonly [what: string, from: () => string, message: RegExp]> = [
    ["a folder that is not there", () => "nowhere", /there is no folder nowhere/],
    ["a folder that is no cache", () => new Folder({ "a.txt": "" }).path, /is no cache: it has no file "format"/],
    ["this cache itself", () => ".", /is this cache itself/],
    ["a cache of another format", () => {
      const other = base.copy()
      other.write(".outcrop/format", "9\n")
      return other.path
    }, /has format "9", this outcrop reads format 1: import it with the version of outcrop that wrote it/]
  ]
  for (const [what, from, message] of refused) it(`${what} is refused with what to do`, async () => {
    const { code, err } = await base.copy().outcrop("import", from())
    expect(code).toBe(2)
    expect(err).toMatch(message)
  })
})
