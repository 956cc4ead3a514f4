/** The annotation columns that a training reads, and what they have to hold so that something is learned from them. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type OpenColumn, Stage, vectorAt } from "outcrop"

/** The table of annotations, as a training reads it. */
export interface Annotated {
  readonly open: Readonly<Record<string, OpenColumn>>
  readonly metadata?: Readonly<Record<string, string>>
}

const decodeNames = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Array(Schema.String)))

/** How many classes a column of ids has: as many as its metadata names, or by its highest id. Throws where those two contradict. */
const countOf = (name: string, column: string, ids: Int32Array, named: string | undefined): number => {
  const highest = ids.reduce((most, id) => Math.max(most, id), -1)
  if (named === undefined) return highest + 1
  const names = Option.getOrUndefined(decodeNames(named))
  if (names === undefined) throw new Stage.StageError({ message: `${name}: the metadata of the annotation column ${column} is no JSON list of the names of its classes: ${named.length > 60 ? `${named.slice(0, 60)}...` : named}` })
  if (highest >= names.length) {
    throw new Stage.StageError({ message: `${name}: the annotation column ${column} has the class id ${highest}, but its metadata has ${names.length === 1 ? "one name" : `${names.length} names`} of classes (the first is of id 0); name every class, or none` })
  }
  return names.length
}

/** Where class ids are asked for and others given: those that are there. Not all columns are handed to a training, but the names of all classes are. */
const noIds = (name: string, column: string, { metadata = {}, open }: Annotated): Stage.StageError => {
  const others = [...Object.keys(open).filter((other) => open[other] instanceof Int32Array), ...Object.keys(metadata).filter((other) => !(other in open))]
  return new Stage.StageError({ message: `${name}: the annotation column ${column} holds no class ids (int32)${others.length === 0 ? "" : `; ${others.toSorted().join(", ")} ${others.length === 1 ? "does" : "do"}`}` })
}

/** Whether a row has a label or a value that is a number. */
const has = (values: OpenColumn, row: number): boolean =>
  values instanceof Int32Array ? values[row]! >= 0 : "width" in values ? vectorAt(values, row).some(Number.isFinite) : Number.isFinite(values[row])

/** Throws where no row has both another row of its class and one of another class. */
const compare = (name: string, column: string, ids: Int32Array, train: Int32Array): void => {
  const rows = new Map<number, number>()
  for (const row of train) if (ids[row]! >= 0) rows.set(ids[row]!, (rows.get(ids[row]!) ?? 0) + 1)
  if (rows.size > 1 && Math.max(...rows.values()) > 1) return
  throw new Stage.StageError({ message: `${name}: no triplet can be made of the training rows by the annotation column ${column}, as ${rows.size === 1 ? "all that have a label are of one class" : "no two are of one class"}: that takes two samples of a class and one of another` })
}

/** What a loss asks of the annotations: columns, and those among them by whose classes it tells positives from negatives. */
export interface Columns {
  readonly columns: ReadonlyArray<string>
  readonly compared: ReadonlyArray<string>
}

/** The columns that a training reads, by name, and how many classes those of ids have. Throws where the training rows have nothing to learn from in one of them. */
export const readAnnotations = (name: string, annotations: Annotated = { open: {} }, { columns: wanted, compared }: Columns, train: Int32Array) => {
  const { metadata, open } = annotations, classes = new Map<string, number>()
  const columns = Object.fromEntries(wanted.map((column) => {
    const values = open[column]
    if (values === undefined) throw new Stage.StageError({ message: `${name}: there is no annotation column ${column}; there are ${Object.keys(open).join(", ") || "none"}` })
    if (values instanceof Int32Array) classes.set(column, countOf(name, column, values, metadata?.[column]))
    if (!train.some((row) => has(values, row))) throw new Stage.StageError({ message: `${name}: the annotation column ${column} has ${values instanceof Int32Array ? "no label (all are -1)" : "no finite value"} in the training rows (${train.length}), so nothing can be learned from it` })
    return [column, values] as const
  }))
  for (const column of compared) {
    const ids = columns[column]
    if (!(ids instanceof Int32Array)) throw noIds(name, column, annotations)
    compare(name, column, ids, train)
  }
  return {
    columns,
    /** For a head that tells the classes of a column apart. */
    classesOf: (column: string): number => {
      const count = classes.get(column)
      if (count === undefined) throw noIds(name, column, annotations)
      if (count < 2) throw new Stage.StageError({ message: `${name}: the annotation column ${column} has ${count === 0 ? "no classes" : "one class"}, and a head that tells classes apart needs two` })
      return count
    }
  }
}
