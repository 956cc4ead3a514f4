/**
 * The Arrow types that a column of each kind may come in, whoever wrote it: any width, a dictionary, nothing but nulls. A type that would
 * have to be guessed at (a date in words, several labels in one text) is none of them.
 */
import { DataType } from "apache-arrow"
import type { Asset, ColumnKind, openKinds } from "./column.ts"

type Fits = (type: DataType) => boolean

const { isDate, isFixedSizeList, isFloat, isInt, isLargeList, isLargeUtf8, isList, isNull, isStruct, isTimestamp, isUtf8, isUtf8View } = DataType
/** One of some types, a dictionary of one, or nothing but nulls. */
const any = (...fits: ReadonlyArray<Fits>): Fits => (type) => isNull(type) || fits.some((fit) => fit(DataType.isDictionary(type) ? type.dictionary : type))
const lists = (item: Fits): Fits => any((type) => (isList(type) || isLargeList(type) || isFixedSizeList(type)) && item(type.children[0]!.type))

const integers = any(isInt), floats = any(isFloat), numbers = any(isInt, isFloat), vectors = lists(numbers)
/** Integers become their digits: many a sample is called by its number. */
const texts = any(isUtf8, isLargeUtf8, isUtf8View, isInt)
const ofAsset: Readonly<Record<keyof Asset, Fits>> = { band: texts, path: texts, digest: texts, index: integers, gsd: numbers }
const assets = lists(any((type) => isStruct(type) && Object.entries(ofAsset).every(([name, fits]) => type.children.some((field) => field.name === name && fits(field.type)))))

const kinds: Readonly<Record<ColumnKind, readonly [fits: Fits, words: string]>> = {
  text: [texts, "text (Utf8) or integers"],
  optionalText: [texts, "text (Utf8) or integers"],
  texts: [lists(texts), "lists of text (List<Utf8>)"],
  number: [numbers, "numbers (Float64)"],
  // whether each is whole is seen when it is read
  integer: [numbers, "integers (Int32)"],
  float: [numbers, "numbers (Float32)"],
  vectors: [vectors, "lists of numbers of one length (FixedSizeList<Float32>)"],
  floats: [vectors, "lists of numbers (List<Float32>)"],
  numbers: [vectors, "lists of numbers (List<Float64>)"],
  time: [any(isTimestamp, isDate), "points in time (Timestamp, Date)"],
  assets: [assets, "lists of structs with the fields band, path, digest (Utf8), index (Int32) and gsd (Float64)"]
}

/** What a column of a kind has to be, where a type is none of it; `undefined`: it fits. */
export const wanted = (kind: ColumnKind, type: DataType): string | undefined => {
  const [fits, words] = kinds[kind]
  return fits(type) ? undefined : words
}

/** The kind of an open column, by its type; `undefined`: it can be none. */
export const openKindOf = (type: DataType): (typeof openKinds)[number] | undefined =>
  isNull(type) ? undefined : integers(type) ? "integer" : floats(type) ? "float" : vectors(type) ? "vectors" : undefined
