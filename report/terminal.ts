/** Tables for a terminal: aligned columns, dimmed rules, colour only where the terminal has it. */
import { stripVTControlCharacters, styleText } from "node:util"

type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan"
/** Styled text; plain where colour is off (NO_COLOR, no terminal). */
export const style = (as: Style, text: string): string => styleText(as, text, { stream: process.stdout })

const widthOf = (text: string) => [...stripVTControlCharacters(text)].length
const fill = (text: string, width: number, right: boolean) => {
  const space = " ".repeat(Math.max(0, width - widthOf(text)))
  return right ? space + text : text + space
}

/** Lines of a table. Columns whose header begins with ">" are aligned right. */
export const textTable = (headers: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const right = headers.map((header) => header.startsWith(">"))
  const names = headers.map((header) => header.replace(/^>/, ""))
  const widths = names.map((name, i) => Math.max(widthOf(name), ...rows.map((row) => widthOf(row[i] ?? ""))))
  const line = (cells: ReadonlyArray<string>) => cells.map((cell, i) => fill(cell, widths[i]!, right[i]!)).join("  ").trimEnd()
  return [style("bold", line(names)), style("dim", widths.map((width) => "─".repeat(width)).join("  ")), ...rows.map(line)].join("\n")
}
