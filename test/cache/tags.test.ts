import * as fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import { isTagName, putTag, tagAt, tags } from "../../cache/tags.ts"
import { documentPath, flip, fresh, removeAll } from "./contents.ts"

afterAll(removeAll)
const tagOf = (name: string) => ({ name, made: "2026-01-02T03:04:05.000Z", asked: ["tag", name], graph: "ab", keys: ["cd"] })

describe("a tag", () => {
  it("is read back as it was written, and listed by name", () => {
    const { close, store } = fresh()
    for (const name of ["v2", "a", "paper_1.0-final"]) putTag(store, tagOf(name))
    expect(tagAt(store, "a")).toEqual({ version: 1, ...tagOf("a") })
    expect(tags(store)).toEqual({ tags: ["a", "paper_1.0-final", "v2"].map((name) => ({ version: 1, ...tagOf(name) })), unreadable: [] })
    expect(tagAt(store, "b")).toBeUndefined()
    close()
  })

  it("that is damaged is told apart from one that is not there", () => {
    const cache = fresh()
    putTag(cache.store, tagOf("v2"))
    flip(documentPath(cache, "tags", "v2"))
    expect(tags(cache.store)).toEqual({ tags: [], unreadable: ["v2"] })
    cache.close()
  })

  it("has a name that is safe as a file's name, whatever one tries", () => {
    for (const name of ["", ".", "..", "../x", "a/b", "-rf", "a b", "é", "x".repeat(101), "a\u0000"]) expect(isTagName(name), name).toBe(false)
    fc.assert(fc.property(fc.string(), (name) => !isTagName(name) || /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)))
  })
})
