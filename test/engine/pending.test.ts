import { describe, expect, it } from "vitest"
import { Pending, siblingsAtOnce } from "../../engine/pending.ts"

const item = (name: string, group?: string) => ({ name, group })
const namesOf = (pending: Pending<{ readonly name: string; readonly group: string | undefined }>) => {
  const names: Array<string> = []
  for (let next = pending.next(); next !== undefined; next = pending.next()) names.push(next.item.name)
  return names
}

describe("nodes that wait", () => {
  it("go upstream stages first, and in the order they came", () => {
    const pending = new Pending<ReturnType<typeof item>>(2)
    pending.add(1, item("probe"))
    pending.add(0, item("train 1"))
    pending.add(0, item("train 2"))
    expect(namesOf(pending)).toEqual(["train 1", "train 2", "probe"])
  })

  it("are taken with their siblings, wherever those stand; of other stages none", () => {
    const pending = new Pending<ReturnType<typeof item>>(2)
    for (const each of [item("a1", "a"), item("b1", "b"), item("alone"), item("a2", "a"), item("b2", "b"), item("a3", "a")]) pending.add(0, each)
    pending.add(1, item("other stage", "a"))
    const { item: first, sibling } = pending.next()!
    expect([first.name, sibling()?.name, sibling()?.name, sibling()]).toEqual(["a1", "a2", "a3", undefined])
    expect(namesOf(pending)).toEqual(["b1", "b2", "alone", "other stage"])
  })

  it("join their group when it was taken from, and make a new one when it is gone", () => {
    const pending = new Pending<ReturnType<typeof item>>(1)
    pending.add(0, item("a1", "a"))
    expect(pending.next()?.item.name).toBe("a1")
    pending.add(0, item("a2", "a"))
    expect(namesOf(pending)).toEqual(["a2"])
    pending.add(0, item("a3", "a"))
    expect(namesOf(pending)).toEqual(["a3"])
  })

  it("are tried again before the others of their stage", () => {
    const pending = new Pending<ReturnType<typeof item>>(1)
    for (let i = 0; i < 3000; i++) pending.add(0, item(String(i)))
    for (let i = 0; i < 2000; i++) pending.next()
    pending.again(0, item("again"))
    expect(namesOf(pending)).toEqual(["again", ...Array.from({ length: 1000 }, (_, i) => String(2000 + i))])
  })

  it("are taken in no time where there are many: nothing is searched or moved", () => {
    const begin = performance.now(), pending = new Pending<ReturnType<typeof item>>(1)
    for (let i = 0; i < 300_000; i++) pending.add(0, item("", i % 2 === 0 ? `group ${i % 1000}` : undefined))
    let taken = 0
    for (let next = pending.next(); next !== undefined; next = pending.next()) {
      for (taken++; next.sibling() !== undefined;) taken++
    }
    expect(taken).toBe(300_000)
    // With an array that is shifted and searched it takes a hundred times as long.
    expect(performance.now() - begin).toBeLessThan(10_000)
  })
})

describe("siblings in one call", () => {
  it("are as many as their copies of the training rows leave room for, but always one", () => {
    expect(siblingsAtOnce(8, 100, 1000)).toBe(8)
    expect(siblingsAtOnce(8, 300, 1000)).toBe(3)
    expect(siblingsAtOnce(8, 3000, 1000)).toBe(1)
    expect(siblingsAtOnce(8, 0)).toBe(8)
  })
})
