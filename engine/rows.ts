/**
 * Which rows a stage sees. Ports are joined on sample_id: row i of every port is the same sample. `fit` gets the training rows of the
 * split (and the validation rows where the stage selects on them), so that fitting on training data is what the engine did, not what a
 * stage promises.
 */
import { createHash } from "node:crypto"
import type { Handed } from "../cache/action.ts"
import { type Column, isVectors } from "../schemas/column.ts"
import { type Table, take, view } from "../schemas/table.ts"
import type { ErasedInputs } from "../stages/stage.ts"

const idsOf = (table: Table): ReadonlyArray<string> | undefined => {
  const found = table.columns.get("sample_id")
  return found === undefined || found.kind !== "text" ? undefined : found.column as ReadonlyArray<string>
}
const rowsUnique = (ids: ReadonlyArray<string>) => {
  for (let i = 1; i < ids.length; i++) if (ids[i] === ids[i - 1]) return false
  return true
}
const same = (a: ReadonlyArray<string>, b: ReadonlyArray<string>) => a === b || (a.length === b.length && a.every((id, i) => id === b[i]))

/** A table cut to the columns that a stage reads and those that rows are chosen by: others are neither decoded nor copied. */
export const columnsOf = (table: Table, read: ReadonlyArray<string>): Table => {
  const names = new Set([...read, "sample_id", ...(table.schema.name === "split" ? ["split"] : [])])
  return { ...table, columns: new Map([...table.columns].filter(([name]) => names.has(name))) }
}

/** Tables joined on sample_id. Tables with several rows a sample (views) keep all rows of the samples left. */
export const join = (tables: Readonly<Record<string, Table>>): { readonly tables: Readonly<Record<string, Table>>; readonly dropped: ReadonlyArray<string> } => {
  const keyed = Object.entries(tables).flatMap(([port, table]) => {
    const ids = idsOf(table)
    return ids === undefined ? [] : [{ port, table, ids }]
  })
  const [first, ...others] = keyed
  if (first === undefined || others.every(({ ids }) => same(first.ids, ids))) return { tables, dropped: [] }
  let left = new Set(first.ids)
  for (const { ids } of others) {
    const here = new Set(ids)
    left = new Set([...left].filter((id) => here.has(id)))
  }
  const dropped: Array<string> = []
  const joined = Object.fromEntries(keyed.map(({ port, table, ids }) => {
    const rows = Int32Array.from(ids.keys()).filter((row) => left.has(ids[row]!))
    const distinct = rowsUnique(ids) ? ids.length : new Set(ids).size
    if (left.size < distinct) dropped.push(`${distinct - left.size} of ${distinct} samples of "${port}" have no row in another port and were left out`)
    return [port, rows.length === ids.length ? table : take(table, rows)]
  }))
  return { tables: { ...tables, ...joined }, dropped }
}

/**
 * The tables restricted to the samples that the split gives to `fit`; all of them where no split is bound. Of pairs those stay of which both
 * samples go to `fit` in one role: a training sample is not pulled to one that the stage selects on.
 */
export const fittingRows = (tables: Readonly<Record<string, Table>>, validates: boolean): Readonly<Record<string, Table>> => {
  const split = Object.values(tables).find((table) => table.schema.name === "split")
  if (split === undefined) return tables
  const roles = split.columns.get("split")!.column as ReadonlyArray<string>
  const ids = idsOf(split)!
  const fits = new Map(ids.flatMap((id, row) => roles[row] === "train" || (validates && roles[row] === "val") ? [[id, roles[row]]] : []))
  return Object.fromEntries(Object.entries(tables).map(([port, table]) => {
    const text = (name: string) => table.columns.get(name)!.column as ReadonlyArray<string>
    const pairs = table.schema.name === "pairs"
    const own = pairs ? text("anchor") : idsOf(table)
    if (own === undefined) return [port, table]
    const other = pairs ? text("positive") : own
    const rows = Int32Array.from(own.keys()).filter((row) => fits.has(own[row]!) && fits.get(own[row]!) === fits.get(other[row]!))
    return [port, rows.length === own.length ? table : take(table, rows)]
  }))
}

/** Which samples a fit is handed: those of `rows`, a restriction of `joined` by the split, or all of them. */
export const handedOf = (joined: Readonly<Record<string, Table>>, rows: Readonly<Record<string, Table>>): Handed => {
  const split = Object.values(joined).find((table) => table.schema.name === "split"), first = Object.values(rows).find((table) => idsOf(table) !== undefined)
  const roles = new Map(split === undefined ? [] : idsOf(split)!.map((id, row) => [id, (split.columns.get("split")!.column as ReadonlyArray<string>)[row]!]))
  const counts: Record<string, number> = {}, digest = createHash("sha256")
  let before: string | undefined
  for (const id of first === undefined ? [] : idsOf(first)!) {
    if (id === before) continue
    before = id
    const role = roles.get(id) ?? ""
    counts[role] = (counts[role] ?? 0) + 1
    digest.update(`${id}\n`)
  }
  return { by: rows === joined ? "all" : "split", roles: counts, samples: digest.digest("hex") }
}

/** Arrays of at most this many bytes are copied for each stage, so that one that writes into its inputs harms nobody else; of lists, the outer array. */
const copiedBytes = 1 << 23

const ownCopy = (column: Column): Column => {
  if (isVectors(column)) return column.values.byteLength <= copiedBytes ? { width: column.width, values: column.values.slice() } : column
  if (ArrayBuffer.isView(column)) return column.byteLength <= copiedBytes ? column.slice() : column
  return column.slice() as Column
}

/** The tables as a stage sees them: only the columns it reads. Large arrays are shared with other nodes and must not be written to. */
export const inputsOf = (tables: Readonly<Record<string, Table>>, read: Readonly<Record<string, ReadonlyArray<string>>>): ErasedInputs =>
  Object.fromEntries(Object.entries(tables).map(([port, table]) => {
    const names = new Set(read[port])
    const own = new Map(Array.from(table.columns).flatMap(([name, own]) => names.has(name) ? [[name, { kind: own.kind, column: ownCopy(own.column) }] as const] : []))
    return [port, view({ ...table, columns: own }, read[port]!)]
  }))
