import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { Folder, removeFolders, type Summary } from "../pipeline.ts"

const data = fileURLToPath(new URL("../../../shared/data", import.meta.url))
const pipeline = fs.readFileSync(new URL("../../pipelines/sen2ships.yaml", import.meta.url), "utf8")
afterAll(removeFolders)

interface TableDocument {
  readonly rows: ReadonlyArray<{ readonly axes: { readonly encoder: string }; readonly metric: string; readonly mean: number; readonly samples: number; readonly ci: { readonly over: string } }>
}

describe.skipIf(!fs.existsSync(`${data}/sen2ships`))("pipelines/sen2ships.yaml (skipped where shared/data is absent)", () => {
  const folder = new Folder({ "pipeline.yaml": pipeline })
  folder.limit = 200_000

  it("gives the AUC and AP that scikit-learn gave on the same tiles: 0.923 and 0.52 for MobileNet, 0.63 and 0.10 for statistics", { timeout: 200_000 }, async () => {
    const { nodes, rows } = await folder.json<Summary>("run", "encoder=mobilenet,statistics", "--jobs", "2", "--data", data)
    expect(nodes).toMatchObject({ total: 27, run: 27, failed: 0 })
    expect(rows.embedded).toBe(2 * 1465)
    const table = await folder.json<TableDocument>("table", "--data", data)
    const pooled = (encoder: string, metric: string) => table.rows.find((row) => row.axes.encoder === encoder && row.metric === `${metric} (pooled)`)!
    expect(pooled("mobilenet", "auc").mean).toBeCloseTo(0.923, 1.7)
    expect(pooled("mobilenet", "average_precision").mean).toBeCloseTo(0.52, 1.7)
    expect(pooled("statistics", "auc").mean).toBeCloseTo(0.63, 2)
    expect(pooled("statistics", "average_precision").mean).toBeCloseTo(0.1, 2)
    expect(pooled("mobilenet", "auc")).toMatchObject({ samples: 1465, ci: { over: "samples" } })
  })
})
