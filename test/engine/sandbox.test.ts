/** A stage's result depends on nothing that is not in its key: what would break that is refused, with what to use instead. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Folder, removeFolders } from "../pipeline.ts"

afterAll(removeFolders)

const stageOf = (body: string, head = "") => `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Samples, Stage, stream } from "outcrop"
${head}
const made = (lat: number) => ({ samples: { sample_id: ["a"], assets: [[]], lat: Float64Array.of(lat) } })
export default Stage.make({
  name: "ingest/own", version: 1, summary: "", with: Schema.Struct({ seed: Stage.Seed, file: Stage.withDefault(Schema.String, "") }), needs: {}, gives: { samples: Samples },
  run: Effect.fn(function*(_, { file, seed }) {
    ${body}
  })
})
`
const pipeline = "name: p\nstages:\n  it: { uses: ./own.ts }\n"
const run = async (body: string, head = "", others: Readonly<Record<string, string>> = {}) => {
  const folder = new Folder({ ...others, "own.ts": stageOf(body, head), "pipeline.yaml": pipeline })
  return { folder, ...await folder.outcrop("run") }
}

describe("a stage may not use", () => {
  const cases: ReadonlyArray<readonly [string, string, RegExp]> = [
    ["Math.random", "return made(Math.random())", /Draw from stream\(seed, \.\.\.\)/],
    ["crypto.randomUUID", "return made(crypto.randomUUID().length)", /Draw from stream/],
    ["Date.now", "return made(Date.now())", /may not use the clock/],
    ["new Date()", "return made(new Date().getTime())", /may not use the clock/],
    ["Date() as a function", "return made(Date().length)", /clock|Date/],
    ["globalThis.Date", "return made(globalThis.Date.now())", /may not use the clock/],
    ["performance.now", "return made(performance.now())", /may not use the clock/],
    ["process.env", "return made(Number(process.env[\"HOME\"]))", /may not use process\.env.*Make it a parameter/],
    ["fetch", "return made((yield* Effect.promise(() => fetch(\"http://127.0.0.1:9/\"))).status)", /may not use/]
  ]
  const all = new Folder({
    ...Object.fromEntries(cases.map(([, body], i) => [`s${i}.ts`, stageOf(body)])),
    "pipeline.yaml": `name: p\nstages:\n${cases.map((_, i) => `  s${i}: { uses: ./s${i}.ts }\n`).join("")}`
  })
  let said: Awaited<ReturnType<Folder["outcrop"]>>
  beforeAll(async () => void (said = await all.outcrop("run")))
  it.each(cases.map(([what, , message], i) => [what, i, message] as const))("%s, when it runs", (_, i, message) => {
    expect(said.code).toBe(1)
    const [, told] = new RegExp(`^s${i} failed: (.*)$`, "m").exec(said.err) ?? []
    expect(told).toMatch(message)
  })

  const refused: ReadonlyArray<readonly [string, string, string, RegExp]> = [
    ["node:fs", "return made(1)", "import { readFileSync } from \"node:fs\"\nreadFileSync(\"x\")", /own\.ts:5:\d+ a stage may not import "node:fs": files come through Files, randomness through stream\(seed, \.\.\.\)/],
    ["a dynamic import of a node module", "yield* Effect.promise(() => import(\"node:os\"))\n    return made(1)", "", /a stage may not import "node:os"/],
    ["require", "return made(require(\"fs\").length)", "declare const require: (name: string) => string", /a stage may not import "fs"/],
    ["Math.random by another name", "const { random } = Math\n    return made(random())", "", /may not take random out of Math: draw from stream\(seed, \.\.\.\)/],
    ["a computed import", "yield* Effect.promise(() => import(file))\n    return made(1)", "", /a stage may not import a computed path \(import\(file.*write the path out/],
    ["a file that is not there", "return made(1)", "import \"./nowhere.ts\"", /own\.ts:5:\d+ Could not resolve "\.\/nowhere\.ts"/],
    ["what is no TypeScript", "return made(1", "", /own\.ts:\d+:\d+ Expected/]
  ]
  it.each(refused)("%s, before anything runs", async (_, body, head, message) => {
    const { code, err } = await run(body, head)
    expect(err).toMatch(message)
    expect(err).toMatch(/^pipeline\.yaml:3:15 /)
    expect(code).toBe(2)
  })

  it("a default export that is none, or of no kind", async () => {
    const folder = new Folder({ "own.ts": "export const x = 1\n", "pipeline.yaml": pipeline })
    expect((await folder.outcrop("run")).err).toMatch(/its default export is not a stage: write `export default Stage\.make\(\{ \.\.\. \}\)`/)
    folder.write("own.ts", stageOf("return made(1)").replace("ingest/own", "loss/own"))
    expect((await folder.outcrop("run")).err).toMatch(/a stage's name begins with ingest\/, embed\/, mine\/, train\/, probe\//)
  })
})

describe("a stage may", () => {
  it("draw from its seed, compute with given dates, hash, and import its own files and packages; twice the same", async () => {
    const body = "return made(stream(seed, \"lat\").uniform() * 90 + new Date(0).getTime() + Date.UTC(1970, 0) + shift)"
    const first = await run(body, "import { shift } from \"./shift.ts\"", { "shift.ts": "export const shift = 0\n" })
    expect(first.err).not.toMatch(/failed/)
    const second = await run(body, "import { shift } from \"./shift.ts\"", { "shift.ts": "export const shift = 0\n" })
    expect(first.code).toBe(0)
    const [one, two] = await Promise.all([first, second].map(({ folder }) => folder.outcrop("get", "it", "--json")))
    expect(one!.out).toBe(two!.out)
    expect(one!.out).toMatch(/"lat":\d/)
  })
})

describe("inputs belong to everybody", () => {
  it("a stage that changes what it was handed changes nothing for others", async () => {
    const reader = (name: string, body: string) => `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Embeddings, Samples, Stage } from "outcrop"
export default Stage.make({
  name: "mine/${name}", version: 1, summary: "", with: Schema.Struct({}), gives: { annotations: Annotations },
  needs: { samples: Stage.needs(Samples, "lat"), embeddings: Stage.needs(Embeddings) },
  run: Effect.fn(function*({ samples, embeddings }) {
    ${body}
    return { annotations: { sample_id: samples.sample_id, open: { lat: Float32Array.from(samples.lat), first: Float32Array.from(embeddings.embedding.values) } } }
  })
})
`
    const embed = `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage } from "outcrop"
export default Stage.make({
  name: "embed/own", version: 1, summary: "", with: Schema.Struct({}), gives: { embeddings: Embeddings }, needs: { samples: Stage.needs(Samples, "lat") },
  embed: (_, { samples }) => Effect.succeed({ width: 1, values: Float32Array.from(samples.lat) })
})
`
    const folder = new Folder({
      "own.ts": stageOf("return made(7)"),
      "embed.ts": embed,
      "spoiler.ts": reader("spoiler", "samples.lat.fill(-1); embeddings.embedding.values.fill(-1)"),
      "reader.ts": reader("reader", ""),
      "pipeline.yaml": "name: p\nstages:\n  it: { uses: ./own.ts }\n  embed: { uses: ./embed.ts, needs: { samples: it } }\n  spoiler: { uses: ./spoiler.ts, needs: { samples: it, embeddings: embed } }\n  reader: { uses: ./reader.ts, needs: { samples: it, embeddings: embed } }\n"
    })
    await folder.outcrop("run", "--jobs", "1")
    expect((await folder.outcrop("get", "reader")).out).toBe("sample_id,first,lat\na,7,7\n")
    expect((await folder.outcrop("get", "embed", "--json")).out).toContain("\"embedding\":[7]")
  })
})
