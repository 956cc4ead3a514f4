/**
 * `<kind>/command`: a stage that is any program. Arrow files of the bound ports come in the variables OUTCROP_IN_<PORT>, those it gives go to
 * the paths in OUTCROP_OUT_<PORT>, parameters come as JSON in OUTCROP_PARAMS. Its declared sources are hashed; it is trusted to read
 * nothing else.
 */
import { hash } from "node:crypto"
import * as fs from "node:fs"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Document } from "../cache/canonical.ts"
import { suggest } from "../schemas/spelling.ts"
import type { TableSchema } from "../schemas/table.ts"
import { tableSchemas } from "../schemas/tables.ts"
import * as Stage from "../stages/stage.ts"
import { type Implementation, UnknownImplementation } from "./library.ts"

/** A port that takes whatever table is bound to it, with all of its columns. */
const anyTable: TableSchema = { name: "any", description: "any table", columns: {}, key: [], open: true }

const Command = Schema.Struct({
  command: Schema.NonEmptyArray(Schema.String).annotate({ description: "program and arguments; it runs in the folder of the YAML" }),
  sources: Stage.withDefault(Schema.Array(Schema.String), []).annotate({ description: "files of the program, relative to the YAML: their content is in the key" }),
  gives: Schema.Union([Schema.String, Schema.Record(Schema.String, Schema.String)]).annotate({ description: "the table it gives, or a mapping from port to table" }),
  params: Stage.withDefault(Schema.Record(Schema.String, Schema.Unknown), {}).annotate({ description: "handed over as JSON in OUTCROP_PARAMS" })
})
export type Command = typeof Command.Type

export const isCommand = (uses: string): boolean => Stage.kinds.some((kind) => uses === `${kind}/command`)

/** What the variables of a port end in. */
export const variable = (port: string): string => port.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")
const checkPorts = (direction: "IN" | "OUT", ports: ReadonlyArray<string>): void => {
  for (const [name, [one, other]] of Map.groupBy(ports, variable)) {
    if (other !== undefined) throw new UnknownImplementation(`the ports "${one}" and "${other}" would share the variable OUTCROP_${direction}_${name}: rename one`)
  }
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null

/** The implementation behind a `<kind>/command` with these parameters and bound ports. Throws `UnknownImplementation`. */
export const commandStage = (uses: string, given: unknown, ports: ReadonlyArray<string>, folder: string): Implementation => {
  const wanted = isMapping(given) ? given["gives"] : undefined
  const named: Record<string, unknown> = typeof wanted === "string" ? { [wanted]: wanted } : isMapping(wanted) ? wanted : {}
  const gives = Object.fromEntries(Object.entries(named).map(([port, name]) => {
    const table = tableSchemas[String(name)]
    if (table === undefined) throw new UnknownImplementation(`there is no table "${String(name)}"${suggest(String(name), Object.keys(tableSchemas))}; tables are ${Object.keys(tableSchemas).join(", ")}`)
    return [port, table]
  }))
  checkPorts("IN", ports)
  checkPorts("OUT", Object.keys(gives))
  const sources = isMapping(given) && Array.isArray(given["sources"]) ? given["sources"].map(String) : []
  const digests = Object.fromEntries(sources.map((source) => {
    const file = resolve(folder, source)
    if (!fs.existsSync(file)) throw new UnknownImplementation(`the source file ${source} of ${uses} is missing (looked for ${file})`)
    return [source, hash("sha256", fs.readFileSync(file), "hex")]
  }))
  const code: Document = { sources: digests }
  const stage = Stage.make({
    name: uses as Stage.Stage["name"],
    version: 1,
    summary: "any program that reads and writes Arrow files",
    with: Command,
    needs: Object.fromEntries(ports.map((port) => [port, Stage.optional(Stage.withOpen(Stage.needs(anyTable), "all"))])),
    gives,
    run: () => Effect.die("a command runs in a process of its own (engine/process.ts)")
  })
  return {
    uses,
    stage,
    file: "",
    code,
    decode: Schema.decodeUnknownResult(Command, { errors: "all", onExcessProperty: "error", reportInput: true }),
    fileParameters: []
  }
}
