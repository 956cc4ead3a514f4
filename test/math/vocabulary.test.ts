import { describe, expect, it } from "vitest"
import { idsOf, vocabularyOf } from "../../math/vocabulary.ts"

describe("vocabularyOf", () => {
  it("orders distinct names by their UTF-8 bytes, and null is none", () => {
    expect(vocabularyOf(["horse", null, "cow", "Zebra", "horse", "äsche"])).toEqual(["Zebra", "cow", "horse", "äsche"])
    // U+FF5E comes before U+1F404 in UTF-8, and after its first half in UTF-16.
    expect(vocabularyOf(["\u{1f404}", "\uff5e"])).toEqual(["\uff5e", "\u{1f404}"])
  })
})

describe("idsOf", () => {
  it("is the place of a name, -1 for none and for names beyond the vocabulary", () => {
    expect(idsOf(["b", null, "a", "c"], ["a", "b"])).toEqual(Int32Array.of(1, -1, 0, -1))
  })
})
