/** One folder for all that the tests write, which goes when they end. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export default () => {
  const folder = mkdtempSync(join(tmpdir(), "outcrop-tests-"))
  process.env["TMPDIR"] = folder
  return () => rmSync(folder, { recursive: true, force: true })
}
