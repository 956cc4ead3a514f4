/**
 * One text for one meaning: the canonical form of a document that is to be hashed. It is JSON, so a key's pre-image can be read, with
 * everything that does not matter settled by rule:
 * keys in order of their UTF-16 units, strings in Unicode NFC, -0 as 0, keys whose value is undefined left out;
 * and everything that matters kept apart: 1 and "1", null and absent, NaN and infinities (which JSON lacks) as { "$number": "NaN" }.
 * A key of the user's that begins with "$" gets another "$", so nothing can pose as such a mark.
 */
import { hash } from "node:crypto"

export type Document = null | boolean | number | string | ReadonlyArray<Document> | { readonly [key: string]: Document | undefined }

const text = (value: string) => JSON.stringify(value.normalize("NFC"))

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
  if (isList(document)) return `[${document.map(canonical).join(",")}]`
  if (Object.getPrototypeOf(document) !== Object.prototype && Object.getPrototypeOf(document) !== null) {
    throw new TypeError(`a key cannot hold a ${document.constructor.name}`)
  }
  const entries = Object.entries(document).flatMap(([key, value]) => {
    const name = key.normalize("NFC")
    return value === undefined ? [] : [[name.startsWith("$") ? `$${name}` : name, value] as const]
  })
  entries.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0)
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${canonical(value)}`).join(",")}}`
}

const isList = (document: object): document is ReadonlyArray<Document> => Array.isArray(document)

/**
 * SHA-256, hex, of a document under a domain ("key", "identity", ...): equal documents of different domains have different hashes.
 * The pre-image is the line `outcrop <domain> 1`, then the canonical text.
 */
export const digestOf = (domain: string, document: Document): string => hash("sha256", `outcrop ${domain} 1\n${canonical(document)}`, "hex")
