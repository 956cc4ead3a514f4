/** A library of small stages that tests declare themselves, and the grid of a YAML text over it. */
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Annotations, Embeddings, Metrics, Samples, Split, Stage } from "outcrop"
import { expand, type Grid } from "../../engine/expand.ts"
import { type Implementation, Library, UnknownImplementation } from "../../engine/library.ts"
import { readPipeline } from "../../engine/source.ts"
import { suggest } from "../../schemas/spelling.ts"

const nothing = () => Effect.die("expansion runs nothing")
const stages: ReadonlyArray<Stage.Stage> = [
  Stage.make({ name: "ingest/list", version: 1, summary: "", with: Schema.Struct({ n: Stage.withDefault(Schema.Int, 4) }), needs: {}, gives: { samples: Samples }, run: nothing }),
  Stage.make({ name: "ingest/split", version: 1, summary: "", with: Schema.Struct({ fold: Stage.withDefault(Schema.Int, 0), by: Schema.optionalKey(Schema.Array(Schema.String)) }), needs: { samples: Stage.needs(Samples, "sample_id") }, gives: { split: Split }, run: nothing }),
  Stage.make({ name: "embed/size", version: 1, summary: "", with: Schema.Struct({ size: Stage.withDefault(Schema.Int, 8) }), needs: { samples: Stage.needs(Samples, "assets") }, gives: { embeddings: Embeddings }, embed: nothing }),
  Stage.make({ name: "embed/two", version: 1, summary: "", with: Schema.Struct({}), needs: { samples: Stage.needs(Samples, "assets") }, gives: { near: Embeddings, far: Embeddings }, run: nothing }),
  Stage.make({ name: "mine/guide", version: 1, summary: "", with: Schema.Struct({}), needs: { samples: Stage.needs(Samples, "label") }, gives: { annotations: Annotations, second: Annotations }, run: nothing }),
  Stage.make({ name: "train/none", version: 1, summary: "", with: Schema.Struct({}), needs: { embeddings: Stage.needs(Embeddings) }, gives: { embeddings: Embeddings }, run: nothing }),
  Stage.make({
    name: "train/guided",
    version: 1,
    summary: "",
    with: Schema.Struct({ margin: Stage.withDefault(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)), 0.1), top: Stage.withDefault(Schema.Finite, 0.3), mode: Stage.withDefault(Schema.Literals(["all", "hard"]), "all") }),
    needs: { embeddings: Stage.needs(Embeddings), annotations: Stage.when(Stage.needs(Annotations), ({ mode }: { readonly mode: string }) => mode === "all"), split: Stage.optional(Stage.needs(Split)) },
    gives: { embeddings: Embeddings },
    run: nothing
  }),
  Stage.make({ name: "probe/count", version: 1, summary: "", with: Schema.Struct({ seed: Stage.Seed }), needs: { embeddings: Stage.needs(Embeddings), samples: Stage.optional(Stage.needs(Samples, "label")) }, gives: { metrics: Metrics }, run: nothing }),
  Stage.make({ name: "probe/pair", version: 1, summary: "", with: Schema.Struct({}), needs: { before: Stage.needs(Embeddings), after: Stage.needs(Embeddings) }, gives: { metrics: Metrics }, run: nothing })
]

class Shelf extends Library {
  override names(): Array<string> {
    return stages.map(({ name }) => name)
  }
  override find(uses: string): Promise<Implementation> {
    const stage = stages.find(({ name }) => name === uses)
    if (stage === undefined) return Promise.reject(new UnknownImplementation(`there is no stage "${uses}"${suggest(uses, this.names())}`))
    return Promise.resolve({ uses, stage, file: "", code: { name: uses }, decode: Schema.decodeUnknownResult(stage.with, { errors: "all", onExcessProperty: "error", reportInput: true }), fileParameters: [] })
  }
}

/** The grid of a YAML text. Rejects with what is wrong with it; the file is called p.yaml. */
export const gridOf = async (yaml: string, options: { readonly picks?: Readonly<Record<string, ReadonlyArray<string>>>; readonly until?: ReadonlyArray<string> } = {}): Promise<Grid> => {
  const folder = fs.mkdtempSync(join(tmpdir(), "outcrop-grid-"))
  try {
    const file = join(folder, "p.yaml")
    fs.writeFileSync(file, yaml)
    return await expand(readPipeline(file), new Shelf(), { dataRoot: undefined, picks: options.picks ?? {}, until: options.until ?? [] })
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** What is wrong with a YAML text: all of it, with p.yaml for the path. */
export const wrongIn = async (yaml: string): Promise<string> => {
  try {
    await gridOf(yaml)
  } catch (cause) {
    if (cause instanceof Error) return cause.message.replaceAll(/\S*\/p\.yaml/g, "p.yaml")
    throw cause
  }
  return ""
}
