/** The line that tables end with. */
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { afterAll, expect, it } from "vitest"
import { finishedOf } from "../../../cli/finished.ts"
import { openSession } from "../../../cli/session.ts"
import { readWords } from "../../../cli/words.ts"
import { audit, auditLine, keepChecklist, keptChecklist } from "../../../lineage/audit/audit.ts"
import { Folder, removeFolders } from "../../pipeline.ts"

afterAll(removeFolders)

const lineOf = async (folder: Folder) => {
  const session = await Effect.runPromise(openSession(readWords([folder.at("pipeline.yaml")]), { cache: undefined, data: undefined, set: [], backend: undefined }))
  const { cache, file: { pipeline: { report } } } = session, finished = finishedOf(session), kept = keptChecklist(cache, finished, report)
  return {
    kept,
    made: async () => {
      keepChecklist(cache, finished, report, await audit(cache, finished, report, { metres: 1000, nearDuplicates: undefined }))
      return keptChecklist(cache, finished, report)
    }
  }
}

it("names what did not pass, and is kept under the results that it is of", async () => {
  const folder = new Folder()
  fs.cpSync(fileURLToPath(new URL("../../fixtures/audit", import.meta.url)), folder.path, { recursive: true })
  await folder.ran()
  const { kept, made } = await lineOf(folder)
  expect(kept).toBeUndefined()
  expect(await made()).toBe("audit: 12 passed")
  expect((await lineOf(folder)).kept).toBe("audit: 12 passed")

  folder.edit("pipeline.yaml", "needs: { samples: drawn, split } }", "needs: { samples: drawn, split }, with: { fault: place } }")
  await folder.ran()
  const after = await lineOf(folder)
  expect(after.kept).toBeUndefined()
  expect(await after.made()).toBe("audit: 11 passed; 1 failed: places apart (outcrop audit shows it)")
}, 60_000)

it("tells the gravest first", () => {
  const check = (name: string, state: "passed" | "failed" | "warning" | "note" | "not applicable") => ({ check: name, state, about: "" })
  expect(auditLine({ checks: [check("a", "note"), check("b", "warning"), check("c", "passed"), check("d", "failed"), check("e", "warning"), check("f", "not applicable")] }))
    .toBe("audit: 1 passed; 1 failed: d; 2 warnings: b, e; 1 note: a (outcrop audit shows it)")
})
