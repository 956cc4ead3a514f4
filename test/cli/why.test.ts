import { afterAll, describe, expect, it } from "vitest"
import { removeFolders, study } from "../pipeline.ts"

afterAll(removeFolders)

describe("why", () => {
  it("of many nodes tells the first fifty that would run, and how many more there are", async () => {
    const folder = study()
    folder.edit("pipeline.yaml", "rate: [1, 2, 3]", `rate: [${Array.from({ length: 40 }, (_, i) => i).join(", ")}]`)
    await folder.ran("rate=1")
    const { out } = await folder.outcrop("why")
    expect(out.match(/^(train|probe) .* will run$/gm)).toHaveLength(50)
    expect(out).toMatch(/\n\.\.\. and 106 more; pick cells with axis=value\n$/)
    expect((await folder.json<{ readonly nodes: ReadonlyArray<object> }>("why")).nodes).toHaveLength(156)
    expect((await folder.outcrop("why", "rate=1")).out).toBe("9 nodes are up to date\n")
    expect((await folder.outcrop("why", "train", "rate=1")).out).toMatch(/^train rate=1 fold=0 .* up to date since its first run\ntrain rate=1 fold=1 .*\n$/)
  })
})
