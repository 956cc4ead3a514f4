/** A table as it is shown: columns that may stand under a common head, fields of which some are marked, and notes below. Formats render it. */
import type { Mark } from "./compare.ts"
import { style, textTable } from "./terminal.ts"

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

/** Text of a sheet for a terminal; a column of numbers in which nothing is marked needs no room for marks. */
export const sheetText = ({ columns, notes, rows, title }: Sheet): string => {
  const wide = columns.map((column, c) => column.number === true && rows.some((row) => row[c]?.mark !== undefined))
  const headers = columns.map(({ name, number }, c) => `${number === true ? ">" : ""}${name}${wide[c] === true ? "  " : ""}`)
  const text = rows.map((row) => row.map((field, c) => wide[c] === true ? marked(field, columns[c]!) : field.text))
  const table = textTable(headers, text, columns.map(({ over }) => over ?? ""))
  return [...(title === undefined ? [] : [title]), table, ...notes.map((note) => style("dim", note))].join("\n")
}
