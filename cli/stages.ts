/** `outcrop stages`: the built-in stages; with a name, or a file of one's own, its ports and parameters. */
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { openCache } from "../cache/cache.ts"
import { isOwn, Library, UnknownImplementation } from "../engine/library.ts"
import { parametersOf, partsOf, type Property } from "../engine/parameters.ts"
import { style, textTable } from "../report/terminal.ts"
import { userError } from "./error.ts"

const typeOf = ({ $ref, anyOf, enum: values, items, type }: Property): string =>
  values !== undefined ? values.map((value) => JSON.stringify(value)).join(" | ") : anyOf !== undefined ? [...new Set(anyOf.map(typeOf))].join(" | ") : type === "array" && items !== undefined ? `[${typeOf(items)}]` : type ?? ($ref === undefined ? "any" : $ref.split("/").at(-1)!)

/** A row a parameter, and one each for what an object holds (`select.top`, `views.mask.ratio`). */
const rowsOf = ({ properties = {}, required = [] }: Property, prefix = ""): ReadonlyArray<ReadonlyArray<string>> =>
  Object.entries(properties).flatMap(([name, property]) => {
    const { default: value, description = "" } = property
    const inner = new Map(partsOf(property).flatMap((part) => rowsOf(part, `${prefix}${name}.`)).map((row) => [row[0]!, row]))
    return [[`${prefix}${name}`, typeOf(property), required.includes(name) ? "required" : value === undefined ? "" : JSON.stringify(value), description], ...inner.values()]
  })

/** Files of one's own are bundled into a folder that goes again. */
const withLibrary = async <A>(own: boolean, use: (library: Library) => Promise<A>): Promise<A> => {
  if (!own) return use(new Library())
  const folder = fs.mkdtempSync(join(tmpdir(), "outcrop-")), cache = openCache(folder)
  try {
    return await use(new Library(cache.index, folder))
  } finally {
    cache.close()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

export const stagesCommand = Effect.fn("cli/stages")(function*({ json, name }: { readonly name: string | undefined; readonly json: boolean }) {
  const found = yield* Effect.tryPromise({
    try: () => withLibrary(name !== undefined && isOwn(name), (library) => Promise.all((name === undefined ? library.names() : [name]).map((each) => library.find(each, ".")))),
    catch: (cause) => {
      if (cause instanceof UnknownImplementation) return userError(cause.message)
      throw cause
    }
  })
  const documents = found.map(({ stage }) => {
    const { properties = {}, required = [] } = parametersOf(stage)
    return {
      name: stage.name,
      summary: stage.summary,
      ...(stage.paper === undefined ? {} : { paper: stage.paper }),
      needs: Object.fromEntries(Object.entries(stage.needs).map(([port, { columns, needed, optional, table, when }]) => [port, { table: table.name, columns, optional, conditional: optional && needed === when }])),
      gives: Object.fromEntries(Object.entries({ ...stage.gives, ...stage.learns }).map(([port, table]) => [port, table.name])),
      parameters: properties,
      required
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
    for (const [port, { columns, conditional, optional, table }] of Object.entries(stage.needs)) console.log(`  needs ${port}${conditional ? " (with some parameters)" : optional ? " (optional)" : ""}: ${table} (${columns.join(", ")})`)
    for (const [port, table] of Object.entries(stage.gives)) console.log(`  gives ${port}: ${table}`)
    const rows = rowsOf({ properties: stage.parameters, required: stage.required })
    if (rows.length > 0) console.log(`\n${textTable(["parameter", "type", "default", ""], rows)}`)
  }
})
