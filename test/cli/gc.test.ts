import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { gcCommand } from "../../cli/gc.ts"
import { readAge } from "../../cli/words.ts"
import { planOf, verified, whyOf } from "../opened.ts"
import { Folder, removeFolders, study } from "../pipeline.ts"

const base = study()
/** Other rates; what the first ones gave is nobody's then. */
let changed: Folder
beforeAll(async () => {
  await base.ran()
  changed = base.copy()
  changed.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [3, 4]")
  await changed.ran()
})
afterAll(removeFolders)

interface Said {
  readonly removed: boolean
  readonly kinds: ReadonlyArray<{ readonly what: string; readonly stays: { readonly count: number; readonly bytes: number }; readonly goes: { readonly count: number; readonly bytes: number } }>
  readonly kept: { readonly pipelines: ReadonlyArray<string>; readonly tags: ReadonlyArray<string>; readonly runs: ReadonlyArray<string> }
  readonly stays: { readonly results: number; readonly bytes: number }
  readonly goes: { readonly results: number; readonly bytes: number }
}
const gc = (folder: Folder, ...words: ReadonlyArray<string>) => folder.json<Said>("gc", ...words)
/** Files of results; the rest of the cache is the system's. */
const contents = (folder: Folder) => ["actions", "blobs", "segments", "graphs"].flatMap((name) => folder.files(`.outcrop/${name}`).map((file) => file.slice(folder.path.length))).toSorted()
const whole = (folder: Folder) => expect(verified(folder).findings).toEqual([])

