/** `outcrop stages`: the built-in stages; with a name, its ports and parameters. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Library, UnknownImplementation } from "../engine/library.ts"
import { style, textTable } from "../report/terminal.ts"
import { userError } from "./error.ts"

interface Property {
  readonly description?: string
  readonly default?: unknown
  readonly type?: string
  readonly enum?: ReadonlyArray<unknown>
  readonly anyOf?: ReadonlyArray<Property>
  readonly items?: Property
  readonly $ref?: string
}
const typeOf = ({ $ref, anyOf, enum: values, items, type }: Property): string =>
  values !== undefined ? values.map((value) => JSON.stringify(value)).join(" | ") : anyOf !== undefined ? [...new Set(anyOf.map(typeOf))].join(" | ") : type === "array" && items !== undefined ? `[${typeOf(items)}]` : type ?? ($ref === undefined ? "any" : $ref.split("/").at(-1)!)

export const stagesCommand = Effect.fn("cli/stages")(function*({ json, name }: { readonly name: string | undefined; readonly json: boolean }) {
  const library = new Library()
  const found = yield* Effect.tryPromise({
    try: () => Promise.all((name === undefined ? library.names() : [name]).map((each) => library.find(each, "."))),
    catch: (cause) => {
      if (cause instanceof UnknownImplementation) return userError(cause.message)
      throw cause
    }
  })
  const documents = found.map(({ stage }) => {
    const { schema } = Schema.toJsonSchemaDocument(stage.with) as { readonly schema: { readonly properties?: Readonly<Record<string, Property>>; readonly required?: ReadonlyArray<string> } }
    return {
      name: stage.name,
      summary: stage.summary,
      ...(stage.paper === undefined ? {} : { paper: stage.paper }),
      needs: Object.fromEntries(Object.entries(stage.needs).map(([port, { columns, optional, table }]) => [port, { table: table.name, columns, optional }])),
      gives: Object.fromEntries(Object.entries({ ...stage.gives, ...stage.learns }).map(([port, table]) => [port, table.name])),
      parameters: schema.properties ?? {},
      required: schema.required ?? []
    }
  })
  if (json) {
    console.log(JSON.stringify({ version: 1, stages: documents }))
    return
  }
  if (name === undefined) {
    console.log(textTable(["stage", "what it does, and whose method or layout it is"], documents.map((stage) => [stage.name, `${stage.summary}${stage.paper === undefined ? "" : style("dim", ` [${stage.paper}]`)}`])))
    console.log(`\n"outcrop stages <stage>" shows ports and parameters`)
    return
  }
  for (const stage of documents) {
    console.log(`${style("bold", stage.name)}: ${stage.summary}\n${stage.paper === undefined ? "" : `of ${stage.paper}\n`}`)
    for (const [port, { columns, optional, table }] of Object.entries(stage.needs)) console.log(`  needs ${port}${optional ? " (optional)" : ""}: ${table} (${columns.join(", ")})`)
    for (const [port, table] of Object.entries(stage.gives)) console.log(`  gives ${port}: ${table}`)
    const rows = Object.entries(stage.parameters).map(([parameter, property]) => [parameter, typeOf(property), stage.required.includes(parameter) ? "required" : property.default === undefined ? "" : JSON.stringify(property.default), property.description ?? ""])
    if (rows.length > 0) console.log(`\n${textTable(["parameter", "type", "default", ""], rows)}`)
  }
})
