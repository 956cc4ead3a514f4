import { describe, expect, it } from "vitest"
import { suggest } from "../../schemas/spelling.ts"

describe("suggest", () => {
  it("names the nearest word, whatever its case, and nothing where none is near", () => {
    expect(suggest("pasture", ["Forest", "Pastures", "Water"])).toBe(" (did you mean \"Pastures\"?)")
    expect(suggest("tree", ["grass", "trees"])).toBe(" (did you mean \"trees\"?)")
    expect(suggest("volcano", ["Forest", "Pastures", "Water"])).toBe("")
    expect(suggest("x", ["y"]), "no letter of it").toBe("")
    expect(suggest("x", [])).toBe("")
  })
})
