import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../../engine/installation.ts"
import { version } from "../../cli/version.ts"

const launcher = join(root, "launcher.cjs")
let folder: string

/** A copy of the launcher where no Node is installed beside it; in place of the command, a file of ours. */
const alone = (command: string): string => {
  const home = fs.mkdtempSync(join(folder, "alone-"))
  fs.mkdirSync(join(home, "dist"))
  fs.copyFileSync(launcher, join(home, "launcher.cjs"))
  fs.writeFileSync(join(home, "package.json"), `{ "type": "module" }`)
  fs.writeFileSync(join(home, "dist/outcrop-cli.js"), command)
  return join(home, "launcher.cjs")
}
/** Runs before the launcher, to take away what older Nodes lack. */
const preload = (name: string, text: string): ReadonlyArray<string> => {
  fs.writeFileSync(join(folder, name), text)
  return ["--require", join(folder, name)]
}

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "outcrop-launcher-"))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

describe("the launcher", () => {
  it("starts the command, without the warning that node:sqlite is experimental", () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [launcher, "stages"], { encoding: "utf8", cwd: folder })
    expect(stdout).toContain("train/triplet")
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
    expect(spawnSync(process.execPath, [launcher, "--version"], { encoding: "utf8" }).stdout).toContain(version)
  })

  it("hands over the arguments as they are, and gives back the exit code", () => {
    const home = alone("console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 3")
    const { status, stdout } = spawnSync(process.execPath, [home, "run", "a b.yaml", "--set", "x=$y"], { encoding: "utf8" })
    expect(JSON.parse(stdout)).toEqual(["run", "a b.yaml", "--set", "x=$y"])
    expect(status).toBe(3)
  })

  it("uses the Node at hand where none is installed beside it and this one will do", () => {
    const { stdout } = spawnSync(process.execPath, [alone("console.log(process.execPath, process.execArgv)")], { encoding: "utf8" })
    expect(stdout).toContain(process.execPath)
    expect(stdout).toContain("--disable-warning=ExperimentalWarning")
  })

  it("says what to do where that one is too old", () => {
    const old = preload("old.cjs", `delete require("node:module").registerHooks`)
    const { status, stderr } = spawnSync(process.execPath, [...old, alone("")], { encoding: "utf8" })
    expect(status).toBe(1)
    expect(stderr).toContain("npm rebuild node")
    expect(stderr).toContain(process.version)
  })

  const wait = `process.on("SIGINT", () => console.log("interrupted")); console.log("ready"); setInterval(() => {}, 1000)`

  it.skipIf(process.platform === "win32").each(["becomes the command", "stands before it"])("where it %s, passes on signals and how the command ended", async (way) => {
    const separate = preload("separate.cjs", "delete process.execve")
    const child = spawn(process.execPath, [...(way === "stands before it" ? separate : []), alone(wait)], { stdio: ["ignore", "pipe", "pipe"] })
    const said = child.stdout.setEncoding("utf8")[Symbol.asyncIterator]()
    const ended = new Promise<string | null>((resolve) => child.on("exit", (_, signal) => resolve(signal)))
    expect((await said.next()).value).toBe("ready\n")
    child.kill("SIGINT")
    expect((await said.next()).value).toBe("interrupted\n")
    child.kill("SIGTERM")
    expect(await ended).toBe("SIGTERM")
  })
})
