/**
 * One text for one meaning: the canonical form of a document that is to be hashed. It is JSON, so a key's pre-image can be read, with
 * everything that does not matter settled by rule:
 * keys in order of their UTF-16 units, strings in Unicode NFC, -0 as 0, keys whose value is undefined left out;
 * and everything that matters kept apart: 1 and "1", null and absent, NaN and infinities (which JSON lacks) as { "$number": "NaN" }.
 * A key of the user's that begins with "$" gets another "$", so nothing can pose as such a mark.
 */
import { hash } from "node:crypto"

export type Document = null | boolean | number | string | ReadonlyArray<Document> | { readonly [key: string]: Document | undefined }

const ascii = /^[ -~]*$/
const text = (value: string) => JSON.stringify(ascii.test(value) ? value : value.normalize("NFC"))

/** Names of keys are few and stand in every document: each is settled once. */
const names = new Map<string, string>()
const nameOf = (key: string): string => {
  let name = names.get(key)
  if (name === undefined) {
    name = key.normalize("NFC")
    if (name.startsWith("$")) name = `$${name}`
    if (names.size < 10_000) names.set(key, name)
  }
  return name
}

/** Texts of documents that stand in many others. */
const settled = new WeakMap<object, string>()

/** Remembers the canonical text of a document that will stand in many others and never changes. Returns it. */
export const settle = <D extends Document & object>(document: D): D => {
  settled.set(document, canonical(document))
  return document
}

/** The canonical text of a document. Throws on what a document cannot hold (functions, bigint, dates). */
export const canonical = (document: Document): string => {
  switch (typeof document) {
    case "string":
      return text(document)
    case "boolean":
      return document ? "true" : "false"
    case "number":
      return Number.isFinite(document) ? JSON.stringify(document === 0 ? 0 : document) : `{"$number":"${document}"}`
    case "object":
      break
    default:
      throw new TypeError(`a key cannot hold a ${typeof document}`)
  }
  if (document === null) return "null"
  const known = settled.get(document)
  if (known !== undefined) return known
  if (isList(document)) return `[${document.map(canonical).join(",")}]`
  if (Object.getPrototypeOf(document) !== Object.prototype && Object.getPrototypeOf(document) !== null) {
    throw new TypeError(`a key cannot hold a ${document.constructor.name}`)
  }
  const entries: Array<readonly [name: string, value: Document]> = []
  for (const key in document) {
    const value = document[key]
    if (value !== undefined) entries.push([nameOf(key), value])
  }
  entries.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0)
  let out = "{"
  for (const [name, value] of entries) out += `${out.length > 1 ? "," : ""}${JSON.stringify(name)}:${canonical(value)}`
  return `${out}}`
}

const isList = (document: object): document is ReadonlyArray<Document> => Array.isArray(document)

/**
 * SHA-256, hex, of a document under a domain ("key", "identity", ...): equal documents of different domains have different hashes.
 * The pre-image is the line `outcrop <domain> 1`, then the canonical text.
 */
export const digestOf = (domain: string, document: Document): string => hash("sha256", `outcrop ${domain} 1\n${canonical(document)}`, "hex")
