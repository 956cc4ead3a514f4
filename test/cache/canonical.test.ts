import fc from "fast-check"
import { readFileSync } from "node:fs"
import { hash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { canonical, digestOf, type Document, settle } from "../../cache/canonical.ts"

const text = fc.string({ unit: fc.constantFrom("a", "b", "$", "é", "e\u0301", "1", "\u{1F600}", "\"", "\\", "\u2028"), maxLength: 5 })
const document = fc.letrec<{ any: Document }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.integer({ min: -3, max: 3 }),
    fc.double(),
    text,
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(text.map((key) => key.normalize("NFC")), tie("any"), { maxKeys: 4, noNullPrototype: true })
  )
})).any

const isList = (value: object): value is ReadonlyArray<Document> => Array.isArray(value)
/** Whether two documents mean the same; written apart from the code under test. */
const same = (a: Document | undefined, b: Document | undefined): boolean => {
  if (typeof a === "number" && typeof b === "number") return a === b || (Number.isNaN(a) && Number.isNaN(b))
  if (typeof a === "string" && typeof b === "string") return a.normalize("NFC") === b.normalize("NFC")
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b
  if (isList(a) || isList(b)) return isList(a) && isList(b) && a.length === b.length && a.every((item, i) => same(item, b[i]))
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]))
}
/** The same document with the keys of its mappings in another order. */
const reordered = (value: Document): Document => {
  if (typeof value !== "object" || value === null) return value
  if (isList(value)) return value.map(reordered)
  return Object.fromEntries(Object.entries(value).toReversed().map(([key, item]) => [key, item === undefined ? undefined : reordered(item)]))
}

describe("what does not matter does not show", () => {
  it("the order of keys", () => {
    fc.assert(fc.property(document, (value) => {
      expect(canonical(reordered(value))).toBe(canonical(value))
    }))
  })

  it.each<readonly [string, Document, Document]>([
    ["the order of keys, within", { a: { x: 1, y: 2 }, b: 3 }, { b: 3, a: { y: 2, x: 1 } }],
    ["the unicode normal form of a value", ["caf\u00e9"], ["cafe\u0301"]],
    ["the unicode normal form of a key", { "caf\u00e9": 1 }, { "cafe\u0301": 1 }],
    ["the sign of zero", [-0], [0]],
    ["1 and 1.0", [1], [1.0]],
    ["how a number was written", [0.1], [1e-1]],
    ["a key that is undefined", { a: 1, b: undefined }, { a: 1 }],
    ["the bits of a NaN", [Number.NaN], [new Float64Array(BigInt64Array.of(0x7ff8000000000001n).buffer)[0]!]]
  ])("%s", (_, a, b) => {
    expect(canonical(a)).toBe(canonical(b))
  })
})

describe("what matters is kept apart", () => {
  it("different documents have different texts, equal ones the same", () => {
    fc.assert(fc.property(document, document, (a, b) => {
      expect(canonical(a) === canonical(b)).toBe(same(a, b))
    }), { numRuns: 2000 })
  })

  it.each<readonly [string, Document, Document]>([
    ["1 and \"1\" (Hamilton hashed str(x))", 1, "1"],
    ["true and \"true\"", true, "true"],
    ["null and absent", { a: null }, {}],
    ["null and \"null\"", null, "null"],
    ["NaN and \"NaN\"", Number.NaN, "NaN"],
    ["infinity and its negative", Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ["NaN and a mapping that poses as it", Number.NaN, { $number: "NaN" }],
    ["a key $x and a key $$x", { $x: 1 }, { $$x: 1 }],
    ["the order of a list (Snakemake hashed a set)", [0.1, 0.2], [0.2, 0.1]],
    ["two parameters whose values were swapped", { lr: 0.1, margin: 0.2 }, { lr: 0.2, margin: 0.1 }],
    ["a list and a mapping by number", ["x"], { 0: "x" }],
    ["nesting", [[1], 2], [1, [2]]],
    ["neighbouring doubles", 0.1, 0.1 + Number.EPSILON / 8]
  ])("%s", (_, a, b) => {
    expect(canonical(a)).not.toBe(canonical(b))
  })

  it("the same document under another domain has another hash", () => {
    expect(digestOf("key", { a: 1 })).not.toBe(digestOf("identity", { a: 1 }))
  })

  it("what a key cannot hold is refused, not hashed as nothing", () => {
    for (const bad of [1n, () => 1, new Date(0), new Map([["a", 1]]), [undefined]]) expect(() => canonical(bad as unknown as Document)).toThrow(TypeError)
  })
})

describe("the text", () => {
  it("is JSON that a person can read back", () => {
    fc.assert(fc.property(document, (value) => {
      expect(() => JSON.parse(canonical(value)) as unknown).not.toThrow()
    }))
  })

  it("of a settled document is the same inside others", () => {
    const inner = settle({ b: 1, a: [Number.NaN] })
    expect(canonical({ inner, $x: inner })).toBe(canonical({ inner: { a: [Number.NaN], b: 1 }, $x: { a: [Number.NaN], b: 1 } }))
  })
})

interface Golden {
  readonly what: string
  readonly domain: string
  readonly document: Document
  readonly canonical: string
  readonly digest: string
}

describe("keys do not change from version to version", () => {
  const golden = JSON.parse(readFileSync(new URL("../golden/keys.json", import.meta.url), "utf8")) as ReadonlyArray<Golden>
  it.each(golden.map((each) => [each.what, each] as const))("%s", (_, { canonical: text, digest, document, domain }) => {
    expect(canonical(document)).toBe(text)
    expect(digestOf(domain, document)).toBe(digest)
    expect(hash("sha256", `outcrop ${domain} 1\n${text}`, "hex"), "the hash is of the pre-image as printed").toBe(digest)
  })
})
