import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { diffCode, diffLines } from "../../lineage/code-diff.ts"

/** Applies a unified diff, checking every line that it says is there. */
const patched = (before: string, lines: ReadonlyArray<string>): string => {
  const from = before.split("\n"), out: Array<string> = []
  let at = 0
  for (const line of lines) {
    const head = /^@@ -(\d+),\d+ \+(\d+),\d+ @@$/.exec(line)
    if (head !== null) {
      while (at < Number(head[1]) - 1) out.push(from[at++]!)
      expect(out.length, "the line numbers of the new text").toBe(Number(head[2]) - 1)
      continue
    }
    if (line.startsWith("+")) out.push(line.slice(1))
    else {
      expect(from[at]).toBe(line.slice(1))
      if (line.startsWith(" ")) out.push(line.slice(1))
      at++
    }
  }
  return [...out, ...from.slice(at)].join("\n")
}

/** Length of the longest common subsequence, by the textbook's table. */
const common = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): number => {
  let row = Array.from({ length: b.length + 1 }, () => 0)
  for (const x of a) {
    const next = [0]
    b.forEach((y, j) => next.push(x === y ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!)))
    row = next
  }
  return row.at(-1)!
}

describe("diffLines", () => {
  it("shows the lines that changed between three lines that did not", () => {
    const before = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"].join("\n")
    expect(diffLines(before, before.replace("5", "five"))).toEqual({ added: 1, removed: 1, lines: ["@@ -2,7 +2,7 @@", " 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8"] })
  })

  it("shows changes that lie apart as pieces of their own", () => {
    const before = Array.from({ length: 30 }, (_, i) => String(i)).join("\n")
    const { lines } = diffLines(before, before.replace("\n3\n", "\n").replace("\n25\n", "\n25\nx\n"))
    expect(lines.filter((line) => line.startsWith("@@"))).toEqual(["@@ -1,7 +1,6 @@", "@@ -24,6 +23,7 @@"])
  })

  it("is nothing for equal texts", () => {
    expect(diffLines("a\nb", "a\nb")).toEqual({ added: 0, removed: 0, lines: [] })
  })

  it("turns one text into the other, by as few lines as can be", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 25 })
    fc.assert(fc.property(text, text, (a, b) => {
      const { added, lines, removed } = diffLines(a.join("\n"), b.join("\n"))
      expect(patched(a.join("\n"), lines)).toBe(b.join("\n"))
      expect(added + removed).toBe(a.length + b.length - 2 * common(a, b))
    }), { numRuns: 300 })
  })

  it("takes texts that have nothing in common for changed whole, without searching for long", () => {
    const a = Array.from({ length: 8000 }, (_, i) => `a${i}`), b = Array.from({ length: 8000 }, (_, i) => `b${i}`)
    expect(diffLines(["head", ...a, "tail"].join("\n"), ["head", ...b, "tail"].join("\n"))).toMatchObject({ added: 8000, removed: 8000 })
  })
})

describe("diffCode", () => {
  it("lays closures out before it compares them", async () => {
    const { lines } = await diffCode("const a=1;function f(x){return x*2}export{f as default};", "const a=1;function f(x){return x*3}export{f as default};")
    expect(lines.filter((line) => /^[-+]/.test(line))).toEqual(["-  return x * 2;", "+  return x * 3;"])
  })
})
