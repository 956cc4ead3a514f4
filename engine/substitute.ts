/**
 * Axis values in a stage's text: `$axis` or `$axis.path` as a whole value keeps its type, `"${axis}"` interpolates inside a string, `$$` is a
 * dollar, any other `$` is itself. What comes in is substituted again. An absent `.with` is `{}`.
 */
import { type Path } from "../schemas/diagnostic.ts"
import { suggest } from "../schemas/spelling.ts"
import type { Column } from "./axes.ts"

/** A reference that leads nowhere; `path` is where it stands. */
export class UnknownReference extends Error {
  readonly path: Path
  constructor(path: Path, message: string) {
    super(message)
    this.path = path
  }
}

const whole = /^\$([a-z][a-z0-9_-]*)((?:\.[A-Za-z0-9_-]+)*)$/
const part = /\$\$|\$\{([a-z][a-z0-9_-]*)((?:\.[A-Za-z0-9_-]+)*)\}/g
const deepest = 32

const steps = (path: string) => path.split(".").filter((step) => step !== "")

/** Names of the columns that a value refers to, through the values of those columns too. */
export const references = (value: unknown, columns: ReadonlyArray<Column>, found = new Set<number>()): Set<number> => {
  const refer = (name: string) => {
    const column = columns.findIndex((candidate) => candidate.name === name)
    if (column < 0 || found.has(column)) return
    found.add(column)
    for (const inner of columns[column]!.values) references(inner, columns, found)
  }
  if (typeof value === "string") {
    const match = whole.exec(value)
    if (match !== null) refer(match[1]!)
    else for (const [, name] of value.matchAll(part)) if (name !== undefined) refer(name)
  } else if (Array.isArray(value)) for (const item of value) references(item, columns, found)
  else if (typeof value === "object" && value !== null) for (const item of Object.values(value)) references(item, columns, found)
  return found
}

/** The codes of one cell, with the columns they are of. */
export interface Assignment {
  readonly columns: ReadonlyArray<Column>
  readonly codes: Int32Array
}

const follow = ({ codes, columns }: Assignment, name: string, rest: string, at: Path): { readonly value: unknown; readonly path: Path } => {
  const index = columns.findIndex((column) => column.name === name)
  const column = columns[index]
  if (column === undefined) {
    throw new UnknownReference(at, `there is no axis "${name}"${suggest(name, columns.map((candidate) => candidate.name))}; write $$${name} for the text itself`)
  }
  const code = codes[index]!
  if (code < 0) {
    const cell = columns.flatMap((other, i) => codes[i]! >= 0 ? [`${other.name}=${other.labels[codes[i]!]}`] : []).join(" ")
    throw new UnknownReference(at, `the axis "${name}" has no value in the cell ${cell}: it belongs to other values' own axes`)
  }
  let value = column.values[code], path = column.paths[code]!
  const all = steps(rest)
  for (const [i, step] of all.entries()) {
    const holder = value
    value = typeof holder === "object" && holder !== null ? (holder as Readonly<Record<string, unknown>>)[step] : undefined
    path = [...path, step]
    if (value === undefined) {
      if (step === "with" && i === all.length - 1) return { value: {}, path: path.slice(0, -1) }
      const known = typeof holder === "object" && holder !== null ? Object.keys(holder) : []
      throw new UnknownReference(at, `$${name}${rest} leads nowhere: the value ${column.labels[code]} of "${name}" has no "${step}"${suggest(step, known)}`)
    }
  }
  return { value, path }
}

/** A value with every reference replaced. `path` is where it stands in the file. Throws `UnknownReference`. */
export const substitute = (value: unknown, assignment: Assignment, path: Path, depth = 0): unknown => {
  if (depth > deepest) throw new UnknownReference(path, "the references go in a circle")
  if (typeof value === "string") {
    if (!value.includes("$")) return value
    const match = whole.exec(value)
    if (match !== null) {
      const found = follow(assignment, match[1]!, match[2]!, path)
      return substitute(found.value, assignment, found.path, depth + 1)
    }
    return value.replaceAll(part, (text, name: string | undefined, rest: string | undefined) => {
      if (name === undefined) return "$"
      const found = follow(assignment, name, rest ?? "", path)
      const inner = substitute(found.value, assignment, found.path, depth + 1)
      if (typeof inner === "object") throw new UnknownReference(path, `${text} stands inside a text, but its value is not a text or number: write it as a whole value ($${name}${rest ?? ""})`)
      return String(inner)
    })
  }
  if (Array.isArray(value)) return value.map((item, i) => substitute(item, assignment, [...path, i], depth))
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, substitute(item, assignment, [...path, key], depth)]))
  }
  return value
}

/** Where in the file a part of a substituted value comes from: references are followed to the axis value that wrote it. */
export const originOf = (value: unknown, assignment: Assignment, path: Path, inside: Path): Path => {
  let current = value, at = path
  for (const step of [...inside, undefined]) {
    for (let depth = 0; typeof current === "string" && depth < deepest; depth++) {
      const match = whole.exec(current)
      if (match === null) break
      const found = follow(assignment, match[1]!, match[2]!, at)
      current = found.value
      at = found.path
    }
    if (step === undefined) break
    current = typeof current === "object" && current !== null ? (current as Readonly<Record<PropertyKey, unknown>>)[step] : undefined
    at = [...at, step]
  }
  return at
}
