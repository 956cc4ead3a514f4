/**
 * The defaults of the parameters of a stage, read from the code that made a result: what was left at its default need not be told. They are
 * known of built-in stages whose code is still that, and of stages that are loaded. Code is never run out of a cache for this.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Document } from "../cache/canonical.ts"
import { dist } from "../engine/installation.ts"
import { loadStage } from "../engine/loader.ts"
import type { Stage } from "../stages/stage.ts"

export type Defaults = Readonly<Record<string, Document>>

/** Defaults by parameter; what has none is left out. */
export const defaultsOf = (stage: Stage): Defaults =>
  Object.fromEntries(Object.entries(stage.with.fields).flatMap(([name, field]) => {
    const decoded = Schema.decodeUnknownOption(Schema.Struct({ [name]: field }) as unknown as Schema.Codec<Defaults>)({})
    return Option.toArray(decoded).flatMap((value) => value[name] === undefined ? [] : [[name, value[name]] as const])
  }))

/** The built-in stage whose closure has a digest. */
export const builtIn = async (digest: string): Promise<Stage | undefined> => {
  const built = JSON.parse(fs.readFileSync(join(dist, "stages.json"), "utf8")) as Readonly<Record<string, { readonly file: string; readonly digest: string }>>
  const found = Object.values(built).find((each) => each.digest === digest)
  return found === undefined ? undefined : await loadStage(join(dist, found.file))
}
