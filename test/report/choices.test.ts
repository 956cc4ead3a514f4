import { expect, it } from "vitest"
import { choicesNote } from "../../report/choices.ts"
import { result } from "./result.ts"

const choice = (method: string) => ({ of: { method }, settings: ["top", "more"], count: 24, examples: [], cells: new Set([0]) })
const row = (top: string, more: string) => result({ method: "a", top, more }, "accuracy", [0.5])

it("a table says once that the best of several settings is chosen by test, where they are rows of it", () => {
  const rows = [row("0.3", "0.1"), row("0.4", "0.2")], note = "rows that differ only in top and more: whoever takes the best of them takes the best of 24 on test; outcrop audit says how to choose"
  expect(choicesNote([choice("a"), choice("b")], "test", rows)).toEqual([note])
  expect(choicesNote([choice("a")], "val", rows)).toEqual([])
  expect(choicesNote([choice("a")], "test", [result({ method: "a" }, "accuracy", [0.5])])).toEqual([])
  expect(choicesNote([], "test", rows)).toEqual([])
})
