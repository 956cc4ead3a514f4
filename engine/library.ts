/** Finds the implementation behind `uses`: a built-in by name, or a TypeScript file of the user's. Each is loaded once. */
import { hash } from "node:crypto"
import * as fs from "node:fs"
import { join, resolve } from "node:path"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Document, settle } from "../cache/canonical.ts"
import type { Index } from "../cache/index.ts"
import { contract } from "../outcrop.ts"
import { suggest } from "../schemas/spelling.ts"
import { kinds, type Stage } from "../stages/stage.ts"
import { dist, packageVersion } from "./installation.ts"
import { loadStage } from "./loader.ts"

/** A stage with what its key needs to know of it. */
export interface Implementation {
  /** `mine/box-clusters`, or `./my-loss.ts` as written. */
  readonly uses: string
  readonly stage: Stage
  /** The closure that workers load. */
  readonly file: string
  /** The code's part of a key: contract, closure, versions of numeric packages. */
  readonly code: Document
  /** Decodes parameters: defaults filled in, unknown ones refused. */
  readonly decode: (value: unknown) => Result.Result<unknown, Schema.SchemaError>
  /** Names of the parameters that are files. */
  readonly fileParameters: ReadonlyArray<string>
}

/** `uses` names nothing, or its file cannot be loaded. */
export class UnknownImplementation extends Error {}

/** A closure that was bundled: by the build for built-ins, by an earlier run for users' files. */
interface Built {
  readonly digest: string
  readonly packages: ReadonlyArray<string>
}

/** Whether `uses` names a file of the user's, not a built-in. */
export const isOwn = (uses: string): boolean => /^\.{1,2}\/|^\/|\.[cm]?[jt]s$/.test(uses)

const isFileParameter = (schema: Schema.Constraint): boolean => Schema.resolveAnnotations(schema)?.["fileParameter"] === true

export class Library {
  readonly #built: Readonly<Record<string, Built & { readonly file: string }>>
  readonly #loaded = new Map<string, Promise<Implementation>>()
  readonly #index: Index | undefined
  readonly #closures: string | undefined

  /** `index` and `cacheRoot` keep the closures of users' files between runs; without them only built-ins can be used. */
  constructor(index?: Index, cacheRoot?: string) {
    this.#built = JSON.parse(fs.readFileSync(join(dist, "stages.json"), "utf8")) as Record<string, Built & { readonly file: string }>
    this.#index = index
    this.#closures = cacheRoot === undefined ? undefined : join(cacheRoot, "closures")
  }

  /** Names of the built-in stages. */
  names(): Array<string> {
    return Object.keys(this.#built)
  }

  /** The implementation behind `uses`, for a pipeline in `folder`. Rejects with `UnknownImplementation`. */
  find(uses: string, folder: string): Promise<Implementation> {
    const own = isOwn(uses)
    const id = own ? resolve(folder, uses) : uses
    let loaded = this.#loaded.get(id)
    if (loaded === undefined) {
      loaded = own ? this.#own(uses, id) : this.#builtIn(uses)
      this.#loaded.set(id, loaded)
    }
    return loaded
  }

  async #builtIn(uses: string): Promise<Implementation> {
    const built = this.#built[uses]
    if (built === undefined) {
      const kind = uses.split("/")[0]!
      const names = this.names()
      const hint = suggest(uses, names)
      const listed = names.filter((name) => name.startsWith(`${kind}/`))
      throw new UnknownImplementation(`there is no stage "${uses}"${hint}${listed.length > 0 ? `; of kind ${kind}: ${listed.join(", ")}` : `; kinds are ${kinds.join(", ")}`} ("outcrop stages" lists all)`)
    }
    return this.#implementation(uses, join(dist, built.file), built.digest, built.packages)
  }

  async #own(uses: string, file: string): Promise<Implementation> {
    if (!fs.existsSync(file)) throw new UnknownImplementation(`there is no file ${uses} (looked for ${file})`)
    if (this.#closures === undefined || this.#index === undefined) throw new UnknownImplementation(`${uses} cannot be loaded without a cache`)
    const known = this.#index.closure(file)
    if (known !== undefined && inputsOf(Object.keys(JSON.parse(known.inputs) as object)) === known.inputs) {
      const { digest, packages } = JSON.parse(known.closure) as Built
      const path = join(this.#closures, `${digest}.mjs`)
      if (fs.existsSync(path) && hash("sha256", fs.readFileSync(path), "hex") === digest) return this.#implementation(uses, path, digest, packages)
    }
    const begin = Date.now()
    const { bundle } = await import("./closure.ts")
    const closure = await bundle(file, join(dist, "train.js")).catch((cause: { readonly message: string }) => {
      throw new UnknownImplementation(cause.message)
    })
    fs.mkdirSync(this.#closures, { recursive: true })
    const path = join(this.#closures, `${closure.digest}.mjs`)
    const temporary = `${path}.${process.pid}`
    fs.writeFileSync(`${path}.map`, closure.map)
    fs.writeFileSync(temporary, closure.text)
    fs.renameSync(temporary, path)
    // a file saved while, or just before, it was bundled may differ from what was read under the same times: it is bundled again next time
    if (closure.inputs.every((input) => fs.statSync(input).ctimeMs + 2000 < begin)) this.#index.putClosure(file, inputsOf(closure.inputs), JSON.stringify({ digest: closure.digest, packages: closure.packages }))
    return this.#implementation(uses, path, closure.digest, closure.packages)
  }

  async #implementation(uses: string, file: string, digest: string, packages: ReadonlyArray<string>): Promise<Implementation> {
    let stage: Stage
    try {
      stage = await loadStage(file)
    } catch (cause) {
      throw new UnknownImplementation(`${uses} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
    if (!(kinds as ReadonlyArray<string>).includes(stage.kind)) throw new UnknownImplementation(`${uses} is named "${stage.name}": a stage's name begins with ${kinds.join("/, ")}/`)
    const code = settle({ contract, closure: digest, packages: Object.fromEntries(packages.map((name) => [name, packageVersion(name) ?? "absent"])) })
    const fields = stage.with.fields
    return {
      uses,
      stage,
      file,
      code,
      decode: Schema.decodeUnknownResult(stage.with, { errors: "all", onExcessProperty: "error", reportInput: true }),
      fileParameters: Object.keys(fields).filter((name) => isFileParameter(fields[name]!))
    }
  }
}

/** The state on disk of the files of a closure, as one text: equal texts, unchanged files. */
const inputsOf = (files: ReadonlyArray<string>): string =>
  JSON.stringify(Object.fromEntries(files.map((file) => {
    const stat = fs.statSync(file, { throwIfNoEntry: false })
    return [file, stat === undefined ? null : [stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino]]
  })))
