/**
 * The part of JSON Schema 2020-12 that OpenLineage's schemas use. A keyword that is not known here is an error, so that nothing goes
 * unchecked in silence.
 */
import * as fs from "node:fs"

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }
type Mapping = { readonly [key: string]: Json }

const isMapping = (value: Json | undefined): value is Mapping => typeof value === "object" && value !== null && !Array.isArray(value)
const typeOf = (value: Json) => value === null ? "null" : Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value
const formats: Readonly<Record<string, RegExp>> = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  uri: /^[a-z][a-z0-9+.-]*:[^\s<>"{}|\\^`]+$/i,
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
}
const silent = new Set(["$schema", "$id", "$defs", "description", "example"])

export class Schemas {
  readonly #documents = new Map<string, Mapping>()

  /** Every schema in a folder, by its `$id`. */
  constructor(folder: URL) {
    for (const name of fs.readdirSync(folder)) {
      const document = JSON.parse(fs.readFileSync(new URL(name, folder), "utf8")) as Mapping
      this.#documents.set(String(document["$id"]), document)
    }
  }

  #at(url: string, base: string): { readonly schema: Json; readonly base: string } {
    const [document, pointer = ""] = url.split("#"), own = document === "" ? base : document!
    let schema: Json | undefined = this.#documents.get(own)
    for (const step of pointer.split("/").slice(1)) schema = isMapping(schema) ? schema[step] : undefined
    if (schema === undefined) throw new Error(`there is no schema ${url}`)
    return { schema, base: own }
  }

  /** What is wrong with a value under the schema of a URL; empty: nothing. */
  mistakes(url: string, value: Json): Array<string> {
    const { base, schema } = this.#at(url, "")
    return this.#check(schema, value, base, "$")
  }

  #check(schema: Json, value: Json, base: string, path: string): Array<string> {
    if (typeof schema === "boolean") return schema ? [] : [`${path} may not be there`]
    if (!isMapping(schema)) throw new Error(`${path} has no schema`)
    const mistakes: Array<string> = []
    const list = (keyword: string) => schema[keyword] as ReadonlyArray<Json>
    for (const [keyword, wanted] of Object.entries(schema)) {
      if (silent.has(keyword)) continue
      switch (keyword) {
        case "$ref": {
          const found = this.#at(String(wanted), base)
          mistakes.push(...this.#check(found.schema, value, found.base, path))
          break
        }
        case "type":
          if (wanted !== typeOf(value) && !(wanted === "number" && typeOf(value) === "integer")) mistakes.push(`${path} is ${typeOf(value)}, not ${String(wanted)}`)
          break
        case "properties":
          if (isMapping(value) && isMapping(wanted)) for (const [name, inner] of Object.entries(wanted)) if (name in value) mistakes.push(...this.#check(inner, value[name]!, base, `${path}.${name}`))
          break
        case "additionalProperties": {
          const known = isMapping(schema["properties"]) ? schema["properties"] : {}
          if (isMapping(value)) for (const [name, inner] of Object.entries(value)) if (!(name in known)) mistakes.push(...this.#check(wanted, inner, base, `${path}.${name}`))
          break
        }
        case "required":
          if (isMapping(value)) for (const name of list(keyword)) if (!(String(name) in value)) mistakes.push(`${path}.${String(name)} is missing`)
          break
        case "items":
          if (Array.isArray(value)) (value as ReadonlyArray<Json>).forEach((item, i) => mistakes.push(...this.#check(wanted, item, base, `${path}[${i}]`)))
          break
        case "enum":
          if (!list(keyword).includes(value)) mistakes.push(`${path} is none of ${list(keyword).join(", ")}`)
          break
        case "minimum":
          if (typeof value === "number" && value < Number(wanted)) mistakes.push(`${path} is below ${Number(wanted)}`)
          break
        case "format": {
          const pattern = formats[String(wanted)]
          if (pattern === undefined) throw new Error(`the format ${String(wanted)} is not checked here`)
          if (typeof value === "string" && !pattern.test(value)) mistakes.push(`${path} is no ${String(wanted)}: ${value}`)
          break
        }
        case "allOf":
          for (const inner of list(keyword)) mistakes.push(...this.#check(inner, value, base, path))
          break
        case "anyOf":
        case "oneOf": {
          const each = list(keyword).map((inner) => this.#check(inner, value, base, path))
          const fits = each.filter((found) => found.length === 0).length
          if (fits === 0) mistakes.push(`${path} fits none of ${keyword}: ${each.flat().join("; ")}`)
          if (keyword === "oneOf" && fits > 1) mistakes.push(`${path} fits ${fits} of oneOf`)
          break
        }
        case "not":
          if (this.#check(wanted, value, base, path).length === 0) mistakes.push(`${path} fits what it must not`)
          break
        default:
          throw new Error(`the keyword ${keyword} is not checked here`)
      }
    }
    return mistakes
  }
}
