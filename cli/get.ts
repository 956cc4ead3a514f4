/** `outcrop get stage.port axis=value -o file`: one table of one node, in the format of the file's ending. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { encode } from "../schemas/arrow.ts"
import { suggest } from "../schemas/spelling.ts"
import type { Table } from "../schemas/table.ts"
import { csvOf, jsonOf, parquetOf } from "../schemas/tabular.ts"
import { tableOf } from "../report/finished.ts"
import { style } from "../report/terminal.ts"
import { userError } from "./error.ts"
import { finishedOf } from "./finished.ts"
import { openSession, type SessionFlags } from "./session.ts"
import { readWords } from "./words.ts"

const namesIn = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Array(Schema.String)))

/** Says which names the numbers of classes stand for: text files have no place for them, Parquet and Arrow keep them in their metadata. */
const sayNames = ({ metadata }: Table): void => {
  for (const [what, text] of Object.entries(metadata)) {
    const names = Option.getOrElse(namesIn(text), () => [])
    if (names.length > 0) console.error(style("dim", `${what}, names by number from 0: ${JSON.stringify(names.slice(0, 20))}${names.length > 20 ? ` and ${names.length - 20} more` : ""}`))
  }
}

export const getCommand = Effect.fn("cli/get")(function*(flags: SessionFlags & { readonly words: ReadonlyArray<string>; readonly json: boolean; readonly output: string | undefined }) {
  const words = readWords(flags.words)
  const [name, ...rest] = words.names
  if (name === undefined || rest.length > 0) return yield* userError("name one table: outcrop get <stage> or <stage>.<port>, with axis=value to pick a cell")
  const [stage, port] = name.split(".") as [string, string | undefined]
  const session = yield* openSession(words, flags, [stage])
  const finished = finishedOf(session)
  const nodes = [...new Set(Array.from({ length: session.grid.cells.count }, (_, i) => session.grid.nodeOf(stage, i)))]
  const [node] = nodes
  if (node === undefined || nodes.length > 1) {
    return yield* userError(`"${name}" is ${nodes.length} tables here; pick one cell with axis=value:\n${nodes.slice(0, 10).map((each) => `  ${each.address}`).join("\n")}${nodes.length > 10 ? `\n  ... and ${nodes.length - 10} more` : ""}`)
  }
  const outputs = finished.outputs[node.index]?.outputs
  if (outputs === undefined) return yield* userError(`${node.address} has no result yet: run "outcrop run ${words.file} ${stage}"`)
  const ports = Object.keys(outputs)
  const chosen = port ?? (ports.length === 1 ? ports[0] : undefined)
  if (chosen === undefined || !(chosen in outputs)) return yield* userError(`${stage} gives ${ports.map((each) => `${stage}.${each}`).join(", ")}${port === undefined ? ": name one" : suggest(port, ports)}`)
  const table = tableOf(finished, node, chosen)
  if (table === undefined) return yield* userError(`the table of ${node.address} is lost from the cache: run "outcrop run ${words.file} ${stage}" to make it again`)
  const { output } = flags
  if (output === undefined) {
    process.stdout.write(flags.json ? jsonOf(table) : csvOf(table))
    sayNames(table)
    return
  }
  const format = output.split(".").at(-1)
  const bytes = format === "arrow" || format === "feather" ? encode(table) : format === "csv" ? csvOf(table) : format === "json" ? jsonOf(table) : format === "parquet" ? yield* Effect.promise(() => parquetOf(table)) : undefined
  if (bytes === undefined) return yield* userError(`--output ends in .arrow, .parquet, .csv or .json, got ${output}`)
  fs.writeFileSync(output, bytes)
  console.error(`${output}: ${table.rows} rows of ${node.address} (${chosen})`)
  if (typeof bytes === "string") sayNames(table)
})
