/** Tables for a terminal: aligned columns, dimmed rules, colour only where the terminal has it. */
import { stripVTControlCharacters, styleText } from "node:util"

type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan"
/** Styled text; plain where colour is off (NO_COLOR, no terminal). */
export const style = (as: Style, text: string): string => styleText(as, text, { stream: process.stdout })

/** `1,204 rows`: a number with what it is of. */
export const counted = (n: number, noun: string): string => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`

/** Characters that text takes in a terminal, its colours aside. */
export const widthOf = (text: string) => [...stripVTControlCharacters(text)].length
/** Text as a terminal can be given it in one line: of what data hold, a label or the record of a run elsewhere, only colours are obeyed. */
const harmless = (text: string) =>
  text.replaceAll(/\p{Cc}/gu, (control, at: number) => control === "\u001b" && /^\[[\d;]*m/.test(text.slice(at + 1)) ? control : "\ufffd")
const fill = (text: string, width: number, right: boolean) => {
  const space = " ".repeat(Math.max(0, width - widthOf(text)))
  return right ? space + text : text + space
}

/** Neighbouring columns of one head, as [first, one after the last]; those without have none. */
const spans = (over: ReadonlyArray<string>) => {
  const found: Array<{ readonly head: string; readonly from: number; to: number }> = []
  over.forEach((head, i) => {
    const last = found.at(-1)
    if (head !== "" && last?.head === head && last.to === i) last.to = i + 1
    else if (head !== "") found.push({ head, from: i, to: i + 1 })
  })
  return found
}

/**
 * Lines of a table. Columns whose header begins with ">" are aligned right. `over`: a head above neighbouring columns that have the same one,
 * "" for none.
 */
export const textTable = (headers: ReadonlyArray<string>, given: ReadonlyArray<ReadonlyArray<string>>, over: ReadonlyArray<string> = []): string => {
  const rows = given.map((cells) => cells.map(harmless))
  const right = headers.map((header) => header.startsWith(">"))
  const names = headers.map((header) => header.replace(/^>/, ""))
  const widths = names.map((name, i) => Math.max(widthOf(name), ...rows.map((row) => widthOf(row[i] ?? ""))))
  const span = (from: number, to: number) => widths.slice(from, to).reduce((sum, width) => sum + width + 2, -2)
  const heads = spans(over)
  for (const { from, head, to } of heads) widths[to - 1]! += Math.max(0, widthOf(head) - span(from, to))
  const line = (cells: ReadonlyArray<string>) => cells.map((cell, i) => fill(cell, widths[i]!, right[i]!)).join("  ").trimEnd()
  const above = heads.reduce((text, { from, head, to }) => {
    const width = span(from, to), rule = width - widthOf(head) - 1
    return `${text}${" ".repeat((from === 0 ? 0 : span(0, from) + 2) - widthOf(text))}${head}${to - from > 1 && rule > 0 ? ` ${"─".repeat(rule)}` : ""}`
  }, "")
  return [...(above === "" ? [] : [style("bold", above)]), style("bold", line(names)), style("dim", widths.map((width) => "─".repeat(width)).join("  ")), ...rows.map(line)].join("\n")
}
