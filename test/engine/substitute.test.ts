import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Column } from "../../engine/axes.ts"
import { type Assignment, originOf, references, substitute, UnknownReference } from "../../engine/substitute.ts"

const column = (name: string, value: unknown, label = "v"): Column => ({ name, replicate: false, labels: [label], values: [value], paths: [["axes", name, label]] })
const columns = [
  column("top", 0.3, "0.3"),
  column("method", { uses: "train/triplet", with: { select: { top: "$top", more: 0.1 }, name: "tg-${top}" } }, "tg"),
  column("base", { uses: "train/none" }, "base"),
  column("list", [1, "$top"]),
  column("word", "a$b"),
  column("flag", false),
  column("nothing", null),
  column("round", "$about"),
  column("about", "$round"),
  column("absent", 1)
]
const at: Assignment = { columns, codes: Int32Array.from(columns, ({ name }) => name === "absent" ? -1 : 0) }
const replaced = (value: unknown) => substitute(value, at, ["stages", "train", "with"])
const error = (value: unknown): UnknownReference => {
  try {
    replaced(value)
  } catch (cause) {
    if (cause instanceof UnknownReference) return cause
    throw cause
  }
  throw new Error("it leads somewhere")
}

describe("$axis", () => {
  it.each<readonly [string, unknown, unknown]>([
    ["as a whole value keeps its type: a number", "$top", 0.3],
    ["a boolean", "$flag", false],
    ["null", "$nothing", null],
    ["a list, with references in it", "$list", [1, 0.3]],
    ["a mapping, with references in it", "$method.with", { select: { top: 0.3, more: 0.1 }, name: "tg-0.3" }],
    ["a path leads into the value", "$method.with.select.more", 0.1],
    ["an absent .with is {}", "$base.with", {}],
    ["inside lists and mappings", { a: ["$top", { b: "$top" }] }, { a: [0.3, { b: 0.3 }] }],
    ["${axis} stands inside text", "k=${top}!", "k=0.3!"],
    ["${axis} as a whole value is text", "${top}", "0.3"],
    ["${axis.path} too", "${method.uses}/x", "train/triplet/x"],
    ["$$ is a dollar", "$$top", "$top"],
    ["inside text too", "cost: 5$$ ${top}", "cost: 5$ 0.3"],
    ["a bare $ is itself", "5 $ or $top more", "5 $ or $top more"],
    ["a value of an axis with a bare $", "$word", "a$b"],
    ["a name in upper case is no axis", "$Top", "$Top"],
    ["numbers and booleans are left as they are", { n: 1, b: true }, { n: 1, b: true }]
  ])("%s", (_, value, expected) => {
    expect(replaced(value)).toEqual(expected)
  })

  it("text without a dollar is never changed", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }).filter((text) => !text.includes("$")), (text) => {
      expect(replaced(text)).toBe(text)
    }))
  })

  it("what $$ writes is what the text was", () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom("$", "{", "}", "top", ".", " ") }), (text) => {
      expect(replaced(`${text.replaceAll("$", "$$$$")} `)).toBe(`${text} `)
    }))
  })
})

describe("a reference that leads nowhere", () => {
  it("to no axis suggests the near one, and how to write the text itself", () => {
    expect(error({ select: "$tpo" })).toMatchObject({ path: ["stages", "train", "with", "select"], message: "there is no axis \"tpo\" (did you mean \"top\"?); write $$tpo for the text itself" })
  })

  it("to no key of a value suggests the near one", () => {
    expect(error("$method.wiht.select").message).toMatch(/^\$method\.wiht\.select leads nowhere: the value tg of "method" has no "wiht" \(did you mean "with"\?\)/)
  })

  it("to an axis that this cell does not have names the cell", () => {
    expect(error("$absent").message).toMatch(/^the axis "absent" has no value in the cell top=0\.3 method=tg/)
  })

  it("a mapping inside text", () => {
    expect(error("x ${method.with}").message).toMatch(/stands inside a text, but its value is not a text or number: write it as a whole value \(\$method\.with\)/)
  })

  it("in a circle", () => {
    expect(error("$round").message).toBe("the references go in a circle")
  })
})

describe("what a value depends on", () => {
  const names = (value: unknown) => [...references(value, columns)].map((i) => columns[i]!.name).toSorted()
  it("is found through the values of axes", () => {
    expect(names({ a: "$method.with" })).toEqual(["method", "top"])
    expect(names("x ${list}")).toEqual(["list", "top"])
    expect(names("$$top $ {top} $top-s")).toEqual([])
    expect(names("$round")).toEqual(["about", "round"])
  })
})

describe("where a part of a value was written", () => {
  it("is followed to the axis", () => {
    expect(originOf("$method.with", at, ["stages", "train", "with"], ["select", "top"])).toEqual(["axes", "top", "0.3"])
    expect(originOf("$method.with", at, ["stages", "train", "with"], ["select", "more"])).toEqual(["axes", "method", "tg", "with", "select", "more"])
    expect(originOf({ k: 1 }, at, ["stages", "train", "with"], ["k"])).toEqual(["stages", "train", "with", "k"])
  })
})
