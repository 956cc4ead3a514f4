/**
 * What is wrong with a YAML file, with line and column: parse errors, schema errors flattened to the place they are about, and near
 * misses suggested.
 */
import * as Data from "effect/Data"
import type * as SchemaIssue from "effect/SchemaIssue"
import { makeFormatterStandardSchemaV1, defaultLeafHook, hasInput } from "effect/SchemaIssue"
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter, type Node, type YAMLMap } from "yaml"
import { suggest } from "./spelling.ts"

export type Path = ReadonlyArray<PropertyKey>

/** One mistake: where in the document, and what is wrong with it. `onKey`: the key itself is at fault, not its value. */
export interface Mistake {
  readonly path: Path
  readonly message: string
  readonly onKey?: boolean
  /** Where it stands, for what has no path: an offset in the text. */
  readonly offset?: number
}

/** All mistakes of a file, as a text with file, line, column and the line itself. */
export class InvalidPipeline extends Data.TaggedError("InvalidPipeline")<{ readonly message: string }> {}

/** A YAML file that was parsed, able to say where in it something stands. */
export interface Source {
  readonly file: string
  readonly text: string
  readonly document: Document
  readonly lines: LineCounter
}

const quoted = (names: Iterable<string>) => [...names].join(", ")

const format = makeFormatterStandardSchemaV1()
/** The mistakes in a schema issue, each at its own place. `known` lists the keys that are possible at a path, for suggestions. */
export const mistakesOf = (issue: SchemaIssue.Issue, path: Path, known: (path: Path) => ReadonlyArray<string>): Array<Mistake> => {
  const inner = (nested: SchemaIssue.Issue, at: Path) => mistakesOf(nested, at, known)
  switch (issue._tag) {
    case "Filter":
      return issue.issue._tag === "InvalidValue" ? format(issue).issues.map(({ message }) => ({ path, message })) : inner(issue.issue, path)
    case "Encoding":
      return inner(issue.issue, path)
    case "Pointer":
      return inner(issue.issue, [...path, ...issue.path])
    case "Composite":
      return issue.issues.flatMap((nested) => inner(nested, path))
    case "UnexpectedKey": {
      const name = String(path.at(-1)), keys = known(path.slice(0, -1))
      return [{ path, onKey: true, message: `unknown key "${name}"${suggest(name, keys)}${keys.length > 0 ? `; known: ${quoted(keys)}` : ""}` }]
    }
    case "MissingKey":
      return [{ path: path.slice(0, -1), message: `missing key "${String(path.at(-1))}"` }]
    case "AnyOf": {
      // of several alternatives the one that got furthest is the one that was meant
      const alternatives = issue.issues.map((nested) => inner(nested, path))
      const deepest = (list: ReadonlyArray<Mistake>) => Math.max(...list.map((mistake) => mistake.path.length))
      const deeper = alternatives.filter((list) => list.length > 0 && deepest(list) > path.length)
      if (deeper.length > 0) return deeper.toSorted((a, b) => deepest(b) - deepest(a))[0]!
      const { expected } = issue.ast.annotations ?? {}
      if (typeof expected !== "string") return [{ path, message: format(issue).issues[0]?.message ?? "not one of the forms allowed" }]
      const value = hasInput(issue) ? JSON.stringify(issue.input) : undefined
      return [{ path, message: `expected ${expected}${value === undefined || value.length > 60 ? "" : `, got ${value}`}` }]
    }
    default:
      return [{ path, message: hasInput(issue) ? defaultLeafHook(issue) : "invalid" }]
  }
}

/** The maps that `<<` merges into one: their keys stand elsewhere in the file. */
const mergedMaps = (document: Document, map: YAMLMap): Array<YAMLMap> =>
  map.items.filter(({ key }) => isScalar(key) && (key.value === "<<" || typeof key.value === "symbol")).flatMap(({ value }) => {
    const items: ReadonlyArray<unknown> = isSeq(value) ? value.items : [value]
    return items.map((item) => isAlias(item) ? item.resolve(document) : item).filter(isMap)
  })

/** Where a path stands in the file: offsets of its value, or of its key. A missing place falls back to what holds it. */
const rangeAt = (document: Document, path: Path, onKey: boolean): number => {
  let node: unknown = document.contents
  let at = isNode(node) ? node.range?.[0] ?? 0 : 0
  for (let i = 0; i < path.length; i++) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(path[i]))
      if (pair === undefined) {
        const target = mergedMaps(document, node).find((map) => map.has(path[i]))
        if (target === undefined) return at
        node = target
        i--
        continue
      }
      const key = pair.key as Node
      node = pair.value
      at = i === path.length - 1 && !onKey && isNode(node) && node.range != null ? node.range[0] : key.range?.[0] ?? at
    } else if (isSeq(node)) {
      node = node.items[Number(path[i])]
      if (!isNode(node)) return at
      at = node.range?.[0] ?? at
    } else return at
  }
  return at
}

const show = (path: Path) => path.map((part) => typeof part === "number" ? `[${part}]` : `.${String(part)}`).join("").replace(/^\./, "")

/** Line and column (from 1) of a path in a file. */
export const placeOf = ({ document, lines }: Source, path: Path, onKey = false): { readonly line: number; readonly col: number } =>
  lines.linePos(rangeAt(document, path, onKey))

const frame = (source: Source, line: number, col: number, where: string, message: string) => {
  const text = source.text.split("\n")[line - 1] ?? ""
  const margin = String(line).padStart(4)
  return `${source.file}:${line}:${col} ${where === "" ? "" : `${where}: `}${message}\n${margin} | ${text}\n     | ${" ".repeat(Math.max(0, col - 1))}^`
}

/** The error that lists mistakes in the order of the file, each once. */
export const invalid = (source: Source, mistakes: ReadonlyArray<Mistake>): InvalidPipeline => {
  const placed = mistakes
    .map((mistake) => ({ ...mistake, ...(mistake.offset === undefined ? placeOf(source, mistake.path, mistake.onKey) : source.lines.linePos(mistake.offset)) }))
    .toSorted((a, b) => a.line - b.line || a.col - b.col)
  const texts = [...new Set(placed.map(({ path, message, line, col }) => frame(source, line, col, show(path), message)))]
  const shown = texts.slice(0, 20)
  return new InvalidPipeline({ message: shown.join("\n") + (texts.length > shown.length ? `\n... and ${texts.length - shown.length} more` : "") })
}

/** The error of a file that is not YAML. */
export const unparsed = (source: Source): InvalidPipeline =>
  new InvalidPipeline({
    message: [...source.document.errors, ...source.document.warnings].slice(0, 20).map((error) => {
      const { line, col } = source.lines.linePos(error.pos[0])
      return frame(source, line, col, "", error.message.replace(/ at line \d+, column \d+:?[\s\S]*$/, ""))
    }).join("\n")
  })
