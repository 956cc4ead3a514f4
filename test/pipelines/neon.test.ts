import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { Folder, removeFolders, type Summary } from "../pipeline.ts"

const data = fileURLToPath(new URL("../../../shared/data", import.meta.url))
afterAll(removeFolders)

interface TableDocument {
  readonly rows: ReadonlyArray<{ readonly axes: { readonly encoder: string; readonly method: string }; readonly metric: string; readonly mean: number; readonly samples: number }>
}

describe.skipIf(!fs.existsSync(`${data}/neon-boxes`))("pipelines/neon.yaml (skipped where shared/data is absent)", () => {
  const folder = new Folder({ "pipeline.yaml": fs.readFileSync(new URL("../../pipelines/neon.yaml", import.meta.url), "utf8") })
  folder.limit = 200_000

  it("runs from boxes in XML to probes of class and box, on three images of trees", { timeout: 200_000 }, async () => {
    folder.edit("pipeline.yaml", "seed: [0, 1, 2, 3, 4]", "seed: [0]")
    folder.edit("pipeline.yaml", "epochs: 100", "epochs: 20")
    const { nodes, rows } = await folder.json<Summary>("run", "encoder=rcf", "--jobs", "2", "--data", data)
    expect(nodes).toMatchObject({ total: 15, run: 15, failed: 0 })
    // 31 x 25, 10 x 10 and 10 x 10 tiles
    expect(rows.embedded).toBe(975)
    const table = await folder.json<TableDocument>("table", "encoder=rcf", "--data", data)
    const accuracy = table.rows.filter(({ metric }) => metric === "accuracy")
    expect(accuracy.length).toBe(5)
    // the largest class, background, is 57% of the tiles
    for (const { mean, samples } of accuracy) expect([mean > 0.57, samples]).toEqual([true, 488])
  })
})
