/** Where a stage of the user's own failed, as a place in its own files: a closure is one long line that nobody has seen. */
import * as fs from "node:fs"
import { SourceMap, type SourceMapPayload } from "node:module"
import { fileURLToPath } from "node:url"

const place = /(file:\/\/[^\s()]+\/closures\/[0-9a-f]{64}\.mjs):(\d+):(\d+)/

/** What is bundled into a closure without being the user's: packages, and what a loss imports from `outcrop/train`. */
const others = /(?:^|\/)(?:node_modules\/|dist\/train\.js$)/

const mapOf = (url: string): SourceMap | undefined => {
  try {
    return new SourceMap(JSON.parse(fs.readFileSync(`${fileURLToPath(url)}.map`, "utf8")) as SourceMapPayload)
  } catch {
    return undefined
  }
}

/** A line of a stack, its place told as one of the user's files; undefined where it lies elsewhere. */
const ownLine = (line: string): string | undefined => {
  const [found, url = "", row, column] = place.exec(line) ?? []
  const origin = found === undefined ? undefined : mapOf(url)?.findOrigin(Number(row), Number(column))
  return origin !== undefined && "fileName" in origin && "lineNumber" in origin && "columnNumber" in origin && !others.test(String(origin.fileName)) ? line.replace(found!, `${origin.fileName}:${origin.lineNumber}:${origin.columnNumber}`) : undefined
}

/** The lines of the stack of what was thrown that lie in the user's own files. */
export const ownLines = (cause: unknown): ReadonlyArray<string> => cause instanceof Error ? (cause.stack ?? "").split("\n").flatMap((line) => ownLine(line) ?? []) : []

/** What was thrown, with its lines in the user's own files; with the whole stack where there is none. */
export const thrown = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const own = ownLines(cause)
  return own.length > 0 ? [String(cause), ...own].join("\n") : cause.stack ?? cause.message
}
