import * as fs from "node:fs"
import { isBuiltin } from "node:module"
import { join } from "node:path"
import { build } from "esbuild"
import { describe, expect, it } from "vitest"
import { dist, root } from "../../engine/installation.ts"

const { bin, dependencies, exports, files, optionalDependencies } = JSON.parse(fs.readFileSync(join(root, "package.json"), "utf8")) as {
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly files: ReadonlyArray<string>
  readonly optionalDependencies: Readonly<Record<string, string>>
}

/** Packages that the built files import, each with one file that does. */
const imported = async (): Promise<ReadonlyMap<string, string>> => {
  const entryPoints = fs.readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js")).map((name) => join(dist, name))
  const { metafile } = await build({ absWorkingDir: root, entryPoints, outdir: "unused", bundle: true, splitting: true, write: false, metafile: true, packages: "external", format: "esm", platform: "node" })
  return new Map(Object.entries(metafile.inputs).flatMap(([file, { imports }]) =>
    imports.filter(({ external, path }) => external === true && !isBuiltin(path)).map(({ path }) => [path.split("/").slice(0, path.startsWith("@") ? 2 : 1).join("/"), file] as const)))
}

describe("the published package", () => {
  it("depends on every package that its built files import, for those who install it get no devDependencies", async () => {
    const packages = await imported()
    expect(packages.has("sharp")).toBe(true)
    const missing = [...packages].filter(([name]) => name !== "outcrop" && dependencies[name] === undefined && optionalDependencies[name] === undefined)
    // @tensorflow/tfjs-node is looked for beside tfjs-node-gpu, and used where the user installed it
    expect(missing.filter(([name]) => name !== "@tensorflow/tfjs-node")).toEqual([])
  })

  it("has one copy of effect: what built-in stages import of it is built with the command, or each command would load it a second time", () => {
    const closures = fs.readdirSync(join(dist, "closures"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"))
    const modules = new Set(closures.flatMap((name) => [...fs.readFileSync(join(dist, "closures", name), "utf8").matchAll(/from\s*"(effect\/[\w/]+)"/g)].map(([, module]) => module!)))
    expect(modules.size).toBeGreaterThan(4)
    expect([...modules].filter((module) => !fs.existsSync(join(dist, `${module}.js`)))).toEqual([])
  })

  it("holds what its command and its exports name", () => {
    const named = [...Object.values(bin), ...Object.values(exports).flatMap((entry) => typeof entry === "string" ? [entry] : Object.values(entry))]
    for (const path of named.map((path) => path.replace(/^\.\//, ""))) {
      if (path !== "package.json") expect(files.some((entry) => path === entry || path.startsWith(`${entry}/`)), path).toBe(true)
      expect(fs.existsSync(join(root, path)), path).toBe(true)
    }
  })
})
