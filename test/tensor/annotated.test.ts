import { describe, expect, it } from "vitest"
import { readAnnotations } from "../../tensor/annotated.ts"

const open = { class: Int32Array.of(0, -1, 2), score: Float32Array.of(0.5, Number.NaN, 1), labels: { width: 2, values: Float32Array.of(1, 0, 0, 0, 0, 1) } }
const read = (names: string | undefined, column = "class") => readAnnotations("train/test", { open, ...(names === undefined ? {} : { metadata: { [column]: names } }) }, Object.keys(open))

describe("names of classes", () => {
  it("count the classes; without names the highest id does", () => {
    expect(read(`["a", "b", "c", "d"]`).classesOf("class")).toBe(4)
    expect(read(undefined).classesOf("class")).toBe(3)
  })
  it("that are fewer than the ids are told, with the column, the id and how many there are", () => {
    expect(() => read(`["a", "b"]`)).toThrow("train/test: the annotation column class has the class id 2, but its metadata has 2 names of classes (the first is of id 0); name every class, or none")
    expect(() => read(`["a"]`)).toThrow("its metadata has one name of classes")
  })
  it.each(["{}", "a, b, c", "[1, 2, 3]"])("that are no list of texts are told: %s", (names) => {
    expect(() => read(names)).toThrow(`train/test: the metadata of the annotation column class is no JSON list of the names of its classes: ${names}`)
  })
  it("are asked of columns of ids only", () => expect(read("deg C", "score").columns).toEqual(open))
})

describe("a head that tells classes apart", () => {
  it("needs ids, and two classes", () => {
    expect(() => read(undefined).classesOf("score")).toThrow("train/test: the annotation column score holds no class ids (int32)")
    expect(() => readAnnotations("train/test", { open: { class: new Int32Array(3) } }, ["class"]).classesOf("class")).toThrow("has one class, and a head that tells classes apart needs two")
  })
})

it("a column that is not there is told with those that are", () => {
  expect(() => readAnnotations("train/test", { open }, ["klass"])).toThrow("train/test: there is no annotation column klass; there are class, score, labels")
})
