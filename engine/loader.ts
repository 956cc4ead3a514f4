/**
 * Loads the text of a closure as a module. Its bare imports are resolved as outcrop itself would resolve them, wherever the text lies, and
 * `effect` and `outcrop` to the very modules that the engine runs on.
 */
import * as fs from "node:fs"
import { registerHooks } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Stage } from "../stages/stage.ts"
import { dist, root } from "./installation.ts"
import { installSandbox } from "./sandbox.ts"

let installed = false
const install = () => {
  if (installed) return
  installed = true
  installSandbox()
  const home = pathToFileURL(join(root, "package.json")).href
  const built = new Map<string, string>()
  registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === "outcrop" || specifier.startsWith("effect/")) {
        let url = built.get(specifier)
        if (url === undefined) {
          const file = join(dist, `${specifier}.js`)
          url = fs.existsSync(file) ? pathToFileURL(file).href : ""
          built.set(specifier, url)
        }
        if (url !== "") return { url, shortCircuit: true }
      }
      const bare = !specifier.startsWith(".") && !specifier.startsWith("/") && !specifier.startsWith("file:") && !specifier.startsWith("node:")
      return bare && context.parentURL?.includes("/closures/") === true ? next(specifier, { ...context, parentURL: home }) : next(specifier, context)
    }
  })
}

/** The stage that a closure's file exports by default. */
export const loadStage = async (file: string): Promise<Stage> => {
  install()
  const module = await import(pathToFileURL(file).href) as { readonly default?: unknown }
  const stage = module.default
  if (typeof stage !== "object" || stage === null || !("needs" in stage) || !("with" in stage)) {
    throw new Error("its default export is not a stage: write `export default Stage.make({ ... })`")
  }
  return stage as Stage
}
