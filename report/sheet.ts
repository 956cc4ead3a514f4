/** A table as it is shown: columns that may stand under a common head, fields of which some are marked, and notes below. Formats render it. */
import type { Mark } from "./compare.ts"
import { style, textTable, widthOf } from "./terminal.ts"

export interface SheetColumn {
  readonly name: string
  /** What neighbouring columns have in common, written once above them. */
  readonly over?: string
  /** Numbers stand on the right, with room for a mark. */
  readonly number?: boolean
}
export interface Field {
  readonly text: string
  readonly mark?: Mark | undefined
}
export interface Sheet {
  readonly title?: string
  readonly columns: ReadonlyArray<SheetColumn>
  readonly rows: ReadonlyArray<ReadonlyArray<Field>>
  /** What the numbers are, a line each. */
  readonly notes: ReadonlyArray<string>
}

const marked = ({ mark, text }: Field, column: SheetColumn) =>
  column.number !== true ? text : mark === "best" ? style("green", `${text} *`) : mark === "shared" ? `${text} =` : `${text}  `

/** Text in one line: names of the user's may hold breaks. */
export const oneLine = (text: string): string => text.replaceAll(/\s*[\r\n]\s*/g, " ")

/** Places of columns by the common head that they stand under; those without one are by themselves. */
const groupsOf = (columns: ReadonlyArray<SheetColumn>): ReadonlyArray<ReadonlyArray<number>> => {
  const groups: Array<Array<number>> = []
  for (const [c, { over }] of columns.entries()) {
    if (over !== undefined && over === columns[c - 1]?.over) groups.at(-1)!.push(c)
    else groups.push([c])
  }
  return groups
}

/**
 * Text of a sheet for a terminal; a column of numbers in which nothing is marked needs no room for marks. Where it is wider than `width`,
 * the groups of columns that have a common head stand below each other, with the other columns beside each.
 */
export const sheetText = ({ columns, notes, rows, title }: Sheet, width = process.stdout.columns || 120): string => {
  const wide = columns.map((column, c) => column.number === true && rows.some((row) => row[c]?.mark !== undefined))
  const headers = columns.map(({ name, number }, c) => `${number === true ? ">" : ""}${oneLine(name)}${wide[c] === true ? "  " : ""}`)
  const text = rows.map((row) => row.map((field, c) => oneLine(wide[c] === true ? marked(field, columns[c]!) : field.text)))
  const table = (chosen: ReadonlyArray<number>) => textTable(chosen.map((c) => headers[c]!), text.map((row) => chosen.map((c) => row[c]!)), chosen.map((c) => columns[c]!.over ?? ""))
  const groups = groupsOf(columns), headed = groups.filter(([c]) => columns[c!]!.over !== undefined)
  const beside = (shown: ReadonlyArray<ReadonlyArray<number>>) => groups.filter((group) => shown.includes(group) || !headed.includes(group)).flat()
  const fits = (shown: ReadonlyArray<ReadonlyArray<number>>) => table(beside(shown)).split("\n").every((line) => widthOf(line) <= width)
  const parts = fits(headed) ? [headed] : headed.reduce<Array<Array<ReadonlyArray<number>>>>((all, group) => {
    const last = all.at(-1)
    if (last !== undefined && fits([...last, group])) last.push(group)
    else all.push([group])
    return all
  }, [])
  const tables = parts.length === 0 ? [table([...columns.keys()])] : parts.map((part) => table(beside(part)))
  return [...(title === undefined ? [] : [oneLine(title)]), tables.join("\n\n"), ...notes.map((note) => style("dim", oneLine(note)))].join("\n")
}
