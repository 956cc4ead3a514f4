/**
 * The closure of a stage: its file and everything of it that the stage really uses, as one text. Its digest is the code's part of a key,
 * so an edit shows exactly where it matters: a helper used by one stage, in another file, changes that stage; an unused helper, a comment
 * or formatting changes nothing. Workers run this very text.
 *
 * `effect`, `outcrop` and the numeric packages stay outside: they enter the key by version. So do no other packages: what a user's stage
 * imports from elsewhere is bundled, hence digested.
 *
 * Clock, randomness and environment are refused where the closure would reach for them; `node:` modules and computed imports likewise.
 */
import { hash } from "node:crypto"
import { builtinModules } from "node:module"
import { basename, dirname, resolve } from "node:path"
import * as Data from "effect/Data"
import { build, type BuildFailure, type Plugin } from "esbuild"

/** Packages that stay outside a closure and enter its key by exact version. */
const packages = [
  "apache-arrow",
  "csv-parse",
  "fast-xml-parser",
  "geotiff",
  "h3-js",
  "hyparquet",
  "onnxruntime-node",
  "proj4",
  "sharp"
]

/** What a closure may not touch, and the global that stands in its place and says so when it is called (see `engine/sandbox.ts`). */
const forbidden: Readonly<Record<string, string>> = {
  "Math.random": "outcrop$random",
  Date: "outcrop$Date",
  "performance.now": "outcrop$clock",
  "process.env": "outcrop$environment",
  "process.hrtime": "outcrop$clock",
  "crypto.randomUUID": "outcrop$random",
  "crypto.getRandomValues": "outcrop$random",
  "globalThis.Math.random": "outcrop$random",
  "globalThis.Date": "outcrop$Date",
  "globalThis.performance": "outcrop$environment",
  "globalThis.process": "outcrop$environment",
  "globalThis.crypto": "outcrop$environment",
  fetch: "outcrop$network",
  WebSocket: "outcrop$network"
}
/** Taking `random` out of `Math` would get around the table above. */
const destructured = /\{[^{}]*\brandom\b[^{}]*\}\s*=\s*(?:globalThis\.)?Math\b/

export interface Closure {
  readonly text: string
  /** SHA-256 of the text. */
  readonly digest: string
  /** Its source map, from the text to the files that went in. */
  readonly map: string
  /** Numeric packages that the text imports. */
  readonly packages: ReadonlyArray<string>
  /** Files that went in, absolute. */
  readonly inputs: ReadonlyArray<string>
}

/** A stage's file cannot be turned into a closure: syntax, a missing import, or something stages may not use. */
export class ClosureError extends Data.TaggedError("ClosureError")<{ readonly file: string; readonly message: string }> {}

const packageOf = (path: string) => path.split("/").slice(0, path.startsWith("@") ? 2 : 1).join("/")

const outside = (found: Set<string>, train: string): Plugin => ({
  name: "outside",
  setup: (builder) => {
    builder.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      if (kind === "entry-point") return undefined
      if (path === "outcrop" || path === "effect" || path.startsWith("effect/")) return { path, external: true }
      if (path === "outcrop/train") return { path: train }
      if (path.startsWith("node:") || builtinModules.includes(path)) {
        return path === "node:crypto" ? { path: "node:crypto", external: true } : { errors: [{ text: `a stage may not import "${path}": files come through Files, randomness through stream(seed, ...)` }] }
      }
      const name = packageOf(path)
      if (!packages.includes(name) && !name.startsWith("@tensorflow/")) return undefined
      found.add(name)
      return { path, external: true }
    })
  }
})

/** Bundles the closure of a stage's file. `train` is the file behind "outcrop/train". */
export const bundle = async (file: string, train: string): Promise<Closure> => {
  const found = new Set<string>()
  try {
    const { metafile, outputFiles } = await build({
      absWorkingDir: dirname(file),
      entryPoints: [file],
      bundle: true,
      write: false,
      outfile: `${file}.mjs`,
      sourcemap: "external",
      sourcesContent: false,
      metafile: true,
      format: "esm",
      platform: "node",
      target: "node22",
      treeShaking: true,
      minifyWhitespace: true,
      legalComments: "none",
      charset: "utf8",
      logLevel: "silent",
      define: forbidden,
      plugins: [outside(found, train)]
    })
    const { text } = outputFiles.find(({ path }) => path.endsWith(".mjs"))!
    const computed = /[^.\w$]import\((?!["'])[^)]{0,40}/.exec(text)
    if (computed !== null) throw new ClosureError({ file, message: `${basename(file)}: a stage may not import a computed path (${computed[0].slice(1)}...): write the path out` })
    if (destructured.test(text)) throw new ClosureError({ file, message: `${basename(file)}: a stage may not take random out of Math: draw from stream(seed, ...) of its own seed parameter` })
    return {
      text,
      map: outputFiles.find(({ path }) => path.endsWith(".map"))!.text,
      digest: hash("sha256", text, "hex"),
      packages: [...found].toSorted(),
      inputs: Object.keys(metafile.inputs).map((input) => resolve(dirname(file), input))
    }
  } catch (cause) {
    if (cause instanceof ClosureError) throw cause
    const errors = (cause as Partial<BuildFailure>).errors
    const message = errors === undefined ? String(cause) : errors.map(({ text, location }) =>
      location === null ? text : `${location.file}:${location.line}:${location.column + 1} ${text}\n    ${location.lineText.trim()}`).join("\n")
    throw new ClosureError({ file, message })
  }
}