describe("gc", () => {
  it("--dry-run says what would go, by stage, with bytes, and changes nothing; without it that goes, the next run has nothing to do, and `why` tells what was removed from what never was", async () => {
    const folder = changed.copy(), before = contents(folder)
    const { out } = await folder.outcrop("gc", "--older-than", "0h", "--dry-run")
    expect(out).toMatch(/train\/centre +4 +[\d.]+ kB +4 +[\d.]+ kB\n/)
    expect(out).toMatch(/embed\/value +1 +[\d.]+ kB\n/)
    expect(out).toMatch(/kept: what pipeline\.yaml has now or came to last\n[^]*8 results, [\d.]+ kB would be removed; nothing was, without --dry-run it is\n$/)
    expect(contents(folder)).toEqual(before)
    const said = await gc(folder, "--older-than", "0h")
    expect(said).toMatchObject({ removed: true, goes: { results: 8 }, stays: { results: 13 }, kept: { pipelines: ["pipeline.yaml"], tags: [], runs: [] } })
    const gone = before.filter((file) => !contents(folder).includes(file))
    expect(gone.length).toBeGreaterThanOrEqual(8)
    expect(contents(folder).every((file) => before.includes(file))).toBe(true)
    expect(await folder.ran()).toEqual({})
    whole(folder)
    expect((await folder.outcrop("gc", "--older-than", "0h")).out).toContain("nothing to remove")

    folder.edit("pipeline.yaml", "rate: [3, 4]", "rate: [1, 5]")
    const causes = async (rate: number) => (await whyOf(folder, ["train", `rate=${rate}`, "fold=0"]))[0]!.causes.map(({ kind }) => kind)
    expect(await causes(1)).toEqual(["removed"])
    expect(await causes(5)).not.toContain("removed")
    expect((await folder.outcrop("why", "train", "rate=1", "fold=0")).out).toMatch(/its result was removed from the cache by gc on \d{4}-\d\d-\d\d/)
  })

  it("by itself keeps what runs of the last 30 days came to; --older-than and --runs say otherwise", async () => {
    expect((await gc(changed, "--dry-run")).goes.results).toBe(0)
    expect((await gc(changed, "--dry-run", "--older-than", "0h", "--runs", "1")).goes.results).toBe(8)
    expect((await gc(changed, "--dry-run", "--older-than", "0h", "--runs", "2")).goes.results).toBe(0)
    expect(["12h", "30d", "2w", "0h"].map((age) => readAge(age)! / 3_600_000)).toEqual([12, 720, 336, 0])
  })

  it("a tag keeps what it names, until it is deleted", async () => {
    const folder = changed.copy(), now = "rate: [3, 4]", then = "rate: [1, 2, 3]"
    folder.edit("pipeline.yaml", now, then)
    await folder.outcrop("tag", "paper", "rate=2", "fold=0")
    folder.edit("pipeline.yaml", then, now)
    expect(await gc(folder, "--older-than", "0h")).toMatchObject({ kept: { tags: ["paper"] }, goes: { results: 6 } })
    folder.edit("pipeline.yaml", now, then)
    expect(await planOf(folder, "rate=2", "fold=0")).toEqual({ cached: 6 })
    expect(await planOf(folder, "rate=2", "fold=1")).toEqual({ cached: 4, run: 2 })
    await folder.outcrop("tag", "--delete", "paper")
    folder.edit("pipeline.yaml", then, now)
    expect((await gc(folder, "--older-than", "0h")).goes.results).toBe(2)
    whole(folder)
  })

  it("a line changed and not yet run costs nothing: what the pipeline came to last stays; nor does one changed and run for one cell: what the others came to last stays", async () => {
    const folder = study()
    await folder.ran()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", "rate: [4, 5, 6]")
    expect((await gc(folder, "--older-than", "0h")).goes.results).toBe(0)
    expect(await planOf(folder)).toEqual({ cached: 5, run: 12 })
    folder.edit("pipeline.yaml", "rate: [4, 5, 6]", "rate: [1, 2, 3]")
    expect(await planOf(folder)).toEqual({ cached: 17 })

    folder.edit("train.ts", "rate * (value", "1 * rate * (value")
    await folder.ran("rate=1", "fold=0")
    expect((await gc(folder, "--older-than", "0h")).goes.results).toBe(1)
    folder.edit("train.ts", "1 * rate * (value", "rate * (value")
    expect(await folder.ran()).toEqual({ train: 1 })
  })

  it("of several pipelines keeps those that are named, and says which are not", async () => {
    const folder = study()
    fs.copyFileSync(folder.at("pipeline.yaml"), folder.at("other.yaml"))
    await folder.ran()
    folder.edit("other.yaml", "rate: [1, 2, 3]", "rate: [9]")
    await folder.ran("other.yaml")
    expect((await gc(folder, "pipeline.yaml", "other.yaml", "--older-than", "0h", "--dry-run")).goes.results).toBe(0)
    const { out } = await folder.outcrop("gc", "--older-than", "0h")
    expect(out).toMatch(/not named: .*other\.yaml \(last run \d{4}-\d\d-\d\d\); only tags and recent runs keep its results/)
    expect(out).toMatch(/4 results, .* removed; 17 results, .* stay/)
    expect(await planOf(folder, "other.yaml")).toMatchObject({ run: 4 })
  })

  it.each([
    ["a word that is no pipeline", { words: ["rate=1"] }, /gc takes the pipelines whose results are to stay, got "rate=1"; to keep some cells, tag them first/],
    ["a pipeline that is not there", { words: ["nowhere.yaml"] }, /there is no file nowhere\.yaml/],
    ["an age that is none", { olderThan: "old" }, /--older-than takes an age like 30d or 12h, got "old"/],
    ["a cache that is not there", { cache: "nowhere" }, /there is no cache at .*nowhere/]
  ] as const)("%s is refused with what to do", async (_, flags, message) => {
    const refusal = await Effect.runPromise(Effect.flip(gcCommand({ words: [], cache: base.at(".outcrop"), data: undefined, dryRun: false, olderThan: "30d", runs: undefined, keepEmbeddings: false, json: false, ...flags })))
    expect(refusal).toMatchObject({ code: 2, message: expect.stringMatching(message) as string })
  })

  it("without a pipeline here and without --cache is refused: everything would be nobody's", async () => {
    const folder = new Folder()
    fs.mkdirSync(folder.at(".outcrop"))
    expect(await folder.outcrop("gc")).toMatchObject({ code: 2, err: expect.stringContaining("name the pipelines whose results are to stay") as string })
  })

  it("killed at any moment leaves a whole cache", async () => {
    for (let kill = 0; kill < 4; kill++) {
      const twin = changed.copy(), { child, said } = twin.start("gc", "--older-than", "0h")
      setTimeout(() => child.kill("SIGKILL"), 150 + 90 * kill)
      await said
      whole(twin)
      expect(await planOf(twin)).toEqual({ cached: 13 })
    }
  }, 60_000)
})

