import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../../engine/installation.ts"

const pyarrow = spawnSync("python3", ["-c", "import pyarrow"]).status === 0

let folder: string
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "outcrop-python-"))
  fs.cpSync(join(root, "pipelines/python-miner"), folder, { recursive: true, filter: (path) => !path.endsWith(".outcrop") })
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const outcrop = (...args: ReadonlyArray<string>) => spawnSync(process.execPath, [join(root, "launcher.cjs"), ...args], { cwd: folder, encoding: "utf8" })
const mined = () => (JSON.parse(outcrop("run", "mine", "--json").stdout) as { readonly nodes: { readonly run: number } }).nodes.run
const source = (edit: (text: string) => string) => fs.writeFileSync(join(folder, "mine.py"), edit(fs.readFileSync(join(folder, "mine.py"), "utf8")))

describe.skipIf(!pyarrow)("pipelines/python-miner (skipped where python3 has no pyarrow)", () => {
  it("gives the class of each sample, and a cover that enough training pictures show", () => {
    expect(outcrop("run", "mine").status).toBe(0)
    const [header, ...rows] = outcrop("get", "mine.annotations", "fold=0").stdout.trim().split("\n")
    expect(header).toBe("sample_id,class,cover")
    const ids = rows.map((row) => row.split(",").map(Number))
    expect(ids).toHaveLength(240)
    expect(new Set(ids.map(([, id]) => id))).toEqual(new Set([0, 1, 2]))
    expect(new Set(ids.map(([, , cover]) => cover)).size).toBeGreaterThan(2)
  })

  it("runs again where its program changed, for the content of mine.py is in the key", () => {
    expect(mined()).toBe(0)
    source((text) => `${text}\n# edited\n`)
    expect(mined()).toBe(2)
  })

  it("shows what the program said when it fails", () => {
    source((text) => text.replace("def rarest", `raise ValueError("no covers today")\n\n\ndef rarest`))
    const { status, stderr, stdout } = outcrop("run", "mine")
    expect(status).toBe(1)
    expect(stdout + stderr).toContain("ValueError: no covers today")
  })
})
