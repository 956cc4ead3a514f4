/**
 * Builds dist/: the command and its worker (bundled with splitting, so that `effect` and the contract exist once), the modules that
 * closures import, and the closure of every built-in stage with its digest. Run by `npm ci` (prepare) and before the tests.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { bundle } from "./engine/closure.ts"
import { dist as finished, root } from "./engine/installation.ts"

const effectModules = [
  "Array", "Cause", "Chunk", "Context", "Data", "DateTime", "Deferred", "Duration", "Effect", "Either", "Exit", "Fiber", "FiberSet", "HashMap", "Layer", "Option", "Order", "Predicate",
  "Queue", "Record", "Ref", "Result", "Schedule", "Schema", "SchemaAST", "SchemaIssue", "SchemaTransformation", "Scope", "Semaphore", "Stream", "String", "Struct"
].filter((name) => fs.existsSync(join(root, "node_modules/effect/src", `${name}.ts`)))

// built beside and put in place whole, so that a command running meanwhile never meets half a build
const dist = `${finished}.new`
fs.rmSync(dist, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: {
    "outcrop-cli": "cli/main.ts",
    worker: "engine/worker.ts",
    outcrop: "outcrop.ts",
    ...Object.fromEntries(effectModules.map((name) => [`effect/${name}`, `effect/${name}`]))
  },
  outdir: dist,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node22",
  chunkNames: "chunks/[name]-[hash]",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  alias: { outcrop: "./outcrop.ts" },
  external: ["esbuild", "onnxruntime-node", "sharp", "geotiff", "proj4", "h3-js", "hyparquet", "hyparquet-writer", "csv-parse", "fast-xml-parser", "@tensorflow/*"],
  banner: { js: `import { createRequire as outcrop$require } from "node:module"; const require = outcrop$require(import.meta.url);` },
  logLevel: "warning"
})

// what users' losses import from "outcrop/train": bundled like a closure, so that it can go into theirs
fs.writeFileSync(join(dist, "train.js"), (await bundle(join(root, "tensor/train.ts"), "")).text)

const manifest: Record<string, { file: string; digest: string; packages: ReadonlyArray<string> }> = {}
for (const kind of ["ingest", "embed", "mine", "train", "probe"]) {
  for (const name of fs.readdirSync(join(root, "stages", kind)).filter((name) => name.endsWith(".ts")).toSorted()) {
    const { digest, packages, text } = await bundle(join(root, "stages", kind, name), join(root, "tensor/train.ts"))
    const stage = `${kind}/${name.slice(0, -3)}`
    const file = join("closures", `${stage}.js`)
    fs.mkdirSync(join(dist, "closures", kind), { recursive: true })
    fs.writeFileSync(join(dist, file), text)
    manifest[stage] = { file, digest, packages }
  }
}
fs.writeFileSync(join(dist, "stages.json"), `${JSON.stringify(manifest, null, 1)}\n`)
fs.rmSync(finished, { recursive: true, force: true })
fs.renameSync(dist, finished)
