/** The annotation columns that a training reads, and what they have to hold so that something is learned from them. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type OpenColumn, Stage } from "outcrop"

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

/** The columns that a training reads, by name, and how many classes those of ids have. */
export const readAnnotations = (name: string, annotations: Annotated | undefined, wanted: ReadonlyArray<string>) => {
  const open = annotations?.open ?? {}, classes = new Map<string, number>()
  const columns = Object.fromEntries(wanted.map((column) => {
    const values = open[column]
    if (values === undefined) throw new Stage.StageError({ message: `${name}: there is no annotation column ${column}; there are ${Object.keys(open).join(", ") || "none"}` })
    if (values instanceof Int32Array) classes.set(column, countOf(name, column, values, annotations?.metadata?.[column]))
    return [column, values] as const
  }))
  return {
    columns,
    /** For a head that tells the classes of a column apart. */
    classesOf: (column: string): number => {
      const count = classes.get(column)
      if (count === undefined) throw new Stage.StageError({ message: `${name}: the annotation column ${column} holds no class ids (int32)` })
      if (count < 2) throw new Stage.StageError({ message: `${name}: the annotation column ${column} has ${count === 0 ? "no classes" : "one class"}, and a head that tells classes apart needs two` })
      return count
    }
  }
}
