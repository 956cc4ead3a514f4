/**
 * Axes and cells. An axis value may hold axes of its own: only cells with that value are multiplied by them. Axes of the same name under
 * different values share a column. A cell is a row of codes, one a column: the number of its value there, or -1 where it has none.
 */
import type { Mistake, Path } from "../schemas/diagnostic.ts"
import { InvalidPipeline } from "../schemas/diagnostic.ts"
import { suggest } from "../schemas/spelling.ts"
import { namePattern, type Pipeline } from "../schemas/pipeline.ts"

/** A dimension of the grid as a column of cells: every value that it has anywhere. */
export interface Column {
  readonly name: string
  readonly replicate: boolean
  readonly labels: Array<string>
  readonly values: Array<unknown>
  /** Where each value stands in the file. */
  readonly paths: Array<Path>
}

interface AxisValue {
  readonly code: number
  readonly axes: ReadonlyArray<Axis>
}
interface Axis {
  readonly column: number
  readonly values: ReadonlyArray<AxisValue>
}

export interface Cells {
  readonly columns: ReadonlyArray<Column>
  readonly count: number
  /** count x columns */
  readonly codes: Int32Array
}

/** More cells than this are refused: nobody means them, and they would fill memory. */
const mostCells = 2_000_000

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value)

/** The label of an axis value in tables and on the command line. */
const labelOf = (value: unknown): string => isMapping(value) ? JSON.stringify(value) : String(value)

/** Reads the axes and enumerates the cells that `exclude` leaves; mistakes are added to the list. */
export const enumerate = (pipeline: Pipeline, mistakes: Array<Mistake>, narrowed = false): Cells => {
  const columns: Array<Column> = []
  const codes: Array<Map<string, number>> = []
  const seenAs = new Map<string, string>()
  const owners = new Map<string, string>()
  const columnOf = (name: string, replicate: boolean) => {
    const found = columns.findIndex((column) => column.name === name)
    if (found >= 0) return found
    columns.push({ name, replicate, labels: [], values: [], paths: [] })
    codes.push(new Map())
    return columns.length - 1
  }
  const read = (axes: Readonly<Record<string, unknown>>, path: Path, replicate: boolean, above: ReadonlySet<string>, top: string | undefined): Array<Axis> =>
    Object.entries(axes).flatMap(([name, given]): Array<Axis> => {
      const at = [...path, name]
      const owner = owners.get(name)
      if (top !== undefined && owner !== undefined && owner !== top) {
        mistakes.push({ path: at, onKey: true, message: `the axis "${name}" is also inside "${owner}", and a cell has values of both: give one of them another name` })
        return []
      }
      if (top !== undefined) owners.set(name, top)
      if (!namePattern.test(name)) {
        mistakes.push({ path: at, onKey: true, message: `an axis is named by lower-case letters, digits, - and _, a letter first; got "${name}"` })
        return []
      }
      if (above.has(name)) {
        mistakes.push({ path: at, onKey: true, message: `the axis "${name}" stands elsewhere in the same cells: give one of them another name` })
        return []
      }
      const column = columnOf(name, replicate)
      const inner = new Set([...above, ...Object.keys(axes)])
      const entries = Array.isArray(given) ? given.map((value: unknown, i) => [labelOf(value), value, [...at, i]] as const) :
        isMapping(given) ? Object.entries(given).map(([label, value]) => [label, value, [...at, label]] as const) : []
      if (entries.length === 0) {
        mistakes.push({ path: at, message: `the axis "${name}" needs a list of values or a mapping of named values` })
        return []
      }
      const seen = new Set<string>()
      const values = entries.map(([label, value, valuePath]): AxisValue => {
        if (seen.has(label)) mistakes.push({ path: valuePath, message: `the value ${label} stands twice in the axis "${name}"` })
        seen.add(label)
        const { labels, paths, values } = columns[column]!
        let code = codes[column]!.get(label)
        if (code === undefined) {
          code = labels.length
          codes[column]!.set(label, code)
          seenAs.set(`${column} ${label}`, JSON.stringify(value))
          labels.push(label)
          paths.push(valuePath)
          values.push(isMapping(value) && "axes" in value ? Object.fromEntries(Object.entries(value).filter(([key]) => key !== "axes")) : value)
        }
        else if (seenAs.get(`${column} ${label}`) !== JSON.stringify(value)) {
          mistakes.push({ path: valuePath, message: `the axis "${name}" has another value called ${label} elsewhere: axes of the same name share their values` })
        }
        const nested = isMapping(value) ? value["axes"] : undefined
        if (nested !== undefined && !isMapping(nested)) mistakes.push({ path: [...valuePath, "axes"], message: "axes is a mapping from name to values" })
        return { code, axes: isMapping(nested) ? read(nested, [...valuePath, "axes"], replicate, inner, top ?? name) : [] }
      })
      return [{ column, values }]
    })
  const twice = Object.keys(pipeline.replicates).filter((name) => name in pipeline.axes)
  for (const name of twice) mistakes.push({ path: ["replicates", name], onKey: true, message: `"${name}" is an axis already: a dimension is compared along or averaged over, not both` })
  const axes = [
    ...read(pipeline.axes, ["axes"], false, new Set(Object.keys(pipeline.replicates)), undefined),
    ...read(pipeline.replicates, ["replicates"], true, new Set(Object.keys(pipeline.axes)), undefined)
  ]
  const size = (list: ReadonlyArray<Axis>): number => list.reduce((n, axis) => n * axis.values.reduce((sum, value) => sum + size(value.axes), 0), 1)
  const total = size(axes)
  if (total > mostCells) {
    mistakes.push({ path: ["axes"], onKey: true, message: `the axes multiply to ${total.toLocaleString("en")} cells, more than ${mostCells.toLocaleString("en")}: give axes that only some values need to those values ("axes" inside a value), or fewer values` })
  }
  if (mistakes.length > 0) return { columns, count: 0, codes: new Int32Array(0) }

  const width = columns.length
  const filled = new Int32Array(total * width)
  const current = new Int32Array(width).fill(-1)
  let count = 0
  const fill = (list: ReadonlyArray<Axis>): void => {
    const [axis, ...rest] = list
    if (axis === undefined) {
      filled.set(current, count++ * width)
      return
    }
    for (const value of axis.values) {
      current[axis.column] = value.code
      fill(value.axes.length === 0 ? rest : [...value.axes, ...rest])
    }
    current[axis.column] = -1
  }
  fill(axes)
  const cells: Cells = { columns, count, codes: filled }
  return exclude(cells, pipeline, mistakes, narrowed)
}