describe("a gc that removes everything, again and again and killed at any moment", () => {
  /** Trainings that take a while. */
  const slow = (seconds: number, rates = "10, 11, 12, 13, 14, 15"): Folder => {
    const folder = base.copy()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", `rate: [${rates}]`)
    folder.edit("train.ts", "const mean = weights", `yield* Effect.sleep("${seconds * 1000} millis")\n    const mean = weights`)
    folder.limit = 60_000
    return folder
  }
  const everything = ["gc", "--older-than", "0h", "--cache"]

  it("takes nothing from a run that is going on: what it looked up is there when it is used", { concurrent: true, timeout: 90_000 }, async () => {
    const folder = slow(0.25), elsewhere = new Folder()
    const { child, said } = folder.start("run", "--events", "--jobs", "1")
    await new Promise((resolve) => child.stdout!.once("data", resolve))
    let over = false, waited = 0, tried = 0
    void said.then(() => over = true)
    while (!over) {
      const collecting = elsewhere.start(...everything, folder.at(".outcrop"))
      setTimeout(() => collecting.child.kill("SIGKILL"), 500 + 400 * (tried++ % 3))
      if ((await collecting.said).err.includes("another outcrop command uses the cache")) waited++
    }
    const { code, err, out } = await said
    expect(code, err).toBe(0)
    const states = out.trim().split("\n").map((line) => JSON.parse(line) as { readonly type: string; readonly state?: string; readonly message?: string })
    expect(states.filter(({ state, type }) => type === "lost" || type === "failed" || state === "restored")).toEqual([])
    expect(states.filter(({ state }) => state === "cached").length, "it stood on results from before").toBeGreaterThan(3)
    expect(waited).toBeGreaterThan(1)
    whole(folder)
  })

  it.runIf(process.platform === "linux")("after some seconds tells which process it waits for", { concurrent: true }, async () => {
    const folder = slow(60, "1"), elsewhere = new Folder()
    const { child, said } = folder.start("run", "rate=1", "fold=0", "--events", "--jobs", "1")
    await new Promise((resolve) => child.stdout!.once("data", resolve))
    const collecting = elsewhere.start(...everything, folder.at(".outcrop"))
    await new Promise<void>((resolve) => collecting.child.stderr!.on("data", (text: Buffer) => text.includes("has waited") && resolve()))
    collecting.child.kill("SIGKILL")
    child.kill("SIGKILL")
    await said
    expect((await collecting.said).err).toMatch(new RegExp(`another outcrop command uses the cache[^]*gc has waited for \\d+ s; the cache is used by "outcrop run rate=1 fold=0 --events --jobs 1" \\(process ${child.pid}\\)\n$`))
  })

  it("and a run beside it, whoever comes first, ends with the right table", async () => {
    const folder = base.copy(), elsewhere = new Folder(), table = (await base.outcrop("table")).out
    for (let round = 0; round < 3; round++) {
      const collecting = elsewhere.start(...everything, folder.at(".outcrop"))
      await new Promise((resolve) => setTimeout(resolve, 90 * round))
      const { code, err } = await folder.outcrop("run", "--jobs", "1")
      expect(code, err).toBe(0)
      expect(err).not.toMatch(/gone|lost/)
      await collecting.said
      whole(folder)
    }
    expect((await folder.outcrop("run", "--jobs", "1")).out).toContain(table.slice(0, table.indexOf("audit:")).trimEnd())
  }, 60_000)
})
