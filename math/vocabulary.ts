/** Class names and their ids. A class's id is its place in the vocabulary, so equal sets of names give equal ids everywhere. */
import { compareText } from "../schemas/table.ts"

/** The distinct names in order of their UTF-8 bytes; null is no name. */
export const vocabularyOf = (names: Iterable<string | null>): ReadonlyArray<string> =>
  [...new Set(names)].filter((name) => name !== null).toSorted(compareText)

/** The id of each name, -1 where it is null or not in the vocabulary. */
export const idsOf = (names: Iterable<string | null>, vocabulary: ReadonlyArray<string>): Int32Array => {
  const ids = new Map<string | null, number>(vocabulary.map((name, id) => [name, id]))
  return Int32Array.from(names, (name) => ids.get(name) ?? -1)
}
