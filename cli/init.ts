/** `outcrop init folder`: a folder with a first pipeline that runs on built-in data, and its schema for the editor. */
import * as fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { root } from "../engine/installation.ts"
import { pipelineJsonSchema } from "../schemas/pipeline.ts"
import { userError } from "./error.ts"
import { invocation } from "./invocation.ts"

export const initCommand = Effect.fn("cli/init")(function*(folder: string) {
  const file = join(folder, "pipeline.yaml")
  if (fs.existsSync(file)) return yield* userError(`${file} is there already: choose another folder`)
  fs.mkdirSync(folder, { recursive: true })
  const quickstart = fs.readFileSync(join(root, "pipelines/quickstart.yaml"), "utf8")
  fs.writeFileSync(file, quickstart.replace(/\$schema=\S+/, "$schema=./pipeline.schema.json"))
  fs.writeFileSync(join(folder, "pipeline.schema.json"), `${JSON.stringify(pipelineJsonSchema(), null, 2)}\n`)
  const ignore = join(folder, ".gitignore")
  if (!fs.existsSync(ignore)) fs.writeFileSync(ignore, ".outcrop/\n")
  console.log(`made ${file}\nnext: ${folder === "." ? "" : `cd ${folder} && `}${invocation()} run`)
})
