import { describe, expect, it } from "vitest"
import { readAnnotations } from "../../tensor/annotated.ts"

const open = { class: Int32Array.of(0, -1, 2), score: Float32Array.of(0.5, Number.NaN, 1), labels: { width: 2, values: Float32Array.of(1, 0, 0, 0, 0, 1) } }
const reading = (annotations: Parameters<typeof readAnnotations>[1], columns: ReadonlyArray<string>, compared: ReadonlyArray<string> = [], train = Int32Array.of(0, 1, 2)) =>
  readAnnotations("train/test", annotations, { columns, compared }, train)
const read = (names: string | undefined, column = "class") => reading({ open, ...(names === undefined ? {} : { metadata: { [column]: names } }) }, Object.keys(open))

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
    expect(() => read(undefined).classesOf("score")).toThrow("train/test: the annotation column score holds no class ids (int32); class does")
    expect(() => reading({ open: { class: new Int32Array(3) } }, ["class"]).classesOf("class")).toThrow("has one class, and a head that tells classes apart needs two")
  })
})

it("a column that is not there is told with those that are", () => {
  expect(() => reading({ open }, ["klass"])).toThrow("train/test: there is no annotation column klass; there are class, score, labels")
})

describe("training rows that teach nothing", () => {
  it("a column without a label or a finite value in them is told, whatever other rows have", () => {
    const last = { class: Int32Array.of(-1, -1, 2), score: Float32Array.of(Number.NaN, Infinity, 1), labels: { width: 2, values: Float32Array.of(NaN, NaN, NaN, NaN, 0, 1) } }
    const on = (column: string, ...rows: ReadonlyArray<number>) => () => reading({ open: last }, [column], [], Int32Array.from(rows))
    expect(on("class", 0, 1)).toThrow("train/test: the annotation column class has no label (all are -1) in the training rows (2), so nothing can be learned from it")
    for (const column of ["score", "labels"]) expect(on(column, 0, 1)).toThrow(`train/test: the annotation column ${column} has no finite value in the training rows (2)`)
    for (const column of ["class", "score", "labels"]) expect(on(column, 0, 2)).not.toThrow()
  })
  it("classes of which no triplet can be made are told, where the loss compares by them", () => {
    const on = (...ids: ReadonlyArray<number>) => () => reading({ open: { class: Int32Array.from(ids) } }, ["class"], ["class"], Int32Array.from(ids.keys()))
    expect(on(1, 1, -1)).toThrow("train/test: no triplet can be made of the training rows by the annotation column class, as all that have a label are of one class: that takes two samples of a class and one of another")
    expect(on(0, 1, 2, -1)).toThrow("as no two are of one class")
    expect(on(0, 1, 1)).not.toThrow()
  })
  it("a column of other values where classes are compared is told with those that have classes, handed over or not", () => {
    const on = (metadata: Readonly<Record<string, string>>) => () => reading({ open: { labels: open.labels }, metadata }, ["labels"], ["labels"])
    expect(on({ labels: "[]", dominant: "[]", class: "[]" })).toThrow(/^train\/test: the annotation column labels holds no class ids \(int32\); class, dominant do$/)
    expect(on({})).toThrow(/^train\/test: the annotation column labels holds no class ids \(int32\)$/)
  })
})
