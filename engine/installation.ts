/** Where outcrop itself lies: a checkout and an installed package have the same layout below their root. */
import * as fs from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const findRoot = (): string => {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!fs.existsSync(join(folder, "package.json"))) folder = dirname(folder)
  return folder
}

/** The folder that holds outcrop's package.json. */
export const root = findRoot()
/** Built files: the command, the worker, the contract, the closures of the built-in stages. */
export const dist = join(root, "dist")

const require = createRequire(join(root, "package.json"))
const versions = new Map<string, string | undefined>()

/** The exact version of an installed package, as outcrop would load it; `undefined` where it is not installed. */
export const packageVersion = (name: string): string | undefined => {
  if (!versions.has(name)) {
    let version: string | undefined
    for (const folder of require.resolve.paths(name) ?? []) {
      const file = join(folder, name, "package.json")
      if (!fs.existsSync(file)) continue
      const { version: found } = JSON.parse(fs.readFileSync(file, "utf8")) as { version: string }
      version = found
      break
    }
    versions.set(name, version)
  }
  return versions.get(name)
}