const exclude = (cells: Cells, pipeline: Pipeline, mistakes: Array<Mistake>, narrowed: boolean): Cells => {
  if (pipeline.exclude.length === 0) return cells
  const rules = pipeline.exclude.map((rule, i) => ({ i, matches: matcher(cells.columns, rule, ["exclude", i], narrowed ? [] : mistakes), hits: 0 }))
  if (mistakes.length > 0) return cells
  const kept = filter(cells, (codes) => {
    let out = false
    for (const rule of rules) {
      if (!rule.matches(codes)) continue
      rule.hits++
      out = true
    }
    return !out
  })
  if (kept.count === 0) mistakes.push({ path: ["exclude"], onKey: true, message: "this excludes every cell: nothing is left to run" })
  for (const { hits, i } of narrowed ? [] : rules) if (hits === 0) mistakes.push({ path: ["exclude", i], message: "this excludes nothing: no cell has these values together" })
  return kept
}

/** The cells whose codes pass a test. */
const filter = ({ codes, columns, count }: Cells, test: (codes: Int32Array) => boolean): Cells => {
  const width = columns.length, kept = new Int32Array(codes.length)
  let left = 0
  for (let cell = 0; cell < count; cell++) {
    const row = codes.subarray(cell * width, (cell + 1) * width)
    if (test(row)) kept.set(row, left++ * width)
  }
  return { columns, count: left, codes: kept.slice(0, left * width) }
}

/** A test of a cell's codes for a choice like `{ method: dtl, fold: [0, 1] }`. */
export const matcher = (columns: ReadonlyArray<Column>, choice: Readonly<Record<string, unknown>>, path: Path, mistakes: Array<Mistake>): (codes: Int32Array) => boolean => {
  const tests = Object.entries(choice).map(([name, wanted]) => {
    const column = columns.findIndex((candidate) => candidate.name === name)
    if (column < 0) {
      mistakes.push({ path: [...path, name], onKey: true, message: `there is no axis "${name}"${suggest(name, columns.map((candidate) => candidate.name))}` })
      return { column: 0, allowed: new Set<number>() }
    }
    const { labels } = columns[column]!
    const allowed = new Set((Array.isArray(wanted) ? wanted : [wanted]).flatMap((value) => {
      const code = labels.indexOf(String(value))
      if (code >= 0) return [code]
      mistakes.push({ path: [...path, name], message: `the axis "${name}" has no value ${String(value)}${suggest(String(value), labels)}; it has ${labels.join(", ")}` })
      return []
    }))
    return { column, allowed }
  })
  return (codes) => tests.every(({ allowed, column }) => allowed.has(codes[column]!))
}

/** The assignment of a cell, as labels, in the order of the columns; columns it does not have are left out. */
export const assignment = (cells: Cells, cell: number): Record<string, string> => {
  const width = cells.columns.length
  const out: Record<string, string> = {}
  cells.columns.forEach((column, i) => {
    const code = cells.codes[cell * width + i]!
    if (code >= 0) out[column.name] = column.labels[code]!
  })
  return out
}

/** The cells whose values match the patterns (`*` stands for anything). Throws `InvalidPipeline` where nothing matches. */
export const pick = (cells: Cells, picks: Readonly<Record<string, ReadonlyArray<string>>>): Cells => {
  const entries = Object.entries(picks)
  if (entries.length === 0 || cells.count === 0) return cells
  const choice = Object.fromEntries(entries.map(([name, patterns]) => {
    const column = cells.columns.find((candidate) => candidate.name === name)
    if (column === undefined) throw new InvalidPipeline({ message: `there is no axis "${name}"${suggest(name, cells.columns.map((candidate) => candidate.name))}; axes are ${cells.columns.map((candidate) => candidate.name).join(", ")}` })
    const labels = patterns.flatMap((pattern) => {
      const expression = new RegExp(`^${pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`)
      const found = column.labels.filter((label) => expression.test(label))
      if (found.length === 0) throw new InvalidPipeline({ message: `the axis "${name}" has no value ${pattern}${suggest(pattern, column.labels)}; it has ${column.labels.join(", ")}` })
      return found
    })
    return [name, labels]
  }))
  const picked = filter(cells, matcher(cells.columns, choice, [], []))
  if (picked.count === 0) throw new InvalidPipeline({ message: `no cell has ${entries.map(([name, patterns]) => `${name}=${patterns.join(",")}`).join(" and ")} together` })
  return picked
}
